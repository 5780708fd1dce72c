//! Ways in which a merge could hurt somebody, each with the smallest answer that would do it.

use serde_json::{Value, json};
use tributary_model::{FaultClass, Section, SectionState, SourceKind};

use crate::kit::{Federation, NHS, about, federation, patient, reply, snomed};

const OTHER: &str = "9990000204";

fn one_source(resources: &[Value]) -> Federation {
    let mut stage = federation();
    let all: Vec<&str> = Section::ALL.iter().map(|section| section.code()).collect();
    stage.source("gp", SourceKind::Gp, &all, &[]);
    stage.answers("gp", resources);
    stage
}

fn with_hospital(stage: &mut Federation, resources: &[Value]) {
    let all: Vec<&str> = Section::ALL.iter().map(|section| section.code()).collect();
    stage.source("hosp", SourceKind::Acute, &all, &[]);
    stage.answers("hosp", resources);
}

fn number(value: &str) -> Value {
    json!({"identifier": {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": value}})
}

fn status(stage: &Federation) -> &'static str {
    stage.merged().to_view().sources[0].status.code()
}

fn label(stage: &Federation) -> &'static str {
    stage.merged().allergy_label().words()
}

fn facts_of(stage: &Federation, section: Section, title: &str) -> Vec<String> {
    let view = stage.merged().to_view();
    let lines = view.sections.iter().filter(|one| one.section == section).flat_map(|one| &one.lines);
    let members = lines.flat_map(|line| &line.members).filter(|member| member.title == title);
    members.flat_map(|member| member.facts.clone()).collect()
}

fn state(stage: &Federation, section: Section) -> SectionState {
    stage.merged().to_view().sections.iter().find(|one| one.section == section).unwrap().state
}

#[test]
fn somebody_elses_device_consent_or_bundle_never_gets_in() {
    for foreign in [
        json!({"resourceType": "Device", "id": "d", "patient": number(OTHER), "type": {"text": "SECRET"}}),
        json!({"resourceType": "Binary", "id": "b", "securityContext": number(OTHER), "data": "SECRET"}),
        json!({"resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/p1", "identifier": number(OTHER)["identifier"]}, "code": {"text": "SECRET"}}),
    ] {
        let stage = one_source(&[foreign]);
        assert_eq!(status(&stage), "identity-mismatch");
        assert!(!stage.merged().to_r4().contains("SECRET"));
    }
    let nested = json!({"resourceType": "Bundle", "id": "n", "entry": [{"resource": {"resourceType": "Patient", "id": "SECRET"}}]});
    let stage = one_source(&[nested]);
    assert!(!stage.merged().to_r4().contains("SECRET"));
    assert!(stage.merged().to_r4().contains("not-tied-to-patient"));
}

#[test]
fn an_empty_address_is_nobodys_name() {
    let mut stage = federation();
    stage.source("gp", SourceKind::Gp, &["allergies"], &[]);
    let foreign = json!({"resourceType": "AllergyIntolerance", "id": "a", "patient": {"display": "x"}, "code": {"text": "SECRET"}});
    let bundle = json!({"resourceType": "Bundle", "entry": [{"fullUrl": "", "resource": patient()}, {"fullUrl": "", "resource": foreign}]});
    let document =
        tributary_fhir::Document::scan(bundle.to_string().into_bytes(), &tributary_fhir::Limits::default())
            .unwrap();
    let reply = tributary_fhir::Reply {
        documents: vec![document],
        asked: tributary_model::SectionSet::all(),
        ..Default::default()
    };
    stage.hears("gp", tributary_merge::Heard::Reply(std::sync::Arc::new(reply)));
    assert!(!stage.merged().to_r4().contains("SECRET"));
}

#[test]
fn a_versioned_subject_is_still_the_patient() {
    let stage = one_source(&[
        json!({"resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/p1/_history/2"}, "code": {"text": "Asthma"}}),
    ]);
    assert_eq!(stage.table().len(), 1);
}

