//! What events add up to.

use super::*;

const SECTION: &str = r#"{"section":"allergies","title":"Allergies","state":"content","notices":["The practice has not answered yet"],
  "lines":[{"line":"k","class":"single","title":"Penicillin","beneath":[],"new":{"member":[1]},
    "members":[{"statement":"urn:uuid:1","source":"gp","sourceName":"Riverside","origin":"AllergyIntolerance/a1","title":"Penicillin",
      "date":"","facts":[],"detail":"","attachments":["https://b/fhir/R4/Binary/x"]}]}],
  "discrepancies":[{"rule":"allergy-negation","kind":"conflict","severity":"high","words":"One says none","statements":["urn:uuid:1","urn:uuid:2"]}],
  "allergyLabel":"Known allergies"}"#;
const COMPLETE: &str = r#"{"completeness":"complete","sourcesAnswered":2,"sourcesExpected":2,"audit":"local-3","timestamp":"2026-03-10T02:10:00Z","discrepancies":[],"last":true}"#;

fn status(id: &str, code: &str, pending: bool) -> String {
    format!(r#"{{"id":"{id}","name":"Riverside","status":"{code}","words":"w","pending":{pending}}}"#)
}

fn grown(events: &[(&str, &str)]) -> GrowingRecord {
    let mut record = GrowingRecord::default();
    for (name, data) in events {
        record.take(name, data).unwrap();
    }
    record
}

#[test]
fn a_record_is_what_was_said_last_of_each_part() {
    let (checking, ok) = (status("gp", "checking", true), status("gp", "ok", false));
    let empty = SECTION.replace("Known allergies", "Checking").replace("Penicillin", "Codeine");
    let patient = r#"{"nhsNumber":"999 000 0107","name":"ASHWORTH, George","born":"11-Feb-1953","gender":"Male","died":""}"#;
    let record = grown(&[
        ("patient", patient),
        ("status", &checking),
        ("section", r#"{"section":"uncategorised","title":"Other","state":"empty","notices":[],"lines":[]}"#),
        ("section", &empty),
        ("section", SECTION),
        ("status", &ok),
        ("complete", COMPLETE),
    ]);
    assert_eq!(record.patient().name, "ASHWORTH, George");
    assert_eq!(record.sources().len(), 1);
    assert_eq!((record.sources()[0].row.status.as_str(), record.sources()[0].is_pending), ("ok", false));
    let codes: Vec<_> = record.sections().iter().map(|part| part.rows.code.as_str()).collect();
    assert_eq!(codes, ["allergies", "uncategorised"], "display order, not the order of arrival");
    let part = record.section("allergies").unwrap();
    assert_eq!(part.rows.lines[0].title, "Penicillin");
    assert_eq!(part.rows.lines[0].members[0].attachments, ["https://b/fhir/R4/Binary/x"]);
    let table = record.table();
    assert_eq!(table.discrepancies[0].members, ["AllergyIntolerance/a1@gp", "urn:uuid:2"]);
    assert_eq!(
        (table.allergy_label.as_str(), table.as_of.as_str()),
        ("Known allergies", "2026-03-10T02:10:00Z")
    );
}

#[test]
fn no_label_is_final_while_somebody_is_awaited() {
    let (checking, ok) = (status("gp", "checking", true), status("gp", "ok", false));
    let label = |events: &[(&str, &str)]| grown(events).allergy_label().to_string();
    let none = SECTION.replace("Known allergies", "No known allergies");
    assert_eq!(label(&[]), "Checking");
    assert_eq!(label(&[("section", &none)]), "Checking", "nobody has said yet who is expected");
    assert_eq!(label(&[("status", &checking), ("section", &none)]), "Checking");
    assert_eq!(label(&[("status", &ok), ("section", &none)]), "Checking", "the end was not told");
    let end = ("complete", COMPLETE);
    assert_eq!(label(&[("status", &ok), ("section", &none), end]), "No known allergies");
    assert_eq!(
        label(&[("status", &checking), ("section", &none), end]),
        "Checking",
        "an end that contradicts"
    );
    assert_eq!(
        label(&[("section", &none), end, ("late", &ok)]),
        "Checking",
        "the section is not told anew yet"
    );
    assert_eq!(
        label(&[("section", &none), end, ("late", &ok), ("section", SECTION), end]),
        "Known allergies"
    );
    assert_eq!(label(&[("status", &ok), end]), "Allergies unavailable", "nobody asked");
}

#[test]
fn a_medicine_has_its_position() {
    let with_fact = SECTION.replace(r#""facts":[]"#, r#""facts":["current","30 days"]"#);
    let position = |section: &str| {
        let record = grown(&[("section", &with_fact.replace("allergies", section))]);
        record.sections()[0].rows.lines[0].members[0].position.clone()
    };
    assert_eq!(position("medications").as_deref(), Some("current"));
    assert_eq!(position("problems"), None);
}

#[test]
fn a_status_that_is_not_known_is_not_called_fine() {
    let record = grown(&[("status", &status("gp", "pondering", false))]);
    assert_eq!(record.sources()[0].row.severity, "warning");
    let record = grown(&[("late", &status("gp", "ok", false))]);
    assert!(record.sources()[0].is_late);
    assert_eq!(record.sources()[0].row.severity, "information");
}

#[test]
fn what_is_unknown_is_passed_over_and_what_is_broken_is_not() {
    let mut record = GrowingRecord::default();
    assert_eq!(record.take("weather", "no json at all").unwrap(), None);
    assert_eq!(record.take("message", "{}").unwrap(), None);
    let more = COMPLETE.replace("\"last\":true", "\"last\":true,\"weather\":{\"last\":false}");
    assert_eq!(record.take("complete", &more).unwrap(), Some(Update::Complete));
    for (name, data) in [
        ("patient", "{}"),
        ("status", r#"{"id":"gp"}"#),
        ("section", r#"{"section":"plans"}"#),
        ("complete", r#"{"completeness":"splendid","sourcesAnswered":1,"sourcesExpected":1,"audit":"x"}"#),
        ("complete", r#"{"completeness":"complete","sourcesAnswered":1,"sourcesExpected":1}"#),
        ("status", "[]"),
        ("section", "{"),
    ] {
        let refused = record.take(name, data).unwrap_err();
        assert!(matches!(refused, ClientError::Unreadable(_)), "{name} {data}: {refused:?}");
    }
}

#[test]
fn nothing_of_a_patient_is_printed() {
    let record =
        grown(&[("section", SECTION), ("status", &status("gp", "ok", false)), ("complete", COMPLETE)]);
    let printed = format!("{record:?} {:?} {:?}", record.sections(), record.sources());
    assert!(!printed.contains("Penicillin") && !printed.contains("One says none"), "{printed}");
    assert!(printed.contains("allergies") && printed.contains("local-3"), "{printed}");
}
