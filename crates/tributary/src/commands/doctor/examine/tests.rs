//! What is made of a contact, without one.

use super::*;

use super::super::step::State;

const NOW: &str = "2026-03-10T02:10:00Z";

fn doctor() -> Doctor {
    let settings = Settings::default();
    let Outward { egress, context, .. } =
        outward(&settings, "https://record.example.test", &MemoryBudget::default()).unwrap();
    Doctor { egress, context, requester: Arc::new(requester(&settings)), now: NOW.parse().unwrap() }
}

fn contact() -> Contact {
    Contact { answer: Ok(200), certificate_ends: None, date: None, body: BodyKind::Capabilities }
}

#[track_caller]
fn check(step: &Step, state: State, owner: Option<Owner>, says: &str) {
    assert_eq!((step.state, step.owner), (state, owner), "{step:?}");
    assert!(step.says.contains(says), "{step:?}");
}

#[test]
fn a_certificate_is_told_to_end_before_it_does() {
    let doctor = doctor();
    let step = |ends: &str| {
        let contact = Contact { certificate_ends: Some(ends.parse().unwrap()), ..contact() };
        doctor.certificate("gp", &contact, Owner::Supplier)
    };
    check(&step("2026-03-24T02:10:01Z"), State::Ok, None, "ends on 24-Mar-2026");
    check(&step("2026-03-24T02:09:59Z"), State::Failed, Some(Owner::Supplier), "renewal is due");
    check(&step("2026-03-09T00:00:00Z"), State::Failed, Some(Owner::Supplier), "ends on 09-Mar-2026");
    check(&doctor.certificate("gp", &contact(), Owner::Supplier), State::Skipped, None, "no TLS");
}

#[test]
fn a_clock_may_differ_by_a_minute() {
    let doctor = doctor();
    let step = |date: &str| {
        let contact = Contact { date: Some(date.parse().unwrap()), ..contact() };
        doctor.clock("gp", &contact, Owner::Supplier)
    };
    for near in ["2026-03-10T02:11:00Z", "2026-03-10T02:09:00Z"] {
        check(&step(near), State::Ok, None, "agrees");
    }
    check(&step("2026-03-10T02:11:01Z"), State::Failed, Some(Owner::Supplier), "by 61 s");
    check(&step("2026-03-10T02:00:00Z"), State::Failed, Some(Owner::Supplier), "by -600 s");
    check(&doctor.clock("gp", &contact(), Owner::Supplier), State::Skipped, None, "does not tell");
}

#[test]
fn whoever_cannot_be_reached_has_one_line() {
    let doctor = doctor();
    for (class, owner) in [
        (FaultClass::Connect, Owner::Network),
        (FaultClass::ConnectTimeout, Owner::Network),
        (FaultClass::Tls, Owner::ServiceDesk),
        (FaultClass::NoHead, Owner::ServiceDesk),
        (FaultClass::Reset, Owner::ServiceDesk),
        (FaultClass::NoAsid, Owner::Us),
    ] {
        let steps = doctor.line("pds", &Contact { answer: Err(class), ..contact() }, Owner::ServiceDesk);
        assert_eq!(steps.len(), 1);
        check(&steps[0], State::Failed, Some(owner), class.code());
    }
    assert_eq!(doctor.line("pds", &contact(), Owner::ServiceDesk).len(), 3);
}

#[test]
fn statuses_of_national_services_have_owners() {
    let read = |status| nobody_read(status, BodyKind::Outcome).owner;
    assert_eq!([400, 404].map(read), [None, None]);
    let owners = [401, 403, 429, 200, 405, 500].map(read);
    let (us, desk, onboarding) = (Some(Owner::Us), Some(Owner::ServiceDesk), Some(Owner::Onboarding));
    assert_eq!(owners, [onboarding, onboarding, onboarding, desk, us, desk]);
    assert_eq!(nobody_read(404, BodyKind::Other).owner, us);
    assert_eq!(
        [400, 200, 401, 404, 503].map(|status| key_shown(status).owner),
        [None, None, onboarding, us, desk]
    );
}
