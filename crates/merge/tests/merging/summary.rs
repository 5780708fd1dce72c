//! The summary: what each section is filled from, what is said when it is empty, and what is never an entry.

mod document;
mod drawn;
mod empty;
mod properties;

use serde_json::{Value, json};
use tributary_model::{FaultClass, SourceKind};

use crate::kit::{Federation, about, federation, snomed};
use document::Document;

const ALL: &[&str] = &[
    "plans",
    "flags",
    "allergies",
    "medications",
    "problems",
    "results",
    "procedures",
    "immunisations",
    "socialcare",
    "uncategorised",
];

/// A federation of one GP system that said this.
fn told(resources: &[Value]) -> Federation {
    let mut stage = federation();
    stage.source("gp", SourceKind::Gp, ALL, &[]);
    stage.answers("gp", resources);
    stage
}

/// What a section lists as entries, and what its words hold.
#[track_caller]
fn check(resources: &[Value], section: &str, entries: &[&str], words: &[&str]) {
    let document = Document::of(&told(resources));
    assert_eq!(document.entries(section), entries, "{section}");
    let text = document.words(section);
    for word in words {
        assert!(text.contains(word), "{word} is not in {text}");
    }
}

fn status(code: &str) -> Value {
    json!({"coding": [{"code": code}]})
}

fn problem(id: &str, name: &str, clinical: &str, verified: &str) -> Value {
    let members = json!({"code": {"text": name}, "clinicalStatus": status(clinical),
        "verificationStatus": status(verified), "onsetDateTime": "2019"});
    about("Condition", id, members)
}

#[test]
fn problems_are_active_past_or_ruled_out() {
    let held = [
        problem("1", "Asthma", "active", "confirmed"),
        problem("2", "Fracture", "resolved", "confirmed"),
        problem("3", "Angina", "active", "refuted"),
        problem("4", "Gout", "active", "entered-in-error"),
    ];
    check(
        &held,
        "11450-4",
        &["Condition/1"],
        &["Asthma", "active", "2019", "Ruled out:", "Angina", "ruled out"],
    );
    check(
        &held,
        "11450-4",
        &["Condition/1"],
        &["Not part of this summary: statements entered in error (1)."],
    );
    check(&held, "11348-0", &["Condition/2"], &["Fracture", "inactive"]);
    let document = Document::of(&told(&held));
    assert!(!document.text().contains("Gout") && !document.words("11348-0").contains("Angina"));
}

fn medicine(id: &str, name: &str, members: &Value) -> Value {
    let mut all = members.clone();
    all["medicationCodeableConcept"] = json!({"text": name});
    about("MedicationRequest", id, all)
}

#[test]
fn what_is_not_to_be_given_is_said_and_never_listed_as_a_medicine() {
    let order = json!({"status": "active", "doNotPerform": true, "authoredOn": "2026-01-01"});
    let held = [
        medicine("no", "Penicillin", &order),
        medicine("yes", "Aspirin", &json!({"status": "active", "authoredOn": "2026-01-01"})),
        medicine("hold", "Warfarin", &json!({"status": "on-hold", "authoredOn": "2026-01-01"})),
    ];
    let words = ["NOT to be given, say the records: Penicillin.", "do-not-give", "suspended", "current"];
    check(&held, "10160-0", &["MedicationRequest/yes", "MedicationRequest/hold"], &words);
    let document = Document::of(&told(&held[..1]));
    assert_eq!(document.entries("10160-0"), Vec::<String>::new());
    assert_eq!(document.reason("10160-0"), Some("unavailable"));
    assert!(document.reason_text("10160-0").contains("NOT to be given, say the records: Penicillin."));
    // Nor does it come in by a reference.
    let based = medicine(
        "b",
        "Aspirin",
        &json!({"status": "active", "priorPrescription": {"reference": "MedicationRequest/no"}}),
    );
    let document = Document::of(&told(&[held[0].clone(), based]));
    assert_eq!(document.entries("10160-0"), ["MedicationRequest/b"]);
    assert!(!document.has("MedicationRequest/no"));
    // Beside a current statement of the same product it is told, and still no entry.
    let current = medicine("now", "Penicillin", &json!({"status": "active", "authoredOn": "2026-01-01"}));
    let words = ["NOT to be given, say the records: Penicillin.", "do-not-give", "current"];
    check(&[held[0].clone(), current], "10160-0", &["MedicationRequest/now"], &words);
}

