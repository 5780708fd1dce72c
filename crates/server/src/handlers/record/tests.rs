use super::*;
use tributary_model::{DenyReason, FaultClass, SourceFault};

#[track_caller]
fn check(refusal: Refusal, status: u16, code: &str) {
    let problem = from_refusal(refusal);
    assert_eq!((problem.status.as_u16(), problem.code), (status, code), "{refusal:?}");
}

#[test]
fn every_refusal_has_its_status_and_its_kind() {
    let fault = |class| Refusal::Source(SourceFault::new(class));
    check(Refusal::Denied(DenyReason::NoRule), 403, "forbidden");
    check(Refusal::AuditUnavailable, 503, "no-store");
    check(Refusal::Overloaded(Duration::ZERO), 503, "throttled");
    check(Refusal::Unlocated, 503, "transient");
    check(Refusal::NoSuchSource, 404, "not-found");
    check(fault(FaultClass::NoHead), 504, "timeout");
    check(fault(FaultClass::Tls), 502, "transient");
    check(Refusal::Internal, 500, "exception");
}

#[test]
fn nobody_is_asked_to_come_back_at_once() {
    assert_eq!(retry_seconds(Duration::ZERO), 1);
    assert_eq!(retry_seconds(Duration::from_millis(1_001)), 2);
}
