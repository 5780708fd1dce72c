//! Writes one patient's record: resources in the shapes of GP Connect, and the Lists over them.

mod consultations;
mod investigations;
mod medicines;
mod problems;
mod statements;

use std::collections::BTreeMap;

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::{Value, json};

use crate::gp::areas::{AREAS, ENDED_ALLERGIES, PrimaryList};
use crate::gp::{Content, Document};
use crate::store::Resource;

pub(super) use consultations::Topic;
pub(super) use medicines::{Course, Medicine};
pub(super) use problems::Problem;

const PROFILES: &str = "https://fhir.nhs.uk/STU3/StructureDefinition/CareConnect-GPC";
const EXTENSIONS: &str = "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC";
const UK_EXTENSIONS: &str = "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect";
/// Who writes most of a record, as a reference.
const AUTHOR: &str = "Practitioner/g2";

/// What a List warns of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Warning {
    Confidential,
    InTransit,
}

/// A record being written. Days are told as offsets from the day it is written for.
#[derive(Debug)]
pub(super) struct Chart {
    patient: String,
    today: Date,
    registered: i32,
    resources: Vec<Value>,
    /// How many of each type were added.
    counts: BTreeMap<String, usize>,
    /// The entries of each area's List, by the area's parameter.
    members: BTreeMap<&'static str, Vec<String>>,
    ended: Vec<Value>,
    /// The areas that warn, each with its warning; an area may have several.
    warnings: Vec<(&'static str, Warning)>,
    documents: Vec<Document>,
}

impl Chart {
    /// An empty chart of the patient with this logical id.
    pub(super) fn new(patient: &str, today: Date, registered: i32) -> Self {
        Self {
            patient: patient.to_owned(),
            today,
            registered,
            resources: Vec::new(),
            counts: BTreeMap::new(),
            members: BTreeMap::new(),
            ended: Vec::new(),
            warnings: Vec::new(),
            documents: Vec::new(),
        }
    }

    /// A day so many days from today.
    pub(super) fn day(&self, offset: i32) -> String {
        self.date(offset).to_string()
    }

    fn date(&self, offset: i32) -> Date {
        self.today.saturating_add(offset.days())
    }

    /// A moment of such a day.
    pub(super) fn moment(&self, offset: i32) -> String {
        format!("{}T10:15:00+00:00", self.day(offset))
    }

