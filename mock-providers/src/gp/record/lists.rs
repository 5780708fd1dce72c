//! The Lists of an answer.

use serde_json::{Value, json};

use crate::gp::areas::{AREAS, PrimaryList, SecondaryList};
use crate::store::Resource;

use super::{GpRecord, ListIds};

const SECONDARY_SYSTEM: &str = "https://fhir.hl7.org.uk/STU3/CodeSystem/GPConnect-SecondaryListValues-1";
const WARNING_URL: &str =
    "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-ListWarningCode-1";
const NOTHING_THERE: &str = "Information not available";

/// Whether a filter of the request has removed members of an area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filtered {
    No,
    Yes,
}

impl GpRecord {
    pub(super) fn file_list(&self, list: &PrimaryList) -> Option<&Resource> {
        let code = |one: &Resource| one.value.pointer("/code/coding/0/code").cloned();
        self.resources
            .iter()
            .find(|one| one.kind == "List" && code(one).as_ref().and_then(Value::as_str) == Some(list.code))
    }

    /// The List of an area: the file's own if it has one, with the entries that the request leaves.
    pub(super) fn list(&self, list: &PrimaryList, members: &[usize], filtered: Filtered) -> String {
        match (self.file_list(list), filtered, self.list_ids) {
            (Some(one), Filtered::No, ListIds::AsInFile) => one.text.clone(),
            (Some(one), Filtered::No, ListIds::Omitted) => one.text_without_id(),
            (Some(_) | None, _, _) => {
                let code = json!({
                    "system": "http://snomed.info/sct", "code": list.code, "display": list.display,
                });
                let warnings = Warnings::of(self.file_list(list));
                self.generated_list(list.title, &code, members, &warnings)
            }
        }
    }

    /// A List of what was reached through consultations or problems; it carries the warnings of its area.
    pub(super) fn secondary_list(&self, list: &SecondaryList, members: &[usize]) -> String {
        let code = json!({"system": SECONDARY_SYSTEM, "code": kebab(list.title), "display": list.title});
        let area = AREAS.iter().find(|area| area.parameter == list.area);
        let warnings = Warnings::of(area.and_then(|area| self.file_list(&area.list)));
        self.generated_list(list.title, &code, members, &warnings)
    }

    fn generated_list(&self, title: &str, code: &Value, members: &[usize], warnings: &Warnings) -> String {
        let patient = self.resources.iter().find(|one| one.kind == "Patient").map(Resource::reference);
        let entries: Vec<Value> = members
            .iter()
            .filter_map(|at| self.resources.get(*at))
            .map(|one| json!({"item": {"reference": one.reference()}}))
            .collect();
        let setting = json!({
            "url": "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-ClinicalSetting-1",
            "valueCodeableConcept": {"coding": [{
                "system": "http://snomed.info/sct",
                "code": "1060971000000108",
                "display": "General practice service",
            }]},
        });
        let extensions: Vec<Value> = std::iter::once(setting).chain(warnings.codes.clone()).collect();
        let mut generated = json!({
            "resourceType": "List",
            "meta": {"profile": ["https://fhir.nhs.uk/STU3/StructureDefinition/CareConnect-GPC-List-1"]},
            "extension": extensions,
            "status": "current",
            "mode": "snapshot",
            "title": title,
            "code": {"coding": [code]},
            "subject": {"reference": patient.unwrap_or_default()},
        });
        let Some(fields) = generated.as_object_mut() else {
            return String::new();
        };
        // The day of the Lists of the file: an answer must not depend on when it is given.
        let is_of_record = |one: &&Resource| one.kind == "List" && one.value.get("encounter").is_none();
        let mut dated = self.resources.iter().filter(is_of_record);
        if let Some(date) = dated.find_map(|one| one.value.get("date")) {
            fields.insert("date".to_owned(), date.clone());
        }
        let mut words = vec![warnings.note.as_str()];
        if entries.is_empty() {
            fields.insert("emptyReason".to_owned(), empty_reason());
            words.push(NOTHING_THERE);
        } else {
            fields.insert("entry".to_owned(), Value::from(entries));
        }
        words.retain(|word| !word.is_empty());
        if !words.is_empty() {
            fields.insert("note".to_owned(), json!([{"text": words.join(" ")}]));
        }
        generated.to_string()
    }
}

fn empty_reason() -> Value {
    json!({"coding": [{
        "system": "https://fhir.nhs.uk/STU3/CodeSystem/CareConnect-ListEmptyReasonCode-1",
        "code": "no-content-recorded",
        "display": "No Content Recorded",
    }]})
}

/// What the List of an area warns of: the extensions, and their words.
#[derive(Debug, Default)]
struct Warnings {
    codes: Vec<Value>,
    note: String,
}

impl Warnings {
    fn of(list: Option<&Resource>) -> Self {
        let Some(list) = list else {
            return Self::default();
        };
        let is_warning = |one: &&Value| one.get("url").and_then(Value::as_str) == Some(WARNING_URL);
        let extensions = list.value.get("extension").and_then(Value::as_array);
        let note = list.value.pointer("/note/0/text").and_then(Value::as_str).unwrap_or_default();
        Self {
            codes: extensions.into_iter().flatten().filter(is_warning).cloned().collect(),
            note: note.replace(NOTHING_THERE, "").trim().to_owned(),
        }
    }
}

/// The code of a secondary List is its title in lower case with hyphens.
fn kebab(title: &str) -> String {
    title.replace(" - ", " ").to_lowercase().replace(' ', "-")
}
