//! Random federations in which every resource carries a token of its own in every text it has.
//!
//! Resources refer to each other in every way a source has: by address, by identifier, in words, in extensions, in
//! lists, in narrative, in provenance.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};
use tributary_model::{Reason, RoleView, Section, SectionSet, SourceKind, ViewRole};

use super::LISTED;
use crate::kit::{Federation, about, federation, snomed};

pub(crate) const SOURCES: &[(&str, SourceKind)] =
    &[("gp", SourceKind::Gp), ("acute-a", SourceKind::Acute), ("community", SourceKind::Community)];

pub(crate) const SERVED: &[&str] = &[
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
    "diary",
    "appointments",
    "socialcare",
    "uncategorised",
];

/// What kinds of resource there are, and in which sections each can stand.
pub(crate) const KINDS: &[(&str, &[&str])] = &[
    ("AllergyIntolerance", &["allergies"]),
    ("MedicationStatement", &["medications"]),
    ("MedicationRequest", &["medications"]),
    ("Condition", &["problems", "plans"]),
    ("Observation", &["results", "plans", "uncategorised"]),
    ("DiagnosticReport", &["reports"]),
    ("Encounter", &["encounters"]),
    ("Procedure", &["procedures"]),
    ("Immunization", &["immunisations"]),
    ("DocumentReference", &["documents", "plans"]),
    ("Flag", &["flags", "plans"]),
    ("CarePlan", &["plans"]),
    ("EpisodeOfCare", &["socialcare"]),
    ("RelatedPerson", &["socialcare"]),
    ("ServiceRequest", &["referrals", "diary", "reports"]),
    ("QuestionnaireResponse", &["plans", "uncategorised"]),
    ("RiskAssessment", &["uncategorised"]),
];

/// One resource of a source.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) kind: usize,
    /// `R`, `V`, `NOPAT`, `HIV`, or nothing.
    pub(crate) label: &'static str,
    pub(crate) code: &'static str,
    pub(crate) status: &'static str,
    pub(crate) date: &'static str,
    /// Others of the same source that it names, and how.
    pub(crate) links: Vec<(prop::sample::Index, u8)>,
    pub(crate) shape: u8,
}

pub(crate) type Case = Vec<Vec<Item>>;

fn item() -> impl Strategy<Value = Item> {
    let code = prop::sample::select(vec![
        "716186003",
        "91936005",
        "91936005",
        "450475007",
        "450476008",
        "254637007",
        "735324008",
        LISTED,
    ]);
    let status = prop::sample::select(vec![
        "active",
        "active",
        "final",
        "stopped",
        "corrected",
        "resolved",
        "entered-in-error",
    ]);
    let date = prop::sample::select(vec![
        "2012",
        "2026-01-20",
        "2026-03-02",
        "2026-03-02",
        "2026-03-02T15:30:00Z",
        "",
    ]);
    let label = prop::sample::select(vec!["", "", "", "", "R", "V", "NOPAT", "HIV"]);
    let links = prop::collection::vec((any::<prop::sample::Index>(), 0_u8..14), 0..3);
    (0..KINDS.len(), label, code, status, date, links, 0_u8..12).prop_map(
        |(kind, label, code, status, date, links, shape)| Item {
            kind,
            label,
            code,
            status,
            date,
            links,
            shape,
        },
    )
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    prop::collection::vec(prop::collection::vec(item(), 0..5), 1..=SOURCES.len())
}

pub(crate) fn role(roles: &'static [ViewRole]) -> impl Strategy<Value = RoleView> {
    let reason = prop::sample::select(vec![Reason::Given, Reason::NotGiven]);
    let sections = prop::sample::select(vec![SectionSet::all(), without_plans()]);
    let view = |(role, reason, sections)| RoleView::of(role, reason).within(sections);
    (prop::sample::select(roles), reason, sections).prop_map(view)
}

fn without_plans() -> SectionSet {
    Section::ALL.iter().copied().filter(|section| *section != Section::Plans).collect()
}

/// The token of a resource: no other text holds it.
pub(crate) fn token(source: usize, place: usize) -> String {
    format!("zq{source}x{place}z")
}

/// The token of an allergy inside the source's List of ended ones, and of its practitioner and product.
pub(crate) fn beside(what: &str, source: usize, place: usize) -> String {
    format!("zq{what}{source}x{place}z")
}

fn name(source: usize, place: usize, kind: usize) -> String {
    format!("{}/id-{}", KINDS[kind].0, token(source, place))
}