#[test]
fn stopped_medicines_are_told_by_how_long_ago() {
    let stopped = |id: &str, name: &str, end: Option<&str>| {
        let period = end.map_or_else(|| json!({"start": "2020"}), |end| json!({"start": "2020", "end": end}));
        let concept = json!({"text": name});
        about(
            "MedicationStatement",
            id,
            json!({"status": "stopped", "medicationCodeableConcept": concept, "effectivePeriod": period}),
        )
    };
    let held = [
        stopped("1", "Alpha", Some("2025-12-10")),
        stopped("2", "Beta", Some("2025-12-09")),
        stopped("3", "Gamma", None),
        stopped("4", "Delta", Some("2025")),
        stopped("5", "Epsilon", Some("2026-01")),
    ];
    // Ninety days before 10 March are 10 December.
    let words = [
        "Stopped in the last 90 days:",
        "Alpha",
        "2020 to 10-Dec-2025",
        "Epsilon",
        "Stopped, on a date that is not recorded:",
        "Gamma",
        "Delta",
        "Not part of this summary: medicines stopped more than 90 days ago (1).",
        "No current medicine is among what the sources that answered record.",
    ];
    check(&held, "10160-0", &[], &words);
    assert!(!Document::of(&told(&held)).text().contains("Beta"));
}

#[test]
fn results_are_the_last_two_of_each_test_within_a_year() {
    let value = |id: &str, code: &str, when: Option<&str>, category: &str| {
        let mut members = json!({"code": snomed(code, code), "status": "final", "valueQuantity": {"value": 1, "unit": "mmol/L"},
            "category": [{"coding": [{"code": category}]}]});
        if let Some(when) = when {
            members["effectiveDateTime"] = json!(when);
        }
        about("Observation", id, members)
    };
    let held = [
        value("new", "111", Some("2026-03-01"), "laboratory"),
        value("before", "111", Some("2026-02-01"), "laboratory"),
        value("third", "111", Some("2026-01-01"), "laboratory"),
        value("month", "222", Some("2025-03"), "laboratory"),
        value("old", "333", Some("2025-03-09"), "laboratory"),
        value("undated", "444", None, "laboratory"),
        value("pulse", "555", Some("2026-03-01T10:00:00Z"), "vital-signs"),
        value("smoker", "666", Some("2026"), "social-history"),
    ];
    let words = [
        "final",
        "1 mmol/L",
        "01-Mar-2026",
        "Mar-2025",
        "On a date that is not recorded:",
        "444",
        "older results (2)",
    ];
    check(&held, "30954-2", &["Observation/new", "Observation/before", "Observation/month"], &words);
    check(&held, "8716-3", &["Observation/pulse"], &["555"]);
    check(&held, "29762-2", &["Observation/smoker"], &["666"]);
}

#[test]
fn deeds_count_only_when_done() {
    let procedure = |id: &str, status: &str| {
        about(
            "Procedure",
            id,
            json!({"code": {"text": id}, "status": status, "performedDateTime": "2024-05-06"}),
        )
    };
    let held =
        [procedure("Bypass", "completed"), procedure("Stent", "not-done"), procedure("Scan", "in-progress")];
    let words = ["Bypass", "Not known to be finished:", "Scan", "procedures not done (1)"];
    check(&held, "47519-4", &["Procedure/Bypass"], &words);
    let vaccine = |id: &str, status: &str| {
        about(
            "Immunization",
            id,
            json!({"vaccineCode": {"text": id}, "status": status, "occurrenceDateTime": "2024-05-06"}),
        )
    };
    let held = [vaccine("Flu", "completed"), vaccine("Measles", "not-done")];
    check(&held, "11369-6", &["Immunization/Flu"], &["Flu", "vaccinations not given (1)"]);
}

