//! One patient's record at a GP system, and the Bundle that answers a request.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::outcome::{GP_OUTCOME_PROFILE, SPINE_SYSTEM};
use crate::store::{Resource, references_in};

use super::areas::{Area, ENDED_ALLERGIES, PrimaryList};
use super::parameters::{Absent, Asked};

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
    list_ids: ListIds,
}

impl GpRecord {
    pub(crate) fn new(resources: Vec<Resource>, list_ids: ListIds) -> Self {
        Self { resources, list_ids }
    }

    /// The Bundle for a request. Resources and Lists of the file are sent byte for byte.
    pub(crate) fn bundle(&self, asked: &Asked, trace_id: &str, disabled: &[String]) -> String {
        let is_disabled = |area: &Area| disabled.iter().any(|name| name == area.parameter);
        let mut chosen = BTreeSet::new();
        let mut lists = Vec::new();
        for area in asked.areas.iter().filter(|area| !is_disabled(area)) {
            self.answer_area(area, asked, &mut chosen, &mut lists);
        }
        self.close_over_references(asked, &mut chosen);
        let wanted = |at: usize, one: &Resource| ALWAYS.contains(&one.kind.as_str()) || chosen.contains(&at);
        let mut entries: Vec<String> = self
            .resources
            .iter()
            .enumerate()
            .filter(|(at, one)| wanted(*at, one))
            .map(|(_, one)| one.text.clone())
            .collect();
        entries.extend(lists);
        entries.extend(warnings(asked, disabled));
        let entries: Vec<String> = entries.iter().map(|text| format!("{{\"resource\":{text}}}")).collect();
        format!(
            "{{\"resourceType\":\"Bundle\",\"id\":{},\"meta\":{{\"profile\":[\"{BUNDLE_PROFILE}\"]}},\"type\":\"collection\",\"entry\":[{}]}}",
            Value::from(trace_id),
            entries.join(",")
        )
    }

    fn answer_area(&self, area: &Area, asked: &Asked, chosen: &mut BTreeSet<usize>, lists: &mut Vec<String>) {
        let (members, is_filtered) = self.members(area, asked);
        lists.push(self.list(&area.list, &members, is_filtered));
        chosen.extend(members);
        let wants_ended = area.parameter == "includeAllergies"
            && asked.is_true("includeResolvedAllergies", Absent::MeansFalse);
        if wants_ended {
            lists.push(self.list(&ENDED_ALLERGIES, &[], Filtered::No));
        }
    }

    /// The entries of an area: those of its List in the file, or else every resource of its type.
    fn members(&self, area: &Area, asked: &Asked) -> (Vec<usize>, Filtered) {
        let entry_type = area.list.entries.unwrap_or_default();
        let listed = self.file_list(&area.list).map(|list| references_in(list.value.get("entry")));
        let is_member = |one: &Resource| match &listed {
            Some(references) => references.contains(&one.reference().as_str()),
            None => one.kind == entry_type && !self.is_part_of_report(one),
        };
        let all: Vec<usize> = self.positions(is_member);
        let mut kept: Vec<usize> = all
            .iter()
            .copied()
            .filter(|at| self.resources.get(*at).is_some_and(|one| super::filters::keeps(one, asked)))
            .collect();
        if let Some(most) = asked.part("includeNumberOfMostRecent").and_then(Value::as_u64)
            && area.parameter == "includeConsultations"
        {
            kept.sort_by_key(|at| std::cmp::Reverse(self.resources.get(*at).map(super::filters::started)));
            kept.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        }
        let filtered = if kept.len() == all.len() { Filtered::No } else { Filtered::Yes };
        (kept, filtered)
    }

    fn is_part_of_report(&self, one: &Resource) -> bool {
        let reference = one.reference();
        self.resources
            .iter()
            .filter(|report| report.kind == "DiagnosticReport")
            .any(|report| report.references().contains(&reference.as_str()))
    }

    fn positions(&self, wanted: impl Fn(&Resource) -> bool) -> Vec<usize> {
        let numbered = self.resources.iter().enumerate();
        numbered.filter(|(_, one)| wanted(one)).map(|(at, _)| at).collect()
    }

