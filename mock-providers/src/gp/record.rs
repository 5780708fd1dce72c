//! One patient's record at a GP system, and the Bundle that answers a request.

mod links;
mod lists;
mod selection;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::outcome::{GP_OUTCOME_PROFILE, SPINE_SYSTEM};
use crate::store::Resource;

use super::areas::{AREAS, Area};
use super::parameters::Asked;
use links::Links;
use selection::Selection;

const BUNDLE_PROFILE: &str =
    "https://fhir.nhs.uk/STU3/StructureDefinition/GPConnect-StructuredRecord-Bundle-1";
const ALWAYS: &[&str] = &["Patient", "Organization", "Practitioner", "PractitionerRole"];

/// Whether Lists from a file keep the id they have there. Real GP systems send primary Lists without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListIds {
    /// Sent without `id`, as the specification asks.
    #[default]
    Omitted,
    /// Sent with the `id` of the file.
    AsInFile,
}

/// The resources of one patient.
#[derive(Debug)]
pub(crate) struct GpRecord {
    resources: Vec<Resource>,
    /// Where each resource stands, by its reference.
    places: BTreeMap<String, usize>,
    links: Links,
    list_ids: ListIds,
}

impl GpRecord {
    pub(crate) fn new(resources: Vec<Resource>, list_ids: ListIds) -> Self {
        let places = resources.iter().enumerate().map(|(at, one)| (one.reference(), at)).collect();
        let links = Links::of(&resources, &places);
        Self { resources, places, links, list_ids }
    }

    /// The resource that a reference names.
    pub(super) fn find(&self, reference: &str) -> Option<&Resource> {
        self.places.get(reference).and_then(|at| self.resources.get(*at))
    }

    /// The Bundle for a request. Resources and Lists of the file are sent byte for byte, unless something
    /// they point at is switched off.
    pub(crate) fn bundle(&self, asked: &Asked, trace_id: &str, disabled: &[String]) -> String {
        let barred = Barred { asked, disabled };
        let selection = Selection::of(self, asked, &barred);
        let is_wanted = |at: usize, one: &Resource| ALWAYS.contains(&one.kind.as_str()) || selection.has(at);
        let chosen = self.resources.iter().enumerate().filter(|(at, one)| is_wanted(*at, one));
        let mut entries: Vec<String> = chosen.map(|(_, one)| self.masked(one, &barred)).collect();
        entries.extend(selection.lists());
        entries.extend(warnings(asked, disabled));
        let entries: Vec<String> = entries.iter().map(|text| format!("{{\"resource\":{text}}}")).collect();
        format!(
            "{{\"resourceType\":\"Bundle\",\"id\":{},\"meta\":{{\"profile\":[\"{BUNDLE_PROFILE}\"]}},\"type\":\"collection\",\"entry\":[{}]}}",
            Value::from(trace_id),
            entries.join(",")
        )
    }

    /// The area a resource belongs to; `None` for administrative resources and documents.
    fn area(&self, at: usize) -> Option<&'static Area> {
        let one = self.resources.get(at)?;
        let parameter = match one.kind.as_str() {
            "AllergyIntolerance" => "includeAllergies",
            "MedicationStatement" | "MedicationRequest" => "includeMedication",
            "Encounter" => "includeConsultations",
            "Condition" => "includeProblems",
            "Immunization" => "includeImmunisations",
            "Observation" if self.links.is_in_report(at) => "includeInvestigations",
            "Observation" => "includeUncategorisedData",
            "DiagnosticReport" | "Specimen" => "includeInvestigations",
            "ReferralRequest" => "includeReferrals",
            "ProcedureRequest" if one.value.get("intent").and_then(Value::as_str) == Some("order") => {
                "includeInvestigations"
            }
            "ProcedureRequest" => "includeDiaryEntries",
            _ => return None,
        };
        AREAS.iter().find(|area| area.parameter == parameter)
    }

    /// The text of a problem or a List with plain words where it points at something that is switched off.
    fn masked(&self, one: &Resource, barred: &Barred<'_>) -> String {
        let is_linking = matches!(one.kind.as_str(), "Condition" | "List");
        if !is_linking || barred.is_empty() {
            return one.text.clone();
        }
        let mut value = one.value.clone();
        self.mask(&mut value, barred);
        value.to_string()
    }

    fn mask(&self, value: &mut Value, barred: &Barred<'_>) {
        match value {
            Value::Object(fields) => {
                let target = fields.get("reference").and_then(Value::as_str);
                let area = target.and_then(|target| self.places.get(target)).and_then(|at| self.area(*at));
                match area.and_then(|area| barred.words(area)) {
                    Some(words) => *value = json!({ "display": words }),
                    None => fields.values_mut().for_each(|inner| self.mask(inner, barred)),
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|inner| self.mask(inner, barred)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

/// The areas that nothing may be told of.
#[derive(Clone, Copy, Debug)]
struct Barred<'a> {
    asked: &'a Asked,
    disabled: &'a [String],
}

impl Barred<'_> {
    fn is_empty(&self) -> bool {
        AREAS.iter().all(|area| self.words(area).is_none())
    }

    fn has(&self, area: &Area) -> bool {
        self.words(area).is_some()
    }

    /// What stands where an entry of a barred area would be; `None` if the area is not barred.
    fn words(&self, area: &Area) -> Option<String> {
        if !self.asked.level.knows(area) {
            Some(format!("{} items are not supported by the provider system.", area.noun))
        } else if self.disabled.iter().any(|name| name == area.parameter) {
            Some(format!("{} items have been disabled.", area.noun))
        } else {
            None
        }
    }
}

/// The one `OperationOutcome` entry, when something was unknown or is switched off.
fn warnings(asked: &Asked, disabled: &[String]) -> Option<String> {
    let unknown = asked.unknown.iter().map(|name| (name, "is an unrecognised parameter"));
    let off = disabled.iter().filter(|name| asked.asks(name)).map(|name| (name, "has been disabled"));
    let issues: Vec<Value> = unknown
        .chain(off)
        .map(|(name, what)| {
            json!({
                "severity": "warning",
                "code": "not-supported",
                "details": {
                    "coding": [{"system": SPINE_SYSTEM, "code": "NOT_IMPLEMENTED", "display": "Not implemented"}],
                    "text": format!("{name} {what}"),
                },
                "diagnostics": name,
            })
        })
        .collect();
    if issues.is_empty() {
        return None;
    }
    let outcome = json!({
        "resourceType": "OperationOutcome",
        "meta": {"profile": [GP_OUTCOME_PROFILE]},
        "issue": issues,
    });
    Some(outcome.to_string())
}
