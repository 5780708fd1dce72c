use std::sync::Weak as WeakRef;

use tokio::time::advance;
use tributary_model::requester::Assurance;
use tributary_model::{
    Ask, Deadline, FaultClass, NhsNumber, OdsCode, Priority, Purpose, Requester, Role, SectionSet, SpineIds,
};

use super::*;

const TTL: Duration = Duration::from_mins(1);
const TICK: Duration = Duration::from_millis(1);

fn ask(user: &str) -> Ask {
    let requester = Requester {
        user_id: user.to_owned(),
        family: String::new(),
        given: String::new(),
        role: Role::Ambulance,
        organisation: OdsCode::parse("RX999").unwrap(),
        organisation_name: String::new(),
        asid: None,
        spine: SpineIds::default(),
        assurance: Assurance::Demo,
        proof: None,
        priority: Priority::Interactive,
    };
    Ask {
        patient: NhsNumber::parse("9990000107").unwrap(),
        sections: SectionSet::all(),
        since: None,
        requester: Arc::new(requester),
        purpose: Purpose::DirectCare,
        deadline: Deadline::after(Duration::from_secs(1)),
    }
}

fn grant() -> crate::key::Grant {
    crate::key::Grant {
        policy: Digest::of(b""),
        relationship: tributary_model::Relationship::Unknown,
        glass: tributary_audit::BreakGlass::NotAsked,
    }
}

fn source(id: &str) -> SourceId {
    SourceId::parse(id).unwrap()
}

fn key(user: &str) -> Key {
    Key::of(&source("gp"), &ask(user), grant())
}

/// What was fetched in the order of these numbers.
fn fetched(began: u64) -> Kept {
    Kept {
        held: Held::Reply(Arc::default()),
        content: None,
        fetched_at: Timestamp::UNIX_EPOCH,
        fetch: TraceId::random(),
        began: ticket(began),
        until: Instant::now() + TTL,
    }
}

fn ticket(number: u64) -> Ticket {
    let flights = crate::flights::Flights::default();
    (0..number).fold(Ticket::default(), |_, _| flights.draw())
}

fn watched(kept: &Kept) -> WeakRef<Reply> {
    let Held::Reply(reply) = &kept.held else { panic!("a reply") };
    Arc::downgrade(reply)
}

