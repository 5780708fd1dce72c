//! The four stories, in the shape they have after conversion.

mod variants;

use crate::kit::{Federation, about, federation, snomed};
use serde_json::json;
use tributary_model::{FaultClass, Section, SourceKind};

fn george() -> Federation {
    let mut stage = federation();
    stage.source(
        "gp",
        SourceKind::Gp,
        &["allergies", "medications", "problems", "encounters", "plans"],
        &["https://gp.example/"],
    );
    stage.source("acute-a", SourceKind::Acute, &["allergies", "problems", "encounters", "plans"], &[]);
    stage.source("specialist", SourceKind::Acute, &["problems", "plans", "flags", "medications"], &[]);
    stage.source("walkin", SourceKind::Community, &["encounters"], &[]);
    stage
}

fn george_gp() -> Vec<serde_json::Value> {
    vec![
        about(
            "AllergyIntolerance",
            "a1",
            json!({"code": snomed("716186003", "No known allergy"), "recordedDate": "2018-05-01"}),
        ),
        about(
            "Condition",
            "c1",
            json!({"code": snomed("49727002", "Cough"), "clinicalStatus": {"coding": [{"code": "inactive"}]}, "onsetDateTime": "2025-08-20"}),
        ),
        about(
            "Condition",
            "c2",
            json!({"code": snomed("254637007", "Non-small cell lung cancer"), "clinicalStatus": {"coding": [{"code": "active"}]}, "onsetDateTime": "2025-10-14"}),
        ),
        json!({"resourceType": "Medication", "id": "m1", "code": snomed("36126511000001106", "Morphine 10mg modified-release tablets")}),
        about(
            "MedicationRequest",
            "pl1",
            json!({"medicationReference": {"reference": "Medication/m1"}, "intent": "plan", "status": "active"}),
        ),
        about(
            "MedicationStatement",
            "ms1",
            json!({"medicationReference": {"reference": "Medication/m1"}, "status": "active", "effectivePeriod": {"start": "2026-02-20"}, "basedOn": [{"reference": "MedicationRequest/pl1"}], "dosage": [{"text": "One tablet twice a day"}]}),
        ),
        about(
            "Observation",
            "o1",
            json!({"code": snomed("450475007", "For attempted cardiopulmonary resuscitation"), "status": "final", "effectiveDateTime": "2025-10-20"}),
        ),
        about(
            "Encounter",
            "e1",
            json!({"type": [{"text": "GP consultation"}], "status": "finished", "period": {"start": "2025-09-04T10:20:00+01:00"}}),
        ),
        json!({"resourceType": "List", "subject": {"reference": "Patient/p1"}, "code": snomed("717711000000103", "Problems"), "entry": [{"item": {"reference": "Condition/c1"}}]}),
    ]
}

fn george_rest(stage: &mut Federation) {
    stage.answers("acute-a", &[
        about("AllergyIntolerance", "n1", json!({"code": snomed("409137002", "No known drug allergy"), "recordedDate": "2026-01-18"})),
        about("Condition", "c1", json!({"code": snomed("254637007", "Non-small cell lung cancer"), "clinicalStatus": {"coding": [{"code": "active"}]}, "onsetDateTime": "2025-10-14"})),
        about("Encounter", "e1", json!({"type": [{"text": "Emergency admission"}], "period": {"start": "2026-01-18T19:05:00Z"}})),
        about("DocumentReference", "d1", json!({"type": snomed("735324008", "Treatment escalation plan"), "date": "2026-01-21T11:00:00Z", "content": [{"attachment": {"hash": "aGFzaC1URVA="}}]})),
        about("CarePlan", "cp1", json!({"created": "2026-01-21", "title": "If worse: convey to Mersey Specialist Cancer Centre"})),
    ]);
    stage.answers("specialist", &[
        about("Condition", "c1", json!({"code": snomed("254637007", "Non-small cell lung cancer"), "clinicalStatus": {"coding": [{"code": "active"}]}, "onsetDateTime": "2025-10-16"})),
        about("Flag", "f1", json!({"code": snomed("450476008", "Not for attempted cardiopulmonary resuscitation"), "status": "active", "period": {"start": "2026-03-02"}})),
        about("DocumentReference", "d1", json!({"type": snomed("1382601000000107", "ReSPECT form"), "date": "2026-03-02T15:30:00Z", "content": [{"attachment": {"hash": "aGFzaC1SRVM="}}]})),
        about("DocumentReference", "d2", json!({"type": snomed("736373009", "End of life care plan"), "date": "2026-03-02T15:40:00Z", "content": [{"attachment": {"hash": "aGFzaC1FT0w="}}]})),
        about("QuestionnaireResponse", "q1", json!({"authored": "2026-03-02", "item": [{"text": "Preferred place of death", "answer": [{"valueString": "Home"}]}]})),
        about("MedicationRequest", "mr1", json!({"medicationCodeableConcept": {"text": "Morphine 10mg/1ml solution for injection ampoules"}, "intent": "order", "status": "active", "authoredOn": "2026-03-02"})),
        about("MedicationRequest", "mr2", json!({"medicationCodeableConcept": {"text": "Midazolam 10mg/2ml solution for injection ampoules"}, "intent": "order", "status": "active", "authoredOn": "2026-03-02"})),
        about("Flag", "f2", json!({"code": {"text": "Just in case medicines are in the home"}, "status": "active", "period": {"start": "2026-03-02"}})),
    ]);
    stage.answers("walkin", &[about("Encounter", "e1", json!({"type": [{"text": "Walk-in centre attendance"}], "period": {"start": "2026-01-18T16:40:00Z"}}))]);
}

