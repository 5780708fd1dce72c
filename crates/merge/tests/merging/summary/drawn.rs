//! Random federations, made of a few words each so that statements meet.

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

pub(super) fn resource() -> impl Strategy<Value = Value> {
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
pub(super) enum Told {
    Said(Vec<Value>),
    Failed(FaultClass),
}

pub(super) fn stage(told: &[Told]) -> Federation {
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