#[test]
fn a_recommendation_that_no_longer_holds_says_so() {
    let not_for = || snomed("450476008", "Not for attempted CPR");
    let stage = one_source(&[about(
        "Flag",
        "f",
        json!({"code": not_for(), "status": "inactive", "period": {"start": "2024-01-01"}}),
    )]);
    assert_eq!(facts_of(&stage, Section::Plans, "Not for attempted CPR"), ["ended"]);
    let stage = one_source(&[about(
        "Condition",
        "c",
        json!({"code": not_for(), "verificationStatus": {"coding": [{"code": "refuted"}]}}),
    )]);
    assert_eq!(facts_of(&stage, Section::Plans, "Not for attempted CPR"), ["ruled out"]);
    let respect = about(
        "DocumentReference",
        "d",
        json!({"type": snomed("1382601000000107", "ReSPECT form"), "status": "superseded"}),
    );
    assert_eq!(facts_of(&one_source(&[respect]), Section::Plans, "ReSPECT form"), ["superseded"]);
    // An ended recommendation is no party to a conflict, and never the lead.
    let mut stage = one_source(&[about(
        "Flag",
        "f",
        json!({"code": not_for(), "status": "inactive", "period": {"start": "2026-03-01"}}),
    )]);
    with_hospital(
        &mut stage,
        &[about(
            "Flag",
            "g",
            json!({"code": snomed("450475007", "For attempted CPR"), "status": "active", "period": {"start": "2025-01-01"}}),
        )],
    );
    assert!(stage.disputes().is_empty());
    assert!(
        stage.table()[0]
            .starts_with("plans | For attempted CPR | topic|cpr | difference | hosp Flag/g, gp Flag/f"),
        "{:?}",
        stage.table()
    );
}

#[test]
fn only_what_adds_nothing_hangs_beneath_another_medicine() {
    let drug = |id: &str, name: &str, status: &str, more: Value| {
        let mut members =
            json!({"medicationCodeableConcept": {"text": name}, "intent": "order", "status": status});
        for (key, value) in more.as_object().unwrap() {
            members[key] = value.clone();
        }
        about("MedicationRequest", id, members)
    };
    let based = |on: &str| json!({"basedOn": [{"reference": format!("MedicationRequest/{on}")}]});
    let stage = one_source(&[
        drug("old", "Warfarin", "stopped", json!({})),
        drug("new", "Apixaban", "active", based("old")),
    ]);
    assert_eq!(stage.table().len(), 2, "{:?}", stage.table());
    let stage = one_source(&[
        drug("old", "Warfarin", "stopped", json!({})),
        drug("new", "Warfarin", "active", based("old")),
    ]);
    assert!(stage.table()[0].contains("new (current)"), "{:?}", stage.table());
    let ring = [
        drug("a", "X", "active", based("b")),
        drug("b", "X", "active", based("c")),
        drug("c", "X", "active", based("a")),
    ];
    assert_eq!(one_source(&ring).table().len(), 1);
    let forbidden = drug("no", "Morphine", "active", json!({"doNotPerform": true}));
    let statement = about(
        "MedicationStatement",
        "ms",
        json!({"medicationCodeableConcept": {"text": "Morphine"}, "status": "active", "basedOn": [{"reference": "MedicationRequest/no"}]}),
    );
    assert!(one_source(&[forbidden, statement]).table()[0].contains("(do-not-give)"));
    let issue = drug("issue", "Warfarin", "completed", based("plan"));
    assert_eq!(one_source(&[drug("plan", "Warfarin", "active", json!({})), issue]).table().len(), 1);
    assert_eq!(
        one_source(&[
            drug("plan", "Warfarin", "active", json!({})),
            drug("issue", "Warfarin", "completed", based("plan"))
        ])
        .table()[0]
            .matches("MedicationRequest/")
            .count(),
        1
    );
}

#[test]
fn what_the_connector_saw_is_never_made_better() {
    for (told, expected) in [
        (SectionState::Withheld, SectionState::Withheld),
        (SectionState::Partial, SectionState::Partial),
        (SectionState::Failed, SectionState::Failed),
    ] {
        let mut stage = federation();
        stage.source("gp", SourceKind::Gp, &["allergies"], &[]);
        let mut reply = reply(&[patient()]);
        reply.states.insert(Section::Allergies, told);
        stage.hears("gp", tributary_merge::Heard::Reply(std::sync::Arc::new(reply)));
        with_hospital(
            &mut stage,
            &[about("AllergyIntolerance", "n", json!({"code": snomed("716186003", "No known allergy")}))],
        );
        assert_eq!(state(&stage, Section::Allergies), expected);
        assert_eq!(label(&stage), "Allergy check incomplete");
        let view = stage.merged().to_view();
        let gp = view.sources.iter().find(|row| row.id.as_str() == "gp").unwrap();
        assert_ne!(gp.status.code(), "ok-empty", "{told:?}");
    }
}

