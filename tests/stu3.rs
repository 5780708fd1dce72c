//! The merged record in STU3. It says what the R4 Bundle of the same request says.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it stands")]

use std::collections::BTreeSet;

use mock_providers::Fault;
use serde_json::Value;
use tributary_tests::bundle::{Merged, origin};
use tributary_tests::{GEORGE, Plan, Reply, Stage, http, parameters};

async fn asked(stage: &Stage, number: &str, headers: &[(&str, &str)]) -> Reply {
    let body = parameters(number, &[]);
    let path = "/fhir/STU3/Patient/$record";
    http::post(stage.running.data_addr(), path, "application/fhir+json", &body, headers).await
}

/// What R4 and STU3 call the same type.
fn in_stu3(r4: &Value, stu3: &Value) -> bool {
    let (old, new) = (r4["resourceType"].as_str().unwrap(), stu3["resourceType"].as_str().unwrap());
    match old {
        "ServiceRequest" => matches!(new, "ReferralRequest" | "ProcedureRequest"),
        _ => new == old || new == "Binary",
    }
}

fn texts<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(members) => members.values().for_each(|one| texts(one, found)),
        Value::Array(items) => items.iter().for_each(|one| texts(one, found)),
        Value::String(text) => found.push(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

async fn says_the_same(stage: &Stage, number: &str) -> Merged {
    let r4 = stage.record(number, &[]).await;
    let stu3 = asked(stage, number, &[]).await;
    assert_eq!((stu3.status, stu3.header("Content-Type")), (200, r4.header("Content-Type")), "{}", stu3.body);
    for name in ["Tributary-Completeness", "Tributary-Sources", "Cache-Control"] {
        assert_eq!(stu3.header(name), r4.header(name), "{name}");
    }
    assert_ne!(stu3.header("Tributary-Audit"), r4.header("Tributary-Audit"), "a disclosure of its own");
    let (r4, stu3) = (Merged::of(r4.json()), Merged::of(stu3.json()));
    assert_eq!(stu3.statuses(), r4.statuses());
    assert_eq!(stu3.notices(), r4.notices());
    assert_eq!(stu3.lines(), r4.lines());
    assert!(!stu3.lines().is_empty());
    assert_eq!(stu3.allergy_label(), r4.allergy_label());
    assert_eq!(stu3.discrepancies(), r4.discrepancies());
    assert_eq!(stu3.tag(), r4.tag());
    assert_eq!(stu3.origins(), r4.origins());
    assert_eq!(stu3.bundle["meta"]["lastUpdated"], r4.bundle["timestamp"]);
    assert_eq!(stu3.bundle.get("timestamp"), None);
    for (one, other) in statements(&r4).zip(statements(&stu3)) {
        assert_eq!(origin(one), origin(other));
        assert!(in_stu3(one, other), "{} became {}", one["resourceType"], other["resourceType"]);
    }
    is_sound(&stu3);
    stu3
}

fn statements(merged: &Merged) -> impl Iterator<Item = &Value> {
    merged.resources().filter(|one| origin(one).is_some())
}

/// What holds of every STU3 answer.
fn is_sound(stu3: &Merged) {
    assert_eq!(stu3.outcome()["resourceType"], "OperationOutcome");
    let text = stu3.bundle.to_string();
    for url in text.split("\"reference\":\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        let leads = url.starts_with('#') || url.starts_with("urn:x-tributary:unresolved:") || stu3.has(url);
        assert!(leads, "{url} leads nowhere");
    }
    for list in stu3.resources().filter(|one| one["resourceType"] == "List" && origin(one).is_none()) {
        assert_eq!(list["meta"].get("profile"), None, "a profile on a List of ours");
        assert!(list["title"].as_str().unwrap().ends_with("– all sources"));
    }
    for kind in ["ServiceRequest", "PlanDefinition"] {
        assert!(stu3.resources().all(|one| one["resourceType"] != kind), "{kind}");
    }
}

async fn told_in_both(patient: &'static str, expected: &[&'static str]) -> Merged {
    let stage = Stage::set(Plan { patient, expected: expected.to_vec(), ..Plan::default() }).await;
    says_the_same(&stage, patient).await
}

#[tokio::test]
async fn george_ashworth() {
    let stu3 = told_in_both(GEORGE, &["gp", "acute-a", "specialist", "walkin"]).await;
    // The practice spoke STU3, so its words are back where they were.
    let allergy = stu3.resources().find(|one| one["resourceType"] == "AllergyIntolerance").unwrap();
    assert!(allergy["clinicalStatus"].is_string(), "{allergy}");
    let medicine = stu3.resources().find(|one| one["resourceType"] == "MedicationStatement").unwrap();
    assert!(medicine["taken"].is_string(), "{medicine}");
}

#[tokio::test]
async fn doris_unsworth() {
    told_in_both("9990000204", &["gp", "acute-a", "community"]).await;
}

