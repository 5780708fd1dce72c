//! What is said when there is nothing to list: five kinds of nothing, and never "none".

use std::sync::Arc;

use serde_json::{Value, json};
use tributary_fhir::Notice;
use tributary_merge::Heard;
use tributary_model::{FaultClass, NoticeKind, Section, SourceKind};

use super::document::Document;
use super::{ALL, told};
use crate::kit::{Federation, about, federation, patient, reply, snomed};

const REQUIRED: &[(&str, Section)] =
    &[("11450-4", Section::Problems), ("48765-2", Section::Allergies), ("10160-0", Section::Medications)];

/// The reason and the words of every required section.
#[track_caller]
fn check(stage: &Federation, reason: &str, words: &str) {
    let document = Document::of(stage);
    document.is_sound();
    for (code, _) in REQUIRED {
        assert_eq!(document.reason(code), Some(reason), "{code}");
        let text = document.words(code);
        assert!(text.contains(words), "{code}: {words} is not in {text}");
        assert!(document.reason_text(code).contains(words), "{code}: the reason says less than the words");
    }
    let text = document.text();
    for none in ["nilknown", "No known", "None", "none known"] {
        assert!(!text.contains(none), "{none}");
    }
}

fn with_notice(kind: NoticeKind) -> Federation {
    let mut stage = federation();
    stage.source("gp", SourceKind::Gp, ALL, &[]);
    let mut said = reply(&[patient()]);
    said.notices = REQUIRED.iter().map(|(_, section)| Notice::about(kind, *section)).collect();
    stage.hears("gp", Heard::Reply(Arc::new(said)));
    stage
}

fn with_fault(class: FaultClass) -> Federation {
    let mut stage = federation();
    stage.source("gp", SourceKind::Gp, ALL, &[]);
    stage.fails("gp", class);
    stage
}

#[test]
fn asked_and_empty() {
    check(&told(&[]), "unavailable", "Asked, and nothing recorded: Name of gp.");
}

#[test]
fn failed() {
    check(
        &with_fault(FaultClass::NoHead),
        "unavailable",
        "Nothing from Name of gp: Name of gp did not answer in time.",
    );
}

#[test]
fn withheld_by_the_patient() {
    check(&with_fault(FaultClass::Consent), "withheld", "Name of gp withholds entries here.");
}

#[test]
fn confidential() {
    check(
        &with_notice(NoticeKind::ConfidentialItems),
        "withheld",
        "some information is withheld by Name of gp.",
    );
}

#[test]
fn in_transit() {
    let words = "the record from the previous practice has not arrived at Name of gp";
    check(&with_notice(NoticeKind::DataInTransit), "unavailable", words);
}

#[test]
fn switched_off() {
    let words = "switched off or not supported at Name of gp";
    check(&with_notice(NoticeKind::NotSupported), "unavailable", words);
}

#[test]
fn not_asked() {
    let mut stage = federation();
    stage.source("gp", SourceKind::Gp, &["encounters"], &[]);
    stage.answers("gp", &[]);
    check(&stage, "notasked", "Not checked: no source was asked.");
}

#[test]
fn still_pending() {
    let mut stage = federation();
    stage.source("gp", SourceKind::Gp, ALL, &[]);
    stage.hears("gp", Heard::Pending);
    check(&stage, "unavailable", "Name of gp has not answered yet.");
}

#[test]
fn no_plan_is_words_and_a_reason_and_never_a_recommendation() {
    let document = Document::of(&told(&[]));
    let words = document.words("42348-3");
    assert!(words.contains("No plan was found in the sources that answered."), "{words}");
    assert_eq!(document.reason("42348-3"), Some("unavailable"));
    let nobody = Document::of(&with_fault(FaultClass::NoHead)).words("42348-3");
    assert!(!nobody.contains("No plan") && nobody.contains("did not answer"), "{nobody}");
}

