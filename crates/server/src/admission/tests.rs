use std::time::Duration;

use super::pace::Pace;
use super::*;

fn caller(organisation: &str, priority: Priority) -> Caller {
    Caller { organisation: OdsCode::parse(organisation).unwrap(), priority }
}

fn door(most: usize) -> Arc<Admission> {
    Admission::new(most, Arc::new(Metrics::new(&[]).unwrap()))
}

/// Lets in as many as there is room for, at most `most`.
fn fill(door: &Arc<Admission>, organisation: &str, priority: Priority, most: usize) -> Vec<Admitted> {
    (0..most).map_while(|_| door.admit(caller(organisation, priority)).ok()).collect()
}

#[tokio::test(start_paused = true)]
async fn one_alone_may_use_what_its_priority_may() {
    for (priority, room) in [(Priority::Background, 50), (Priority::Interactive, 90), (Priority::Urgent, 100)]
    {
        let door = door(100);
        let held = fill(&door, "A99901", priority, 200);
        assert_eq!(held.len(), room, "{priority:?}");
        assert!(matches!(door.admit(caller("A99901", priority)), Err(Crowded::Full(_))));
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
    assert!(door.admit(caller("RX904", Priority::Interactive)).is_err());
    let urgent = fill(&door, "RX901", Priority::Urgent, 200);
    assert_eq!(urgent.len(), 10, "also of an organisation that floods");
    // Whenever a place comes free, the urgent have it before all others.
    drop(held.pop());
    assert!(door.admit(caller("RX905", Priority::Interactive)).is_err());
    assert!(door.admit(caller("RX905", Priority::Urgent)).is_ok());
}

#[tokio::test(start_paused = true)]
async fn above_half_nobody_holds_more_than_their_share() {
    let door = door(100);
    let mut greedy = fill(&door, "RX901", Priority::Interactive, 200);
    assert_eq!(greedy.len(), 90);
    // Another is refused since all is full; from then on it wants as much as anybody.
    assert!(matches!(door.admit(caller("RX902", Priority::Interactive)), Err(Crowded::Full(_))));
    let mut modest = Vec::new();
    while let Some(one) = greedy.pop() {
        drop(one);
        match door.admit(caller("RX901", Priority::Interactive)) {
            Ok(one) => greedy.push(one),
            Err(crowded) => assert!(matches!(crowded, Crowded::OverShare(_)), "429, not 503"),
        }
        match door.admit(caller("RX902", Priority::Interactive)) {
            Ok(one) => modest.push(one),
            Err(_) => break,
        }
    }
    assert_eq!((greedy.len(), modest.len()), (45, 45), "equal shares of what both may use");
    // What is less urgent never takes from what is more.
    assert!(door.admit(caller("RX903", Priority::Background)).is_err());
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

#[tokio::test(start_paused = true)]
async fn who_is_refused_comes_back_within_one_to_five_seconds_each_at_its_own_time() {
    let door = door(0);
    let waits: std::collections::BTreeSet<_> = (0..100)
        .map(|_| match door.admit(caller("RX901", Priority::Urgent)) {
            Err(Crowded::Full(wait) | Crowded::OverShare(wait)) => wait,
            Ok(_) => Duration::ZERO,
        })
        .collect();
    assert!(waits.len() > 50);
    assert!(waits.iter().all(|wait| (1..=5).contains(&wait.as_secs())), "{waits:?}");
}

#[test]
fn the_limit_is_cut_when_every_timer_is_late_and_grows_when_it_is_used() {
    let mut pace = Pace::new(256);
    let tenth = |pace: &mut Pace, lags: [u64; 10], used: usize| {
        pace.used(used);
        for lag in lags {
            pace.late_by(Duration::from_millis(lag));
        }
        pace.limit()
    };
    assert_eq!(
        tenth(&mut pace, [2, 100, 2, 2, 2, 2, 2, 2, 2, 900], 256),
        256,
        "one late timer is an accident"
    );
    assert_eq!(tenth(&mut pace, [6; 10], 256), 179);
    assert_eq!(tenth(&mut pace, [6, 6, 6, 6, 6, 6, 6, 6, 6, 4], 10), 179, "what is not used does not grow");
    assert_eq!(tenth(&mut pace, [1; 10], 179), 183);
    for _ in 0..100 {
        tenth(&mut pace, [50; 10], 200);
    }
    assert_eq!(pace.limit(), 16, "never nothing");
    let mut tenths = 0;
    while pace.limit() < 256 {
        let limit = pace.limit();
        tenth(&mut pace, [1; 10], limit);
        tenths += 1;
    }
    assert!(tenths <= 100, "back within ten seconds of the end of its cause: {tenths}");
}

#[tokio::test(start_paused = true)]
async fn the_pace_is_only_looked_at_while_there_is_something_to_do() {
    let door = door(64);
    let pace = tokio::spawn(Arc::clone(&door).keep_pace());
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
                            let answer = door.admit(caller(&format!("RX90{who}"), priority));
                            if priority == Priority::Urgent && urgent_only && before < limit {
                                prop_assert!(answer.is_ok(), "the first of the urgent below the limit");
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
                            door.state().pace.late_by(Duration::from_millis(ms));
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