#[tokio::test]
async fn harold_pickering() {
    told_in_both("9990000301", &["gp", "acute-a", "community"]).await;
}

#[tokio::test]
async fn aisha_rahman() {
    told_in_both("9990000409", &["gp", "acute-a", "community"]).await;
}

#[tokio::test]
async fn every_word_of_the_r4_record_is_in_the_stu3_one() {
    let stage = Stage::set(Plan::default()).await;
    let r4 = stage.record(GEORGE, &[]).await.json();
    let stu3 = asked(&stage, GEORGE, &[]).await.json();
    let (mut before, mut after) = (Vec::new(), Vec::new());
    texts(&r4, &mut before);
    texts(&stu3, &mut after);
    let after: BTreeSet<&str> = after.into_iter().collect();
    for text in before {
        // Addresses belong to the version, and so do these: a type, the name of a part of an extension, and the
        // word for a class of a visit that only R4 wants.
        let is_of_r4 = text.contains("://")
            || matches!(text, "ServiceRequest" | "numberOfPrescriptionsIssued" | "unknown");
        assert!(after.contains(text) || is_of_r4, "{text:?} is gone");
    }
}

#[tokio::test]
async fn the_same_answers_give_the_same_bytes() {
    let stage = Stage::set(Plan::default()).await;
    let first = asked(&stage, GEORGE, &[]).await;
    assert_eq!(asked(&stage, GEORGE, &[]).await.body, first.body);
}

#[tokio::test]
async fn a_dead_source_is_told_in_stu3() {
    let stage = Stage::set(Plan { source_keys: "timeout_ms = 400", ..Plan::default() }).await;
    stage.federation.provider("acute-a").unwrap().set_fault(Fault::status(500));
    let stu3 = says_the_same(&stage, GEORGE).await;
    assert_eq!(stu3.tag(), "partial");
    let strict = asked(&stage, GEORGE, &[("Prefer", "handling=strict")]).await;
    assert_eq!((strict.status, &strict.json()["resourceType"]), (502, &"OperationOutcome".into()));
    for provider in stage.federation.providers() {
        provider.set_fault(Fault::status(500));
    }
    let none = asked(&stage, GEORGE, &[]).await;
    assert_eq!((none.status, &none.json()["resourceType"]), (502, &"OperationOutcome".into()));
}

/// Method, path, body, headers, and the status that comes of them.
type Case<'c> = (&'c str, &'c str, &'c str, Vec<(&'c str, &'c str)>, u16);

#[tokio::test]
async fn refusals_are_outcomes_before_anybody_is_asked() {
    let stage = Stage::set(Plan::default()).await;
    let address = stage.running.data_addr();
    let good = parameters(GEORGE, &[]);
    let path = "/fhir/STU3/Patient/$record";
    let json = ("Content-Type", "application/fhir+json");
    let wrong = parameters("9990000108", &[]);
    let cases: &[Case<'_>] = &[
        ("POST", path, &wrong, vec![json], 400),
        ("GET", path, "", vec![], 405),
        ("GET", "/fhir/STU3/Patient/1", "", vec![], 404),
        ("POST", path, &good, vec![json, ("Accept", "application/fhir+json; fhirVersion=4.0")], 406),
        ("POST", path, &good, vec![("Content-Type", "application/fhir+xml")], 415),
        ("POST", "/fhir/STU3/Patient/$record?view=lines", &good, vec![json], 422),
    ];
    for (method, path, body, headers, status) in cases {
        let reply = http::send(address, method, path, body, headers).await;
        assert_eq!(reply.status, *status, "{method} {path} {headers:?}: {}", reply.body);
        let outcome = reply.json();
        assert_eq!(outcome["resourceType"], "OperationOutcome");
        // The profile of GP Connect belongs to what is passed through.
        assert_eq!(outcome.get("meta"), None, "{outcome}");
    }
    for media in ["application/json+fhir", "application/fhir+json; fhirVersion=3.0"] {
        let headers = [("Content-Type", media), ("Accept", media)];
        let reply = http::send(address, "POST", path, &good, &headers).await;
        assert_eq!(reply.status, 200, "{media}: {}", reply.body);
    }
}

#[tokio::test]
async fn the_statement_of_capabilities_names_what_works() {
    let stage = Stage::set(Plan::default()).await;
    let reply = http::get(stage.running.data_addr(), "/fhir/STU3/metadata").await;
    let statement = reply.json();
    assert_eq!((reply.status, &statement["fhirVersion"]), (200, &"3.0.1".into()));
    assert_eq!(statement["rest"][0]["operation"][0]["name"], "record");
    let definition = statement["rest"][0]["operation"][0]["definition"]["reference"].as_str().unwrap();
    assert!(definition.ends_with("/fhir/STU3/OperationDefinition/record"));
}
