//! Words where an item was expected: what a provider does not support, has switched off, or says is missing.

use super::*;

const CONSULTATIONS: &str = "1149501000000101";
const WORDS: &str = r#"{"display":"Referral items are not supported by the provider system."}"#;
/// The same words, where an address belongs.
const WORDS_AS_ADDRESS: &str = r#"{"reference":"Referral items are not supported by the provider system"}"#;

#[test]
fn words_in_place_of_a_reference_are_no_item() {
    for words in [WORDS, WORDS_AS_ADDRESS] {
        let lists = [list(ALLERGIES, "", &[], &[words])];
        check(&lists, S::Allergies, State::Withheld, &[Kind::NotSupported]);
    }
}

#[test]
fn words_under_a_heading_mean_that_the_consultation_is_less_than_whole() {
    for code in ["325851000000107", "25851000000105", "24781000000107"] {
        for words in [WORDS, WORDS_AS_ADDRESS] {
            let heading = list(code, "Plan", &[], &[r#"{"reference":"Observation/1"}"#, words]);
            let lists = [primary(CONSULTATIONS, &[], 1), heading];
            check(&lists, S::Encounters, State::Partial, &[Kind::NotSupported]);
            // A reader who did not ask for consultations is not told about them.
            let both = [primary(ALLERGIES, &[], 1), lists[1].clone()];
            check(&both, S::Allergies, State::Content, &[]);
        }
    }
}

#[test]
fn a_problem_linked_to_words_is_less_than_whole() {
    let base = "fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-RelatedClinicalContent-1";
    let nhs = "fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-RelatedClinicalContent-1";
    for url in [format!("https://{base}"), format!("http://{base}"), format!("https://{nhs}")] {
        for (link, state, notices) in [
            (WORDS, State::Partial, &[Kind::NotSupported][..]),
            (WORDS_AS_ADDRESS, State::Partial, &[Kind::NotSupported]),
            (r#"{"reference":"Observation/1"}"#, State::Content, &[]),
            (r##"{"reference":"#a"}"##, State::Content, &[]),
        ] {
            let problem = format!(
                r#"{{"resourceType":"Condition","id":"c","extension":[{{"url":"{url}","valueReference":{link}}}]}}"#
            );
            check(&[primary(PROBLEMS, &[], 1), problem.clone()], S::Problems, state, notices);
            check(&[primary(ALLERGIES, &[], 1), problem], S::Allergies, State::Content, &[]);
        }
    }
}

#[test]
fn a_reason_for_emptiness_is_read() {
    for (code, state, notices) in [
        ("no-content-recorded", State::Empty, &[][..]),
        ("noContent", State::Empty, &[]),
        ("withheld", State::Withheld, &[Kind::ConfidentialItems]),
        ("unavailable", State::Withheld, &[Kind::Failed]),
        ("notasked", State::Withheld, &[Kind::Failed]),
    ] {
        let text = format!(
            r#"{{"resourceType":"List","code":{{"coding":[{{"code":"{ALLERGIES}"}}]}},"note":[{{"text":"Information not available"}}],"emptyReason":{{"coding":[{{"system":"https://fhir.nhs.uk/STU3/CodeSystem/CareConnect-ListEmptyReasonCode-1","code":"{code}"}}]}}}}"#
        );
        check(&[text], S::Allergies, state, notices);
    }
}

fn issue(severity: &str, code: &str, details: &str, diagnostics: &str) -> String {
    format!(
        r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"{severity}","code":"{code}","details":{details},"diagnostics":"{diagnostics}"}}]}}"#
    )
}

const NOT_IMPLEMENTED: &str = r#"{"coding":[{"system":"https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1","code":"NOT_IMPLEMENTED","display":"Not implemented"}],"text":"includeAllergies has been disabled"}"#;

#[test]
fn a_disabled_area_is_known_by_its_diagnostics_or_else_by_its_text() {
    for diagnostics in ["includeAllergies", " includeAllergies ", ""] {
        let outcome = issue("warning", "not-supported", NOT_IMPLEMENTED, diagnostics);
        check(&[outcome], S::Allergies, State::Failed, &[Kind::NotSupported]);
    }
}

#[test]
fn switched_off_document_metadata_is_told_of_documents() {
    let outcome = issue("warning", "not-supported", NOT_IMPLEMENTED, "DocumentReferences");
    let told = report(&[primary(ALLERGIES, &[], 1), outcome], &[S::Allergies]);
    let notice = Notice {
        detail: Some("DocumentReferences".to_owned()),
        ..Notice::about(Kind::NotSupported, S::Documents)
    };
    assert_eq!(told.notices, [notice]);
    assert_eq!(told.states[&S::Allergies], State::Content);
}

#[test]
fn several_refusals_of_one_outcome_are_all_told() {
    let issue =
        |name: &str| format!(r#"{{"severity":"warning","code":"not-supported","diagnostics":"{name}"}}"#);
    let outcome = format!(
        r#"{{"resourceType":"OperationOutcome","issue":[{},{},{}]}}"#,
        issue("includeProblems"),
        issue("includeAllergies.includeResolvedAllergies"),
        issue("madeUp.part")
    );
    let told = report(&[primary(ALLERGIES, &[], 1), outcome], &[S::Allergies, S::Problems]);
    let told: Vec<_> = told.notices.iter().map(|one| (one.section, one.detail.as_deref())).collect();
    assert_eq!(
        told,
        [
            (None, None),
            (Some(S::Allergies), Some("includeAllergies.includeResolvedAllergies")),
            (Some(S::Problems), Some("includeProblems")),
        ]
    );
}

#[test]
fn other_warnings_of_an_outcome_are_not_passed_over() {
    for (severity, code, kinds) in [
        ("warning", "suppressed", &[Kind::ConfidentialItems][..]),
        ("warning", "incomplete", &[Kind::CutShort]),
        ("warning", "processing", &[Kind::CutShort]),
        ("error", "processing", &[Kind::Failed]),
        ("information", "informational", &[]),
    ] {
        let told = report(&[primary(ALLERGIES, &[], 1), issue(severity, code, "{}", "")], &[S::Allergies]);
        let whole: Vec<_> = told.notices.iter().map(|one| (one.kind, one.section)).collect();
        let expected: Vec<_> = kinds.iter().map(|kind| (*kind, None)).collect();
        assert_eq!(whole, expected, "{severity} {code}");
    }
}