/// What a case is told as: all of it, or as if some resources had never been.
#[derive(Clone, Copy)]
pub(crate) struct Telling<'t> {
    /// Whether a resource is told.
    pub(crate) is_told: &'t dyn Fn(usize, usize) -> bool,
    /// Whether those that are told still name those that are not.
    pub(crate) names_untold: bool,
}

pub(crate) const EVERYTHING: Telling<'_> = Telling { is_told: &|_, _| true, names_untold: true };

pub(crate) fn stage(case: &Case, telling: Telling<'_>) -> Federation {
    let mut stage = federation();
    for (id, kind) in SOURCES.iter().take(case.len()) {
        stage.source(id, *kind, SERVED, &[]);
    }
    for card in &mut stage.registry {
        card.base_url = Some(format!("https://{}.example/fhir", card.id));
    }
    for (source, items) in case.iter().enumerate() {
        let mut resources = Vec::new();
        for (place, item) in items.iter().enumerate().filter(|(place, _)| (telling.is_told)(source, *place)) {
            resources.push(resource(source, place, item, items, telling));
            resources.extend(supporting(source, place, item));
        }
        resources.extend(lists(source, items, telling));
        stage.answers(SOURCES[source].0, &resources);
    }
    stage
}

fn resource(source: usize, place: usize, item: &Item, items: &[Item], telling: Telling<'_>) -> Value {
    let token = token(source, place);
    let kind = KINDS[item.kind].0;
    let words = if item.shape.is_multiple_of(4) {
        format!("Reasonable adjustment {token}")
    } else {
        format!("word {token}")
    };
    let mut concept = snomed(item.code, &format!("display {token}"));
    concept["text"] = json!(words);
    let mut members = json!({
        "identifier": [{"system": "https://ids.example", "value": token}],
        "status": item.status, "code": concept, "type": concept, "vaccineCode": concept, "category": [concept], "relationship": [concept],
        "clinicalStatus": {"coding": [{"code": item.status}]}, "description": format!("about {token}"),
        "note": [{"text": format!("note {token}")}], "docStatus": item.status,
        "text": {"status": "generated", "div": format!("<div>{token}</div>")},
        "dosage": [{"text": format!("dose {token}")}],
        "recorder": {"reference": format!("Practitioner/pr-{}", beside("p", source, place)), "display": format!("Dr {}", beside("p", source, place))},
    });
    if !item.date.is_empty() {
        for key in [
            "effectiveDateTime",
            "onsetDateTime",
            "authoredOn",
            "recordedDate",
            "performedDateTime",
            "occurrenceDateTime",
            "date",
        ] {
            members[key] = json!(item.date);
        }
        members["period"] = json!({"start": item.date});
    }
    let security = match item.label {
        "" => Value::Null,
        "NOPAT" => json!([{"system": "http://hl7.org/fhir/v3/ActCode", "code": "NOPAT"}]),
        code => json!([{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": code}]),
    };
    if kind == "DocumentReference" && !security.is_null() {
        members["securityLabel"] = json!([{"coding": security}]);
    } else if !security.is_null() {
        members["meta"] = json!({"security": security});
    }
    shape(item, source, place, &mut members);
    let mut styles = BTreeSet::new();
    for (index, style) in item.links.iter().filter(|(_, style)| styles.insert(*style)) {
        let target = index.index(items.len());
        if telling.names_untold || (telling.is_told)(source, target) {
            link(*style, &mut members, source, target, items[target].kind);
        }
    }
    about(kind, &format!("id-{token}"), members)
}

/// What makes one kind of resource differ from its equals.
fn shape(item: &Item, source: usize, place: usize, members: &mut Value) {
    let own = token(source, place);
    match (KINDS[item.kind].0, item.shape) {
        ("Observation", 0..6) => {
            members["valueQuantity"] = json!({"value": 7.10, "unit": format!("unit {own}")});
        }
        ("MedicationStatement" | "MedicationRequest", 0..4) => {
            members["medicationReference"] =
                json!({"reference": format!("Medication/md-{}", beside("m", source, place))});
        }
        ("MedicationStatement" | "MedicationRequest", 4..8) => {
            members["contained"] =
                json!([{"resourceType": "Medication", "id": "m", "code": snomed(item.code, &own)}]);
            members["medicationReference"] = json!({"reference": "#m"});
        }
        ("MedicationStatement" | "MedicationRequest", _) => {
            members["medicationCodeableConcept"] = snomed(item.code, &own);
        }
        ("Condition", 0) => {
            members["contained"] =
                json!([{"resourceType": "Observation", "id": "o", "valueString": format!("inside {own}")}]);
            members["evidence"] = json!([{"detail": [{"reference": "#o", "display": own}]}]);
        }
        ("Flag" | "Procedure", 1) => {
            members["performer"] = json!([{"actor": {"reference": "RelatedPerson/nobody", "display": own}}]);
        }
        (_, 11) => members["modifierExtension"] = json!([{"url": "https://x.example/m", "valueString": own}]),
        _ => {}
    }
}

/// The ways in which one resource belongs to another, or cannot be read without it.
pub(crate) const BELONGS: &[u8] = &[3, 4, 5, 12];

/// One of the ways in which a resource names another one, its token included.
fn link(style: u8, members: &mut Value, source: usize, target: usize, kind: usize) {
    let (token, name) = (token(source, target), name(source, target, kind));
    let plain = json!({"reference": name, "display": format!("see {token}")});
    let absolute =
        json!({"reference": format!("https://{}.example/fhir/{name}", SOURCES[source].0), "display": token});
    match style {
        0 => members["encounter"] = plain,
        1 => members["basedOn"] = json!([plain]),
        2 => members["reasonReference"] = json!([absolute, {"display": format!("words {token}")}]),
        3 => members["hasMember"] = json!([plain]),
        4 => members["result"] = json!([plain]),
        5 => members["partOf"] = json!([plain]),
        6 => members["extension"] = json!([{"url": "https://x.example/actual", "valueReference": plain}]),
        7 => {
            members["supportingInfo"] =
                json!([{"identifier": {"system": "https://ids.example", "value": token}, "display": token}]);
        }
        8 => {
            members["diagnosis"] =
                json!([{"condition": plain, "use": {"text": format!("because {token}")}, "rank": 3}]);
        }
        9 => members["instantiatesUri"] = json!([name]),
        10 => members["activity"] = json!([{"reference": plain, "progress": [{"text": token}]}]),
        11 => members["context"] = json!({"related": [absolute], "encounter": [plain]}),
        12 => members["modifierExtension"] = json!([{"url": "https://x.example/m", "valueReference": plain}]),
        _ => members["text"] = json!({"status": "generated", "div": format!("<div>{token}</div>")}),
    }
}

/// The practitioner and the product that a resource names.
fn supporting(source: usize, place: usize, item: &Item) -> Vec<Value> {
    let (person, product) = (beside("p", source, place), beside("m", source, place));
    vec![
        json!({"resourceType": "Practitioner", "id": format!("pr-{person}"), "name": [{"text": person}]}),
        json!({"resourceType": "Medication", "id": format!("md-{product}"), "code": snomed(item.code, &product)}),
    ]
}

/// The source's own lists and provenance, which name everything.
fn lists(source: usize, items: &[Item], telling: Telling<'_>) -> Vec<Value> {
    let named = || {
        let all = items.iter().enumerate();
        all.filter(|(place, _)| telling.names_untold || (telling.is_told)(source, *place))
    };
    let entries: Vec<Value> = named()
        .map(|(place, item)| json!({"item": {"reference": name(source, place, item.kind), "display": token(source, place)}, "flag": {"text": token(source, place)}}))
        .collect();
    let targets: Vec<Value> =
        named().map(|(place, item)| json!({"reference": name(source, place, item.kind), "display": token(source, place)})).collect();
    let texts: Vec<String> = named().map(|(place, _)| token(source, place)).collect();
    // One ended allergy, labelled when the first resource is.
    let label = items.first().map_or("", |item| item.label);
    let ended = beside("e", source, 0);
    let mut allergy = json!({"resourceType": "AllergyIntolerance", "id": "e", "code": {"text": ended}, "clinicalStatus": {"coding": [{"code": "resolved"}]}});
    if !label.is_empty() {
        allergy["meta"] = json!({"security": [{"code": label}]});
    }
    vec![
        about(
            "List",
            &format!("list-{source}"),
            json!({"title": texts.join(" "), "note": [{"text": texts.join(" ")}], "entry": entries}),
        ),
        about(
            "List",
            &format!("ended-{source}"),
            json!({"status": "current", "mode": "snapshot", "code": snomed("1103671000000101", "Ended allergies"),
            "note": [{"text": texts.join(" ")}], "contained": [allergy], "entry": [{"item": {"reference": "#e", "display": ended}}]}),
        ),
        json!({"resourceType": "Provenance", "id": format!("prov-{source}"), "target": targets}),
    ]
}