#[test]
fn plans_go_where_their_type_may_stand_and_are_told_together() {
    let held = [
        about(
            "Flag",
            "cpr",
            json!({"code": snomed("450476008", "Not for CPR"), "status": "active", "period": {"start": "2026-03-02"}}),
        ),
        about(
            "Observation",
            "for",
            json!({"code": snomed("450475007", "For CPR"), "status": "final", "effectiveDateTime": "2025-10-20"}),
        ),
        about(
            "DocumentReference",
            "respect",
            json!({"type": snomed("1382601000000107", "ReSPECT form"), "status": "current", "date": "2026-03-02T15:30:00Z"}),
        ),
        about(
            "DocumentReference",
            "old",
            json!({"type": snomed("735324008", "Escalation plan"), "status": "superseded", "date": "2020-03-02T15:30:00Z"}),
        ),
        about(
            "Consent",
            "adrt",
            json!({"category": [{"text": "Refusal of treatment"}], "status": "active", "dateTime": "2026-01-01"}),
        ),
        about(
            "CarePlan",
            "cp",
            json!({"title": "Convey to the specialist centre", "status": "active", "created": "2026-01-21"}),
        ),
        about(
            "QuestionnaireResponse",
            "q",
            json!({"status": "completed", "authored": "2026-03-02", "item": [{"text": "Preferred place of death", "answer": [{"valueString": "Home"}]}]}),
        ),
        about("Flag", "meds", json!({"code": {"text": "Medicines in the home"}, "status": "active"})),
        about("Flag", "gone", json!({"code": {"text": "Old alert"}, "status": "inactive"})),
    ];
    let words = [
        "Records disagree about CPR",
        "Not for CPR",
        "For CPR",
        "20-Oct-2025",
        "ReSPECT form",
        "Does not hold, or no longer:",
        "Escalation plan",
        "superseded",
        "Preferred place of death: Home",
    ];
    check(&held, "42348-3", &["DocumentReference/respect", "Consent/adrt"], &words);
    let cpr = ["Records disagree about CPR", "Not for CPR", "For CPR"];
    check(&held, "104605-1", &["Flag/meds", "Flag/cpr"], &cpr);
    check(&held, "104605-1", &["Flag/meds", "Flag/cpr"], &["alerts that have ended (1)"]);
    check(&held, "81338-6", &["Flag/cpr", "Observation/for", "QuestionnaireResponse/q"], &cpr);
    check(&held, "18776-5", &["CarePlan/cp"], &["Convey to the specialist centre"]);
}

#[test]
fn a_cpr_recommendation_alone_leaves_no_reason_to_think_of_an_empty_section() {
    let cpr = about(
        "Observation",
        "n",
        json!({"code": snomed("450476008", "Not for CPR"), "status": "final", "effectiveDateTime": "2026-03-02"}),
    );
    let document = Document::of(&told(&[cpr]));
    assert_eq!((document.entries("42348-3").len(), document.reason("42348-3")), (0, None));
    assert!(document.words("42348-3").contains("Not for CPR"));
}

#[test]
fn devices_in_use_are_listed() {
    let device = about(
        "DeviceUseStatement",
        "1",
        json!({"status": "active", "device": {"reference": "Device/d"}, "timingDateTime": "2020"}),
    );
    let pacemaker = json!({"resourceType": "Device", "id": "d", "type": {"text": "Pacemaker"}});
    let document = Document::of(&told(&[device, pacemaker]));
    assert_eq!(document.entries("46264-8"), ["DeviceUseStatement/1"]);
    assert!(document.has("Device/d"), "what is referred to is there");
}