const GEORGE: &[&str] = &[
    "plans | Not for attempted cardiopulmonary resuscitation | topic|cpr | conflict | specialist Flag/f1, gp Observation/o1",
    "plans | ReSPECT form | hash|aGFzaC1SRVM= | single | specialist DocumentReference/d1",
    "plans | End of life care plan | hash|aGFzaC1FT0w= | single | specialist DocumentReference/d2",
    "plans | Treatment escalation plan | hash|aGFzaC1URVA= | single | acute-a DocumentReference/d1",
    "plans | If worse: convey to Mersey Specialist Cancer Centre | origin|acute-a|CarePlan|cp1 | single | acute-a CarePlan/cp1",
    "plans | QuestionnaireResponse | origin|specialist|QuestionnaireResponse|q1 | single | specialist QuestionnaireResponse/q1",
    "flags | Just in case medicines are in the home | origin|specialist|Flag|f2 | single | specialist Flag/f2",
    "allergies | No known drug allergy | neg|sct|409137002 | single | acute-a AllergyIntolerance/n1",
    "allergies | No known allergy | neg|sct|716186003 | single | gp AllergyIntolerance/a1",
    "medications | Midazolam 10mg/2ml solution for injection ampoules | txt|midazolam 10mg/2ml solution for injection ampoules | single | specialist MedicationRequest/mr2 (current)",
    "medications | Morphine 10mg/1ml solution for injection ampoules | txt|morphine 10mg/1ml solution for injection ampoules | single | specialist MedicationRequest/mr1 (current)",
    "medications | Morphine 10mg modified-release tablets | sct|36126511000001106 | single | gp MedicationStatement/ms1 (current)",
    "problems | Non-small cell lung cancer | sct|254637007| | agree | specialist Condition/c1, gp Condition/c2, acute-a Condition/c1",
    "problems | Cough | sct|49727002| | single | gp Condition/c1",
    "encounters | Emergency admission | origin|acute-a|Encounter|e1 | single | acute-a Encounter/e1",
    "encounters | Walk-in centre attendance | origin|walkin|Encounter|e1 | single | walkin Encounter/e1",
    "encounters | GP consultation | origin|gp|Encounter|e1 | single | gp Encounter/e1",
];

#[test]
fn george_line_by_line() {
    let mut stage = george();
    stage.answers("gp", &george_gp());
    george_rest(&mut stage);
    assert_eq!(stage.table(), GEORGE);
    assert_eq!(stage.disputes(), ["cpr-recommendation: Flag/f1@specialist, Observation/o1@gp"]);
    let record = stage.merged();
    assert_eq!(record.allergy_label().words(), "No known allergies");
    assert_eq!(record.tally().to_string(), "complete");
    let (received, held) = record.entries();
    assert_eq!(received, held);
}

#[test]
fn george_with_the_gp_silent_claims_nothing() {
    let mut stage = george();
    stage.fails("gp", FaultClass::NoHead);
    george_rest(&mut stage);
    let record = stage.merged();
    assert_eq!(record.allergy_label().words(), "Allergy check incomplete");
    assert_eq!(record.tally().to_string(), "partial; failed=1");
    assert!(stage.disputes().is_empty());
    assert!(stage.table().contains(&"plans | Not for attempted cardiopulmonary resuscitation | topic|cpr | single | specialist Flag/f1".to_owned()));
    let view = record.to_view();
    let medicines = view.sections.iter().find(|one| one.section == Section::Medications).unwrap();
    assert!(
        medicines.notices.iter().any(|notice| notice.contains("Name of gp did not answer in time")),
        "{medicines:?}"
    );
}

