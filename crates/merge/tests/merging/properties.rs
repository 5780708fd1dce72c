//! What must hold for every set of answers.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};
use tributary_model::{FaultClass, SourceKind};

use crate::kit::{Federation, about, federation, snomed};

const SOURCES: &[(&str, SourceKind)] = &[
    ("gp", SourceKind::Gp),
    ("acute-a", SourceKind::Acute),
    ("community", SourceKind::Community),
    ("walkin", SourceKind::Community),
];

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

fn date() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "2012",
        "2025-03",
        "2026-03-02",
        "2026-03-02T15:30:00Z",
        "2026-03-02T15:30:00+01:00",
        "not a date",
    ])
}

fn resource() -> impl Strategy<Value = Value> {
    let id = prop::sample::select(vec!["1", "2", "3", "4"]);
    let code = prop::sample::select(vec![
        "716186003",
        "409137002",
        "91936005",
        "890458001",
        "450475007",
        "450476008",
        "254637007",
        "196461000000101",
    ]);
    let text =
        prop::sample::select(vec!["Warfarin 3mg tablets", "warfarin  3MG tablets", "Nut allergy", "Asthma"]);
    let status = prop::sample::select(vec![
        "active",
        "stopped",
        "completed",
        "final",
        "corrected",
        "entered-in-error",
        "not-done",
        "resolved",
    ]);
    let kind = prop::sample::select(vec![
        "AllergyIntolerance",
        "MedicationStatement",
        "MedicationRequest",
        "Condition",
        "Observation",
        "Flag",
        "Encounter",
        "DocumentReference",
        "Procedure",
        "Immunization",
        "DiagnosticReport",
        "CarePlan",
        "Nonsense",
    ]);
    (kind, id, code, text, status, date(), any::<bool>(), 0_u8..4).prop_map(|(kind, id, code, text, status, date, coded, extra)| {
        let concept = if coded { snomed(code, text) } else { json!({"text": text}) };
        let mut members = json!({
            "status": status, "code": concept, "type": concept, "medicationCodeableConcept": concept, "vaccineCode": concept,
            "clinicalStatus": {"coding": [{"code": status}]}, "verificationStatus": {"coding": [{"code": status}]},
            "effectiveDateTime": date, "onsetDateTime": date, "authoredOn": date, "recordedDate": date, "performedDateTime": date,
            "occurrenceDateTime": date, "period": {"start": date}, "dosage": [{"text": text}],
        });
        match extra {
            0 => members["valueQuantity"] = json!({"value": 7.10, "unit": "mmol/L"}),
            1 => members["basedOn"] = json!([{"reference": "MedicationRequest/1"}]),
            2 => members["identifier"] = json!([{"system": "https://gp.example/ms", "value": id}]),
            _ => members["encounter"] = json!({"reference": "Encounter/2"}),
        }
        about(kind, id, members)
    })
}

#[derive(Clone, Debug)]
enum Told {
    Said(Vec<Value>),
    Failed(FaultClass),
}

fn told() -> impl Strategy<Value = Told> {
    prop_oneof![
        5 => prop::collection::vec(resource(), 0..7).prop_map(Told::Said),
        1 => prop::sample::select(vec![FaultClass::NoHead, FaultClass::NoRecord, FaultClass::Consent]).prop_map(Told::Failed),
    ]
}

fn stage(told: &[Told]) -> Federation {
    let mut stage = federation();
    for ((id, kind), _) in SOURCES.iter().zip(told) {
        let owns: &[&str] = if *id == "gp" { &["https://gp.example/"] } else { &[] };
        stage.source(id, *kind, ALL, owns);
    }
    for ((id, _), told) in SOURCES.iter().zip(told) {
        match told {
            Told::Said(resources) => stage.answers(id, resources),
            Told::Failed(class) => stage.fails(id, *class),
        }
    }
    stage
}

fn entries(bundle: &str) -> Vec<Value> {
    let bundle: Value = serde_json::from_str(bundle).unwrap();
    bundle["entry"].as_array().unwrap().clone()
}

/// `meta.source` of every entry that came from a source.
fn origins(bundle: &str) -> Vec<String> {
    entries(bundle)
        .iter()
        .filter_map(|entry| entry["resource"]["meta"]["source"].as_str().map(str::to_owned))
        .collect()
}