#[test]
fn references_lead_into_the_document_or_say_that_they_do_not() {
    let plan = json!({"medicationReference": {"reference": "Medication/m"}, "status": "active", "intent": "plan",
        "requester": {"reference": "Practitioner/x"}, "supportingInformation": [{"reference": "Composition/c"}, {"reference": "List/l"}, {"reference": "Nothing/n"}]});
    let held = [
        about("MedicationRequest", "1", plan),
        json!({"resourceType": "Medication", "id": "m", "code": {"text": "Aspirin"}, "manufacturer": {"reference": "Organization/o"}}),
        json!({"resourceType": "Organization", "id": "o", "name": "Maker"}),
        json!({"resourceType": "Organization", "id": "unused", "name": "Nobody"}),
        about("Composition", "c", json!({"title": "A letter"})),
        about("List", "l", json!({"title": "A list"})),
    ];
    let document = Document::of(&told(&held));
    document.is_sound();
    for there in ["Medication/m", "Organization/o"] {
        assert!(document.has(there), "{there}");
    }
    for absent in ["Organization/unused", "Composition/c", "List/l", "Patient/p1"] {
        assert!(!document.has(absent), "{absent}");
    }
    for nowhere in ["Composition/c", "List/l", "Nothing/n"] {
        assert!(document.text().contains(&format!("urn:x-tributary:unresolved:gp:{nowhere}")), "{nowhere}");
    }
}

#[test]
fn a_document_is_as_confidential_as_its_strictest_statement() {
    let labelled = |code: &str| {
        let mut one = problem("1", "Asthma", "active", "confirmed");
        one["meta"] = json!({"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": code}]});
        Document::of(&told(&[one])).composition()["confidentiality"].clone()
    };
    assert_eq!([labelled("N"), labelled("R"), labelled("V")], [json!("N"), json!("R"), json!("V")]);
}

#[test]
fn the_patient_fits_the_profile_when_a_source_names_neither_name_nor_birth() {
    let mut stage = federation();
    stage.source("gp", SourceKind::Gp, ALL, &[]);
    let bare = json!({"resourceType": "Patient", "id": "p1", "name": [{"use": "official"}], "gender": 7,
        "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000107"}]});
    stage.hears("gp", tributary_merge::Heard::Reply(std::sync::Arc::new(crate::kit::reply(&[bare]))));
    let document = Document::of(&stage);
    let patient = document.resource("Patient");
    let unknown = json!({"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]});
    assert_eq!(patient["name"], json!([{"_text": unknown}]));
    assert_eq!(patient["_birthDate"], unknown);
    assert!(patient.get("gender").is_none() && patient.get("link").is_none());
}

#[test]
fn the_patient_is_the_person_traced() {
    let mut stage = told(&[]);
    stage.pds = Some(crate::kit::traced());
    let document = Document::of(&stage);
    let patient = document.resource("Patient");
    assert_eq!(patient["meta"]["source"], "urn:x-tributary:pds");
    assert_eq!((&patient["name"][0]["use"], &patient["birthDate"]), (&json!("usual"), &json!("1953-02-11")));
    document.is_sound();
}

#[test]
fn what_is_not_understood_is_listed_with_a_warning() {
    let mut strange = problem("1", "Asthma", "active", "confirmed");
    strange["modifierExtension"] = json!([{"url": "https://x.example/mark", "valueBoolean": true}]);
    check(&[strange], "11450-4", &["Condition/1"], &["carries marks that are not known here"]);
}

#[test]
fn copies_and_silent_sources_are_named() {
    let mut stage = federation();
    stage.source("gp", SourceKind::Gp, ALL, &["https://gp.example/"]);
    stage.source("community", SourceKind::Community, ALL, &[]);
    stage.source("acute-a", SourceKind::Acute, ALL, &[]);
    let aspirin = |id: &str| {
        let identifier = json!([{"system": "https://gp.example/ms", "value": "1"}]);
        let mut one = medicine(id, "Aspirin", &json!({"status": "active", "authoredOn": "2026-01-01"}));
        one["identifier"] = identifier;
        one
    };
    stage.answers("gp", &[aspirin("1")]);
    stage.answers("community", &[aspirin("7")]);
    stage.fails("acute-a", FaultClass::NoHead);
    let document = Document::of(&stage);
    let words = document.words("10160-0");
    assert!(
        words.contains("1 source and 1 copy") && words.contains("copy of another source's entry"),
        "{words}"
    );
    assert!(
        words.starts_with("Nothing from Name of acute-a: Name of acute-a did not answer in time."),
        "{words}"
    );
    assert!(document.note("10160-0").contains("Name of acute-a did not answer"));
    assert!(document.overview().contains("NOT COMPLETE"));
    assert!(document.overview().contains("Results: Nothing from Name of acute-a"));
}
