//! The stories' variants: another day, a silent source, a map that is missing, a prompt that somebody signed for.

use serde_json::json;
use tributary_merge::{Heard, Maps, Prompt, Prompts};
use tributary_model::{FaultClass, Section, SourceKind};

use super::{george, george_gp, george_rest, harold};
use crate::kit::{Federation, about, federation, snomed};

/// What a variant must say: the label, the completeness, the lines that must be there, the discrepancies.
#[track_caller]
fn check(stage: &Federation, label: &str, completeness: &str, lines: &[&str], disputes: &[&str]) {
    let table = stage.table();
    for line in lines {
        assert!(table.iter().any(|row| row == line), "{line} is not in {table:#?}");
    }
    assert_eq!(stage.disputes(), disputes);
    let record = stage.merged();
    assert_eq!(record.allergy_label().words(), label);
    assert_eq!(record.tally().to_string(), completeness);
}

fn loaded(names: &[&str]) -> Maps {
    let mut maps = Maps::default();
    for name in names {
        let file = format!("{}/../../config/maps/{name}.csv", env!("CARGO_MANIFEST_DIR"));
        maps.load(name, &std::fs::read_to_string(file).unwrap()).unwrap();
    }
    maps
}

fn quarantine(stage: &mut Federation, id: &str) {
    let mut other = crate::kit::patient();
    other["identifier"][0]["value"] = json!("9990000204");
    stage.hears(id, Heard::Reply(std::sync::Arc::new(crate::kit::reply(&[other]))));
}

#[test]
fn george_in_january_is_taken_where_his_plan_says() {
    let mut stage = george();
    stage.as_of = "2026-01-25T02:10:00Z";
    let of_march = |one: &serde_json::Value| one.to_string().contains("orphine") || one["id"] == "pl1";
    let gp: Vec<_> = george_gp().into_iter().filter(|one| !of_march(one) && one["id"] != "ms1").collect();
    stage.answers("gp", &gp);
    george_rest(&mut stage);
    stage.answers.retain(|answer| answer.source.as_str() != "specialist");
    stage.answers("specialist", &[about("Condition", "c1", json!({"code": snomed("254637007", "Non-small cell lung cancer"), "clinicalStatus": {"coding": [{"code": "active"}]}, "onsetDateTime": "2025-10-16"}))]);
    check(
        &stage,
        "No known allergies",
        "complete",
        &[
            "plans | For attempted cardiopulmonary resuscitation | topic|cpr | single | gp Observation/o1",
            "plans | Treatment escalation plan | hash|aGFzaC1URVA= | single | acute-a DocumentReference/d1",
            "plans | If worse: convey to Mersey Specialist Cancer Centre | origin|acute-a|CarePlan|cp1 | single | acute-a CarePlan/cp1",
        ],
        &[],
    );
    assert_eq!(stage.table().iter().filter(|row| row.starts_with("plans")).count(), 3);
}

fn doris() -> Federation {
    let mut stage = federation();
    stage.source("gp", SourceKind::Gp, &["allergies", "medications"], &[]);
    stage.source("acute-a", SourceKind::Acute, &["allergies"], &[]);
    stage.source("community", SourceKind::Community, &["allergies"], &[]);
    stage.maps = loaded(&["allergen-agent"]);
    stage.answers("gp", &[
        about("AllergyIntolerance", "a1", json!({"code": snomed("716186003", "No known allergy"), "recordedDate": "2019-03-12"})),
        about("MedicationStatement", "ms1", json!({"medicationCodeableConcept": snomed("39732411000001106", "Amoxicillin 500mg capsules"), "status": "active", "effectivePeriod": {"start": "2026-03-09", "end": "2026-03-15"}})),
    ]);
    stage
}

fn doris_hospital(stage: &mut Federation) {
    stage.answers("acute-a", &[about("AllergyIntolerance", "a7", json!({"code": snomed("91936005", "Allergy to penicillin"), "criticality": "high", "recordedDate": "2024-11-02", "reaction": [{"severity": "severe"}]}))]);
}

fn doris_community(stage: &mut Federation) {
    stage.answers("community", &[about("AllergyIntolerance", "ca1", json!({"code": snomed("890458001", "Penicillin-containing product"), "recordedDate": "2025-01-15", "reaction": [{"severity": "mild"}]}))]);
}

const DORIS: [&str; 2] = [
    "nka-vs-allergy: AllergyIntolerance/a1@gp, AllergyIntolerance/a7@acute-a, AllergyIntolerance/ca1@community",
    "allergy-severity: AllergyIntolerance/a7@acute-a, AllergyIntolerance/ca1@community",
];

