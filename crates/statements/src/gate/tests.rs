//! Every combination of what is stated and what is not.

use tributary_fhir::{Document, Limits};
use tributary_model::demographics::PersonName;
use tributary_model::{Redacted, SentDate};

use super::*;

fn traced(birth: Option<&str>, name: Option<(&str, &str)>) -> Demographics {
    let name = name.map(|(family, given)| PersonName {
        family: family.to_owned(),
        given: vec![given.to_owned()],
        prefix: Vec::new(),
    });
    Demographics {
        name: name.map(Redacted::new),
        birth_date: birth.map(|date| Redacted::new(SentDate::parse(date).unwrap())),
        ..Demographics::default()
    }
}

fn named(family: &str, given: &str) -> String {
    format!(r#""name":[{{"use":"official","family":"{family}","given":["{given}"]}}]"#)
}

fn passes(patient: &str, traced: Option<&Demographics>) -> bool {
    let text = format!(r#"{{"resourceType":"Patient"{patient}}}"#);
    let document = Document::scan(text.into_bytes(), &Limits::default()).unwrap();
    let number = NhsNumber::parse("9990000107").unwrap();
    let whom = Whom { number, traced, today: jiff::civil::date(2026, 3, 10) };
    match check(document.root(), whom) {
        Ok(()) => true,
        Err(fault) => {
            assert_eq!(fault, FaultClass::IdentityDemographics);
            false
        }
    }
}

/// The traced date of birth, the stated one, and whether it passes: beside a name that is alike, beside another.
const DATES: &[(&str, &str, bool, bool)] = &[
    ("1953-02-11", "1953-02-11", true, true),
    ("1953-02-11", "1953-02-12", true, false),
    ("1953-02-11", "1953-03-11", true, false),
    ("1953-02-11", "1954-02-11", true, false),
    // Day and month swapped: one part of three.
    ("1953-02-11", "1953-11-02", false, false),
    ("1953-02-11", "1954-03-11", false, false),
    ("1953-02-11", "1941-06-30", false, false),
    // What the source leaves out is not met.
    ("1953-02-11", "1953-02", true, false),
    ("1953-02-11", "1953-03", false, false),
    ("1953-02-11", "1953", false, false),
    // What the service does not know need not be met.
    ("1953-02", "1953-02", true, true),
    ("1953-02", "1953-02-11", true, true),
    ("1953-02", "1953-03-11", false, false),
    ("1953-02", "1953", false, false),
    ("1953", "1953", true, true),
    ("1953", "1953-02", true, true),
    ("1953", "1953-02-11", true, true),
    ("1953", "1954-02-11", false, false),
    // No dates.
    ("1953-02-11", "11/02/1953", false, false),
    ("1953-02-11", "1953-02-30", false, false),
    ("1953-02-11", "unknown", false, false),
    // A point in time is its day in London.
    ("1953-06-11", "1953-06-10T23:30:00Z", true, true),
];

#[test]
fn the_date_of_birth_decides_and_names_only_help() {
    let names = [named("Ashworth", "George"), named("Pickering", "George"), String::new()];
    for (expected, stated, alike, other) in DATES {
        let traced = traced(Some(expected), Some(("Ashworth", "George")));
        let patient = |name: &str| {
            let comma = if name.is_empty() { "" } else { "," };
            format!(r#","birthDate":"{stated}"{comma}{name}"#)
        };
        let found = names.each_ref().map(|name| passes(&patient(name), Some(&traced)));
        assert_eq!(found, [*alike, *other, *other], "{stated} for {expected}");
        let nameless = self::traced(Some(expected), None);
        assert_eq!(passes(&patient(&names[0]), Some(&nameless)), *other, "{stated} for {expected}, unnamed");
    }
}

#[test]
fn who_states_no_date_of_birth_passes_on_the_number_alone() {
    let traced_whole = traced(Some("1953-02-11"), Some(("Ashworth", "George")));
    for silent in
        ["", r#","birthDate":"""#, r#","birthDate":" ""#, r#","birthDate":null"#, r#","birthDate":7"#]
    {
        assert!(passes(silent, Some(&traced_whole)), "{silent}");
        assert!(passes(&format!("{silent},{}", named("Other", "Name")), Some(&traced_whole)), "{silent}");
    }
    // Where the service knows none, nobody can be held against it; where it was not asked, nothing is invented.
    let stated = format!(r#","birthDate":"1941-06-30",{}"#, named("Other", "Name"));
    assert!(passes(&stated, Some(&traced(None, Some(("Ashworth", "George"))))));
    assert!(passes(&stated, None));
    assert!(!passes(&stated, Some(&traced_whole)));
}

#[test]
fn names_are_alike_by_three_letters_and_an_initial() {
    let cases = [
        (("Ashworth", "George"), ("ASHTON", "Graham"), true),
        (("Ashworth", "George"), ("Asworth", "George"), false),
        (("Ashworth", "George"), ("Ashworth", "Albert"), false),
        (("Ashworth", "George"), ("ashworth", "g"), true),
        (("Ng", "Li"), ("Ng", "Lin"), true),
        (("Ng", "Li"), ("Ngo", "Li"), false),
        (("Ngo", "Li"), ("Ng", "Li"), false),
        (("O", "Li"), ("O", "Li"), true),
        (("O'Brien", "Ann"), ("OBrian", "Ann"), true),
        (("O’Brien", "Ann"), ("O Brien", "Ann"), true),
        (("de la Cruz", "Ana"), ("De-La Cruz", "Ana"), true),
        (("Müller", "Édith"), ("Muller", "Edith"), true),
        (("Łukasz", "Øyvind"), ("Lukasz", "Oyvind"), true),
        (("Straße", "Ýr"), ("STRASSE", "Yr"), true),
        (("Ashworth", "'George"), ("Ashworth", "George"), true),
        (("Ashworth", ""), ("Ashworth", ""), false),
        (("", "George"), ("", "George"), false),
        (("123", "George"), ("123", "George"), false),
    ];
    for ((family, given), (other_family, other_given), expected) in cases {
        let traced = traced(Some("1953-02-11"), Some((family, given)));
        let patient = format!(r#","birthDate":"1953-02-12",{}"#, named(other_family, other_given));
        assert_eq!(
            passes(&patient, Some(&traced)),
            expected,
            "{family} {given} / {other_family} {other_given}"
        );
    }
}

#[test]
fn a_name_that_is_no_longer_used_proves_nothing() {
    let traced = traced(Some("1953-02-11"), Some(("Ashworth", "George")));
    let with = |name: &str| {
        format!(r#","birthDate":"1953-02-12","name":[{{{name}"family":"Ashworth","given":["G"]}}]"#)
    };
    for present in
        ["", r#""use":"usual","#, r#""use":"temp","#, r#""period":{"start":"2020","end":"2026-03-10"},"#]
    {
        assert!(passes(&with(present), Some(&traced)), "{present}");
    }
    for past in [
        r#""use":"old","#,
        r#""use":"maiden","#,
        r#""use":"nickname","#,
        r#""use":"anonymous","#,
        r#""period":{"end":"2026-03-09"},"#,
        r#""period":{"end":"2026-02"},"#,
        r#""period":{"start":"2026-03-11"},"#,
    ] {
        assert!(!passes(&with(past), Some(&traced)), "{past}");
    }
}

#[test]
fn one_name_must_fit_as_a_whole() {
    let traced = traced(Some("1953-02-11"), Some(("Ashworth", "George")));
    let halves = r#","birthDate":"1953-02-12","name":[{"family":"Ashworth","given":["Doris"]},{"family":"Unsworth","given":["George"]}]"#;
    assert!(!passes(halves, Some(&traced)));
}
