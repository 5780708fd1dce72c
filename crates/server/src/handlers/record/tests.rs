use super::*;
use tributary_broker::RelayFailure;
use tributary_model::{DenyReason, FaultClass, SourceFault};

#[track_caller]
fn check(refusal: Refusal, status: u16, code: &str) {
    let problem = from_refusal(refusal);
    assert_eq!((problem.status.as_u16(), problem.code), (status, code), "{refusal:?}");
}

#[test]
fn every_refusal_has_its_status_and_its_kind() {
    let fault = |class| Refusal::Source(SourceFault::new(class), RelayFailure::Failed);
    check(Refusal::Denied(DenyReason::NoRule), 403, "forbidden");
    check(Refusal::AuditUnavailable, 503, "no-store");
    check(Refusal::Overloaded(Duration::ZERO), 503, "throttled");
    check(Refusal::Unlocated, 503, "transient");
    check(Refusal::NoSuchSource, 422, "invalid");
    assert_eq!(from_refusal(Refusal::NoSuchSource).element.as_deref(), Some("section"));
    check(fault(FaultClass::NoHead), 504, "timeout");
    check(fault(FaultClass::Tls), 502, "transient");
    check(Refusal::Internal, 500, "exception");
}

#[test]
fn nobody_is_asked_to_come_back_at_once() {
    assert_eq!(retry_seconds(Duration::ZERO), 1);
    assert_eq!(retry_seconds(Duration::from_millis(1_001)), 2);
}

#[tokio::test]
async fn an_outcome_always_has_an_issue() {
    use crate::tests::bench;
    for verdict in [Verdict::NotFound, Verdict::TimedOut, Verdict::Failed, Verdict::Incomplete] {
        let body = r#"{"resourceType":"OperationOutcome","issue":[]}"#;
        let mut answer = bench::answer(verdict, bytes::Bytes::from_static(body.as_bytes()));
        answer.sources.clear();
        let (status, json) = bench::outcome(from_answer(answer, RecordForm::R4)).await;
        assert_eq!(status, 422);
        assert_eq!(json["issue"].as_array().unwrap().len(), 1);
        let words = json.to_string();
        assert!(words.contains("section") && words.contains("No registered source serves"), "{words}");
    }
}