#[test]
fn george_does_not_depend_on_who_answers_first() {
    let mut stage = george();
    stage.answers("gp", &george_gp());
    george_rest(&mut stage);
    let forwards = stage.merged().to_r4();
    stage.answers.reverse();
    stage.registry.reverse();
    assert_eq!(stage.merged().to_r4(), forwards);
}

#[test]
fn doris_absence_never_hides_an_allergy() {
    let mut stage = federation();
    stage.source("gp", SourceKind::Gp, &["allergies"], &[]);
    stage.source("acute-a", SourceKind::Acute, &["allergies"], &[]);
    stage.source("community", SourceKind::Community, &["allergies"], &[]);
    stage.maps.load("allergen-agent", "from,to,source,release\n91936005,890458001,test,1\n").unwrap();
    stage.answers(
        "gp",
        &[about(
            "AllergyIntolerance",
            "a1",
            json!({"code": snomed("716186003", "No known allergy"), "recordedDate": "2019-03-12"}),
        )],
    );
    stage.answers("acute-a", &[about("AllergyIntolerance", "a7", json!({"code": snomed("91936005", "Allergy to penicillin"), "clinicalStatus": {"coding": [{"code": "active"}]}, "criticality": "high", "recordedDate": "2024-11-02", "reaction": [{"manifestation": [snomed("39579001", "Anaphylaxis")], "severity": "severe"}]}))]);
    stage.answers("community", &[about("AllergyIntolerance", "ca1", json!({"code": snomed("890458001", "Penicillin-containing product"), "clinicalStatus": {"coding": [{"code": "active"}]}, "recordedDate": "2025-01-15", "reaction": [{"severity": "mild"}]}))]);
    assert_eq!(
        stage.table(),
        [
            "allergies | Allergy to penicillin | pos|agent|890458001 | difference | acute-a AllergyIntolerance/a7, community AllergyIntolerance/ca1",
            "allergies | No known allergy | neg|sct|716186003 | single | gp AllergyIntolerance/a1",
        ]
    );
    assert_eq!(
        stage.disputes(),
        [
            "nka-vs-allergy: AllergyIntolerance/a1@gp, AllergyIntolerance/a7@acute-a, AllergyIntolerance/ca1@community",
            "allergy-severity: AllergyIntolerance/a7@acute-a, AllergyIntolerance/ca1@community",
        ]
    );
    assert_eq!(stage.merged().allergy_label().words(), "Known allergies");
    stage.maps = tributary_merge::Maps::default();
    assert_eq!(stage.table().len(), 3);
    assert_eq!(stage.disputes().len(), 1);
}

