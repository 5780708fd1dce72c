//! Differences that are none, and those that are.

use tributary_fhir::{Document, Limits};

use super::*;

fn person(members: &str) -> Person {
    let text = format!(r#"{{"resourceType":"Patient",{members}}}"#);
    let document = Document::scan(text.into_bytes(), &Limits::default()).unwrap();
    Person::of_source(document.root(), jiff::civil::date(2026, 3, 10))
}

#[track_caller]
fn check_names(one: &str, other: &str, expected: bool) {
    let name = |text: &str| {
        let (family, given) = text.split_once(',').unwrap();
        let given: Vec<String> = given.split('+').map(|one| format!("\"{}\"", one.trim())).collect();
        person(&format!(r#""name":[{{"family":"{family}","given":[{}]}}]"#, given.join(","))).names.remove(0)
    };
    let (one_name, other_name) = (name(one), name(other));
    assert_eq!(one_name.agrees(&other_name), expected, "{one} / {other}");
    assert_eq!(other_name.agrees(&one_name), expected, "{other} / {one}");
}

#[test]
fn harmless_differences_of_names_are_none() {
    check_names("Ashworth, George", "ASHWORTH, george", true);
    check_names("Ashworth, George + Albert", "Ashworth, George", true);
    check_names("Ashworth, George + Albert", "Ashworth, George + Arthur", true);
    check_names("Ashworth, George Albert", "Ashworth, George", true);
    check_names("O'Neill, Siân", "ONEILL, Sian", true);
    check_names("Smith-Jones, Mary-Jane", "Smith Jones, Mary Jane", true);
    check_names("Smith, Mary Jane", "Smith, Maryjane", true);
    check_names("Smith, Mary-Jane", "Smith, Mary", true);
    check_names("Ashworth, ", "Ashworth, George", true);
    check_names("Ashworth, George", "Ashworth, Georgina", false);
    check_names("Ashworth, George", "Ashworth, G", false);
    check_names("Ashworth, George", "Ashton, George", false);
    check_names("Smith, Mary", "Smith-Jones, Mary", false);
    check_names("Smith, Anne-Marie", "Smith, Anne-Louise", false);
    check_names("Smith, George", "Smith, Albert + George", false);
}

#[test]
fn what_is_past_or_elsewhere_is_not_compared() {
    let one = person(
        r#""gender":"unknown","birthDate":" ","name":[{"use":"maiden","family":"Jones"},{"family":"Smith"},{"text":"x"}],
        "address":[{"use":"work","postalCode":"L1 1AA"},{"use":"home","postalCode":"ch411aa"},
        {"use":"home","postalCode":"L2 2BB","period":{"end":"2020"}},{"postalCode":" "}]"#,
    );
    assert_eq!(one.names.iter().map(|name| name.shown.as_str()).collect::<Vec<_>>(), ["SMITH"]);
    assert_eq!(one.postcodes.iter().collect::<Vec<_>>(), ["CH41 1AA"]);
    assert!(one.gender.is_none() && one.birth.is_none());
}

#[test]
fn a_person_of_a_thousand_names_is_read_in_part() {
    let names = vec![r#"{"family":"Ashworth"}"#; 1_000].join(",");
    assert_eq!(person(&format!(r#""name":[{names}]"#)).names.len(), MOST_READ);
}

#[test]
fn nothing_of_a_person_is_printed() {
    let one = person(
        r#""name":[{"family":"Ashworth"}],"birthDate":"1953-02-11","gender":"male","address":[{"postalCode":"CH41 1AA"}]"#,
    );
    let shown = format!("{one:?}");
    for secret in ["Ashworth", "ASHWORTH", "1953", "male", "CH41"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
