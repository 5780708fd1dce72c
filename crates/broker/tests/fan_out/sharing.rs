//! Asks that several requests wait for together.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, advance};
use tributary_broker::{Answer, Refusal};
use tributary_model::{Deadline, FaultClass, Freshness, Priority, RecordRequest, Requester, Role};

use crate::kit::{Bench, Does, SOURCES_HAVE, Source, request, requester, settle, source, statuses};

const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(2);
/// How soon a source must be left alone once nobody waits for it.
const AT_ONCE: Duration = Duration::from_millis(50);

type Asked = JoinHandle<Result<Answer, Refusal>>;

async fn status(asked: Asked) -> String {
    statuses(&asked.await.unwrap().unwrap())["gp"].clone()
}

/// Has the second request wait for what the first one asked.
async fn both(bench: &Bench, first: RecordRequest, second: RecordRequest) -> (Asked, Asked) {
    let (first, second) = apart(bench, first, second).await;
    bench.joined(1).await;
    (first, second)
}

/// Has the second request come after the first one has asked.
async fn apart(bench: &Bench, first: RecordRequest, second: RecordRequest) -> (Asked, Asked) {
    let first = bench.asks(first);
    bench.seen.begun(1).await;
    (first, bench.asks(second))
}

fn within(budget: Duration) -> RecordRequest {
    RecordRequest { deadline: Deadline::after(budget), ..request() }
}

fn by(change: impl FnOnce(&mut Requester)) -> RecordRequest {
    let mut requester = requester();
    change(&mut requester);
    RecordRequest { requester: Arc::new(requester), ..request() }
}

#[tokio::test(start_paused = true)]
async fn equal_questions_share_one_ask_and_have_a_disclosure_each() {
    let bench = Bench::new(vec![source("gp", Does::AnswersAfter(SECOND))]);
    let (first, second) = both(&bench, request(), request()).await;
    assert_eq!(bench.broker.usage().flights, 1);
    advance(SECOND + TICK).await;
    let answers = [status(first).await, status(second).await];
    assert_eq!(answers, ["ok", "ok"]);
    assert_eq!(bench.seen.calls().len(), 1);
    let disclosures = bench.records_of("disclosure");
    let fetches: Vec<_> = disclosures.iter().map(|one| one["sources"][0]["fetch_id"].clone()).collect();
    assert!(fetches.len() == 2 && fetches[0].is_string() && fetches[0] == fetches[1], "{fetches:?}");
    assert!(bench.is_quiet());
    let metrics = bench.metrics.render();
    for line in [
        "tributary_cache_lookups_total{outcome=\"joined\"} 1",
        "tributary_source_duration_seconds_count{source=\"gp\"} 1",
    ] {
        assert!(metrics.lines().any(|told| told == line), "{line}\n{metrics}");
    }
}

