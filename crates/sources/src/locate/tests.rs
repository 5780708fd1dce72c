//! Whom a patient's demographics make us expect.

use super::*;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tower::ServiceExt as _;
use tributary_model::{
    Ask, Barred, Deadline, Expected, FaultClass, PatientNote, Practice, Purpose, Section, SourceId,
    SourceKind,
};

use crate::national::pds::{Pds, PdsSettings};
use crate::national::stub::{
    Stub, granting, number, outcome, patient, question, received, registered, tokens,
};
use crate::registry::{Protocol, SourceEntry};

const ASKED: &str = "9990000107";
const OTHER: &str = "9990000204";

fn entry(id: &str, kind: SourceKind, ods: Option<&str>) -> SourceEntry {
    SourceEntry {
        id: SourceId::parse(id).unwrap(),
        name: id.into(),
        kind,
        protocol: Protocol::FhirR4,
        ods: ods.map(|ods| tributary_model::OdsCode::parse(ods).unwrap()),
        asid: None,
        base_url: crate::root::ServiceRoot::parse("https://source.example.test/fhir").unwrap(),
        more_roots: BTreeMap::new(),
        route: crate::registry::Route::Direct,
        tls: None,
        sections: None,
        owns: Vec::new(),
        rank: 1,
        timeout: Duration::from_secs(3),
        cache_ttl: None,
        max_body_bytes: 1 << 20,
        max_in_flight: 4,
        sends_deadline: false,
    }
}

fn locator(status: u16, body: &str) -> Locator {
    let body = body.to_owned();
    let service = Stub::new(Duration::from_millis(10), move |_, _| Ok(received(status, &body)));
    let settings = PdsSettings {
        base_url: "https://pds.example.test/FHIR/R4".parse().unwrap(),
        timeout: Duration::from_secs(2),
        per_second: 5,
        cache_ttl: None,
    };
    let pds = Pds::over(settings, tokens(granting()), Arc::new(service));
    let entries = [
        entry("acute-1", SourceKind::Acute, None),
        entry("gp-1", SourceKind::Gp, Some("A99901")),
        entry("gp-2", SourceKind::Gp, Some("B99902")),
    ];
    let expected = entries.iter().map(|entry| entry.id.clone()).collect();
    let configured = Fixed { expected, by_patient: BTreeMap::new() };
    Traced::new(pds, &entries, configured, None).into_locator()
}

fn names(located: &Located<PracticeSource>) -> Vec<String> {
    let name = |one: &Expected<PracticeSource>| match one {
        Expected::Registered(id) => id.to_string(),
        Expected::Found(found) => format!("found {}", found.id),
    };
    located.expected.iter().map(name).collect()
}

async fn located(status: u16, body: &str) -> Result<Located<PracticeSource>, LocateFault> {
    locator(status, body).oneshot(question(ASKED)).await
}

/// What the first expected source says when it is asked.
async fn says(located: &Located<PracticeSource>) -> FaultClass {
    let Some(Expected::Found(found)) = located.expected.first() else { panic!("registered") };
    let locate = question(ASKED);
    let ask = Ask {
        patient: locate.patient,
        sections: [Section::Allergies].into_iter().collect(),
        since: None,
        requester: locate.requester,
        purpose: Purpose::DirectCare,
        deadline: Deadline::after(Duration::from_secs(1)),
    };
    found.service.clone().oneshot(ask).await.unwrap_err().class
}

#[tokio::test(start_paused = true)]
async fn of_all_practices_only_the_patients_own_is_expected() {
    let found = located(200, &patient(ASKED, "U", &registered("B99902", "{}"))).await.unwrap();
    assert_eq!(names(&found), ["gp-2", "acute-1"]);
    assert_eq!(found.practice, Practice::At(tributary_model::OdsCode::parse("B99902").unwrap()));
    assert_eq!(found.notes, [PatientNote::NoBirthDate]);
}

#[tokio::test(start_paused = true)]
async fn a_practice_that_nobody_can_ask_is_expected_all_the_same() {
    let found = located(200, &patient(ASKED, "U", &registered("C99903", "{}"))).await.unwrap();
    assert_eq!(names(&found), ["found gp-c99903", "acute-1"]);
    assert_eq!(says(&found).await, FaultClass::PracticeNotServed);
}

#[tokio::test(start_paused = true)]
async fn a_patient_without_a_practice_is_told_and_the_others_are_asked() {
    for more in [String::new(), registered("A99901", r#"{"end":"2025-12-31"}"#)] {
        let found = located(200, &patient(ASKED, "U", &more)).await.unwrap();
        assert_eq!(names(&found), ["found gp-unlocated", "acute-1"]);
        assert_eq!((found.practice.clone(), says(&found).await), (Practice::None, FaultClass::NoPractice));
    }
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_no_practice_is_guessed() {
    for (status, body) in [(500, ""), (200, "<html>"), (404, "<html>"), (429, ""), (403, "")] {
        let found = located(status, body).await.unwrap();
        assert_eq!(names(&found), ["found gp-unlocated", "acute-1"], "{status}");
        assert_eq!((found.practice.clone(), says(&found).await), (Practice::Unknown, FaultClass::Unlocated));
    }
}

#[tokio::test(start_paused = true)]
async fn about_some_patients_nobody_is_asked() {
    let here = registered("A99901", "{}");
    let unverified = patient(ASKED, "U", &here).replace(r#""code":"01""#, r#""code":"02""#);
    let cases = [
        (200, patient(ASKED, "R", &here), Barred::Restricted),
        (200, patient(ASKED, "V", &here), Barred::Restricted),
        (200, patient(OTHER, "R", &here), Barred::Restricted),
        (200, unverified, Barred::UnverifiedNumber),
        (404, outcome("RESOURCE_NOT_FOUND"), Barred::UnknownNumber),
        (404, outcome("INVALIDATED_RESOURCE"), Barred::InvalidatedNumber),
    ];
    for (status, body, why) in cases {
        assert_eq!(located(status, &body).await.unwrap_err(), LocateFault::Barred(why));
    }
}

#[tokio::test(start_paused = true)]
async fn a_replaced_number_is_followed_and_told() {
    let found = located(200, &patient(OTHER, "U", &registered("A99901", "{}"))).await.unwrap();
    assert_eq!(found.patient, number(OTHER));
    assert_eq!(found.notes, [PatientNote::Superseded, PatientNote::NoBirthDate]);
    assert_eq!(names(&found), ["gp-1", "acute-1"]);
}

#[tokio::test(start_paused = true)]
async fn the_dead_are_located_as_the_living_are() {
    let dead = format!(r#"{},"deceasedDateTime":"2025-11""#, registered("A99901", "{}"));
    let found = located(200, &patient(ASKED, "U", &dead)).await.unwrap();
    assert_eq!(names(&found), ["gp-1", "acute-1"]);
    assert_eq!(found.notes, [PatientNote::DeceasedInformally, PatientNote::NoBirthDate]);
}

#[tokio::test(start_paused = true)]
async fn who_the_patient_is_goes_with_whom_to_ask() {
    let born = |number: &str| format!(r#"{},"birthDate":"1953-02-11""#, registered(number, "{}"));
    for practice in ["A99901", "C99903"] {
        let found = located(200, &patient(ASKED, "U", &born(practice))).await.unwrap();
        let person = found.demographics.unwrap();
        assert_eq!(person.birth_date.unwrap().expose().text(), "1953-02-11");
        assert_eq!(found.notes, []);
    }
    assert_eq!(located(500, "").await.unwrap().demographics, None);
}