#[expect(clippy::too_many_lines, reason = "a story is told in one piece")]
fn harold() -> Federation {
    let medicine = |id: &str,
                    concept: serde_json::Value,
                    status: &str,
                    start: &str,
                    end: Option<&str>,
                    dose: &str,
                    mark: Option<&str>| {
        let mut members = json!({"medicationCodeableConcept": concept, "status": status, "effectivePeriod": {"start": start}, "dosage": [{"text": dose}]});
        if let Some(end) = end {
            members["effectivePeriod"]["end"] = json!(end);
        }
        if let Some(mark) = mark {
            members["identifier"] = json!([{"system": "https://gp.example/ms", "value": mark}]);
        }
        about("MedicationStatement", id, members)
    };
    let mut stage = federation();
    stage.sections = [Section::Medications, Section::Encounters].into_iter().collect();
    stage.source("gp", SourceKind::Gp, &["medications"], &["https://gp.example/"]);
    stage.source("acute-a", SourceKind::Acute, &["medications", "encounters"], &[]);
    stage.source("community", SourceKind::Community, &["medications"], &[]);
    stage
        .maps
        .load(
            "dmd-history",
            "from,to,source,release\n319734006,42217611000001104,t,1\n325278007,42084911000001109,t,1\n",
        )
        .unwrap();
    stage
        .maps
        .load("vmp-to-vtm", "from,to,source,release\n317971007,furosemide,t,1\n317972000,furosemide,t,1\n")
        .unwrap();
    let gp = [
        medicine(
            "ms1",
            snomed("319734006", "Warfarin 3mg tablets"),
            "active",
            "2021-05-10",
            None,
            "As directed by the anticoagulant clinic",
            Some("ms1"),
        ),
        medicine(
            "ms2",
            snomed("325278007", "Metformin 500mg tablets"),
            "active",
            "2017-06-01",
            None,
            "One tablet twice a day",
            Some("ms2"),
        ),
        medicine(
            "ms3",
            snomed("317972000", "Furosemide 40mg tablets"),
            "active",
            "2023-02-01",
            None,
            "One tablet each morning",
            Some("ms3"),
        ),
        medicine(
            "ms4",
            snomed("42010411000001105", "Codeine 30mg tablets"),
            "completed",
            "2026-01-20",
            Some("2026-01-27"),
            "One or two four times a day",
            Some("ms4"),
        ),
    ];
    stage.answers("gp", &gp);
    stage.answers("acute-a", &[
        about("MedicationRequest", "d1", json!({"medicationCodeableConcept": snomed("42206511000001102", "Apixaban 5mg tablets"), "intent": "order", "status": "active", "authoredOn": "2026-03-07"})),
        medicine("d2", snomed("42217611000001104", "Warfarin 3mg tablets"), "stopped", "2021-05-10", Some("2026-03-06"), "As directed by the anticoagulant clinic", None),
        medicine("d3", snomed("42084911000001109", "Metformin 500mg tablets"), "active", "2017-06-01", None, "One tablet twice a day", None),
        medicine("d4", snomed("317971007", "Furosemide 20mg tablets"), "active", "2026-03-07", None, "One tablet each morning", None),
        about("Encounter", "e1", json!({"type": [{"text": "Inpatient stay"}], "period": {"start": "2026-03-01T08:00:00Z"}})),
    ]);
    stage.answers(
        "community",
        &[
            medicine(
                "m1",
                snomed("317972000", "Furosemide 40mg tablets"),
                "active",
                "2023-02-01",
                None,
                "One tablet each morning",
                Some("ms3"),
            ),
            medicine(
                "m2",
                snomed("42010411000001105", "Codeine 30mg tablets"),
                "active",
                "2026-01-20",
                None,
                "One or two four times a day",
                Some("ms4"),
            ),
        ],
    );
    stage
}

#[test]
fn harold_four_truths_about_his_tablets() {
    let stage = harold();
    assert_eq!(
        stage.table(),
        [
            "medications | Codeine 30mg tablets | sct|42010411000001105 | conflict | gp MedicationStatement/ms4 (past), community MedicationStatement/m2 [stale-copy] (current)",
            "medications | Warfarin 3mg tablets | sct|42217611000001104 | conflict | gp MedicationStatement/ms1 (current), acute-a MedicationStatement/d2 (past)",
            "medications | Furosemide 20mg tablets | sct|317971007 | single | acute-a MedicationStatement/d4 (current)",
            "medications | Apixaban 5mg tablets | sct|42206511000001102 | single | acute-a MedicationRequest/d1 (current)",
            "medications | Furosemide 40mg tablets | sct|317972000 | copied | gp MedicationStatement/ms3 (current), community MedicationStatement/m1 [echo] (current)",
            "medications | Metformin 500mg tablets | sct|42084911000001109 | agree | gp MedicationStatement/ms2 (current), acute-a MedicationStatement/d3 (current)",
            "encounters | Inpatient stay | origin|acute-a|Encounter|e1 | single | acute-a Encounter/e1",
        ]
    );
    assert_eq!(
        stage.disputes(),
        [
            "medicine-status: MedicationStatement/ms4@gp, MedicationStatement/m2@community",
            "medicine-status: MedicationStatement/ms1@gp, MedicationStatement/d2@acute-a",
            "same-ingredient-different-product: MedicationStatement/d4@acute-a, MedicationStatement/m1@community, MedicationStatement/ms3@gp",
        ]
    );
    assert_eq!(stage.merged().allergy_label().words(), "Allergies unavailable");
}

#[test]
fn harold_without_maps_sees_the_loss() {
    let mut stage = harold();
    stage.maps = tributary_merge::Maps::default();
    let disputes = stage.disputes();
    assert_eq!(disputes.iter().filter(|one| one.starts_with("possible-same")).count(), 2, "{disputes:?}");
    assert_eq!(disputes.iter().filter(|one| one.starts_with("medicine-status")).count(), 1, "{disputes:?}");
}