    fn file_list(&self, list: &PrimaryList) -> Option<&Resource> {
        let code = |one: &Resource| one.value.pointer("/code/coding/0/code").cloned();
        self.resources
            .iter()
            .find(|one| one.kind == "List" && code(one).as_ref().and_then(Value::as_str) == Some(list.code))
    }

    fn list(&self, list: &PrimaryList, members: &[usize], filtered: Filtered) -> String {
        match (self.file_list(list), filtered, self.list_ids) {
            (Some(one), Filtered::No, ListIds::AsInFile) => one.text.clone(),
            (Some(one), Filtered::No, ListIds::Omitted) => one.text_without_id(),
            (Some(_) | None, _, _) => self.generated_list(list, members),
        }
    }

    fn generated_list(&self, list: &PrimaryList, members: &[usize]) -> String {
        let patient = self.resources.iter().find(|one| one.kind == "Patient").map(Resource::reference);
        let entries: Vec<Value> = members
            .iter()
            .filter_map(|at| self.resources.get(*at))
            .map(|one| json!({"item": {"reference": one.reference()}}))
            .collect();
        let mut generated = json!({
            "resourceType": "List",
            "meta": {"profile": ["https://fhir.nhs.uk/STU3/StructureDefinition/CareConnect-GPC-List-1"]},
            "extension": [{
                "url": "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-ClinicalSetting-1",
                "valueCodeableConcept": {"coding": [{
                    "system": "http://snomed.info/sct",
                    "code": "1060971000000108",
                    "display": "General practice service",
                }]},
            }],
            "status": "current",
            "mode": "snapshot",
            "title": list.title,
            "code": {"coding": [{
                "system": "http://snomed.info/sct", "code": list.code, "display": list.display,
            }]},
            "subject": {"reference": patient.unwrap_or_default()},
        });
        let Some(fields) = generated.as_object_mut() else {
            return String::new();
        };
        // The day of the Lists of the file: an answer must not depend on when it is given.
        let mut dated = self.resources.iter().filter(|one| one.kind == "List");
        if let Some(date) = dated.find_map(|one| one.value.get("date")) {
            fields.insert("date".to_owned(), date.clone());
        }
        if entries.is_empty() {
            let reason = json!({"coding": [{
                "system": "https://fhir.nhs.uk/STU3/CodeSystem/CareConnect-ListEmptyReasonCode-1",
                "code": "no-content-recorded",
                "display": "No Content Recorded",
            }]});
            fields.insert("emptyReason".to_owned(), reason);
            fields.insert("note".to_owned(), json!([{"text": "Information not available"}]));
        } else {
            fields.insert("entry".to_owned(), Value::from(entries));
        }
        generated.to_string()
    }

    /// Adds what the chosen resources point at, and the issues of the chosen prescriptions.
    fn close_over_references(&self, asked: &Asked, chosen: &mut BTreeSet<usize>) {
        let with_issues = asked.is_true("includePrescriptionIssues", Absent::MeansTrue);
        loop {
            let before = chosen.len();
            let referenced: Vec<String> = chosen
                .iter()
                .filter_map(|at| self.resources.get(*at))
                .flat_map(|one| one.references().into_iter().map(str::to_owned))
                .collect();
            let plans: Vec<String> = chosen
                .iter()
                .filter_map(|at| self.resources.get(*at))
                .filter(|one| one.kind == "MedicationRequest")
                .map(Resource::reference)
                .collect();
            let is_issue = |one: &Resource| {
                one.kind == "MedicationRequest"
                    && one.references().iter().any(|to| plans.iter().any(|plan| plan == to))
            };
            chosen.extend(self.positions(|one| {
                one.kind != "List" && (referenced.contains(&one.reference()) || with_issues && is_issue(one))
            }));
            if chosen.len() == before {
                return;
            }
        }
    }
}

/// Whether a filter of the request has removed members of an area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filtered {
    No,
    Yes,
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
    let outcome = json!({
        "resourceType": "OperationOutcome",
        "meta": {"profile": [GP_OUTCOME_PROFILE]},
        "issue": issues,
    });
    outcome
        .get("issue")
        .and_then(Value::as_array)
        .is_some_and(|issues| !issues.is_empty())
        .then(|| outcome.to_string())
}
