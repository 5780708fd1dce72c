//! GP Connect structured records from the wire to the line: what real bundles hold, as STU3, converted.

mod words;

use std::sync::Arc;

use serde_json::{Value, json};
use tributary_fhir::convert::convert_bundle;
use tributary_fhir::{Document, Limits, Reply};
use tributary_merge::Heard;
use tributary_merge::view::MemberView;
use tributary_model::{Section, SectionSet, SectionState, SourceKind};

use crate::kit::{Federation, about, federation, patient, snomed};

/// A GP system that sends these STU3 resources.
fn gp(resources: &[Value]) -> Federation {
    gp_in_parts(&[resources])
}

/// A GP system that was asked in several parts, each answered with the patient and these STU3 resources.
fn gp_in_parts(parts: &[&[Value]]) -> Federation {
    let mut reply = Reply { asked: SectionSet::all(), converted: true, ..Reply::default() };
    for resources in parts {
        let all = std::iter::once(patient()).chain(resources.iter().cloned());
        let entries: Vec<Value> = all.map(|one| json!({"resource": one})).collect();
        let bundle = json!({"resourceType": "Bundle", "type": "collection", "entry": entries}).to_string();
        let stu3 = Document::scan(bundle.into_bytes(), &Limits::default()).unwrap();
        let converted = convert_bundle(&stu3).unwrap();
        reply.documents.push(converted.document);
        reply.losses.extend(converted.losses);
        reply.carried.extend(converted.carried);
    }
    let mut stage = federation();
    let served: Vec<&str> = Section::ALL.iter().map(|section| section.code()).collect();
    stage.source("gp", SourceKind::Gp, &served, &[]);
    stage.hears("gp", Heard::Reply(Arc::new(reply)));
    stage
}

/// `section | title | origins`, one a line.
fn rows(stage: &Federation) -> Vec<String> {
    let view = stage.merged().to_view();
    let mut rows = Vec::new();
    for section in &view.sections {
        for line in &section.lines {
            let origins: Vec<&str> = line.members.iter().map(|member| member.origin.as_str()).collect();
            rows.push(format!("{} | {} | {}", section.section.code(), line.title, origins.join(", ")));
        }
    }
    rows
}

fn member(stage: &Federation, origin: &str) -> MemberView {
    let view = stage.merged().to_view();
    let lines = view.sections.into_iter().flat_map(|section| section.lines);
    lines.flat_map(|line| line.members).find(|member| member.origin == origin).expect("on a line")
}

fn state(stage: &Federation, section: Section) -> SectionState {
    stage.merged().to_view().sections.iter().find(|one| one.section == section).unwrap().state
}

fn profile(kind: &str) -> Value {
    json!({"profile": [format!("https://fhir.nhs.uk/STU3/StructureDefinition/CareConnect-GPC-{kind}-1")]})
}

fn to(name: &str) -> Value {
    json!({"reference": name})
}

fn extension(name: &str, key: &str, value: &Value) -> Value {
    json!({"url": format!("https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-{name}-1"), key: value})
}

/// Statement, plan and an issue of one medicine, with the medicine as `given`.
fn chain(given: &Value) -> [Value; 3] {
    let with = |members: Value| {
        let mut members = members;
        for (key, value) in given.as_object().unwrap() {
            members[key] = value.clone();
        }
        members
    };
    let statement = json!({"meta": profile("MedicationStatement"), "status": "active", "taken": "unk",
        "basedOn": [to("MedicationRequest/plan")], "effectivePeriod": {"start": "2025-01-02"},
        "dateAsserted": "2025-01-02", "dosage": [{"text": "one daily"}]});
    let plan = json!({"status": "active", "intent": "plan", "authoredOn": "2025-01-02",
        "dosageInstruction": [{"text": "one daily"}]});
    let order = json!({"status": "completed", "intent": "order", "basedOn": [to("MedicationRequest/plan")],
        "dosageInstruction": [{"text": "one daily"}]});
    [
        about("MedicationStatement", "s", with(statement)),
        about("MedicationRequest", "plan", with(plan)),
        about("MedicationRequest", "issue", with(order)),
    ]
}

