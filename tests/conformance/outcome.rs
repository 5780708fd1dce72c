//! The shape of a refusal as GP Connect consumers know it (6.1).

use serde_json::Value;
use tributary_tests::Reply;

/// Issue type and words of a Spine code, by part 6.2.
const MATRIX: &[(u16, &str, &str)] = &[
    (400, "value", "INVALID_IDENTIFIER_SYSTEM"),
    (400, "value", "INVALID_NHS_NUMBER"),
    (400, "invalid", "BAD_REQUEST"),
    (403, "forbidden", "NO_PATIENT_CONSENT"),
    (403, "forbidden", "NO_ORGANISATION_CONSENT"),
    (403, "forbidden", "ACCESS DENIED"),
    (403, "forbidden", "NO_RELATIONSHIP"),
    (404, "not-found", "PATIENT_NOT_FOUND"),
    (404, "not-found", "ORGANISATION_NOT_FOUND"),
    (404, "not-found", "PRACTITIONER_NOT_FOUND"),
    (404, "not-found", "NO_RECORD_FOUND"),
    (415, "invalid", "BAD_REQUEST"),
    (422, "invalid", "INVALID_RESOURCE"),
    (422, "invalid", "INVALID_PARAMETER"),
    (500, "processing", "INTERNAL_SERVER_ERROR"),
    (501, "not-supported", "NOT_IMPLEMENTED"),
    (502, "processing", "INTERNAL_SERVER_ERROR"),
    (503, "processing", "INTERNAL_SERVER_ERROR"),
    (504, "processing", "INTERNAL_SERVER_ERROR"),
];

/// A refusal of this status and code, in the one shape that all have. Gives its diagnostics.
#[track_caller]
pub(crate) fn refused(what: &str, reply: &Reply, status: u16, code: &str) -> String {
    assert_eq!(reply.status, status, "{what}: {}", reply.body);
    assert_eq!(reply.header("Cache-Control"), Some("no-store"), "{what}");
    assert!(reply.header("ETag").is_none(), "{what}");
    let media = reply.header("Content-Type").unwrap_or_default().replace(' ', "");
    assert_eq!(media, "application/fhir+json;charset=utf-8", "{what}");
    let outcome = reply.json();
    assert_eq!(outcome["resourceType"], "OperationOutcome", "{what}");
    let profile = "https://fhir.nhs.uk/STU3/StructureDefinition/GPConnect-OperationOutcome-1";
    assert_eq!(outcome["meta"]["profile"], serde_json::json!([profile]), "{what}");
    let issues = outcome["issue"].as_array().map_or(&[][..], Vec::as_slice);
    let [issue] = issues else { panic!("{what}: {} issues", issues.len()) };
    assert_eq!(issue["severity"], "error", "{what}");
    let codings = issue["details"]["coding"].as_array().map_or(&[][..], Vec::as_slice);
    let [coding] = codings else { panic!("{what}: {} codings", codings.len()) };
    assert_eq!(coding["system"], "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1", "{what}");
    assert_eq!(coding["code"], code, "{what}");
    assert!(coding["display"].as_str().is_some_and(|words| !words.is_empty()), "{what}");
    let row = MATRIX.iter().find(|(known, _, spine)| (*known, *spine) == (status, code));
    let (_, kind, _) = row.unwrap_or_else(|| panic!("{what}: no row for {status} {code}"));
    assert_eq!(issue["code"], *kind, "{what}");
    let diagnostics = issue["diagnostics"].as_str().unwrap_or_default();
    let needs_them = status == 422 || code == "INTERNAL_SERVER_ERROR";
    assert!(!needs_them || !diagnostics.is_empty(), "{what}: no diagnostics");
    diagnostics.to_owned()
}

/// What the GP system refuses is refused in its words, but for a patient whom it does not show: whether unknown,
/// gone or restricted, those get one answer from everybody.
#[track_caller]
pub(crate) fn same_refusal(what: &str, ours: &Reply, theirs: &Reply) {
    let code = &theirs.json()["issue"][0]["details"]["coding"][0]["code"];
    if code == "PATIENT_NOT_FOUND" {
        let words = refused(what, ours, theirs.status, "PATIENT_NOT_FOUND");
        assert_eq!(words, "No record of this patient can be given.", "{what}");
    } else {
        assert_eq!(ours.body, theirs.body, "{what}");
    }
}

/// The same, and its diagnostics name this.
#[track_caller]
pub(crate) fn refused_naming(what: &str, reply: &Reply, status: u16, code: &str, name: &str) {
    let diagnostics = refused(what, reply, status, code);
    assert!(diagnostics.contains(name), "{what}: {diagnostics:?} does not name {name}");
}

/// Resources of a type in a Bundle.
pub(crate) fn of_type<'b>(bundle: &'b Value, kind: &str) -> Vec<&'b Value> {
    let entries = bundle["entry"].as_array().into_iter().flatten();
    entries.map(|entry| &entry["resource"]).filter(|one| one["resourceType"] == kind).collect()
}