#[test]
fn the_standards_coding_of_a_status_decides() {
    let refuted = json!({"coding": [{"system": "urn:local", "code": "RO"}, {"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "refuted"}]});
    let stage = one_source(&[about(
        "Condition",
        "c",
        json!({"code": {"text": "Epilepsy"}, "verificationStatus": refuted}),
    )]);
    assert_eq!(facts_of(&stage, Section::Problems, "Epilepsy"), ["ruled out"]);
    let mistake = json!({"coding": [{"system": "urn:local", "code": "x"}, {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification", "code": "entered-in-error"}]});
    let stage = one_source(&[about(
        "AllergyIntolerance",
        "n",
        json!({"code": snomed("716186003", "No known allergy"), "verificationStatus": mistake}),
    )]);
    assert_ne!(label(&stage), "No known allergies");
}

#[test]
fn an_unknown_modifier_stops_all_conclusions() {
    let modifier = json!([{"url": "urn:x:negated", "valueBoolean": true}]);
    let stage = one_source(&[about(
        "AllergyIntolerance",
        "n",
        json!({"code": snomed("716186003", "No known allergy"), "modifierExtension": modifier}),
    )]);
    assert_eq!(label(&stage), "Allergies unavailable");
    assert!(stage.merged().to_r4().contains("not-understood"));
    let stage = one_source(&[about(
        "MedicationRequest",
        "m",
        json!({"medicationCodeableConcept": {"text": "Morphine"}, "status": "active", "modifierExtension": modifier}),
    )]);
    assert!(!stage.table()[0].contains("(current)"));
}

#[test]
fn a_label_needs_an_answer_to_the_question() {
    let mut stage = one_source(&[about(
        "AllergyIntolerance",
        "n",
        json!({"code": snomed("716186003", "No known allergy")}),
    )]);
    stage.sections = [Section::Encounters].into_iter().collect();
    assert_ne!(label(&stage), "No known allergies");
}

#[test]
fn a_published_name_never_leads_to_another_source() {
    let mut stage = one_source(&[about(
        "Condition",
        "c",
        json!({"code": {"text": "x"}, "evidence": [{"detail": [{"reference": "urn:uuid:296ac9f3-c288-591b-bb7b-6fe473dc93f8"}]}]}),
    )]);
    stage.source("acute-a", SourceKind::Acute, &["medications"], &[]);
    stage.answers(
        "acute-a",
        &[about(
            "MedicationRequest",
            "1",
            json!({"medicationCodeableConcept": {"text": "Morphine"}, "status": "active"}),
        )],
    );
    let bundle = stage.merged().to_r4();
    assert!(bundle.contains("urn:x-tributary:unresolved:gp:urn:uuid:296ac9f3-c288-591b-bb7b-6fe473dc93f8"));
    assert_eq!(
        bundle.matches("\"reference\":\"urn:uuid:296ac9f3-c288-591b-bb7b-6fe473dc93f8\"").count(),
        1,
        "the List alone"
    );
}

#[test]
fn a_withheld_statement_is_announced_wherever_it_might_have_stood() {
    let stage = one_source(&[
        json!({"resourceType": "Observation", "id": "o", "code": snomed("450476008", "SECRET")}),
    ]);
    for section in [Section::Plans, Section::Results, Section::Uncategorised] {
        assert_eq!(state(&stage, section), SectionState::Partial, "{section:?}");
    }
    assert_eq!(status(&stage), "ok-truncated");
}

#[test]
fn what_is_not_done_or_not_certain_never_reads_plain() {
    let stage = one_source(&[about(
        "ServiceRequest",
        "s",
        json!({"code": {"text": "Transfusion"}, "intent": "order", "doNotPerform": true}),
    )]);
    assert_eq!(facts_of(&stage, Section::Reports, "Transfusion"), ["not to be done"]);
    let stage = one_source(&[about(
        "Procedure",
        "p",
        json!({"code": {"text": "Stent"}, "status": "preparation", "performedDateTime": "2026-04-01"}),
    )]);
    assert_eq!(facts_of(&stage, Section::Procedures, "Stent"), ["not yet done"]);
    let suspected = |status: &str| {
        about(
            "Condition",
            "c",
            json!({"code": snomed("254637007", "Lung cancer"), "clinicalStatus": {"coding": [{"code": "active"}]}, "verificationStatus": {"coding": [{"code": status}]}}),
        )
    };
    let mut stage = one_source(&[suspected("differential")]);
    with_hospital(&mut stage, &[suspected("confirmed")]);
    assert_eq!(stage.table().len(), 2, "{:?}", stage.table());
    assert_eq!(facts_of(&stage, Section::Problems, "Lung cancer"), ["active", "active", "suspected"]);
}

#[test]
fn numbers_without_a_system_and_nulls_join_nothing() {
    let bare = |name: &str| {
        about(
            "MedicationStatement",
            "m",
            json!({"medicationCodeableConcept": {"coding": [{"code": "101"}], "text": name}, "status": "active"}),
        )
    };
    let mut stage = one_source(&[bare("Warfarin 3mg")]);
    with_hospital(&mut stage, &[bare("Paracetamol 500mg")]);
    assert_eq!(stage.table().len(), 2);
    let null = || {
        about(
            "Condition",
            "c",
            json!({"code": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "UNK"}]}}),
        )
    };
    let mut stage = one_source(&[null()]);
    with_hospital(&mut stage, &[null()]);
    assert_eq!(stage.table().len(), 2);
}

#[test]
fn a_negative_in_any_coding_is_a_negative() {
    let both = json!({"coding": [{"system": "http://snomed.info/sct", "code": "160244002"}, {"system": "http://snomed.info/sct", "code": "716186003", "display": "No known allergy"}]});
    let mut stage = one_source(&[about("AllergyIntolerance", "n", json!({"code": both}))]);
    stage.maps.load("neg-allergy", include_str!("../../../../config/maps/neg-allergy.csv")).unwrap();
    assert_eq!(label(&stage), "No known allergies");
    let torn = json!({"coding": [{"system": "http://snomed.info/sct", "code": "91936005"}, {"system": "http://snomed.info/sct", "code": "716186003"}]});
    let stage = one_source(&[about("AllergyIntolerance", "n", json!({"code": torn}))]);
    assert_eq!(label(&stage), "Allergies unavailable");
}

#[test]
fn ended_allergies_are_said_and_never_shown_as_active() {
    let list = json!({"resourceType": "List", "subject": {"reference": "Patient/p1"}, "code": snomed("1103671000000101", "Ended allergies"),
        "contained": [{"resourceType": "AllergyIntolerance", "id": "x1", "code": snomed("111088007", "Latex"), "patient": {"reference": "Patient/p1"}}], "entry": [{"item": {"reference": "#x1"}}]});
    let stage = one_source(&[list]);
    assert!(stage.table().is_empty());
    let view = stage.merged().to_view();
    let allergies = view.sections.iter().find(|one| one.section == Section::Allergies).unwrap();
    assert!(allergies.notices.contains(&"Name of gp lists as ended: Latex.".to_owned()), "{allergies:?}");
    assert_ne!(view.sources[0].status.code(), "ok-empty");
}

#[test]
fn a_death_that_one_source_records_is_told() {
    let mut stage = federation();
    stage.source("gp", SourceKind::Gp, &["problems"], &[]);
    let mut dead = patient();
    dead["deceasedBoolean"] = json!(true);
    stage.hears("gp", tributary_merge::Heard::Reply(std::sync::Arc::new(reply(&[dead]))));
    assert!(stage.disputes()[0].starts_with("deceased"));
}

#[test]
fn our_own_names_cannot_be_put_on_by_a_source() {
    let mut copy = about("Condition", "c", json!({"code": {"text": "x"}}));
    copy["meta"] = json!({"tag": [{"system": "urn:x-tributary:handling", "code": "stale-copy"}, {"system": "urn:other", "code": "kept"}],
        "extension": [{"url": "urn:x-tributary:retrieved-at", "valueInstant": "1999-01-01T00:00:00Z"}]});
    let bundle = one_source(&[copy]).merged().to_r4();
    assert!(!bundle.contains("stale-copy") && !bundle.contains("1999") && bundle.contains("kept"));
}

#[test]
fn work_and_answer_stay_as_large_as_what_was_sent() {
    let code = |code: &str, text: String| json!({"coding": [{"system": "http://snomed.info/sct", "code": code}], "text": text});
    let mut resources: Vec<Value> = Vec::new();
    for index in 0..600 {
        resources.push(about(
            "Condition",
            &format!("a{index}"),
            json!({"code": code("1", format!("t{index}"))}),
        ));
        resources.push(about(
            "Condition",
            &format!("b{index}"),
            json!({"code": code("2", format!("t{index}"))}),
        ));
    }
    let mut stage = one_source(&resources);
    with_hospital(&mut stage, &[about("Condition", "c", json!({"code": code("1", "t1".to_owned())}))]);
    let sent: usize = resources.iter().map(|one| one.to_string().len()).sum();
    let bundle = stage.merged().to_r4();
    assert!(bundle.len() < 12 * sent, "{} for {sent}", bundle.len());
}

#[test]
fn a_silent_hospital_is_not_an_empty_one() {
    let mut stage = one_source(&[about(
        "AllergyIntolerance",
        "n",
        json!({"code": snomed("716186003", "No known allergy")}),
    )]);
    stage.source("hosp", SourceKind::Acute, &["allergies"], &[]);
    stage.fails("hosp", FaultClass::BadEndpoint);
    assert_eq!(label(&stage), "Allergy check incomplete");
    assert_eq!(NHS.len(), 10);
}
