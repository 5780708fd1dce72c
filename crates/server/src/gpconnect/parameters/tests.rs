use super::*;

const TODAY: Date = jiff::civil::date(2026, 3, 10);
const NUMBER: &str = r#"{"name":"patientNHSNumber","valueIdentifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000107"}}"#;

fn body(parameters: &[&str]) -> String {
    let all: Vec<_> = std::iter::once(NUMBER).chain(parameters.iter().copied()).collect();
    format!(r#"{{"resourceType":"Parameters","parameter":[{}]}}"#, all.join(","))
}

/// A parameter; parts as `name=JSON key:JSON value`, separated by blanks.
fn area(name: &str, parts: &str) -> String {
    let part = |text: &str| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let value =
            value.split_once(':').map(|(kind, value)| format!(r#","{kind}":{value}"#)).unwrap_or_default();
        format!(r#"{{"name":"{name}"{value}}}"#)
    };
    let parts: Vec<_> = parts.split_ascii_whitespace().map(part).collect();
    if parts.is_empty() {
        return format!(r#"{{"name":"{name}"}}"#);
    }
    format!(r#"{{"name":"{name}","part":[{}]}}"#, parts.join(","))
}

fn read_all(areas: &[(&str, &str)]) -> Result<NhsNumber, Problem> {
    let areas: Vec<_> = areas.iter().map(|(name, parts)| area(name, parts)).collect();
    let areas: Vec<_> = areas.iter().map(String::as_str).collect();
    read(body(&areas).as_bytes(), TODAY)
}

#[track_caller]
fn good(areas: &[(&str, &str)]) {
    let read = read_all(areas);
    assert!(read.is_ok(), "{areas:?}: {read:?}");
}

#[track_caller]
fn bad(areas: &[(&str, &str)], code: &str, element: &str) {
    let problem = read_all(areas).unwrap_err();
    let found = problem.spine.map(|spine| spine.0);
    assert_eq!((problem.status.as_u16(), found), (422, Some(code)), "{areas:?}");
    assert_eq!(problem.element.as_deref(), Some(element), "{areas:?}");
}

const RESOLVED: &str = "includeResolvedAllergies=valueBoolean:true";

#[test]
fn every_area_may_stand_alone() {
    good(&[]);
    good(&[("includeAllergies", RESOLVED)]);
    for area in AREAS.iter().skip(1) {
        good(&[(area.name, "")]);
    }
    let all: Vec<_> =
        AREAS.iter().skip(1).map(|area| (area.name, "")).chain([("includeAllergies", RESOLVED)]).collect();
    good(&all);
}

#[test]
fn what_is_unknown_is_not_ours_to_judge() {
    good(&[("includeMoonPhases", "full=valueBoolean:true"), ("includeProblems", "colour=valueCode:7")]);
    good(&[("includeMoonPhases", ""), ("includeMoonPhases", "")]);
    bad(
        &[("includeAllergies", "colour=valueCode:7")],
        "INVALID_PARAMETER",
        "includeAllergies.includeResolvedAllergies",
    );
}

/// A part of an area, the values it takes, and some that it does not.
type Row = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);

const DAY: &str = "valueDate:\"2026-03-10\"";

const VALUES: &[Row] = &[
    (
        "includeAllergies",
        "includeResolvedAllergies",
        &["valueBoolean:true", "valueBoolean:false"],
        &["", "valueBoolean:\"true\"", "valueString:\"true\"", "valueBoolean:null"],
    ),
    (
        "includeMedication",
        "medicationSearchFromDate",
        &[DAY, "valueDate:\"2024-02-29\""],
        &[
            "",
            "valueDate:\"\"",
            "valueDate:\"2026-03-11\"",
            "valueDate:\"2026-03\"",
            "valueDate:\"2026\"",
            "valueDate:\"2026-02-30\"",
            "valueDate:\"2026-03-01T10:00:00Z\"",
            "valueDateTime:\"2026-03-01\"",
        ],
    ),
    (
        "includeDiaryEntries",
        "diaryEntriesSearchDate",
        &[DAY, "valueDate:\"2027-01-01\""],
        &["valueDate:\"2026-03-09\"", "valueDate:\"2027\""],
    ),
    (
        "includeConsultations",
        "includeNumberOfMostRecent",
        &["valuePositiveInt:1", "valuePositiveInt:300"],
        &[
            "valuePositiveInt:0",
            "valuePositiveInt:-1",
            "valuePositiveInt:1.5",
            "valueInteger:3",
            "valuePositiveInt:\"3\"",
        ],
    ),
    (
        "includeProblems",
        "filterStatus",
        &["valueCode:\"active\"", "valueCode:\"inactive\""],
        &["valueCode:\"Active\"", "valueCode:\"\"", "valueString:\"active\""],
    ),
    (
        "includeReferrals",
        "referralSearchPeriod",
        &[
            "valuePeriod:{\"start\":\"2026-01-01\"}",
            "valuePeriod:{\"end\":\"2026-03-10\"}",
            "valuePeriod:{\"start\":\"2026-03-10\",\"end\":\"2026-03-10\"}",
        ],
        &[
            "valuePeriod:{}",
            "valuePeriod:\"2026-01-01\"",
            "valuePeriod:{\"start\":\"2026-03-02\",\"end\":\"2026-03-01\"}",
            "valuePeriod:{\"start\":\"2026-03-11\"}",
            "valuePeriod:{\"start\":\"2026\"}",
            "valuePeriod:{\"start\":\"\",\"end\":\"2026-03-01\"}",
        ],
    ),
];

#[test]
fn values_have_their_type_and_their_range() {
    for (name, part, good_values, bad_values) in VALUES {
        for value in *good_values {
            good(&[(name, &format!("{part}={value}"))]);
        }
        for value in *bad_values {
            bad(&[(name, &format!("{part}={value}"))], "INVALID_PARAMETER", &format!("{name}.{part}"));
        }
    }
}

#[test]
fn nothing_comes_twice() {
    let twice = "includePrescriptionIssues=valueBoolean:true includePrescriptionIssues=valueBoolean:true";
    bad(&[("includeMedication", twice)], "INVALID_RESOURCE", "includeMedication.includePrescriptionIssues");
    bad(&[("includeReferrals", ""), ("includeReferrals", "")], "INVALID_PARAMETER", "includeReferrals");
    let (active, inactive) = ("filterStatus=valueCode:\"active\"", "filterStatus=valueCode:\"inactive\"");
    good(&[("includeProblems", active), ("includeProblems", inactive)]);
    let both = "consultationSearchPeriod=valuePeriod:{\"start\":\"2026-01-01\"} includeNumberOfMostRecent=valuePositiveInt:3";
    bad(&[("includeConsultations", both)], "INVALID_RESOURCE", "includeConsultations");
}

#[test]
fn filters_do_not_stand_beside_what_links_everything() {
    let period = |name: &str| format!("{name}=valuePeriod:{{\"start\":\"2026-01-01\"}}");
    let filters = [
        (
            "includeMedication",
            "medicationSearchFromDate",
            "medicationSearchFromDate=valueDate:\"2026-01-01\"".to_owned(),
        ),
        (
            "includeUncategorisedData",
            "uncategorisedDataSearchPeriod",
            period("uncategorisedDataSearchPeriod"),
        ),
        ("includeReferrals", "referralSearchPeriod", period("referralSearchPeriod")),
        (
            "includeDiaryEntries",
            "diaryEntriesSearchDate",
            "diaryEntriesSearchDate=valueDate:\"2026-04-01\"".to_owned(),
        ),
        ("includeImmunisations", "includeNotGiven", "includeNotGiven=valueBoolean:true".to_owned()),
        ("includeImmunisations", "includeStatus", "includeStatus=valueBoolean:false".to_owned()),
    ];
    for (name, part, filter) in &filters {
        good(&[(name, filter)]);
        for beside in ["includeConsultations", "includeProblems"] {
            bad(&[(beside, ""), (name, filter)], "INVALID_PARAMETER", &format!("{name}.{part}"));
        }
    }
    for (part, filter) in [
        ("filterStatus", "filterStatus=valueCode:\"active\""),
        ("filterSignificance", "filterSignificance=valueCode:\"major\""),
    ] {
        good(&[("includeProblems", filter)]);
        bad(
            &[("includeProblems", filter), ("includeConsultations", "")],
            "INVALID_PARAMETER",
            &format!("includeProblems.{part}"),
        );
    }
    good(&[("includeInvestigations", &period("investigationSearchPeriod")), ("includeProblems", "")]);
    good(&[
        ("includeMedication", "includePrescriptionIssues=valueBoolean:true"),
        ("includeConsultations", ""),
    ]);
}

#[test]
fn two_searches_are_predefined() {
    let search = |from: &str, number: &str, more: &[(&'static str, &'static str)]| {
        let medication = format!("medicationSearchFromDate=valueDate:\"{from}\"");
        let consultations = format!("includeNumberOfMostRecent=valuePositiveInt:{number}");
        let mut areas = vec![
            ("includeConsultations", consultations.as_str()),
            ("includeProblems", ""),
            ("includeAllergies", RESOLVED),
            ("includeMedication", medication.as_str()),
        ];
        areas.extend_from_slice(more);
        read_all(&areas).is_ok()
    };
    let second = [("includeImmunisations", ""), ("includeUncategorisedData", "")];
    assert!(search("2025-03-10", "3", &[]));
    assert!(search("2025-03-10", "3", &second));
    assert!(!search("2025-01-10", "3", &[]));
    assert!(!search("2025-03-10", "4", &[]));
    assert!(!search("2025-03-10", "3", &second[..1]));
    assert!(!search("2025-03-10", "3", &[("includeReferrals", "")]));
}