#[test]
fn doris_without_the_map_has_three_lines_and_the_same_label() {
    let mut stage = doris();
    doris_hospital(&mut stage);
    doris_community(&mut stage);
    stage.maps = Maps::default();
    let rows = [
        "allergies | Allergy to penicillin | pos|sct|91936005 | single | acute-a AllergyIntolerance/a7",
        "allergies | Penicillin-containing product | pos|sct|890458001 | single | community AllergyIntolerance/ca1",
        "allergies | No known allergy | neg|sct|716186003 | single | gp AllergyIntolerance/a1",
    ];
    check(&stage, "Known allergies", "complete", &rows, &DORIS[..1]);
}

#[test]
fn doris_with_the_hospital_in_quarantine_still_has_an_allergy() {
    let mut stage = doris();
    quarantine(&mut stage, "acute-a");
    doris_community(&mut stage);
    let disputes = ["nka-vs-allergy: AllergyIntolerance/a1@gp, AllergyIntolerance/ca1@community"];
    check(&stage, "Known allergies", "partial; failed=1", &[], &disputes);
    let words = stage.merged().to_view().sources[0].words.clone();
    assert!(
        words.contains("details that do not match this patient. Nothing from Name of acute-a is shown."),
        "{words}"
    );
}

#[test]
fn doris_with_two_silent_sources_is_never_without_allergies() {
    let mut stage = doris();
    stage.fails("acute-a", FaultClass::NoHead);
    stage.fails("community", FaultClass::NoHead);
    let negative = "allergies | No known allergy | neg|sct|716186003 | single | gp AllergyIntolerance/a1";
    check(&stage, "Allergy check incomplete", "partial; failed=2", &[negative], &[]);
}

#[test]
fn doris_is_prompted_once_with_the_map_and_the_switch_and_not_without() {
    let prompt = "allergy-vs-current-medicine: AllergyIntolerance/a7@acute-a, AllergyIntolerance/ca1@community, MedicationStatement/ms1@gp";
    for (switch, map, prompted) in
        [(Prompt::On, true, true), (Prompt::Off, true, false), (Prompt::On, false, false)]
    {
        let mut stage = doris();
        doris_hospital(&mut stage);
        doris_community(&mut stage);
        let before = (stage.table(), stage.disputes());
        stage.prompts = Prompts { allergy_vs_current_medicine: switch, ..Prompts::default() };
        if map {
            stage.maps = loaded(&["allergen-agent", "allergy-class"]);
        }
        let mut expected = before.1;
        if prompted {
            expected.push(prompt.to_owned());
        }
        assert_eq!(stage.disputes(), expected);
        // A prompt has no part in any line.
        assert_eq!(stage.table(), before.0);
        assert_eq!(stage.merged().to_r4().contains("\"code\":\"prompt\""), prompted);
    }
}

#[test]
fn doris_is_not_prompted_about_what_is_over_or_ruled_out() {
    let mut stage = doris();
    stage.maps = loaded(&["allergen-agent", "allergy-class"]);
    stage.prompts = Prompts { allergy_vs_current_medicine: Prompt::On, ..Prompts::default() };
    stage.as_of = "2026-03-16T09:00:00Z";
    doris_hospital(&mut stage);
    assert!(!stage.disputes().join(" ").contains("allergy-vs-current-medicine"), "the course is over");
    let mut stage = doris();
    stage.maps = loaded(&["allergen-agent", "allergy-class"]);
    stage.prompts = Prompts { allergy_vs_current_medicine: Prompt::On, ..Prompts::default() };
    let refuted =
        json!({"code": snomed("91936005", "x"), "verificationStatus": {"coding": [{"code": "refuted"}]}});
    stage.answers("acute-a", &[about("AllergyIntolerance", "a7", refuted)]);
    assert!(stage.disputes().is_empty(), "{:?}", stage.disputes());
}

