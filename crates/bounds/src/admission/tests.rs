use std::time::Duration;

use super::claim::TurnedBack;
use super::pace::Pace;
use super::*;

const BORNE: Duration = Duration::from_millis(5);

fn caller(organisation: &str, priority: Priority) -> Caller {
    Caller { organisation: OdsCode::parse(organisation).unwrap(), priority }
}

fn door(most: usize) -> Arc<Admission> {
    Admission::new(most, BORNE, Arc::new(Metrics::new(&[]).unwrap()))
}

/// Lets in as many as there is room for, at most `most`.
fn fill(door: &Arc<Admission>, organisation: &str, priority: Priority, most: usize) -> Vec<Admitted> {
    (0..most).map_while(|_| door.admit(caller(organisation, priority), Duration::ZERO).ok()).collect()
}

#[tokio::test(start_paused = true)]
async fn one_alone_may_use_what_its_priority_may() {
    for (priority, room) in [(Priority::Background, 50), (Priority::Interactive, 90), (Priority::Urgent, 100)]
    {
        let door = door(100);
        let held = fill(&door, "A99901", priority, 200);
        assert_eq!(held.len(), room, "{priority:?}");
        assert!(matches!(door.admit(caller("A99901", priority), Duration::ZERO), Err(Crowded::Full)));
        drop(held);
        assert_eq!(door.state().shares.taken(), 0, "every place is given back");
        assert_eq!(fill(&door, "A99901", priority, 200).len(), room);
    }
}

#[tokio::test(start_paused = true)]
async fn the_urgent_are_let_in_whoever_floods() {
    let door = door(100);
    let mut held = fill(&door, "RX901", Priority::Background, 200);
    for organisation in ["RX901", "RX902", "RX903"] {
        held.extend(fill(&door, organisation, Priority::Interactive, 200));
    }
    assert_eq!(held.len(), 90);
    assert!(door.admit(caller("RX904", Priority::Interactive), Duration::ZERO).is_err());
    let urgent = fill(&door, "RX901", Priority::Urgent, 200);
    assert_eq!(urgent.len(), 10, "also of an organisation that floods");
    // Whenever a place comes free, the urgent have it before all others.
    drop(held.pop());
    assert!(door.admit(caller("RX905", Priority::Interactive), Duration::ZERO).is_err());
    assert!(door.admit(caller("RX905", Priority::Urgent), Duration::ZERO).is_ok());
}

#[tokio::test(start_paused = true)]
async fn above_half_nobody_holds_more_than_their_share() {
    let door = door(100);
    let mut greedy = fill(&door, "RX901", Priority::Interactive, 200);
    assert_eq!(greedy.len(), 90);
    // Another is refused since all is full; from then on it wants as much as anybody.
    assert!(matches!(door.admit(caller("RX902", Priority::Interactive), Duration::ZERO), Err(Crowded::Full)));
    let mut modest = Vec::new();
    while let Some(one) = greedy.pop() {
        drop(one);
        match door.admit(caller("RX901", Priority::Interactive), Duration::ZERO) {
            Ok(one) => greedy.push(one),
            Err(crowded) => assert!(matches!(crowded, Crowded::OverShare), "429, not 503"),
        }
        match door.admit(caller("RX902", Priority::Interactive), Duration::ZERO) {
            Ok(one) => modest.push(one),
            Err(_) => break,
        }
    }
    assert_eq!((greedy.len(), modest.len()), (45, 45), "equal shares of what both may use");
    // What is less urgent never takes from what is more.
    assert!(door.admit(caller("RX903", Priority::Background), Duration::ZERO).is_err());
    drop(modest);
    tokio::time::advance(Duration::from_secs(6)).await;
    greedy.extend(fill(&door, "RX901", Priority::Interactive, 200));
    assert_eq!(greedy.len(), 90, "what nobody wants any more is given to who does");
}

#[tokio::test(start_paused = true)]
async fn a_small_caller_is_not_refused_for_a_large_one() {
    let door = door(100);
    let _large = fill(&door, "RX901", Priority::Interactive, 60);
    let small = fill(&door, "RX902", Priority::Interactive, 5);
    assert_eq!(small.len(), 5);
    let _more = fill(&door, "RX901", Priority::Interactive, 200);
    assert!(door.state().shares.taken() <= 90);
}

#[test]
fn who_is_refused_comes_back_within_one_to_five_seconds_each_at_its_own_time() {
    let waits: std::collections::BTreeSet<_> = (0..100).map(|_| come_back()).collect();
    assert!(waits.len() > 50);
    assert!(waits.iter().all(|wait| (1..=5).contains(&wait.as_secs())), "{waits:?}");
}