    pub(super) fn warn(&mut self, areas: &[&'static str], warning: Warning) {
        self.warnings.extend(areas.iter().map(|area| (*area, warning)));
    }

    /// Every List of the record warns.
    pub(super) fn warn_everywhere(&mut self, warning: Warning) {
        self.warnings.extend(AREAS.iter().map(|area| (area.parameter, warning)));
    }

    /// Adds a resource and tells its reference. What every clinical resource has is filled in.
    fn add(&mut self, kind: &str, fields: Value) -> String {
        let count = self.counts.entry(kind.to_owned()).or_default();
        *count += 1;
        let id = format!("{}-{}{count}", self.patient, short(kind));
        let resource = self.complete(kind, &id, fields);
        self.resources.push(resource);
        format!("{kind}/{id}")
    }

    fn complete(&self, kind: &str, id: &str, fields: Value) -> Value {
        let profile = if kind == "Condition" { "ProblemHeader-Condition" } else { kind };
        let mut resource = json!({
            "resourceType": kind,
            "id": id,
            "meta": {"profile": [format!("{PROFILES}-{profile}-1")]},
        });
        let about = json!({"reference": format!("Patient/{}", self.patient)});
        let subject = match kind {
            "AllergyIntolerance" | "Immunization" => Some("patient"),
            "Medication" => None,
            _ => Some("subject"),
        };
        if let (Value::Object(all), Value::Object(own)) = (&mut resource, fields) {
            if let Some(subject) = subject {
                all.insert(subject.to_owned(), about);
            }
            if !matches!(kind, "Medication" | "List") {
                let system = "https://fhir.nhs.uk/Id/cross-care-setting-identifier";
                all.insert(
                    "identifier".to_owned(),
                    json!([{"system": system, "value": format!("B82617-{id}")}]),
                );
            }
            all.extend(own);
        }
        resource
    }

    /// Puts a resource on the List of an area.
    fn list(&mut self, area: &'static str, reference: &str) {
        self.members.entry(area).or_default().push(reference.to_owned());
    }

    /// A document of the patient.
    pub(super) fn document(&mut self, offset: i32, description: &str, content: Content) -> String {
        let count = self.documents.len() + 1;
        let id = format!("{}-doc{count}", self.patient);
        let fields = json!({
            "status": "current",
            "type": coded("823691000000103", "Clinical letter"),
            "created": self.moment(offset),
            "indexed": self.moment(offset),
            "author": [{"reference": "Practitioner/g2"}, {"reference": "Organization/o1"}],
            "custodian": {"reference": "Organization/o1"},
            "description": description,
            "content": [{"attachment": {"contentType": "application/msword"}}],
        });
        let document = Document::new(self.complete("DocumentReference", &id, fields), content);
        self.resources.push(document.reference.value.clone());
        self.documents.push(document);
        format!("DocumentReference/{id}")
    }

    /// The record: its resources with a List for every area, and its documents.
    pub(super) fn finish(mut self) -> (Vec<Resource>, Vec<Document>) {
        let mut lists: Vec<Value> = AREAS
            .iter()
            .map(|area| {
                let entries = self.members.get(area.parameter).cloned().unwrap_or_default();
                self.primary(area.parameter, &area.list, &entries)
            })
            .collect();
        let references = self.ended.iter().filter_map(|one| one.get("id").and_then(Value::as_str));
        let references: Vec<String> = references.map(|id| format!("#{id}")).collect();
        let mut ended = self.primary("includeAllergies", &ENDED_ALLERGIES, &references);
        if let Some(fields) = ended.as_object_mut()
            && !self.ended.is_empty()
        {
            fields.insert("contained".to_owned(), Value::from(std::mem::take(&mut self.ended)));
        }
        lists.push(ended);
        self.resources.extend(lists);
        (self.resources.into_iter().map(Resource::of).collect(), self.documents)
    }

    fn primary(&self, area: &str, list: &PrimaryList, entries: &[String]) -> Value {
        let warnings: Vec<Warning> =
            self.warnings.iter().filter(|(own, _)| *own == area).map(|(_, warning)| *warning).collect();
        let mut extensions = vec![json!({
            "url": format!("{EXTENSIONS}-ClinicalSetting-1"),
            "valueCodeableConcept": coded("1060971000000108", "General practice service"),
        })];
        extensions.extend(warnings.iter().map(|warning| {
            let code = match warning {
                Warning::Confidential => "confidential-items",
                Warning::InTransit => "data-in-transit",
            };
            json!({"url": format!("{EXTENSIONS}-ListWarningCode-1"), "valueCode": code})
        }));
        let mut notes: Vec<String> = warnings.iter().map(|warning| self.words(*warning)).collect();
        let fields = json!({
            "extension": extensions,
            "status": "current",
            "mode": "snapshot",
            "title": list.title,
            "code": coded(list.code, list.display),
            "date": self.moment(0),
            "orderedBy": order("event-date"),
        });
        let mut whole = self.complete("List", "", fields);
        if let Some(fields) = whole.as_object_mut() {
            fields.remove("id");
            if entries.is_empty() {
                let system = "https://fhir.nhs.uk/STU3/CodeSystem/CareConnect-ListEmptyReasonCode-1";
                let (code, display) = ("no-content-recorded", "No Content Recorded");
                let reason = json!({"coding": [{"system": system, "code": code, "display": display}]});
                fields.insert("emptyReason".to_owned(), reason);
                notes.push("Information not available".to_owned());
            } else {
                let entries: Vec<Value> =
                    entries.iter().map(|to| json!({"item": {"reference": to}})).collect();
                fields.insert("entry".to_owned(), Value::from(entries));
            }
            if !notes.is_empty() {
                fields.insert("note".to_owned(), json!([{"text": notes.join(" ")}]));
            }
        }
        whole
    }

    /// The words that go with a warning code on the wire.
    fn words(&self, warning: Warning) -> String {
        match warning {
            Warning::Confidential => {
                "Items excluded due to confidentiality and/or patient preferences.".to_owned()
            }
            Warning::InTransit => {
                let registered = self.date(self.registered).strftime("%d-%b-%Y");
                format!(
                    "Patient record transfer from previous GP practice not yet complete; information recorded before {registered} may be missing."
                )
            }
        }
    }
}

/// A SNOMED CT concept.
fn coded(code: &str, display: &str) -> Value {
    json!({"coding": [{"system": "http://snomed.info/sct", "code": code, "display": display}]})
}

fn order(code: &str) -> Value {
    json!({"coding": [{"system": "http://hl7.org/fhir/list-order", "code": code}]})
}

/// A short name for a type, for ids.
fn short(kind: &str) -> String {
    kind.chars().filter(char::is_ascii_uppercase).collect::<String>().to_lowercase()
}