#[test]
fn harold_with_the_gp_silent_keeps_what_the_others_say() {
    let mut stage = harold();
    stage.answers.retain(|answer| answer.source.as_str() != "gp");
    stage.fails("gp", FaultClass::NoHead);
    check(
        &stage,
        "Allergies unavailable",
        "partial; failed=1",
        &[
            "medications | Furosemide 40mg tablets | sct|317972000 | single | community MedicationStatement/m1 [copy-unverified] (current)",
            "medications | Codeine 30mg tablets | sct|42010411000001105 | single | community MedicationStatement/m2 [copy-unverified] (current)",
            "medications | Warfarin 3mg tablets | sct|42217611000001104 | single | acute-a MedicationStatement/d2 (past)",
        ],
        &[
            "same-ingredient-different-product: MedicationStatement/d4@acute-a, MedicationStatement/m1@community",
        ],
    );
    let table = stage.table();
    assert!(
        table
            .iter()
            .rposition(|row| row.starts_with("medications"))
            .is_some_and(|last| table[last].contains("Warfarin"))
    );
}

#[test]
fn harold_is_prompted_once_about_two_anticoagulants() {
    let mut stage = harold();
    let before = stage.disputes();
    stage.maps = loaded(&["dmd-history", "vmp-to-vtm", "high-risk-class"]);
    assert_eq!(stage.disputes(), before, "off by default");
    stage.prompts = Prompts { same_high_risk_class: Prompt::On, ..Prompts::default() };
    let prompts: Vec<String> = stage.disputes().into_iter().filter(|one| !before.contains(one)).collect();
    assert_eq!(prompts, ["same-high-risk-class: MedicationRequest/d1@acute-a, MedicationStatement/ms1@gp"]);
    let view = stage.merged().to_view();
    let prompt = view.discrepancies.iter().find(|one| one.rule == "same-high-risk-class").unwrap();
    assert_eq!(prompt.kind, "prompt");
    assert!(prompt.words.contains("anticoagulants") && prompt.words.contains("Apixaban"), "{}", prompt.words);
}

/// Aisha: a practice whose lists are in transit, a silent hospital, a community trust that answers.
fn aisha(gp: Option<FaultClass>, community: Option<FaultClass>) -> Federation {
    let mut stage = federation();
    stage.source("gp", SourceKind::Gp, &["allergies", "medications", "problems"], &[]);
    stage.source("acute-a", SourceKind::Acute, &["allergies", "medications", "problems", "encounters"], &[]);
    stage.source("community", SourceKind::Community, &["encounters", "flags", "socialcare"], &[]);
    if let Some(class) = gp {
        stage.fails("gp", class);
    } else {
        let problem = about(
            "Condition",
            "c1",
            json!({"code": snomed("38341003", "Hypertensive disorder"), "clinicalStatus": {"coding": [{"code": "active"}]}}),
        );
        let mut reply = crate::kit::reply(&[crate::kit::patient(), problem]);
        for section in [Section::Allergies, Section::Medications, Section::Problems] {
            reply
                .notices
                .push(tributary_fhir::Notice::about(tributary_model::NoticeKind::DataInTransit, section));
        }
        stage.hears("gp", Heard::Reply(std::sync::Arc::new(reply)));
    }
    stage.fails("acute-a", FaultClass::NoHead);
    match community {
        Some(class) => stage.fails("community", class),
        None => stage.answers("community", &[about("Encounter", "e1", json!({"type": [{"text": "Community nurse visit"}], "status": "finished", "period": {"start": "2026-03-08T09:30:00Z"}}))]),
    }
    stage
}

#[test]
fn aisha_with_more_and_more_silent_sources() {
    let problem = "problems | Hypertensive disorder | sct|38341003| | single | gp Condition/c1";
    check(&aisha(None, None), "Allergies unavailable", "partial; failed=1; withheld=1", &[problem], &[]);
    let gp_alone = aisha(None, Some(FaultClass::NoHead));
    check(&gp_alone, "Allergies unavailable", "partial; failed=2; withheld=1", &[problem], &[]);
    let nobody = aisha(Some(FaultClass::NoHead), Some(FaultClass::NoHead));
    check(&nobody, "Allergies unavailable", "none; failed=3", &[], &[]);
    assert_eq!(
        nobody.merged().to_outcome().matches("\"code\":\"timeout\"").count(),
        6,
        "issue code and status, thrice"
    );
}

#[test]
fn aisha_unknown_to_the_gp_system_is_not_said_to_be_unknown() {
    let stage = aisha(Some(FaultClass::NoRecord), None);
    let visit = "encounters | Community nurse visit | origin|community|Encounter|e1 | single | community Encounter/e1";
    check(&stage, "Allergies unavailable", "partial; failed=1", &[visit], &[]);
    let view = stage.merged().to_view();
    let gp = view.sources.iter().find(|row| row.id.as_str() == "gp").unwrap();
    assert!(gp.words.contains("did not return a record. This can mean"), "{}", gp.words);
}
