use super::*;

mod recorded;
mod secondary;
mod words_only;

use tributary_fhir::{Document, Limits};
use tributary_model::NoticeKind as Kind;
use tributary_model::Section as S;
use tributary_model::SectionState as State;

const ALLERGIES: &str = "886921000000105";
const PROBLEMS: &str = "717711000000103";
const UNCATEGORISED: &str = "826501000000100";
const INVESTIGATIONS: &str = "887191000000108";

fn list(code: &str, title: &str, warnings: &[&str], entries: &[&str]) -> String {
    let extensions: Vec<_> = warnings
        .iter()
        .map(|code| format!(r#"{{"url":"https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-ListWarningCode-1","valueCode":"{code}"}}"#))
        .collect();
    let entries: Vec<_> = entries.iter().map(|entry| format!(r#"{{"item":{entry}}}"#)).collect();
    format!(
        r#"{{"resourceType":"List","title":"{title}","code":{{"coding":[{{"system":"http://snomed.info/sct","code":"{code}"}}]}},"extension":[{}],"entry":[{}]}}"#,
        extensions.join(","),
        entries.join(",")
    )
}

fn primary(code: &str, warnings: &[&str], entries: usize) -> String {
    list(code, "", warnings, &vec![r#"{"reference":"X/1"}"#; entries])
}

fn report(resources: &[String], asked: &[Section]) -> Report {
    let entries: Vec<_> = resources.iter().map(|resource| format!(r#"{{"resource":{resource}}}"#)).collect();
    let text = format!(r#"{{"resourceType":"Bundle","entry":[{}]}}"#, entries.join(","));
    let document = Document::scan(text.into_bytes(), &Limits::default()).unwrap();
    read(Bundle::of(&document).unwrap(), asked.iter().copied().collect())
}

#[track_caller]
fn check(resources: &[String], section: Section, state: State, notices: &[Kind]) {
    let report = report(resources, &[section]);
    assert_eq!(report.states.get(&section), Some(&state), "{resources:?}");
    let kinds: Vec<_> = report
        .notices
        .iter()
        .map(|notice| {
            assert_eq!(notice.section, Some(section));
            notice.kind
        })
        .collect();
    assert_eq!(kinds, notices, "{resources:?}");
}

fn unsupported(diagnostics: &str) -> String {
    format!(
        r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"warning","code":"not-supported","details":{{"coding":[{{"code":"NOT_IMPLEMENTED"}}]}},"diagnostics":"{diagnostics}"}}]}}"#
    )
}

#[test]
fn a_primary_list_tells_the_state_of_its_section() {
    check(&[], S::Allergies, State::Failed, &[Kind::Failed]);
    check(&[primary(ALLERGIES, &[], 2)], S::Allergies, State::Content, &[]);
    check(&[primary(ALLERGIES, &[], 0)], S::Allergies, State::Empty, &[]);
    check(
        &[primary(ALLERGIES, &["confidential-items"], 1)],
        S::Allergies,
        State::Partial,
        &[Kind::ConfidentialItems],
    );
    check(
        &[primary(ALLERGIES, &["data-awaiting-filing", "data-in-transit"], 0)],
        S::Allergies,
        State::Withheld,
        &[Kind::DataInTransit, Kind::DataAwaitingFiling],
    );
    // A warning from a newer specification still means that something is missing.
    check(&[primary(ALLERGIES, &["surprise"], 1)], S::Allergies, State::Partial, &[Kind::Failed]);
}

#[test]
fn ended_allergies_alone_do_not_answer_for_allergies() {
    let ended = primary("1103671000000101", &[], 1);
    check(std::slice::from_ref(&ended), S::Allergies, State::Failed, &[Kind::Failed]);
    check(&[ended, primary(ALLERGIES, &[], 0)], S::Allergies, State::Content, &[]);
}

#[test]
fn a_switched_off_area_is_named_by_our_own_word_only() {
    let report =
        report(&[unsupported("includeAllergies"), unsupported("canary 9990000107")], &[S::Allergies]);
    assert_eq!(report.states[&S::Allergies], State::Failed);
    let told: Vec<_> =
        report.notices.iter().map(|notice| (notice.kind, notice.section, notice.detail.as_deref())).collect();
    assert_eq!(
        told,
        [
            (Kind::NotSupported, None, None),
            (Kind::NotSupported, Some(S::Allergies), Some("includeAllergies")),
        ]
    );
}

#[test]
fn an_unknown_part_is_told_but_the_section_stands() {
    check(
        &[unsupported("includeAllergies.includeResolvedAllergies"), primary(ALLERGIES, &[], 1)],
        S::Allergies,
        State::Content,
        &[Kind::NotSupported],
    );
}

#[test]
fn an_entry_with_words_only_was_left_out() {
    let words = r#"{"display":"not supported"}"#;
    let item = r#"{"reference":"X/1"}"#;
    for (entries, state) in [
        (vec![words, item], State::Partial),
        (vec![words], State::Withheld),
        (vec![r#"{"reference":7}"#], State::Withheld),
        (vec![r#"{"reference":""}"#], State::Withheld),
    ] {
        check(&[list(ALLERGIES, "", &[], &entries)], S::Allergies, state, &[Kind::NotSupported]);
    }
    // A refused area is told once.
    check(
        &[unsupported("includeAllergies"), list(ALLERGIES, "", &[], &[words])],
        S::Allergies,
        State::Failed,
        &[Kind::NotSupported],
    );
}

#[test]
fn entries_that_cannot_be_read_are_not_none() {
    for entries in ["{}", "null", "[7]"] {
        let text = format!(
            r#"{{"resourceType":"List","code":{{"coding":[{{"code":"{ALLERGIES}"}}]}},"entry":{entries}}}"#
        );
        check(&[text], S::Allergies, State::Withheld, &[Kind::NotSupported]);
    }
}

#[test]
fn a_warning_that_cannot_be_read_is_a_warning() {
    for value in ["\"valueCode\":7", "\"valueString\":\"confidential-items\"", "\"id\":\"x\""] {
        let text = format!(
            r#"{{"resourceType":"List","code":{{"coding":[{{"code":"{ALLERGIES}"}}]}},"extension":[{{"url":"https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-ListWarningCode-1",{value}}}]}}"#
        );
        check(&[text], S::Allergies, State::Withheld, &[Kind::Failed]);
    }
}

#[test]
fn a_guest_in_a_shared_list_is_judged_by_content() {
    let filled = |code| primary(code, &[], 1);
    let empty = |code| primary(code, &[], 0);
    for lists in [
        [filled(UNCATEGORISED), empty(INVESTIGATIONS)],
        [empty(UNCATEGORISED), filled(INVESTIGATIONS)],
        [empty(UNCATEGORISED), empty(INVESTIGATIONS)],
    ] {
        let report = report(&lists, &[S::Uncategorised, S::Plans, S::Results, S::Reports]);
        assert_eq!(report.states.get(&S::Plans), None);
        assert_eq!(report.states.get(&S::Results), None);
        assert!(report.states.contains_key(&S::Uncategorised) && report.states.contains_key(&S::Reports));
        assert_eq!(report.notices, []);
    }
    let confidential = primary(UNCATEGORISED, &["confidential-items"], 0);
    check(&[confidential], S::Plans, State::Withheld, &[Kind::ConfidentialItems]);
    let confidential = primary(UNCATEGORISED, &["confidential-items"], 1);
    check(&[confidential], S::Plans, State::Partial, &[Kind::ConfidentialItems]);
    check(&[filled(UNCATEGORISED)], S::Results, State::Partial, &[Kind::Failed]);
    check(&[empty(UNCATEGORISED)], S::Results, State::Failed, &[Kind::Failed]);
}

#[test]
fn a_secondary_list_warns_for_the_section_in_its_title() {
    let secondary = list(
        "allergies-related-to-problems",
        "Problems - allergies related to problems",
        &["confidential-items"],
        &[],
    );
    let lists = [primary(PROBLEMS, &[], 1), primary(ALLERGIES, &[], 0), secondary.clone()];
    let both = report(&lists, &[S::Allergies, S::Problems]);
    assert_eq!(both.states[&S::Allergies], State::Withheld);
    assert_eq!(both.states[&S::Problems], State::Content);
    assert_eq!(both.notices, [Notice::about(Kind::ConfidentialItems, S::Allergies)]);
    // Not asked for itself, it speaks of the section it came with.
    check(&[primary(PROBLEMS, &[], 1), secondary], S::Problems, State::Partial, &[Kind::ConfidentialItems]);
}

#[test]
fn words_only_in_a_secondary_list_were_left_out_too() {
    let title = "Problems - allergies related to problems";
    let secondary = list("x", title, &[], &[r#"{"display":"not supported"}"#]);
    let lists = [primary(PROBLEMS, &[], 1), primary(ALLERGIES, &[], 0), secondary];
    let both = report(&lists, &[S::Allergies, S::Problems]);
    assert_eq!(both.states[&S::Allergies], State::Withheld);
    assert_eq!(both.states[&S::Problems], State::Content);
    assert_eq!(both.notices, [Notice::about(Kind::NotSupported, S::Allergies)]);
    // A heading of a consultation is no list of items.
    let heading = list("x", "History", &[], &[r#"{"display":"tired"}"#]);
    check(&[primary(PROBLEMS, &[], 1), heading], S::Problems, State::Content, &[]);
}

#[test]
fn a_section_beyond_the_protocol_is_not_held() {
    let report = report(&[primary(ALLERGIES, &[], 0)], &[S::Allergies, S::Appointments]);
    assert_eq!(report.states[&S::Appointments], State::NotHeld);
}

#[test]
fn a_section_is_not_empty_when_a_consultation_brought_its_items() {
    let title = "Consultations - uncategorised data contained in consultations";
    let brought = list("x", title, &[], &[r#"{"reference":"Observation/1"}"#]);
    let lists = [primary(UNCATEGORISED, &[], 0), brought];
    check(&lists, S::Uncategorised, State::Content, &[]);
}

#[test]
fn an_untitled_list_with_a_warning_warns_of_the_whole_answer() {
    let lists = [primary(ALLERGIES, &[], 1), list("x", "", &["confidential-items"], &[])];
    let report = report(&lists, &[S::Allergies]);
    assert_eq!(report.notices.len(), 1);
    assert_eq!(report.notices[0].section, None);
}