#[tokio::test(start_paused = true)]
async fn nobody_is_served_what_somebody_else_fetched() {
    let cache = Cache::new(1 << 20);
    cache.keep(&key("me"), fetched(1));
    assert!(cache.get(&key("me")).is_some());
    assert!(cache.get(&key("you")).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_reply_is_served_until_its_end_and_not_at_it() {
    let cache = Cache::new(1 << 20);
    cache.keep(&key("me"), fetched(1));
    advance(TTL.saturating_sub(TICK)).await;
    assert!(cache.get(&key("me")).is_some());
    advance(TICK).await;
    assert!(cache.get(&key("me")).is_none());
    cache.keep(&key("you"), Kept { until: Instant::now(), ..fetched(2) });
    assert!(cache.get(&key("you")).is_none());
}

#[tokio::test(start_paused = true)]
async fn what_has_expired_is_freed_within_a_second() {
    let (cache, tasks) = (Cache::new(1 << 20), TaskTracker::new());
    let metrics = Arc::new(Metrics::new(&[]).unwrap());
    cache.keep_clean(&tasks, metrics, MemoryBudget::default());
    // Out of step with the sweep.
    advance(SWEEP / 2 + TICK).await;
    let kept = fetched(1);
    let reply = watched(&kept);
    cache.keep(&key("me"), kept);
    tokio::time::sleep(TTL).await;
    assert!(cache.bytes() > 0);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(reply.upgrade().is_none());
    assert_eq!(cache.bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_source_takes_back_is_forgotten_for_everybody() {
    let cache = Cache::new(1 << 20);
    let (mine, yours) = (fetched(1), fetched(2));
    let replies = [watched(&mine), watched(&yours)];
    cache.keep(&key("me"), mine);
    cache.keep(&key("you"), yours);
    let elsewhere = Key::of(&source("acute"), &ask("me"), grant());
    cache.keep(&elsewhere, fetched(3));
    cache.forget(&key("me").holding, ticket(5));
    assert!(replies.iter().all(|reply| reply.upgrade().is_none()));
    assert!(cache.get(&elsewhere).is_some());
    // A fetch that began before it lands after it.
    cache.keep(&key("you"), fetched(4));
    assert!(cache.get(&key("you")).is_none());
    cache.keep(&key("you"), fetched(6));
    assert!(cache.get(&key("you")).is_some());
}

#[tokio::test(start_paused = true)]
async fn an_older_fetch_does_not_replace_a_newer_one() {
    let cache = Cache::new(1 << 20);
    let newer = fetched(2);
    let name = newer.fetch;
    cache.keep(&key("me"), newer);
    cache.keep(&key("me"), fetched(1));
    assert_eq!(cache.get(&key("me")).unwrap().fetch, name);
    cache
        .keep(&key("me"), Kept { held: Held::Nothing(SourceFault::new(FaultClass::NoRecord)), ..fetched(3) });
    assert!(matches!(cache.get(&key("me")).unwrap().held, Held::Nothing(_)));
    assert_eq!(cache.shared.index().len(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_bound_holds_at_every_moment() {
    let cache = Cache::new(4_000);
    for number in 1..100 {
        cache.keep(&key(&format!("u-{number}")), fetched(number));
        assert!((1..=4_000).contains(&cache.bytes()), "{}", cache.bytes());
        advance(TICK).await;
    }
    assert!(cache.get(&key("u-99")).is_some());
    assert!(cache.get(&key("u-1")).is_none());
    let nowhere = Cache::new(100);
    nowhere.keep(&key("me"), fetched(1));
    assert_eq!(nowhere.bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cleared_cache_keeps_nothing_that_was_under_way() {
    let cache = Cache::new(1 << 20);
    cache.keep(&key("me"), fetched(1));
    cache.clear(ticket(3));
    assert_eq!(cache.bytes(), 0);
    cache.keep(&key("me"), fetched(2));
    assert!(cache.get(&key("me")).is_none());
    cache.keep(&key("me"), fetched(4));
    cache.forget_source(&source("acute"));
    assert!(cache.get(&key("me")).is_some());
    cache.forget_source(&source("gp"));
    assert!(cache.get(&key("me")).is_none());
}

#[test]
fn readers_and_writers_at_once_pass_no_bound_and_lose_nothing() {
    const MOST: u64 = 30_000;
    let (cache, keys) = (Cache::new(MOST), (0..40).map(|user| key(&format!("u-{user}"))).collect::<Vec<_>>());
    let numbers = crate::flights::Flights::default();
    let turn = |of_four: usize, round: usize| {
        let one = &keys[(round * 7 + of_four * 11) % keys.len()];
        if round % 5 < of_four {
            let _kept = cache.get(one);
        } else {
            cache.keep(one, Kept { began: numbers.draw(), ..fetched(0) });
        }
        if round % 500 == 250 {
            cache.forget(&one.holding, numbers.draw());
        }
        assert!(cache.bytes() <= MOST);
    };
    std::thread::scope(|scope| {
        for of_four in 0..4 {
            let turn = &turn;
            scope.spawn(move || (0..2_000).for_each(|round| turn(of_four, round)));
        }
    });
    let index = cache.shared.index();
    let entries = usize::try_from(cache.shared.store.entry_count()).unwrap();
    assert!(entries > 0 && index.len() == (entries, entries), "{entries} {:?}", index.len());
    drop(index);
    cache.clear(Ticket::LAST);
    assert_eq!((cache.bytes(), cache.shared.index().len()), (0, (0, 0)));
}

#[tokio::test(start_paused = true)]
async fn what_somebody_still_reads_is_freed_with_their_last_look_and_no_later() {
    let cache = Cache::new(1 << 20);
    let kept = fetched(1);
    let reply = watched(&kept);
    cache.keep(&key("me"), kept);
    // The store itself may hold an entry for longer: this stands for it.
    let entry = cache.shared.store.get(&key("me")).unwrap();
    cache.forget(&key("me").holding, ticket(2));
    assert!(reply.upgrade().is_none() && locked(&entry.kept).is_none());
}

#[tokio::test(start_paused = true)]
async fn what_is_read_stays_and_what_is_not_makes_room() {
    let cache = Cache::new(4_000);
    cache.keep(&key("me"), fetched(1));
    cache.keep(&key("you"), fetched(2));
    assert!(cache.get(&key("me")).is_some());
    cache.keep(&key("they"), fetched(3));
    assert!(cache.get(&key("you")).is_none());
    assert!(cache.get(&key("me")).is_some() && cache.get(&key("they")).is_some());
}