fn allergy(id: &str, code: &str, name: &str, members: &Value) -> Value {
    let mut all = members.clone();
    all["code"] = snomed(code, name);
    about("AllergyIntolerance", id, all)
}

/// The entries of the allergies, and words that must be there.
#[track_caller]
fn allergies(stage: &Federation, entries: &[&str], words: &[&str]) {
    let document = Document::of(stage);
    document.is_sound();
    assert_eq!(document.entries("48765-2"), entries);
    let text = document.words("48765-2");
    for word in words {
        assert!(text.contains(word), "{word} is not in {text}");
    }
}

#[test]
fn a_negative_is_listed_when_a_source_said_so() {
    let none = allergy("n", "716186003", "No known allergy", &json!({"recordedDate": "2018-05-01"}));
    let words = ["No known allergies.", "No known allergy", "Name of gp", "01-May-2018"];
    allergies(&told(std::slice::from_ref(&none)), &["AllergyIntolerance/n"], &words);
    let food = allergy("f", "429625007", "No known food allergy", &json!({}));
    allergies(
        &told(&[food]),
        &["AllergyIntolerance/f"],
        &["Allergies not recorded.", "No known food allergy"],
    );
    // Not everybody answered: the label does not lean on it.
    let mut stage = told(&[none]);
    stage.source("acute-a", SourceKind::Acute, ALL, &[]);
    stage.fails("acute-a", FaultClass::NoHead);
    let words = ["Nothing from Name of acute-a", "Allergy check incomplete."];
    allergies(&stage, &["AllergyIntolerance/n"], &words);
    assert!(!Document::of(&stage).words("48765-2").contains("No known allergies"));
}

#[test]
fn a_negative_beside_an_allergy_is_listed_only_in_conflict() {
    let severe = json!({"recordedDate": "2024-11-02", "criticality": "high", "clinicalStatus": {"coding": [{"code": "active"}]},
        "reaction": [{"severity": "severe", "manifestation": [{"text": "Anaphylaxis"}]}]});
    let penicillin = allergy("p", "91936005", "Allergy to penicillin", &severe);
    let none = allergy("n", "716186003", "No known allergy", &json!({"recordedDate": "2019-03-12"}));
    let food = allergy("f", "429625007", "No known food allergy", &json!({}));
    let words = [
        "Known allergies.",
        "Name of gp recorded ‘No known allergy’ (12-Mar-2019). Name of gp records Allergy to penicillin (02-Nov-2024).",
        "active, severe, high criticality",
        "Anaphylaxis",
        "Recorded beside the allergies above:",
        "No known food allergy",
    ];
    allergies(&told(&[penicillin, none, food]), &["AllergyIntolerance/p", "AllergyIntolerance/n"], &words);
}

#[test]
fn ended_and_refuted_allergies_are_told_and_not_listed() {
    let status = |code: &str| json!({"coding": [{"code": code}]});
    let held = [
        allergy("l", "111088007", "Latex allergy", &json!({"clinicalStatus": status("resolved")})),
        allergy("r", "91936005", "Allergy to penicillin", &json!({"verificationStatus": status("refuted")})),
    ];
    let words = ["Ended or ruled out:", "Latex allergy", "ended", "Allergy to penicillin", "ruled out"];
    let stage = told(&held);
    allergies(&stage, &[], &words);
    assert_eq!(Document::of(&stage).reason("48765-2"), Some("unavailable"));
}

#[test]
fn negatives_of_other_sections_are_listed_as_said() {
    let held = [
        about("Condition", "n", json!({"code": snomed("160245001", "No current problems or disability")})),
        about(
            "MedicationStatement",
            "m",
            json!({"status": "active", "medicationCodeableConcept": snomed("787481004", "No known medications")}),
        ),
    ];
    let document = Document::of(&told(&held));
    assert_eq!(document.entries("11450-4"), ["Condition/n"]);
    assert_eq!(document.entries("10160-0"), ["MedicationStatement/m"]);
}