fn conflicts(stage: &Federation) -> BTreeSet<String> {
    stage
        .merged()
        .to_view()
        .discrepancies
        .iter()
        .filter(|one| one.kind == "conflict")
        .map(|one| one.rule.to_owned())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn the_bundle_does_not_depend_on_any_order(told in prop::collection::vec(told(), 1..=4), seed in any::<prop::sample::Index>()) {
        let first = stage(&told).merged().to_r4();
        let mut shuffled = told;
        for one in &mut shuffled {
            if let Told::Said(resources) = one {
                let turn = seed.index(resources.len().max(1));
                resources.rotate_left(turn);
                resources.reverse();
            }
        }
        let mut again = stage(&shuffled);
        let turn = seed.index(again.answers.len());
        again.answers.rotate_left(turn);
        again.registry.reverse();
        prop_assert_eq!(again.merged().to_r4(), first);
    }

    #[test]
    fn every_statement_is_there_exactly_once_and_on_one_line(told in prop::collection::vec(told(), 1..=4)) {
        let stage = stage(&told);
        let record = stage.merged();
        let bundle = record.to_r4();
        let origins = origins(&bundle);
        let unique: BTreeSet<&String> = origins.iter().collect();
        prop_assert_eq!(unique.len(), origins.len());
        for ((id, _), told) in SOURCES.iter().zip(&told) {
            let Told::Said(resources) = told else {
                let silent = format!("urn:x-tributary:{id}#");
                prop_assert!(!origins.iter().any(|origin| origin.starts_with(&silent)));
                continue;
            };
            let distinct: BTreeSet<String> = resources.iter().map(Value::to_string).collect();
            let prefix = format!("urn:x-tributary:{id}#");
            // The Patient, and every distinct resource.
            prop_assert_eq!(origins.iter().filter(|origin| origin.starts_with(&prefix)).count(), distinct.len() + 1);
        }
        let urls: Vec<String> = entries(&bundle).iter().map(|entry| entry["fullUrl"].as_str().unwrap().to_owned()).collect();
        prop_assert_eq!(urls.iter().collect::<BTreeSet<_>>().len(), urls.len());
        let view = record.to_view();
        let on_lines: Vec<&String> = view.sections.iter().flat_map(|one| &one.lines).flat_map(|line| &line.members).map(|one| &one.full_url).collect();
        prop_assert_eq!(on_lines.iter().collect::<BTreeSet<_>>().len(), on_lines.len());
    }

    #[test]
    fn every_expected_source_has_exactly_one_status(told in prop::collection::vec(told(), 1..=4)) {
        let stage = stage(&told);
        let bundle = stage.merged().to_r4();
        let outcome = &entries(&bundle)[0]["resource"];
        prop_assert_eq!(&outcome["resourceType"], "OperationOutcome");
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for issue in outcome["issue"].as_array().unwrap() {
            if issue["details"]["coding"][0]["system"] == "urn:x-tributary:source-status" {
                let source = issue["extension"].as_array().unwrap().iter().find(|one| one["url"] == "urn:x-tributary:source").unwrap();
                *seen.entry(source["valueString"].as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
        let expected: BTreeMap<String, usize> = SOURCES.iter().take(told.len()).map(|(id, _)| ((*id).to_owned(), 1)).collect();
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn references_stay_inside_their_own_answer(told in prop::collection::vec(told(), 2..=4)) {
        let stage = stage(&told);
        let bundle = stage.merged().to_r4();
        let mut home: BTreeMap<String, String> = BTreeMap::new();
        for entry in entries(&bundle) {
            let source = entry["resource"]["meta"]["source"].as_str().and_then(|source| source.split_once('#')).map(|(source, _)| source.to_owned());
            home.insert(entry["fullUrl"].as_str().unwrap().to_owned(), source.unwrap_or_default());
        }
        for entry in entries(&bundle) {
            let own = &home[entry["fullUrl"].as_str().unwrap()];
            if own.is_empty() {
                continue;
            }
            for key in ["encounter", "subject", "patient"] {
                let Some(reference) = entry["resource"][key]["reference"].as_str() else { continue };
                let leads = home.get(reference);
                prop_assert!(leads.is_some_and(|to| to == own || to.is_empty()) || reference.starts_with("urn:x-tributary:unresolved:"), "{reference}");
            }
        }
    }

    #[test]
    fn one_more_source_takes_nothing_away(told in prop::collection::vec(told(), 2..=4)) {
        let fewer: Vec<Told> = told.iter().take(told.len() - 1).cloned().collect();
        // The registry is the same: ownership must not depend on who was asked.
        let whole = stage(&told);
        let mut part = stage(&fewer);
        part.registry = whole.registry.clone();
        let (before, after) = (conflicts(&part), conflicts(&whole));
        prop_assert!(before.is_subset(&after), "{before:?} {after:?}");
        let (before, after): (BTreeSet<String>, BTreeSet<String>) =
            (origins(&part.merged().to_r4()).into_iter().collect(), origins(&whole.merged().to_r4()).into_iter().collect());
        prop_assert!(before.is_subset(&after));
        if part.merged().allergy_label().words() == "Known allergies" {
            prop_assert_eq!(whole.merged().allergy_label().words(), "Known allergies");
        }
    }
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
