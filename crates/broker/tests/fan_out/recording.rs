use std::time::Duration;

use tokio::time::advance;
use tributary_broker::{Delivery, Mode, Refusal};
use tributary_model::{DenyReason, RecordRequest, Redacted};

use crate::disk::Trouble;
use crate::kit::{Bench, Does, request, settle, source};

fn bench() -> Bench {
    Bench::new(vec![source("gp", Does::Answers), source("acute", Does::Answers)])
}

const LATER: Duration = Duration::from_secs(9);

#[tokio::test(start_paused = true)]
async fn the_intent_is_on_record_before_anybody_is_asked() {
    let bench = bench();
    let answer = bench.asks(request()).await.unwrap().unwrap();
    let calls = bench.seen.calls();
    assert_eq!(calls.len(), 2);
    for call in calls {
        assert_eq!(call.on_record.iter().filter(|kind| *kind == "intent").count(), 1, "{call:?}");
        assert!(!call.on_record.contains(&"disclosure".to_owned()), "{call:?}");
    }
    let intent = &bench.records_of("intent")[0];
    assert_eq!(intent["user"]["id"], "u-17");
    assert_eq!(intent["user"]["org"], "RXX01");
    assert_eq!(intent["expected"], serde_json::json!(["acute", "gp"]));
    let disclosure = &bench.records_of("disclosure")[0];
    assert_eq!(disclosure["corr"], intent["seq"]);
    assert_eq!(answer.audit, format!("local-{}", disclosure["seq"]));
    assert_eq!(disclosure["outcome"]["http"], 200);
    assert_eq!(disclosure["outcome"]["bytes"], answer.body.len());
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_while_the_intent_is_not_durable() {
    let bench = bench();
    bench.disk.troubles("intent", Trouble::Holds);
    let answer = bench.asks(request());
    bench.disk.has_troubled().await;
    settle().await;
    assert!(bench.seen.calls().is_empty() && !answer.is_finished());
    bench.disk.recovers();
    answer.await.unwrap().unwrap();
    assert_eq!(bench.seen.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn no_answer_leaves_while_its_disclosure_is_not_durable() {
    let bench = bench();
    bench.disk.troubles("disclosure", Trouble::Holds);
    let answer = bench.asks(request());
    bench.disk.has_troubled().await;
    settle().await;
    assert!(!answer.is_finished());
    assert!(bench.records_of("disclosure").is_empty());
    bench.disk.recovers();
    let answer = answer.await.unwrap().unwrap();
    let disclosure = &bench.records_of("disclosure")[0];
    assert_eq!(answer.audit, format!("local-{}", disclosure["seq"]));
}

#[tokio::test(start_paused = true)]
async fn without_an_intent_there_is_no_answer() {
    let bench = bench();
    bench.disk.troubles("intent", Trouble::Fails);
    let refusal = bench.asks(request()).await.unwrap().unwrap_err();
    assert_eq!(refusal, Refusal::AuditUnavailable);
    assert!(bench.seen.calls().is_empty());
    assert!(!bench.broker.is_ready());
    bench.disk.recovers();
    assert!(bench.asks(request()).await.unwrap().is_ok());
    assert!(bench.broker.is_ready());
}

#[tokio::test(start_paused = true)]
async fn without_a_disclosure_there_is_no_answer() {
    let bench = bench();
    bench.disk.troubles("disclosure", Trouble::Fails);
    let refusal = bench.asks(request()).await.unwrap().unwrap_err();
    assert_eq!(refusal, Refusal::AuditUnavailable);
    assert!(!bench.broker.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_stuck_disk_is_not_awaited_past_the_deadline() {
    for (kind, asked) in [("intent", 0), ("disclosure", 2)] {
        let bench = bench();
        bench.disk.troubles(kind, Trouble::Holds);
        let answer = bench.asks(request());
        bench.disk.has_troubled().await;
        advance(LATER).await;
        let refusal = answer.await.unwrap().unwrap_err();
        assert_eq!(refusal, Refusal::AuditUnavailable, "{kind}");
        assert_eq!(bench.seen.calls().len(), asked, "{kind}");
        bench.disk.recovers();
    }
}

#[tokio::test(start_paused = true)]
async fn a_disclosure_that_came_too_late_is_taken_back_in_words() {
    let bench = bench();
    bench.disk.troubles("disclosure", Trouble::Holds);
    let answer = bench.asks(request());
    bench.disk.has_troubled().await;
    advance(LATER).await;
    assert_eq!(answer.await.unwrap().unwrap_err(), Refusal::AuditUnavailable);
    bench.disk.recovers();
    let intent = bench.records_of("intent")[0]["seq"].clone();
    let records = bench.closed_all().await;
    let of = |kind: &str| records.iter().filter(|one| one["kind"] == kind).collect::<Vec<_>>();
    let (disclosures, deliveries) = (of("disclosure"), of("delivery"));
    assert_eq!(disclosures.len(), 1);
    assert_eq!(disclosures[0]["corr"], intent);
    // It is on record that something was to be disclosed, and that nothing of it was sent.
    assert_eq!(deliveries.len(), 1);
    assert_eq!(deliveries[0]["corr"], disclosures[0]["seq"]);
    assert!(deliveries[0].to_string().contains("\"not-sent\""), "{}", deliveries[0]);
}

#[tokio::test(start_paused = true)]
async fn whom_the_policy_denies_no_source_hears_of() {
    let sources = || vec![source("gp", Does::Answers)];
    let reason = || Some(Redacted::new("because".to_owned()));
    for (mode, broken, denied) in [
        (Mode::Live, None, DenyReason::NotProven),
        (Mode::Live, reason(), DenyReason::NotProven),
        (Mode::Demo, reason(), DenyReason::BreakGlassNotOffered),
    ] {
        let bench = Bench::in_mode(mode, sources());
        let asked = RecordRequest { break_glass: broken, ..request() };
        assert_eq!(bench.asks(asked).await.unwrap().unwrap_err(), Refusal::Denied(denied));
        assert!(bench.seen.calls().is_empty());
        assert!(bench.records_of("intent").is_empty() && bench.records_of("disclosure").is_empty());
        let records = bench.records_of("denied");
        assert_eq!(records.len(), 1);
        assert_eq!(records[0]["why"]["denied"], denied.code());
        assert_eq!(records[0]["user"]["id"], "u-17");
        assert!(!records[0].to_string().contains("because"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_denial_stands_when_it_cannot_be_recorded() {
    let bench = Bench::in_mode(Mode::Live, vec![source("gp", Does::Answers)]);
    bench.disk.troubles("denied", Trouble::Fails);
    let refusal = bench.asks(request()).await.unwrap().unwrap_err();
    assert_eq!(refusal, Refusal::Denied(DenyReason::NotProven));
    assert!(bench.seen.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn how_an_answer_arrived_is_recorded_once() {
    let bench = bench();
    let answer = bench.asks(request()).await.unwrap().unwrap();
    bench.broker.delivered(&answer.audit, 17, Delivery::Aborted);
    bench.broker.delivered(&answer.audit, 18, Delivery::Whole);
    bench.broker.delivered("local-999", 1, Delivery::Whole);
    let disclosure = bench.records_of("disclosure")[0]["seq"].clone();
    let deliveries = bench.closed("delivery").await;
    assert_eq!(deliveries.len(), 1);
    assert_eq!(deliveries[0]["corr"], disclosure);
    assert_eq!(deliveries[0]["delivery"]["bytes"], 17);
    assert_eq!(deliveries[0]["delivery"]["delivered"], "aborted");
}

#[tokio::test(start_paused = true)]
async fn nothing_clinical_is_in_the_log() {
    let bench = bench();
    bench.asks(request()).await.unwrap().unwrap();
    let text = bench.records().iter().map(ToString::to_string).collect::<String>();
    for word in ["254637007", "Condition", "1953-02-11", "snomed"] {
        assert!(!text.contains(word), "{word}");
    }
}
