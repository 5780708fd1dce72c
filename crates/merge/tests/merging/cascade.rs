//! Two brokers one after the other: what the first one says must reach the reader as if there were only one.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use tributary_fhir::{Document, Limits, Reply};
use tributary_merge::{Heard, RecordView};
use tributary_model::{FaultClass, Section, SectionSet, SourceKind};

use crate::kit::{Federation, about, federation, snomed};

const ALL: &[&str] = &[
    "plans",
    "flags",
    "allergies",
    "medications",
    "problems",
    "results",
    "reports",
    "encounters",
    "procedures",
    "immunisations",
    "documents",
    "referrals",
    "socialcare",
    "uncategorised",
];

/// What a source came up with; `None` when it did not answer.
type Said = Option<Vec<Value>>;

/// A federation that knows everybody, and hears nobody yet.
fn everybody() -> Federation {
    let mut stage = federation();
    stage.source("gp", SourceKind::Gp, ALL, &["https://gp.example/"]);
    stage.source("b", SourceKind::Acute, ALL, &[]);
    stage.source("c", SourceKind::Community, ALL, &[]);
    stage.source("region", SourceKind::Broker, ALL, &[]);
    stage.source("nation", SourceKind::Broker, ALL, &[]);
    stage
}

fn hear(stage: &mut Federation, id: &str, said: &Said) {
    match said {
        Some(resources) => stage.answers(id, resources),
        None => stage.fails(id, FaultClass::NoHead),
    }
}

fn reply_of(bundle: String) -> Reply {
    let document = Document::scan(bundle.into_bytes(), &Limits::default()).unwrap();
    Reply { documents: vec![document], asked: SectionSet::all(), ..Reply::default() }
}

/// Makes a broker's record the answer of a source.
fn pass(stage: &mut Federation, id: &str, first: &Federation) {
    stage.hears(id, Heard::Reply(Arc::new(reply_of(first.merged().to_r4()))));
}

/// Section, key, class and members of every line, whatever their order. Whether the owner of a copy holds it no more
/// or was not heard is a matter of what a broker tells of its sources; that it is a copy is not.
fn groups(view: &RecordView) -> BTreeSet<(String, String, &'static str, BTreeSet<String>)> {
    let lines =
        view.sections.iter().flat_map(|one| one.lines.iter().map(move |line| (one.section.code(), line)));
    lines
        .map(|(section, line)| {
            let members = line.members.iter().map(|member| {
                let copy = match member.copy {
                    Some("copy-of-absent" | "copy-unverified") => " [copy]",
                    Some(_) => " [known copy]",
                    None => "",
                };
                format!("{} {}{copy} {:?}", member.source, member.origin, member.facts)
            });
            (section.to_owned(), line.key.clone(), line.class, members.collect())
        })
        .collect()
}

fn rules(view: &RecordView) -> BTreeSet<(&'static str, BTreeSet<String>)> {
    view.discrepancies.iter().map(|one| (one.rule, one.members.iter().cloned().collect())).collect()
}

