use super::*;
use SourceStatus as S;

#[track_caller]
fn check(statuses: &[S], handling: Handling, code: u16) {
    let named = statuses
        .iter()
        .enumerate()
        .map(|(index, status)| (SourceId::parse(&format!("s{index}")).unwrap(), (*status, None)));
    let wait = Duration::from_secs(5);
    assert_eq!(verdict(&named.collect(), handling, wait).http(), code, "{statuses:?}");
}

#[test]
fn http_follows_the_statuses() {
    let lenient = Handling::Lenient;
    check(&[S::Ok, S::Timeout], lenient, 200);
    check(&[S::NoRecord, S::Timeout], lenient, 200);
    check(&[S::WithheldConsent, S::Timeout], lenient, 200);
    check(&[S::NoRecord, S::NoRecord], lenient, 404);
    check(&[S::Timeout, S::Timeout], lenient, 504);
    check(&[S::Shed, S::Shed], lenient, 503);
    check(&[S::Timeout, S::Shed], lenient, 502);
    check(&[S::IdentityMismatch], lenient, 502);
    check(&[], lenient, 502);
    check(&[S::Ok, S::Timeout], Handling::Strict, 502);
    check(&[S::Ok, S::WithheldSource], Handling::Strict, 200);
}