#[test]
fn statement_plan_and_issues_are_one_line() {
    let ramipril = || snomed("318906001", "Ramipril 5mg capsules");
    let mut resources = chain(&json!({"medicationReference": to("Medication/m")})).to_vec();
    resources.push(json!({"resourceType": "Medication", "id": "m", "code": ramipril()}));
    let by_reference = gp(&resources);
    // Newer systems name the medicine in place.
    let in_place = gp(&chain(&json!({"medicationCodeableConcept": ramipril()})));
    for stage in [by_reference, in_place] {
        assert_eq!(rows(&stage), ["medications | Ramipril 5mg capsules | MedicationStatement/s"]);
        // `taken` is a fixed value in these records and hides nothing.
        assert_eq!(member(&stage, "MedicationStatement/s").facts, ["current"]);
        let r4 = stage.merged().to_r4();
        assert!(r4.contains(r#""intent":"plan""#) && r4.contains(r#""intent":"order""#), "{r4}");
    }
}

#[test]
fn what_another_organisation_prescribes_says_so() {
    for (code, facts) in [
        ("prescribed-at-gp-practice", &["current"][..]),
        ("prescribed-by-another-organisation", &["current", "prescribed elsewhere"]),
        ("prescribed-by-previous-practice", &["current", "prescribed at a previous practice"]),
    ] {
        let agency =
            extension("PrescribingAgency", "valueCodeableConcept", &json!({"coding": [{"code": code}]}));
        let named = json!({"medicationCodeableConcept": {"text": "Methotrexate"}, "extension": [agency]});
        let stage = gp(&chain(&named)[..2]);
        assert_eq!(member(&stage, "MedicationStatement/s").facts, facts);
    }
}

#[test]
fn a_reason_for_stopping_may_be_extension_or_element() {
    let reason = extension(
        "MedicationStatusReason",
        "extension",
        &json!([
        {"url": "statusReason", "valueCodeableConcept": {"text": "rash"}},
        {"url": "statusChangeDate", "valueDateTime": "2025-03"}]),
    );
    let by_extension = about(
        "MedicationRequest",
        "1",
        json!({"status": "stopped", "intent": "plan",
        "medicationCodeableConcept": {"text": "a"}, "extension": [reason]}),
    );
    let as_element = about(
        "MedicationRequest",
        "1",
        json!({"status": "stopped", "intent": "plan",
        "medicationCodeableConcept": {"text": "a"}, "statusReason": {"text": "rash"}}),
    );
    for request in [by_extension, as_element] {
        let stage = gp(&[request]);
        assert!(stage.merged().to_r4().contains(r#""statusReason":{"text":"rash"}"#));
        assert_eq!(member(&stage, "MedicationRequest/1").facts, ["past"]);
    }
}

/// A report with its request and specimen; a group of results, one in words; comments on the group and on the
/// report; and a comment that belongs to none of it.
fn investigation() -> Federation {
    let lab =
        json!([{"coding": [{"system": "http://hl7.org/fhir/observation-category", "code": "laboratory"}]}]);
    let note = snomed("37331000000100", "Comment note");
    let link = |kind: &str, name: &str| json!({"type": kind, "target": to(name)});
    gp(&[
        about(
            "DiagnosticReport",
            "r",
            json!({"status": "unknown", "code": snomed("721981007", "Diagnostic studies report"),
            "basedOn": [to("ProcedureRequest/t")], "specimen": [to("Specimen/sp")], "performer": [{"actor": to("Organization/o")}],
            "result": [to("Observation/group"), to("Observation/filing")]}),
        ),
        about(
            "ProcedureRequest",
            "t",
            json!({"status": "active", "intent": "order", "code": snomed("26604007", "Full blood count")}),
        ),
        about(
            "Specimen",
            "sp",
            json!({"type": snomed("122555007", "Venous blood"), "collection": {"collectedDateTime": "2019-04-01"}}),
        ),
        // A group has no value, and often no category.
        about(
            "Observation",
            "group",
            json!({"status": "unknown", "code": snomed("1", "FBC group"), "issued": "2019-04-03T12:00:00Z",
            "related": [link("has-member", "Observation/hb"), link("has-member", "Observation/words"), link("has-member", "Observation/comment")]}),
        ),
        about(
            "Observation",
            "hb",
            json!({"status": "unknown", "category": lab, "code": snomed("2", "Haemoglobin"), "issued": "2019-04-03T12:00:00Z",
            "valueQuantity": {"value": 7.10, "unit": "g/L"}, "related": [link("derived-from", "Observation/group")]}),
        ),
        about(
            "Observation",
            "words",
            json!({"status": "final", "category": lab, "code": snomed("3", "Culture"), "issued": "2019-04-03T12:00:00Z",
            "comment": "No growth"}),
        ),
        about(
            "Observation",
            "comment",
            json!({"status": "final", "code": note, "comment": "group\r\ncomment"}),
        ),
        about(
            "Observation",
            "filing",
            json!({"status": "final", "code": note, "issued": "2019-04-04T12:00:00Z", "comment": "Seen"}),
        ),
        about(
            "Observation",
            "other",
            json!({"status": "final", "code": note, "comment": "not of this report"}),
        ),
    ])
}

#[test]
fn an_investigation_keeps_its_whole_tree_together() {
    let stage = investigation();
    let found = rows(&stage);
    for (section, origin) in [
        ("reports", "DiagnosticReport/r"),
        ("reports", "ProcedureRequest/t"),
        ("reports", "Specimen/sp"),
        ("results", "Observation/group"),
        ("results", "Observation/hb"),
        ("results", "Observation/words"),
        ("results", "Observation/comment"),
        ("results", "Observation/filing"),
        ("uncategorised", "Observation/other"),
    ] {
        let is_there = |row: &&String| row.starts_with(&format!("{section} |")) && row.ends_with(origin);
        assert_eq!(found.iter().filter(is_there).count(), 1, "{origin}: {found:#?}");
    }
    assert_eq!(member(&stage, "Observation/words").detail, "No growth");
    assert_eq!(member(&stage, "Observation/comment").detail, "group\r\ncomment");
    assert_eq!(member(&stage, "DiagnosticReport/r").facts, ["unknown"]);
    let r4 = stage.merged().to_r4();
    assert!(
        r4.contains(r#""hasMember":[{"reference":"urn:uuid:"#)
            && r4.contains(r#""derivedFrom":[{"reference":"urn:uuid:"#)
    );
}

#[test]
fn both_parts_of_a_blood_pressure_stay_together_even_when_one_is_missing() {
    let part = |code: &str, name: &str, rest: Value| {
        let mut part = json!({"code": snomed(code, name)});
        for (key, value) in rest.as_object().unwrap() {
            part[key] = value.clone();
        }
        part
    };
    let absent = json!({"dataAbsentReason": {"coding": [{"code": "unknown"}]}});
    let stage = gp(&[about(
        "Observation",
        "bp",
        json!({"status": "final", "code": snomed("163020007", "O/E - blood pressure reading"),
        "component": [part("72313002", "Systolic", json!({"valueQuantity": {"value": 120, "unit": "mm[Hg]"}})),
            part("1091811000000102", "Diastolic", absent)]}),
    )]);
    let bp = member(&stage, "Observation/bp");
    assert_eq!(bp.detail, "Systolic 120 mm[Hg]; Diastolic not recorded");
}

#[test]
fn a_vaccine_without_a_code_goes_by_its_procedure_and_refusals_stand_out() {
    let unknown = json!({"coding": [{"system": "http://hl7.org/fhir/v3/NullFlavor ", "code": "UNK"}], "text": "Unknown"});
    let vaccine = |id: &str, not_given: bool| {
        let procedure = json!({"url": "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-VaccinationProcedure-1",
            "valueCodeableConcept": snomed("86198006", "Influenza vaccination")});
        about(
            "Immunization",
            id,
            json!({"status": "completed", "notGiven": not_given, "vaccineCode": unknown, "date": "2025-10-01", "extension": [procedure]}),
        )
    };
    let stage = gp(&[vaccine("given", false), vaccine("refused", true)]);
    assert_eq!(
        rows(&stage),
        [
            "immunisations | Influenza vaccination | Immunization/given",
            "immunisations | Influenza vaccination | Immunization/refused"
        ]
    );
    assert!(member(&stage, "Immunization/given").facts.is_empty());
    assert_eq!(member(&stage, "Immunization/refused").facts, ["not given on that day"]);
}

#[test]
fn what_both_parts_of_an_answer_hold_is_one_statement() {
    let vaccine = |id: &str, not_given: bool| {
        about(
            "Immunization",
            id,
            json!({"status": "completed", "notGiven": not_given, "date": "2025-10-01",
            "vaccineCode": {"text": id}}),
        )
    };
    let (given, refused) = (vaccine("given", false), vaccine("refused", true));
    let stage = gp_in_parts(&[std::slice::from_ref(&given), &[given.clone(), refused]]);
    let view = stage.merged().to_view();
    assert_eq!(view.sources[0].status.code(), "ok");
    let found = rows(&stage);
    assert_eq!(
        found,
        ["immunisations | given | Immunization/given", "immunisations | refused | Immunization/refused"]
    );
}

#[test]
fn a_diary_entry_is_planned_and_a_test_request_is_not() {
    let request = |id: &str, intent: &str| {
        about(
            "ProcedureRequest",
            id,
            json!({"status": "active", "intent": intent, "code": snomed("73761001", "Colonoscopy")}),
        )
    };
    let found = rows(&gp(&[request("diary", "plan"), request("test", "order")]));
    assert!(found.contains(&"diary | Colonoscopy | ProcedureRequest/diary".to_owned()), "{found:?}");
    assert!(found.contains(&"reports | Colonoscopy | ProcedureRequest/test".to_owned()), "{found:?}");
}

#[test]
fn a_referral_is_known_by_its_booking_number_in_both_spellings() {
    for system in ["https://fhir.nhs.uk/Id/UBRN", "https://fhir.nhs.uk/Id/ubr-number"] {
        let stage = gp(&[about(
            "ReferralRequest",
            "r",
            json!({"status": "unknown", "intent": "order",
            "identifier": [{"system": system, "value": "000049391262"}], "reasonCode": [snomed("183545006", "Referral to orthopaedics")]}),
        )]);
        let view = stage.merged().to_view();
        let line = view.sections.iter().find(|one| one.section == Section::Referrals).unwrap();
        assert_eq!(line.lines[0].key, "ubrn|000049391262");
        // The status says nothing of what became of it, and no word pretends otherwise.
        assert!(line.lines[0].members[0].facts.is_empty());
    }
}

#[test]
fn a_file_that_is_missing_says_why_and_is_still_a_document() {
    let stage = gp(&[about(
        "DocumentReference",
        "d",
        json!({"status": "current", "type": {"text": "Letter"}, "created": "2019-01-01",
        "indexed": "2019-02-01T00:00:00Z", "content": [{"attachment": {"contentType": "application/pdf", "size": 0, "title": "File too large"}}],
        "securityLabel": [{"coding": [{"system": "http://hl7.org/fhir/v3/ActCode", "code": "NOPAT"}]}]}),
    )]);
    assert_eq!(rows(&stage), ["documents | Letter | DocumentReference/d"]);
    assert_eq!(member(&stage, "DocumentReference/d").facts, ["not to be shown to the patient"]);
    assert!(stage.merged().to_r4().contains(r#""title":"File too large""#));
}

#[test]
fn what_is_kept_from_the_patient_says_so_and_keeps_its_label() {
    let label = json!({"security": [{"system": "http://hl7.org/fhir/v3/ActCode", "code": "NOPAT"}]});
    let stage = gp(&[
        about(
            "Condition",
            "secret",
            json!({"meta": label, "clinicalStatus": "active", "code": {"text": "a"}}),
        ),
        about("Condition", "open", json!({"clinicalStatus": "active", "code": {"text": "b"}})),
    ]);
    assert_eq!(member(&stage, "Condition/secret").facts, ["active", "not to be shown to the patient"]);
    assert_eq!(member(&stage, "Condition/open").facts, ["active"]);
    let system = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    assert!(
        stage.merged().to_r4().contains(&format!(r#""security":[{{"code":"NOPAT","system":"{system}"}}]"#))
    );
}

#[test]
fn a_draft_consultation_is_marked() {
    let visit = |id: &str, status: &str| {
        about("Encounter", id, json!({"status": status, "type": [{"text": "Surgery"}]}))
    };
    let stage = gp(&[visit("draft", "unknown"), visit("done", "finished"), visit("off", "cancelled")]);
    assert!(
        member(&stage, "Encounter/draft")
            .facts
            .contains(&"draft, or not known whether it took place".to_owned())
    );
    assert!(member(&stage, "Encounter/off").facts.contains(&"cancelled".to_owned()));
    assert!(member(&stage, "Encounter/done").facts.is_empty());
}

#[test]
fn answers_that_hang_on_an_observation_are_uncategorised() {
    let form = json!({"resourceType": "QuestionnaireResponse", "id": "q", "status": "completed", "subject": to("Patient/p1"),
        "parent": [to("Observation/o")], "authored": "2019-01-01", "item": [{"linkId": "1", "text": "Smokes?", "answer": [{"valueString": "no"}]}]});
    let stage = gp(&[form, about("Observation", "o", json!({"status": "final", "code": {"text": "Form"}}))]);
    assert!(rows(&stage).iter().all(|row| row.starts_with("uncategorised | Form |")), "{:?}", rows(&stage));
    assert_eq!(member(&stage, "QuestionnaireResponse/q").detail, "Smokes?: no");
    assert!(stage.merged().to_r4().contains(r#""partOf":[{"reference":"urn:uuid:"#));
}

#[test]
fn lists_without_ids_are_all_kept() {
    let list = |title: &str| json!({"resourceType": "List", "status": "current", "mode": "snapshot", "title": title, "subject": to("Patient/p1"), "code": {"text": title}});
    let stage = gp(&[list("one"), list("two"), list("two")]);
    let r4 = stage.merged().to_r4();
    // Byte-equal repeats are one.
    for title in ["one", "two"] {
        assert_eq!(r4.matches(&format!(r#""title":"{title}""#)).count(), 1, "{title}");
    }
}

#[test]
fn a_repeated_id_with_other_content_is_kept_beside_the_first() {
    let problem =
        |text: &str| about("Condition", "c", json!({"clinicalStatus": "active", "code": {"text": text}}));
    let found = rows(&gp(&[problem("Asthma"), problem("Gout"), problem("Asthma")]));
    assert_eq!(found.len(), 2, "{found:?}");
    for title in ["Asthma", "Gout"] {
        assert!(found.iter().any(|row| row.contains(title)), "{found:?}");
    }
}

#[test]
fn links_lead_to_the_merged_record_or_say_that_they_lead_nowhere() {
    let link = |base: &str, target: &str| json!({"url": format!("{base}/StructureDefinition/Extension-CareConnect-RelatedClinicalContent-1"), "valueReference": to(target)});
    let actual = extension("ActualProblem", "valueReference", &to("Observation/o"));
    let stage = gp(&[
        about(
            "Observation",
            "o",
            json!({"status": "unknown", "code": {"text": "Finding"}, "context": to("Encounter/not-asked")}),
        ),
        about(
            "Condition",
            "c",
            json!({"clinicalStatus": "active", "code": {"text": "Problem"}, "extension": [
            actual, link("https://fhir.hl7.org.uk/STU3", "Observation/o"), link("http://fhir.hl7.org.uk/STU3", "Observation/o"),
            link("https://fhir.hl7.org.uk/STU3", "Referral items are not supported by the provider system")]}),
        ),
    ]);
    let r4 = stage.merged().to_r4();
    assert_eq!(r4.matches(r#""valueReference":{"reference":"urn:uuid:"#).count(), 3, "{r4}");
    assert!(
        r4.contains(r#""encounter":{"reference":"urn:x-tributary:unresolved:gp:Encounter/not-asked"#),
        "{r4}"
    );
    // Words in place of an address stay words.
    assert!(
        r4.contains(r#"{"reference":"Referral items are not supported by the provider system"}"#),
        "{r4}"
    );
}