fn resource() -> impl Strategy<Value = Value> {
    let kinds = vec![
        "AllergyIntolerance",
        "MedicationStatement",
        "MedicationRequest",
        "Condition",
        "Observation",
        "Flag",
        "Encounter",
        "DocumentReference",
        "Procedure",
        "Immunization",
        "DiagnosticReport",
        "CarePlan",
        "ServiceRequest",
        "List",
        "Nonsense",
    ];
    let codes = vec!["716186003", "91936005", "450475007", "450476008", "254637007", "196461000000101"];
    let statuses = vec![
        "active",
        "stopped",
        "completed",
        "final",
        "corrected",
        "entered-in-error",
        "not-done",
        "resolved",
    ];
    let dates = vec!["2012", "2025-03", "2026-03-02", "2026-03-02T15:30:00Z"];
    (
        prop::sample::select(kinds),
        prop::sample::select(vec!["1", "2", "3", "a~b", ""]),
        prop::sample::select(codes),
        prop::sample::select(vec!["Warfarin 3mg", "Asthma"]),
        prop::sample::select(statuses),
        prop::sample::select(dates),
        0_u8..8,
    )
        .prop_map(|(kind, id, code, text, status, date, extra)| {
            let concept = if extra % 2 == 0 { snomed(code, text) } else { json!({"text": text}) };
            let mut members = json!({
                "status": status, "code": concept, "type": concept, "medicationCodeableConcept": concept, "vaccineCode": concept,
                "clinicalStatus": {"coding": [{"code": status}]}, "effectiveDateTime": date, "onsetDateTime": date,
                "authoredOn": date, "performedDateTime": date, "occurrenceDateTime": date, "period": {"start": date},
                "dosage": [{"text": text}],
            });
            match extra {
                0 => members["valueQuantity"] = json!({"value": 7.10, "unit": "mmol/L"}),
                1 => members["basedOn"] = json!([{"reference": "MedicationRequest/1"}]),
                2 | 3 => members["identifier"] = json!([{"system": "https://gp.example/ms", "value": id}]),
                4 => members["encounter"] = json!({"reference": "Encounter/2"}),
                5 => members["requester"] = json!({"identifier": {"system": "https://gp.example/ms", "value": "1"}}),
                6 => members["text"] = json!({"status": "generated", "div": "<div onclick='x'>a<script>b</script></div>"}),
                _ => members["meta"] = json!({"source": "urn:x-tributary:gp#Condition/1", "security": [{"code": "R"}]}),
            }
            let mut resource = about(kind, id, members);
            if id.is_empty() {
                resource.as_object_mut().unwrap().remove("id");
            }
            resource
        })
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![5 => prop::collection::vec(resource(), 0..6).prop_map(Some), 1 => Just(None)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(10_000) })]

    #[test]
    fn two_brokers_group_as_one(gp in said(), b in said(), c in said()) {
        let mut direct = everybody();
        for (id, said) in [("gp", &gp), ("b", &b), ("c", &c)] {
            hear(&mut direct, id, said);
        }
        let mut first = everybody();
        hear(&mut first, "gp", &gp);
        hear(&mut first, "b", &b);
        let mut second = everybody();
        pass(&mut second, "region", &first);
        hear(&mut second, "c", &c);
        let (one, two) = (direct.merged().to_view(), second.merged().to_view());
        prop_assert_eq!(groups(&two), groups(&one));
        prop_assert_eq!(rules(&two), rules(&one));
        // A broker never makes more of silence than one that asked itself.
        let (ours, theirs) = (two.allergy_label.words(), one.allergy_label.words());
        if gp.is_some() && b.is_some() {
            prop_assert_eq!(ours, theirs);
        } else {
            prop_assert!(ours == theirs || !ours.starts_with("No known"), "{} {}", ours, theirs);
            prop_assert!(two.tally.to_string().starts_with("partial"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn what_a_broker_made_itself_is_no_statement_however_often_it_is_passed_on(gp in said(), b in said(), c in said()) {
        let mut first = everybody();
        hear(&mut first, "gp", &gp);
        hear(&mut first, "b", &b);
        let mut second = everybody();
        pass(&mut second, "region", &first);
        hear(&mut second, "c", &c);
        let bundle = second.merged().to_r4();
        prop_assert!(!bundle.contains("\"urn:x-tributary:region#"), "{}", bundle);
        let mut third = everybody();
        pass(&mut third, "nation", &second);
        prop_assert_eq!(groups(&third.merged().to_view()), groups(&second.merged().to_view()));
        prop_assert!(!third.merged().to_r4().contains("\"urn:x-tributary:nation#"));
    }
}

fn problem(id: &str, status: &str) -> Value {
    about(
        "Condition",
        id,
        json!({"code": snomed("1", "x"), "clinicalStatus": {"coding": [{"code": status}]}}),
    )
}

fn statements(stage: &Federation) -> Vec<String> {
    let bundle: Value = serde_json::from_str(&stage.merged().to_r4()).unwrap();
    let entries = bundle["entry"].as_array().unwrap();
    let ids: BTreeSet<&str> = entries.iter().map(|entry| entry["fullUrl"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), entries.len(), "an address twice");
    let sources = entries.iter().filter_map(|entry| entry["resource"]["meta"]["source"].as_str());
    let clinical = sources.filter(|source| source.contains("#Condition/"));
    clinical.map(|source| source.split('~').next().unwrap().to_owned()).collect()
}

#[test]
fn one_source_heard_in_two_ways_is_told_once_and_confirms_nothing() {
    let mut first = everybody();
    first.answers("b", &[problem("1", "active"), problem("2", "active")]);
    let mut second = everybody();
    pass(&mut second, "region", &first);
    second.answers("b", &[problem("1", "active"), problem("2", "active")]);
    assert_eq!(statements(&second), ["urn:x-tributary:b#Condition/1", "urn:x-tributary:b#Condition/2"]);
    assert_eq!(groups(&second.merged().to_view()).first().unwrap().2, "repeat");
    let region =
        second.merged().to_view().sources.into_iter().find(|row| row.id.as_str() == "region").unwrap();
    assert_eq!(region.status.code(), "ok", "what it repeats, it holds");
}

#[test]
fn no_broker_puts_its_words_in_the_place_of_a_source_asked_directly() {
    let mut first = everybody();
    first.answers("b", &[problem("1", "inactive")]);
    let build = |reversed: bool| {
        let mut second = everybody();
        pass(&mut second, "region", &first);
        pass(&mut second, "nation", &first);
        second.answers("b", &[problem("1", "active")]);
        if reversed {
            second.answers.reverse();
            second.registry.reverse();
        }
        second
    };
    let second = build(false);
    // Both versions are there, once each; the one that was asked for directly keeps its id.
    assert_eq!(statements(&second), ["urn:x-tributary:b#Condition/1", "urn:x-tributary:b#Condition/1"]);
    let own = uuid::Uuid::new_v5(&tributary_merge::NAMESPACE, b"b|Condition|1");
    let bundle: Value = serde_json::from_str(&second.merged().to_r4()).unwrap();
    let entries = bundle["entry"].as_array().unwrap();
    let kept = entries.iter().find(|entry| entry["fullUrl"] == format!("urn:uuid:{own}")).unwrap();
    assert_eq!(kept["resource"]["clinicalStatus"]["coding"][0]["code"], "active");
    // They contradict each other, whoever brought them, and whatever the order of arrival.
    assert_eq!(rules(&second.merged().to_view()).first().unwrap().0, "problem-status");
    assert_eq!(build(true).merged().to_r4(), second.merged().to_r4());
}

#[test]
fn only_a_registered_broker_speaks_for_others() {
    let mut forged = problem("1", "active");
    forged["meta"] = json!({"source": "urn:x-tributary:gp#Condition/1"});
    let mut stage = everybody();
    stage.answers("b", std::slice::from_ref(&forged));
    assert_eq!(statements(&stage), ["urn:x-tributary:b#Condition/1"]);
    assert!(stage.merged().to_r4().contains("meta-source-as-sent"));
    for nonsense in [
        "urn:x-tributary:gp",
        "urn:x-tributary:GP#Condition/1",
        "urn:x-tributary:gp#/1",
        "urn:x-tributary:gp#Con dition/1",
        "x",
    ] {
        forged["meta"] = json!({"source": nonsense});
        let mut stage = everybody();
        stage.answers("region", std::slice::from_ref(&forged));
        assert_eq!(statements(&stage), ["urn:x-tributary:region#Condition/1"], "{nonsense}");
    }
}

#[test]
fn somebody_else_in_a_brokers_answer_quarantines_it() {
    let mut other = crate::kit::patient();
    other["identifier"][0]["value"] = json!("9990000204");
    other["id"] = json!("p2");
    let mut stage = everybody();
    stage.answers("region", &[other, problem("1", "active")]);
    assert!(stage.merged().to_r4().contains("identity-mismatch"));
    assert!(statements(&stage).is_empty());
}

#[test]
fn what_a_broker_says_of_its_sources_is_said_on() {
    let mut first = everybody();
    first.answers(
        "gp",
        &[about("AllergyIntolerance", "n", json!({"code": snomed("716186003", "No known allergy")}))],
    );
    first.fails("b", FaultClass::NoHead);
    let mut reply = crate::kit::reply(&[crate::kit::patient(), problem("1", "active")]);
    let warning =
        tributary_fhir::Notice::about(tributary_model::NoticeKind::ConfidentialItems, Section::Problems);
    reply.notices.push(warning);
    first.hears("c", Heard::Reply(Arc::new(reply)));
    let mut second = everybody();
    pass(&mut second, "region", &first);
    let record = second.merged();
    assert_eq!(record.allergy_label().words(), "Allergy check incomplete");
    assert_eq!(record.tally().to_string(), "partial");
    let view = record.to_view();
    assert!(view.sources[0].words.contains("Name of b did not answer in time."), "{}", view.sources[0].words);
    let problems = view.sections.iter().find(|one| one.section == Section::Problems).unwrap();
    assert!(
        problems.notices.iter().any(|words| words.contains("withheld by Name of c")),
        "{:?}",
        problems.notices
    );
    let bundle = record.to_r4();
    for told in
        ["urn:x-tributary:relayed-status", "urn:x-tributary:relayed-notice", "\"urn:x-tributary:via\""]
    {
        assert!(bundle.contains(told), "{told}");
    }
    // One status for the one expected source, as ever.
    assert_eq!(bundle.matches("\"urn:x-tributary:source-status\"").count(), 1);
    // The author of a statement is who made it; the broker between is named as such.
    assert!(
        bundle.contains("\"display\":\"Name of region\"") && bundle.contains("\"display\":\"Name of gp\"")
    );
}
