//! The table over a Bundle written by hand after the public description of the merged record.

use tributary_fhir::Limits;

use super::*;

fn sample() -> RecordTable {
    let document = scan(include_str!("sample.json"));
    table(&document).unwrap()
}

fn scan(text: &str) -> Document {
    Document::scan(text.as_bytes().to_vec(), &Limits::default()).unwrap()
}

#[test]
fn every_expected_source_has_its_row() {
    let sources = sample().sources;
    let row = |row: &SourceRow| format!("{} {} {} {:?}", row.id, row.name, row.status, row.latency_ms);
    assert_eq!(
        sources.iter().map(row).collect::<Vec<_>>(),
        ["walkin walkin timeout Some(3000)", "specialist Mersey Specialist Cancer Centre ok Some(612)"]
    );
    assert_eq!(sources[0].last_answered.as_deref(), Some("2026-03-09T22:00:00Z"));
    assert_eq!(sources[0].words, "Wirral Walk-in Centre did not answer in time");
}

#[test]
fn the_banner_is_read_from_the_merged_patient() {
    let patient = sample().patient;
    assert_eq!(patient.name, "ASHWORTH, George");
    assert_eq!(patient.born, "11-Feb-1953 (73y)");
    assert_eq!(patient.nhs_number, "999 000 0107");
    assert_eq!(patient.gender, "Male");
    assert_eq!(patient.died, "");
}

#[test]
fn the_dead_are_told_from_the_living() {
    let with = |death: &str| {
        let patient = format!(r#"{{"resourceType":"Patient","birthDate":"1953-02-11"{death}}}"#);
        let document = Document::scan(patient.into_bytes(), &Limits::default()).unwrap();
        let banner = words::banner(document.root(), "2026-03-10T02:10:00Z");
        format!("{} / {}", banner.born, banner.died)
    };
    assert_eq!(with(""), "11-Feb-1953 (73y) / ");
    assert_eq!(with(r#","deceasedBoolean":false"#), "11-Feb-1953 (73y) / ");
    assert_eq!(with(r#","deceasedBoolean":true"#), "11-Feb-1953 / Date not known");
    assert_eq!(with(r#","deceasedDateTime":"2024-11""#), "11-Feb-1953 / Nov-2024");
    assert_eq!(with(r#","deceasedDateTime":"soon""#), "11-Feb-1953 / Date not known");
}

#[test]
fn lines_keep_their_order_class_and_members() {
    let sections = sample().sections;
    let member = |member: &Member| format!("{} {}", member.source, member.origin);
    let line = |line: &Line| {
        let members: Vec<_> = line.members.iter().map(member).collect();
        format!("{} / {} / {}", line.title, line.class, members.join(", "))
    };
    let plans: Vec<_> = sections[0].lines.iter().map(line).collect();
    assert_eq!(
        plans,
        [
            "Not for attempted cardiopulmonary resuscitation / conflict / specialist Flag/f1, gp Observation/o1",
            "If worse: convey / single / acute-a CarePlan/cp1"
        ]
    );
}

#[test]
fn medicines_carry_their_position_and_copies_are_marked() {
    let sections = sample().sections;
    let line = &sections[2].lines[0];
    assert_eq!(line.title, "Warfarin 3mg tablets");
    let marks: Vec<_> =
        line.members.iter().map(|member| (member.position.as_deref(), member.copy.as_deref())).collect();
    assert_eq!(marks, [(Some("current"), None), (Some("past"), Some("stale-copy"))]);
}

#[test]
fn an_empty_section_says_why() {
    let sections = sample().sections;
    let codes: Vec<_> = sections.iter().map(|section| section.code.as_str()).collect();
    assert_eq!(codes, ["plans", "allergies", "medications"]);
    let why = EmptyReason {
        code: "unavailable".to_owned(),
        words: "Wirral Walk-in Centre did not answer".to_owned(),
    };
    assert_eq!(sections[1].empty, Some(why));
    assert_eq!(sections[0].empty, None);
    assert_eq!(sections[2].notices, ["Riverside Surgery left out confidential items"]);
    assert_eq!(sample().allergy_label, "Allergy check incomplete");
    assert_eq!(sample().notices, ["Riverside Surgery gives no date of birth"]);
}

#[test]
fn discrepancies_are_ours_and_name_their_statements() {
    let found = sample().discrepancies;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].rule, "cpr-recommendation");
    assert_eq!((found[0].kind.as_str(), found[0].severity.as_str()), ("conflict", "high"));
    assert_eq!(found[0].members, ["Flag/f1@specialist", "Observation/o1@gp"]);
}

#[test]
fn what_does_not_begin_with_an_outcome_is_no_record() {
    for text in [r#"{"resourceType":"Bundle"}"#, r#"{"resourceType":"Patient"}"#, "[]"] {
        assert_eq!(table(&scan(text)), Err(FaultClass::Shape), "{text}");
    }
}

#[test]
fn a_refusal_keeps_reasons_and_sources_apart() {
    let document = scan(include_str!("sample.json"));
    let outcome = Bundle::of(&document).unwrap().resources().next().unwrap();
    let refusal = refusal(outcome);
    assert_eq!(refusal.sources.len(), 2);
    assert_eq!(refusal.reasons.len(), 2);
}
