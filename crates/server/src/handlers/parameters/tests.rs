use super::*;

fn body(parameters: &str) -> String {
    format!(r#"{{"resourceType":"Parameters","parameter":[{parameters}]}}"#)
}

const PATIENT: &str = r#"{"name":"patient","valueIdentifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000107"}}"#;

#[track_caller]
fn refused(text: &str, status: u16, element: Option<&str>, spine: Spine) {
    let problem = read(text.as_bytes()).unwrap_err();
    assert_eq!(problem.status.as_u16(), status, "{text}: {problem:?}");
    assert_eq!(problem.element.as_deref(), element, "{text}");
    assert_eq!(problem.spine, Some(spine), "{text}");
}

#[test]
fn everything_unknown_or_misshapen_is_refused_by_name() {
    let with = |more: &str| body(&format!("{PATIENT},{more}"));
    let name = |name: &'static str| Some(name);
    for (more, element) in [
        (r#"{"name":"sections","valueCode":"allergies"}"#, "parameter[1]"),
        (r#"{"name":"9990000107","valueCode":"x"}"#, "parameter[1]"),
        (r#"{"name":"section","valueCode":"Allergies"}"#, "section"),
        (r#"{"name":"section","valueString":"allergies"}"#, "section"),
        (r#"{"name":"section","valueCode":"flags","valueString":"x"}"#, "section"),
        (r#"{"name":"section","valueCode":7}"#, "section"),
        (r#"{"name":"section"}"#, "section"),
        (r#"{"name":"since","valueDate":"yesterday"}"#, "since"),
        (r#"{"name":"since","valueDate":"2026-03-10T00:00:00Z"}"#, "since"),
        (r#"{"name":"since","valueDate":"2026"},{"name":"since","valueDate":"2026"}"#, "since"),
        (r#"{"name":"purpose","valueCode":"research"}"#, "purpose"),
        (r#"{"name":"breakGlass","valueString":"  "}"#, "breakGlass"),
        (PATIENT, "patient"),
    ] {
        refused(&with(more), 422, name(element), Spine::PARAMETER);
    }
    let long = format!(r#"{{"name":"breakGlass","valueString":"{}"}}"#, "x".repeat(501));
    refused(&with(&long), 422, Some("breakGlass"), Spine::PARAMETER);
    refused(&body(""), 422, Some("patient"), Spine::PARAMETER);
}

#[test]
fn patients_are_named_by_a_valid_nhs_number() {
    let patient = |system: &str, value: &str| {
        body(&format!(r#"{{"name":"patient","valueIdentifier":{{"system":"{system}","value":"{value}"}}}}"#))
    };
    for value in ["", "9990000108", "999 000 0107", "99900001070"] {
        refused(&patient(NHS_NUMBER_SYSTEM, value), 400, Some("patient"), Spine::NHS_NUMBER);
    }
    refused(&patient("urn:other", "9990000107"), 400, Some("patient"), Spine::IDENTIFIER_SYSTEM);
    refused(
        &body(r#"{"name":"patient","valueString":"9990000107"}"#),
        422,
        Some("patient"),
        Spine::PARAMETER,
    );
}

#[test]
fn bodies_are_parameters_or_nothing() {
    for (text, status) in [
        ("", 400),
        ("{", 400),
        (r#"{"resourceType":"Parameters","resourceType":"Parameters"}"#, 400),
        (r#"{"resourceType":"Bundle"}"#, 422),
        ("[]", 422),
        (r#"{"resourceType":"Parameters","parameter":{}}"#, 422),
        (r#"{"resourceType":"Parameters","parameter":[7]}"#, 422),
        (r#"{"resourceType":"Parameters","contained":[]}"#, 422),
    ] {
        assert_eq!(read(text.as_bytes()).unwrap_err().status.as_u16(), status, "{text}");
    }
    let deep = format!("{}{}", "[".repeat(20), "]".repeat(20));
    assert_eq!(read(deep.as_bytes()).unwrap_err().status.as_u16(), 400);
}

#[test]
fn defaults_are_everything_for_direct_care() {
    let asked = read(body(PATIENT).as_bytes()).unwrap();
    assert_eq!(asked.sections, SectionSet::all());
    assert_eq!((asked.since, asked.purpose), (None, Purpose::DirectCare));
    assert!(asked.break_glass.is_none());
}

#[test]
fn options_are_read() {
    let more = r#"{"name":"section","valueCode":"flags"},{"name":"section","valueCode":"flags"},
        {"name":"section","valueCode":"plans"},{"name":"since","valueDate":"2025-04"},
        {"name":"purpose","valueCode":"directcare"},{"name":"breakGlass","valueString":" unconscious "}"#;
    let asked = read(body(&format!("{PATIENT},{more}")).as_bytes()).unwrap();
    assert_eq!(asked.sections, SectionSet::from_iter([Section::Plans, Section::Flags]));
    assert_eq!(asked.since, FhirDate::parse("2025-04"));
    assert_eq!(asked.break_glass.unwrap().expose(), "unconscious");
}