#[tokio::test(start_paused = true)]
async fn everybody_is_told_their_own_latency() {
    let bench = Bench::new(vec![source("gp", Does::AnswersAfter(SECOND * 2))]);
    let first = bench.asks(request());
    bench.seen.begun(1).await;
    advance(SECOND).await;
    let second = bench.asks(request());
    bench.joined(1).await;
    advance(SECOND + TICK).await;
    let mut latencies = Vec::new();
    for asked in [first, second] {
        latencies.push(asked.await.unwrap().unwrap().sources[0].latency_ms);
    }
    assert!(latencies[0] >= 2_000 && (1_000..1_100).contains(&latencies[1]), "{latencies:?}");
    assert_eq!(bench.seen.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_with_another_authority_asks_alone() {
    for other in [
        by(|one| "u-18".clone_into(&mut one.user_id)),
        by(|one| one.role = Role::Gp),
        by(|one| one.asid = Some("200000000999".to_owned())),
        by(|one| one.spine.role_profile = Some("r-2".to_owned())),
    ] {
        let bench = Bench::new(vec![source("gp", Does::AnswersAfter(SECOND))]);
        let (first, second) = apart(&bench, request(), other).await;
        bench.seen.begun(2).await;
        advance(SECOND + TICK).await;
        assert_eq!([status(first).await, status(second).await], ["ok", "ok"]);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_wants_it_fetched_now_joins_nothing_that_began_before() {
    let bench = Bench::new(vec![source("gp", Does::AnswersAfter(SECOND))]);
    let fresh = || RecordRequest { freshness: Freshness::FetchNow, ..request() };
    let (first, second) = apart(&bench, request(), fresh()).await;
    bench.seen.begun(2).await;
    // Others may join it.
    let third = bench.asks(request());
    bench.joined(1).await;
    assert_eq!(bench.seen.calls().len(), 2);
    advance(SECOND + TICK).await;
    for asked in [first, second, third] {
        assert_eq!(status(asked).await, "ok");
    }
    let of = |one: &serde_json::Value| one["sources"][0]["fetch_id"].as_str().unwrap().to_owned();
    let mut fetches: Vec<_> = bench.records_of("disclosure").iter().map(of).collect();
    fetches.sort_unstable();
    fetches.dedup();
    assert_eq!(fetches.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn after_an_objection_nobody_joins_what_began_before_it() {
    for (does, told) in [
        (Does::Fails(FaultClass::Consent), "withheld-consent"),
        (Does::Fails(FaultClass::Denied), "denied"),
        (Does::Fails(FaultClass::NoRecord), "no-record"),
        (Does::AnswersAboutSomebodyElse, "identity-mismatch"),
    ] {
        let does = vec![Does::AnswersAfter(SECOND), does, Does::FailsAfter(SECOND, FaultClass::Reset)];
        let bench = Bench::new(vec![Source { does, ..source("gp", Does::Answers) }]);
        let (first, objected) = apart(&bench, request(), by(|one| "u-18".clone_into(&mut one.user_id))).await;
        assert_eq!(status(objected).await, told);
        let newcomer = bench.asks(request());
        tokio::select! {
            () = bench.seen.begun(3) => {}
            () = bench.joined(1) => panic!("joined what began before: {told}"),
        }
        advance(SECOND + TICK).await;
        // Who waited before it is told what was asked for before it.
        assert_eq!([status(first).await, status(newcomer).await], ["ok", "unavailable"], "{told}");
        assert!(bench.is_quiet());
    }
}

#[tokio::test(start_paused = true)]
async fn what_began_after_a_source_was_asked_in_vain_may_be_joined() {
    let late = Does::FailsAfter(SECOND / 2, FaultClass::NoRecord);
    let does = vec![late, Does::AnswersAfter(SECOND)];
    let bench = Bench::new(vec![Source { does, ..source("gp", Does::Answers) }]);
    let (absent, first) = apart(&bench, by(|one| "u-18".clone_into(&mut one.user_id)), request()).await;
    bench.seen.begun(2).await;
    advance(SECOND / 2 + TICK).await;
    assert_eq!(status(absent).await, "no-record");
    let newcomer = bench.asks(request());
    bench.joined(1).await;
    advance(SECOND).await;
    assert_eq!([status(first).await, status(newcomer).await], ["ok", "ok"]);
    assert_eq!(bench.seen.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn urgent_requests_do_not_wait_for_an_ask_that_is_shed_first() {
    let bench = Bench::new(vec![source("gp", Does::AnswersAfter(SECOND))]);
    let early = by(|one| one.priority = Priority::Background);
    let (first, second) = apart(&bench, early, by(|one| one.priority = Priority::Urgent)).await;
    bench.seen.begun(2).await;
    // The other way round, nobody asks again.
    let third = bench.asks(request());
    bench.joined(1).await;
    assert_eq!(bench.seen.calls().len(), 2);
    advance(SECOND + TICK).await;
    for asked in [first, second, third] {
        assert_eq!(status(asked).await, "ok");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_to_leave_does_not_end_it_and_the_last_one_does() {
    let bench = Bench::new(vec![source("gp", Does::Hangs)]);
    let (first, second) = both(&bench, request(), request()).await;
    first.abort();
    settle().await;
    assert!(bench.seen.cancelled().is_empty() && !bench.is_quiet());
    let left = Instant::now();
    second.abort();
    settle().await;
    assert_eq!(bench.seen.cancelled(), ["gp"]);
    assert!(bench.is_quiet() && left.elapsed() <= AT_ONCE);
    assert_eq!(bench.seen.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_ask_has_the_whole_time_of_its_source_and_each_waiter_its_own() {
    let timeout = SECOND * 3;
    let bench = Bench::new(vec![Source { timeout, ..source("gp", Does::AnswersAfter(SECOND * 2)) }]);
    let (hasty, patient) = both(&bench, within(SECOND), request()).await;
    // A second, less the reserve.
    advance(Duration::from_millis(850) + TICK).await;
    let left = Instant::now();
    assert_eq!(status(hasty).await, "timeout");
    assert!(left.elapsed() <= AT_ONCE && bench.seen.cancelled().is_empty());
    advance(SECOND * 2).await;
    assert_eq!(status(patient).await, "ok");
    assert_eq!(bench.seen.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_ask_ends_with_the_time_of_its_source_whoever_waits() {
    let bench = Bench::new(vec![Source { timeout: SECOND * 3, ..source("gp", Does::Hangs) }]);
    let (first, second) = both(&bench, request(), request()).await;
    advance(SECOND * 3 + TICK).await;
    assert_eq!([status(first).await, status(second).await], ["timeout", "timeout"]);
    assert!(bench.is_quiet());
}

#[tokio::test(start_paused = true)]
async fn the_last_to_wait_in_vain_ends_it() {
    let bench = Bench::new(vec![source("gp", Does::Hangs)]);
    let (first, second) = both(&bench, request(), request()).await;
    advance(SOURCES_HAVE + TICK).await;
    assert_eq!([status(first).await, status(second).await], ["timeout", "timeout"]);
    settle().await;
    assert_eq!(bench.seen.cancelled(), ["gp"]);
    assert!(bench.is_quiet());
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_fault_to_all_and_is_not_tried_again() {
    let bench = Bench::new(vec![source("gp", Does::PanicsAfter(SECOND))]);
    let (first, second) = both(&bench, request(), request()).await;
    advance(SECOND + TICK).await;
    assert_eq!([status(first).await, status(second).await], ["unavailable", "unavailable"]);
    assert_eq!(bench.seen.calls().len(), 1);
    assert!(bench.is_quiet());
}

#[tokio::test(start_paused = true)]
async fn a_fault_is_shared_and_not_kept() {
    let does = vec![Does::FailsAfter(SECOND, FaultClass::Reset), Does::Answers];
    let bench = Bench::new(vec![Source { does, ..source("gp", Does::Answers) }]);
    let (first, second) = both(&bench, request(), request()).await;
    advance(SECOND + TICK).await;
    assert_eq!([status(first).await, status(second).await], ["unavailable", "unavailable"]);
    assert_eq!(status(bench.asks(request())).await, "ok");
}

#[tokio::test(start_paused = true)]
async fn what_has_landed_is_not_joined() {
    let bench = Bench::new(vec![source("gp", Does::Answers)]);
    for _ in 0..3 {
        assert_eq!(status(bench.asks(request())).await, "ok");
    }
    assert_eq!(bench.seen.calls().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn one_wrong_answer_to_many_is_one_mixup() {
    let does = vec![Does::AnswersAboutSomebodyElseAfter(SECOND), Does::Answers];
    let bench = Bench::new(vec![Source { does, ..source("gp", Does::Answers) }]);
    let first = bench.asks(request());
    bench.seen.begun(1).await;
    let others: Vec<_> = (0..4).map(|_| bench.asks(request())).collect();
    bench.joined(4).await;
    advance(SECOND + TICK).await;
    for asked in others.into_iter().chain([first]) {
        assert_eq!(status(asked).await, "identity-mismatch");
    }
    assert_eq!(status(bench.asks(request())).await, "ok");
    assert_eq!(bench.seen.calls().len(), 2);
}