#[test]
fn the_limit_is_cut_when_every_look_is_late_and_grows_when_it_is_used() {
    let mut pace = Pace::new(256, BORNE);
    let looks = |pace: &mut Pace, lags: [u64; 10], used: usize| {
        pace.used(used);
        for lag in lags {
            pace.behind_by(Duration::from_millis(lag));
        }
        pace.limit()
    };
    assert_eq!(
        looks(&mut pace, [2, 100, 7, 7, 2, 7, 7, 2, 7, 900], 256),
        256,
        "where three are in time the others are accidents"
    );
    assert_eq!(looks(&mut pace, [8; 10], 256), 179, "never by more than a third");
    assert_eq!(looks(&mut pace, [6; 10], 179), 148, "as much as we were in time");
    assert_eq!(looks(&mut pace, [6, 6, 4, 6, 6, 4, 6, 6, 6, 4], 10), 148, "what is not used does not grow");
    assert_eq!(looks(&mut pace, [1; 10], 148), 157);
    assert_eq!(looks(&mut pace, [8, 8, 4, 8, 8, 8, 8, 8, 8, 4], 157), 109, "two in time are not enough");
    for _ in 0..100 {
        looks(&mut pace, [50; 10], 200);
    }
    assert_eq!(pace.limit(), 8, "never nothing");
    let mut times = 0;
    while pace.limit() < 256 {
        let limit = pace.limit();
        looks(&mut pace, [1; 10], limit);
        times += 1;
    }
    assert!(times <= 100, "back within five seconds of the end of its cause: {times}");
}

#[tokio::test(start_paused = true)]
async fn the_pace_is_only_looked_at_while_there_is_something_to_do() {
    let door = door(64);
    let pace = tokio::spawn(Arc::clone(&door).keep_pace(|| Duration::ZERO));
    let looks = || {
        door.metrics.render().lines().find_map(|line| {
            line.strip_prefix("tributary_executor_lag_seconds_count ")
                .map(|count| count.parse::<u64>().unwrap())
        })
    };
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(looks(), Some(0));
    let held = fill(&door, "RX901", Priority::Urgent, 1);
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(held);
    assert!(looks() >= Some(90), "{:?}", looks());
    pace.abort();
}

#[test]
fn a_limit_that_nobody_reached_is_cut_from_what_was_used() {
    let mut pace = Pace::new(256, BORNE);
    pace.used(40);
    for _ in 0..10 {
        pace.behind_by(Duration::from_millis(8));
    }
    assert_eq!(pace.limit(), 28);
    let mut idle = Pace::new(4, BORNE);
    for _ in 0..10 {
        idle.behind_by(Duration::from_millis(6));
    }
    assert_eq!(idle.limit(), 4, "a limit below the least stays what it is");
}

#[tokio::test(start_paused = true)]
async fn who_is_far_behind_takes_only_the_urgent_until_it_is_not() {
    let door = door(256);
    let (late, not_so_late) = (Duration::from_millis(26), Duration::from_millis(24));
    let ask = |priority, behind| door.admit(caller("RX901", priority), behind);
    let _few = fill(&door, "RX901", Priority::Interactive, 31);
    let _plenty = ask(Priority::Interactive, late).unwrap();
    assert!(matches!(ask(Priority::Interactive, late), Err(Crowded::Full)));
    assert!(ask(Priority::Urgent, late).is_ok());
    assert!(ask(Priority::Interactive, not_so_late).is_ok());
    // A look that is overdue says the same.
    let pace = tokio::spawn(Arc::clone(&door).keep_pace(|| Duration::ZERO));
    tokio::task::yield_now().await;
    door.state().next_look = Some(Instant::now());
    tokio::time::advance(late).await;
    assert!(ask(Priority::Interactive, Duration::ZERO).is_err());
    pace.abort();
}

/// Every claim that a head can make, but for whose it is.
fn claims(organisation: &str) -> impl Iterator<Item = Claim> {
    let of = |priority| [Claim::Of(caller(organisation, priority)), Claim::Within(priority)];
    Priority::ALL.iter().copied().flat_map(of).collect::<Vec<_>>().into_iter()
}

