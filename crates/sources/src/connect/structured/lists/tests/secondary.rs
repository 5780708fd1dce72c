//! The secondary lists of consultations and problems, in every spelling that was seen.

use super::*;

/// What each list is about: its prefix, its words, and the section whose items it has.
const LISTS: &[(&str, &str, Option<Section>)] = &[
    ("Consultations", "allergies contained in consultations", Some(S::Allergies)),
    ("Consultations", "allergies that have been ended contained in consultations", Some(S::Allergies)),
    ("Consultations", "diary entries contained in consultations", Some(S::Diary)),
    ("Consultations", "documents contained in consultations", None),
    ("Consultations", "immunisations contained in consultations", Some(S::Immunisations)),
    ("Consultations", "investigations contained in consultations", Some(S::Reports)),
    ("Consultations", "medications contained in consultations", Some(S::Medications)),
    ("Consultations", "outbound referrals in consultations", Some(S::Referrals)),
    ("Consultations", "problems contained in consultations", Some(S::Problems)),
    ("Consultations", "uncategorised data contained in consultations", Some(S::Uncategorised)),
    ("Problems", "allergies related to problems", Some(S::Allergies)),
    ("Problems", "allergies that have been ended related to problems", Some(S::Allergies)),
    ("Problems", "consultations related to problems", Some(S::Encounters)),
    ("Problems", "diary entries related to problems", Some(S::Diary)),
    ("Problems", "documents related to problems", None),
    ("Problems", "immunisations related to problems", Some(S::Immunisations)),
    ("Problems", "investigations related to problems", Some(S::Reports)),
    ("Problems", "medications related to problems", Some(S::Medications)),
    ("Problems", "outbound referrals related to problems", Some(S::Referrals)),
    ("Problems", "uncategorised data related to problems", Some(S::Uncategorised)),
    ("Problems", "linked problems not relating to the primary query", Some(S::Problems)),
];

const BASES: &[&str] = &[
    "https://fhir.hl7.org.uk/STU3/CodeSystem/GPConnect-SecondaryListValues-1",
    "https://fhir.nhs.uk/STU3/CodeSystem/GPConnect-SecondaryListValues-1",
];

/// A confidential secondary list without a title unless `title` is one.
fn coded(base: &str, code: &str, display: &str, title: &str) -> String {
    let title = if title.is_empty() { String::new() } else { format!(r#""title":"{title}","#) };
    let display = if display.is_empty() { String::new() } else { format!(r#","display":"{display}""#) };
    format!(
        r#"{{"resourceType":"List",{title}"code":{{"coding":[{{"system":"{base}","code":"{code}"{display}}}]}},"extension":[{{"url":"https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-ListWarningCode-1","valueCode":"confidential-items"}}]}}"#
    )
}

fn kebab(title: &str) -> String {
    title.to_lowercase().replace(" - ", "-").replace(' ', "-")
}

#[track_caller]
fn warns_of(list: &String, section: Section) {
    let told = report(std::slice::from_ref(list), &SectionSet::all().iter().collect::<Vec<_>>()).notices;
    let confidential: BTreeSet<_> =
        told.iter().filter(|one| one.kind == Kind::ConfidentialItems).map(|one| one.section).collect();
    assert!(confidential.contains(&Some(section)), "{list}: {confidential:?}");
    assert!(!confidential.contains(&None), "{list}");
}

#[test]
fn all_twenty_one_secondary_lists_are_known_by_title_and_by_code() {
    assert_eq!(LISTS.len(), 21);
    for (prefix, words, section) in LISTS {
        let title = format!("{prefix} - {words}");
        // Documents come by another protocol: their list speaks of what brought it along.
        let cause = if *prefix == "Problems" { S::Problems } else { S::Encounters };
        let section = section.unwrap_or(cause);
        for base in BASES {
            warns_of(&coded(base, &kebab(&title), &title, &title), section);
            warns_of(&coded(base, &kebab(&title), &title, ""), section);
            warns_of(&coded(base, &kebab(&title), "", ""), section);
            // The legacy spelling: the title stands where the code belongs.
            warns_of(&coded(base, &title, "", ""), section);
        }
    }
}

#[test]
fn a_linked_problem_may_accompany_any_query() {
    let title = "Problems - linked problems not relating to the primary query";
    let linked = list("x", title, &[], &[r#"{"reference":"Condition/1"}"#]);
    check(&[primary(ALLERGIES, &[], 1), linked.clone()], S::Allergies, State::Content, &[]);
    // A problem that came only as a link is in this list alone, and the section is not empty.
    check(&[primary(PROBLEMS, &[], 0), linked], S::Problems, State::Content, &[]);
}

#[test]
fn a_heading_is_no_list_of_its_title() {
    // Consultation, topic, heading.
    for code in ["325851000000107", "25851000000105", "24781000000107"] {
        let heading = list(code, "Allergies", &[], &[r#"{"reference":"Observation/1"}"#]);
        check(&[primary(ALLERGIES, &[], 0), heading], S::Allergies, State::Empty, &[]);
        // A warning does not belong there, and is a warning all the same.
        let warned = list(code, "Allergies", &["confidential-items"], &[]);
        let lists = [primary("1149501000000101", &[], 1), warned];
        check(&lists, S::Encounters, State::Partial, &[Kind::ConfidentialItems]);
    }
}

#[test]
fn warnings_are_found_under_every_base_and_combined() {
    for url in [
        "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-ListWarningCode-1",
        "http://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-ListWarningCode-1",
        "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-ListWarningCode-1",
    ] {
        let codes = ["confidential-items", "data-in-transit", "data-awaiting-filing"];
        let warnings: Vec<_> =
            codes.iter().map(|code| format!(r#"{{"url":"{url}","valueCode":"{code}"}}"#)).collect();
        // The texts of all warnings stand in one note, and are not read.
        let text = format!(
            r#"{{"resourceType":"List","code":{{"coding":[{{"code":"{ALLERGIES}"}}]}},"note":[{{"text":"one. two three"}}],"extension":[{}]}}"#,
            warnings.join(",")
        );
        let kinds = [Kind::ConfidentialItems, Kind::DataInTransit, Kind::DataAwaitingFiling];
        check(&[text], S::Allergies, State::Withheld, &kinds);
    }
}
