//! A FHIR REST server: R4 in UK Core shapes, or STU3 in Care Connect shapes.

mod search;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::outcome::{Dialect, Refusal};
use crate::provider::System;
use crate::store::Resource;
use crate::wire::{Reply, Request};

use search::{Pages, Search};

/// The types that can be searched by patient. A type without a match gives an empty searchset.
pub(crate) const CLINICAL: &[&str] = &[
    "AllergyIntolerance",
    "Appointment",
    "CarePlan",
    "CareTeam",
    "ClinicalImpression",
    "Communication",
    "Composition",
    "Condition",
    "Consent",
    "Device",
    "DeviceRequest",
    "DeviceUseStatement",
    "DetectedIssue",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "EpisodeOfCare",
    "FamilyMemberHistory",
    "Flag",
    "Goal",
    "Immunization",
    "List",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationRequest",
    "MedicationStatement",
    "NutritionOrder",
    "Observation",
    "Procedure",
    "ProcedureRequest",
    "QuestionnaireResponse",
    "ReferralRequest",
    "RelatedPerson",
    "RiskAssessment",
    "ServiceRequest",
    "Specimen",
    "Task",
];

/// A FHIR server and its patients, by NHS number. Each record begins with its Patient.
#[derive(Debug)]
pub(crate) struct FhirSystem {
    dialect: Dialect,
    records: BTreeMap<String, Vec<Resource>>,
    pages: Pages,
}

impl FhirSystem {
    pub(crate) fn new(dialect: Dialect, records: BTreeMap<String, Vec<Resource>>) -> Self {
        Self { dialect, records, pages: Pages::default() }
    }

    /// The path of the service root.
    pub(crate) fn root(dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::R4 => "/fhir/R4",
            Dialect::Stu3 | Dialect::GpConnect => "/fhir/STU3",
        }
    }

    fn respond(&self, request: &Request) -> Result<Reply, Refusal> {
        let unknown = || Refusal::new(404, "NOT_IMPLEMENTED", "no such path");
        let tail = request.path.strip_prefix(Self::root(self.dialect)).ok_or_else(unknown)?;
        let parts: Vec<&str> = tail.trim_matches('/').split('/').collect();
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["metadata"]) => Ok(Reply::fhir(200, self.capability().to_string())),
            ("GET", [kind]) | ("POST", [kind, "_search"]) => self.search(kind, request),
            ("GET", [kind, id]) => self.read(kind, id),
            ("GET" | "POST", _) => Err(unknown()),
            _ => Err(Refusal::new(405, "NOT_IMPLEMENTED", "only reads and searches are served")),
        }
    }

    fn search(&self, kind: &str, request: &Request) -> Result<Reply, Refusal> {
        if kind != "Patient" && !CLINICAL.contains(&kind) {
            return Err(Refusal::new(404, "NOT_IMPLEMENTED", "no such type"));
        }
        let search = match parameter(request, "_page") {
            Some(token) => self
                .pages
                .get(&token)
                .ok_or_else(|| Refusal::new(404, "NO_RECORD_FOUND", "this page is not there any more"))?,
            None => Search::read(kind, request, self.subject(kind, request)?)?,
        };
        let empty = Vec::new();
        let record = search.nhs_number.as_ref().and_then(|number| self.records.get(number));
        let host = request.header("host").unwrap_or("localhost");
        let base = format!("http://{host}{}", Self::root(self.dialect));
        Ok(Reply::fhir(200, search.bundle(record.unwrap_or(&empty), &base, &self.pages)))
    }

    fn read(&self, kind: &str, id: &str) -> Result<Reply, Refusal> {
        self.records
            .values()
            .flatten()
            .find(|one| one.kind == kind && one.id == id)
            .map(|one| Reply::fhir(200, one.text.clone()).with("ETag", "W/\"1\""))
            .ok_or_else(|| Refusal::new(404, "NO_RECORD_FOUND", "no such resource"))
    }

    /// The NHS number of the patient a search is about; `None` inside when nobody here has it.
    fn subject(&self, kind: &str, request: &Request) -> Result<Option<String>, Refusal> {
        let missing = || Refusal::new(400, "BAD_REQUEST", "a search needs one patient");
        let named = |names: &[&str]| names.iter().find_map(|name| parameter(request, name));
        if kind == "Patient" {
            let identifier = named(&["identifier"]).ok_or_else(missing)?;
            return Ok(Self::by_identifier(&identifier));
        }
        if let Some(identifier) = named(&[
            "patient.identifier",
            "subject.identifier",
            "patient:Patient.identifier",
            "subject:Patient.identifier",
            "patient:identifier",
            "subject:identifier",
        ]) {
            return Ok(Self::by_identifier(&identifier));
        }
        let reference = named(&["patient", "subject", "subject:Patient"]).ok_or_else(missing)?;
        let id = reference.rsplit('/').next().unwrap_or_default();
        let holds = |record: &Vec<Resource>| record.iter().any(|one| one.kind == "Patient" && one.id == id);
        Ok(self.records.iter().find(|(_, record)| holds(record)).map(|(number, _)| number.clone()))
    }

    fn by_identifier(token: &str) -> Option<String> {
        let (system, value) = token.split_once('|').unwrap_or(("https://fhir.nhs.uk/Id/nhs-number", token));
        let known = system == "https://fhir.nhs.uk/Id/nhs-number";
        known.then(|| value.to_owned())
    }

    fn capability(&self) -> Value {
        let (version, identifier) = match self.dialect {
            Dialect::R4 => ("4.0.1", "patient.identifier"),
            Dialect::Stu3 | Dialect::GpConnect => ("3.0.1", "patient.identifier"),
        };
        let token = |name: &str, kind: &str| json!({"name": name, "type": kind});
        let clinical = CLINICAL.iter().map(|kind| {
            json!({
                "type": kind,
                "interaction": [{"code": "read"}, {"code": "search-type"}],
                "searchParam": [token("patient", "reference"), token(identifier, "token")],
            })
        });
        let patient = json!({
            "type": "Patient",
            "interaction": [{"code": "read"}, {"code": "search-type"}],
            "searchParam": [token("identifier", "token")],
        });
        let resources: Vec<Value> = std::iter::once(patient).chain(clinical).collect();
        json!({
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": "2026-01-01",
            "kind": "instance",
            "implementation": {"description": "Mock record system"},
            "fhirVersion": version,
            "format": ["application/fhir+json"],
            "rest": [{"mode": "server", "resource": resources}],
        })
    }
}

impl System for FhirSystem {
    fn dialect(&self) -> Dialect {
        self.dialect
    }

    fn nhs_number(&self, request: &Request) -> Option<String> {
        if let Some(search) = parameter(request, "_page").and_then(|token| self.pages.get(&token)) {
            return search.nhs_number;
        }
        let kind =
            request.path.strip_prefix(Self::root(self.dialect))?.trim_start_matches('/').split('/').next()?;
        self.subject(kind, request).ok()?
    }

    fn answer(&self, request: &Request, _disabled: &[String]) -> Reply {
        let reply = self.respond(request).unwrap_or_else(|refusal| refusal.reply(self.dialect));
        ["X-Request-ID", "X-Correlation-ID"]
            .into_iter()
            .filter_map(|name| Some((name, request.header(name)?)))
            .fold(reply, |reply, (name, value)| reply.with(name, value))
    }
}

/// The first query or form parameter of that name.
fn parameter(request: &Request, name: &str) -> Option<String> {
    let mut all = request.query.iter().cloned().chain(request.form());
    all.find(|(key, _)| key == name).map(|(_, value)| value)
}