#[tokio::test(start_paused = true)]
async fn nobody_is_turned_back_while_there_is_room() {
    for most in [1, 2, 8, 256] {
        let door = door(most);
        let late = Duration::from_secs(10);
        assert!(claims("RX901").all(|claim| door.turns_back(&claim, late).is_none()), "idle, limit {most}");
        let held = fill(&door, "RX901", Priority::Urgent, most);
        assert_eq!(held.len(), most);
        let urgent = Claim::Of(caller("RX902", Priority::Urgent));
        assert!(door.turns_back(&urgent, Duration::ZERO).is_some());
        drop(held);
        tokio::time::advance(Duration::from_secs(6)).await;
        assert!(claims("RX902").all(|claim| door.turns_back(&claim, late).is_none()), "idle again");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_turned_back_by_name_wants_more_as_if_refused_at_the_door() {
    let door = door(100);
    let mut greedy = fill(&door, "RX901", Priority::Interactive, 200);
    let modest = Claim::Of(caller("RX902", Priority::Interactive));
    assert_eq!(door.turns_back(&modest, Duration::ZERO), Some(Crowded::Full));
    drop(greedy.pop());
    let more = Claim::Of(caller("RX901", Priority::Interactive));
    assert_eq!(door.turns_back(&more, Duration::ZERO), Some(Crowded::OverShare));
    assert_eq!(door.turns_back(&modest, Duration::ZERO), None);
}

#[tokio::test(start_paused = true)]
async fn some_of_the_nameless_go_on_so_that_shares_know_of_them() {
    let door = door(10);
    let _held = fill(&door, "RX901", Priority::Urgent, 10);
    let nameless = Claim::Within(Priority::Urgent);
    let gone_on = (0..160).filter(|_| door.turns_back(&nameless, Duration::ZERO).is_none()).count();
    assert_eq!(gone_on, 10);
}

#[test]
fn refusals_are_told_together_once_a_second_and_none_is_lost() {
    let mut turned_back = TurnedBack::default();
    let (begun, mut told) = (Instant::now(), Vec::new());
    for at in (0..2_500).step_by(10) {
        told.push(turned_back.one_more(begun + Duration::from_millis(at)));
    }
    let lines: Vec<_> = told.iter().copied().filter(|line| *line > 0).collect();
    assert_eq!(lines, [1, 100, 100]);
    assert_eq!((turned_back.rest(), turned_back.rest()), (49, 0));
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Deed {
        Ask(usize, Priority),
        Leave(usize),
        Pass(u64),
        Late(u64),
    }

    /// Whether the head of this request is turned back. Nobody is where a less urgent request would not be, and
    /// nobody unknown where somebody might be let in.
    fn lowest_first(door: &Arc<Admission>, asks: &Caller) -> Result<bool, TestCaseError> {
        let turned_back = |claim: &Claim| door.turns_back(claim, Duration::ZERO).is_some();
        let of = |priority| turned_back(&Claim::Of(Caller { priority, ..asks.clone() }));
        let known: Vec<_> = Priority::ALL.iter().map(|priority| of(*priority)).collect();
        prop_assert!(known.is_sorted_by(|less, more| less >= more), "the urgent go before: {known:?}");
        let unknown = turned_back(&Claim::Within(asks.priority));
        let known = of(asks.priority);
        prop_assert!(known || !unknown, "refused unknown, let in by name");
        Ok(known)
    }

    fn deed() -> impl Strategy<Value = Deed> {
        let priority = proptest::sample::select(Priority::ALL);
        prop_oneof![
            6 => (0_usize..5, priority).prop_map(|(who, priority)| Deed::Ask(who, priority)),
            3 => (0_usize..500).prop_map(Deed::Leave),
            1 => (0_u64..3_000).prop_map(Deed::Pass),
            1 => (0_u64..20).prop_map(Deed::Late),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever happens: the limit is kept, urgent requests are let in below it, and no place is lost.
        #[test]
        fn the_door_keeps_its_word(deeds in proptest::collection::vec(deed(), 1..400), most in 1_usize..80) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            runtime.block_on(async {
                let door = door(most);
                let mut held: Vec<Admitted> = Vec::new();
                for deed in deeds {
                    match deed {
                        Deed::Ask(who, priority) => {
                            let limit = door.state().pace.limit();
                            let before = door.state().shares.taken();
                            let urgent_only = held.iter().all(|one| one.caller.priority < Priority::Urgent);
                            let asks = caller(&format!("RX90{who}"), priority);
                            let turned_back = lowest_first(&door, &asks)?;
                            let answer = door.admit(asks, Duration::ZERO);
                            if priority == Priority::Urgent && urgent_only && before < limit {
                                prop_assert!(answer.is_ok(), "the first of the urgent below the limit");
                            }
                            if answer.is_ok() {
                                prop_assert!(!turned_back, "whom the door lets in is not turned back");
                            }
                            if let Ok(one) = answer {
                                prop_assert!(before < limit.max(1));
                                held.push(one);
                            }
                        }
                        Deed::Leave(which) => {
                            if !held.is_empty() {
                                drop(held.swap_remove(which % held.len()));
                            }
                        }
                        Deed::Pass(ms) => tokio::time::advance(Duration::from_millis(ms)).await,
                        Deed::Late(ms) => {
                            door.state().pace.behind_by(Duration::from_millis(ms));
                        }
                    }
                    prop_assert_eq!(door.state().shares.taken(), held.len());
                }
                drop(held);
                prop_assert_eq!(door.state().shares.taken(), 0);
                Ok(())
            })?;
        }
    }
}
