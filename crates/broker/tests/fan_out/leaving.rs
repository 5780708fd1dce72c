//! Callers who go away, and those who come when all is busy.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tributary_broker::{DocumentsRoot, Refusal, RelayFailure, RelayRequest, Subject, Verdict};
use tributary_model::{Deadline, FaultClass, Interaction, MemoryBudget, Redacted, RequestId};

use crate::kit::{Bench, Does, request, requester, settle, source};

/// How soon a source must be left alone once nobody waits for it.
const AT_ONCE: Duration = Duration::from_millis(50);

pub(crate) fn relay() -> RelayRequest {
    RelayRequest {
        id: RequestId::random(),
        interaction: Interaction::ReadOrganization,
        subject: Subject::Practice,
        practice: None,
        tail: Redacted::new("Organization/o1".to_owned()),
        body: Bytes::new(),
        documents_root: DocumentsRoot::Theirs,
        trace: "t".to_owned(),
        requester: requester().into(),
        deadline: Deadline::after(Duration::from_secs(8)),
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_of_a_record_who_leaves_leaves_nothing_behind() {
    let memory = MemoryBudget::new(1 << 30);
    let bench = Bench::with_memory(&memory, vec![source("gp", Does::Hangs), source("acute", Does::Hangs)]);
    let answer = bench.asks(request());
    bench.seen.begun(2).await;
    assert!(memory.taken() > 0);
    let left = Instant::now();
    answer.abort();
    settle().await;
    assert_eq!(bench.seen.cancelled(), ["acute", "gp"]);
    assert!(bench.is_quiet() && left.elapsed() <= AT_ONCE);
    assert_eq!(memory.taken(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_caller_of_a_relay_who_leaves_leaves_nothing_behind() {
    let memory = MemoryBudget::new(1 << 30);
    let bench = Bench::with_memory(&memory, vec![source("gp", Does::Hangs)]);
    let broker = bench.broker.clone();
    let answer = tokio::spawn(async move { broker.relay(relay()).await });
    bench.seen.begun(1).await;
    assert!(memory.taken() > 0 && !bench.is_quiet());
    let left = Instant::now();
    answer.abort();
    settle().await;
    assert_eq!(bench.seen.cancelled(), ["gp"]);
    assert!(bench.is_quiet() && left.elapsed() <= AT_ONCE);
    assert_eq!(memory.taken(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_is_shed_tells_how_long_its_source_wants_to_be_left_alone() {
    for (does, secs) in [
        (Does::AsksToWait(Duration::from_mins(2)), 120),
        (Does::AsksToWait(Duration::from_hours(1)), 300),
        (Does::Fails(FaultClass::Guard), 5),
    ] {
        let bench = Bench::new(vec![source("gp", does)]);
        let refusal = bench.broker.relay(relay()).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Source(_, RelayFailure::Shed)), "{refusal:?}");
        assert_eq!(refusal.retry_after(), Some(Duration::from_secs(secs)), "{does:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn when_all_are_shed_the_shortest_wait_is_told() {
    let wants = |secs| Does::AsksToWait(Duration::from_secs(secs));
    for (each, secs) in [
        ([wants(120), wants(30)], 30),
        ([Does::Fails(FaultClass::Guard), wants(30)], 30),
        ([wants(900), wants(600)], 300),
        ([Does::Fails(FaultClass::Guard), Does::Fails(FaultClass::Breaker)], 5),
    ] {
        let bench = Bench::new(vec![source("gp", each[0]), source("acute", each[1])]);
        let answer = bench.asks(request()).await.unwrap().unwrap();
        assert_eq!(answer.verdict, Verdict::Shed(Duration::from_secs(secs)), "{each:?}");
    }
}
