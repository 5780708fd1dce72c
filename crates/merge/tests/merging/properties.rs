//! What must hold for every set of answers: the properties of the merge, each with ten thousand random records.
//!
//! What fails is printed as drawn; `drawn` says what its words stand for.

mod bytes;
mod crossing;
mod drawn;
mod growth;
mod hostile;
mod maps;
mod order;
mod polarity;
mod presence;
mod quarantine;
mod stage;
mod written;

use std::collections::BTreeMap;

use proptest::prelude::ProptestConfig;
use serde_json::json;
use tributary_model::{FaultClass, SourceKind};

use crate::kit::{about, federation};

/// Ten thousand cases each. What fails is in the report, so nothing is written beside the sources.
fn cases() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(10_000) }
}

const ALL: &[&str] = &[
    "plans",
    "flags",
    "allergies",
    "medications",
    "problems",
    "results",
    "encounters",
    "procedures",
    "immunisations",
];

#[test]
fn every_expected_source_has_exactly_one_status() {
    let mut stage = federation();
    for (id, class) in
        [("gp", None), ("acute-a", Some(FaultClass::NoHead)), ("walkin", Some(FaultClass::Consent))]
    {
        stage.source(id, SourceKind::Acute, ALL, &[]);
        match class {
            None => stage.answers(id, &[]),
            Some(class) => stage.fails(id, class),
        }
    }
    let bundle: serde_json::Value = serde_json::from_str(&stage.merged().to_r4()).unwrap();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for issue in bundle["entry"][0]["resource"]["issue"].as_array().unwrap() {
        if issue["details"]["coding"][0]["system"] == "urn:x-tributary:source-status" {
            let source = issue["extension"]
                .as_array()
                .unwrap()
                .iter()
                .find(|one| one["url"] == "urn:x-tributary:source")
                .unwrap();
            *seen.entry(source["valueString"].as_str().unwrap()).or_default() += 1;
        }
    }
    assert_eq!(seen, BTreeMap::from([("acute-a", 1), ("gp", 1), ("walkin", 1)]));
}

#[test]
fn other_contents_under_one_name_never_share_an_address() {
    // The SHA-256 of the last two begin with the same eight digits.
    let twins = ["0", "100029", "22353"].map(|text| {
        format!(r#"{{"resourceType":"Condition","id":"1","subject":{{"reference":"Patient/p1"}},"code":{{"text":"{text}"}}}}"#)
    });
    let entries = [crate::kit::patient().to_string()].into_iter().chain(twins);
    let entries: Vec<String> = entries.map(|resource| format!(r#"{{"resource":{resource}}}"#)).collect();
    let text = format!(r#"{{"resourceType":"Bundle","entry":[{}]}}"#, entries.join(","));
    let mut stage = stage::empty();
    let reply = stage::reply_of(false, std::iter::once(text));
    stage.hears("gp", tributary_merge::Heard::Reply(std::sync::Arc::new(reply)));
    let bundle = stage::scan(&stage.merged().to_r4());
    let urls = stage::counted(stage::entries(&bundle).into_iter().map(|(url, _)| url));
    assert!(urls.values().all(|times| *times == 1));
}

#[test]
fn decimals_and_dates_keep_their_text() {
    let mut stage = federation();
    stage.source("gp", SourceKind::Gp, ALL, &[]);
    let text = r#"{"resourceType":"Bundle","entry":[
        {"resource":{"resourceType":"Patient","id":"p1","identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000107"}]}},
        {"resource":{"resourceType":"Observation","id":"o","subject":{"reference":"Patient/p1"},"valueQuantity":{"value":7.10},"effectiveDateTime":"2026-03-02T15:30:00.000+00:00","referenceRange":[{"low":{"value":1E+2}}]}}]}"#;
    let document =
        tributary_fhir::Document::scan(text.as_bytes().to_vec(), &tributary_fhir::Limits::default()).unwrap();
    let reply = tributary_fhir::Reply {
        documents: vec![document],
        asked: tributary_model::SectionSet::all(),
        ..Default::default()
    };
    stage.hears("gp", tributary_merge::Heard::Reply(std::sync::Arc::new(reply)));
    let bundle = stage.merged().to_r4();
    for exact in ["\"value\":7.10", "1E+2", "2026-03-02T15:30:00.000+00:00"] {
        assert!(bundle.contains(exact), "{exact}");
    }
}

#[test]
fn what_cannot_be_tied_to_the_patient_is_withheld_and_said() {
    let mut stage = federation();
    stage.source("gp", SourceKind::Gp, ALL, &[]);
    stage.answers("gp", &[
        json!({"resourceType": "Condition", "id": "x", "subject": {"reference": "Patient/somebody"}, "code": {"text": "SECRET"}}),
        json!({"resourceType": "Condition", "id": "y", "code": {"text": "SECRET"}}),
    ]);
    let bundle = stage.merged().to_r4();
    assert!(!bundle.contains("SECRET"));
    assert!(
        bundle.contains("not-tied-to-patient")
            && bundle.contains("2 entries of Name of gp that may belong here could not be tied")
    );
}

#[test]
fn another_patients_statement_quarantines_the_whole_answer() {
    let other = json!({"identifier": {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000204"}});
    let mut stage = federation();
    stage.source("gp", SourceKind::Gp, ALL, &[]);
    stage.answers(
        "gp",
        &[
            about("Condition", "mine", json!({"code": {"text": "SECRET"}})),
            json!({"resourceType": "Condition", "id": "x", "subject": other, "code": {"text": "SECRET"}}),
        ],
    );
    let record = stage.merged();
    assert_eq!(record.tally().to_string(), "none; failed=1");
    assert!(!record.to_r4().contains("SECRET"));
    assert!(record.to_outcome().contains("identity-mismatch"));
}
