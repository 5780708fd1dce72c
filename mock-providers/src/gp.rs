//! A GP system as GP Connect describes it, STU3: Access Record Structured, Access Document, Foundations.

pub(crate) mod areas;
mod capability;
mod documents;
mod filters;
mod foundations;
mod gate;
mod jwt;
mod parameters;
mod practice;
mod record;
mod search;

use std::sync::Arc;

use serde_json::Value;
use tributary_model::{Capability, Clock, Interaction};

use crate::encoding;
use crate::outcome::{Dialect, Refusal};
use crate::provider::System;
use crate::wire::{Reply, Request};

pub use areas::SpecLevel;
pub(crate) use capability::statement;
pub(crate) use documents::{Content, Document};
use gate::Admitted;
pub(crate) use gate::{TRACE_HEADER, admit};
pub(crate) use parameters::Asked;
pub use practice::Standing;
pub(crate) use practice::{GpPatient, Practice};
pub(crate) use record::GpRecord;
pub use record::ListIds;

/// Who the GP system is on the wire.
#[derive(Clone, Debug)]
pub(crate) struct GpIdentity {
    pub(crate) ods: String,
    pub(crate) asid: String,
    pub(crate) clock: Arc<dyn Clock>,
}

impl GpIdentity {
    /// The path of a service root.
    pub(crate) fn root(&self, capability: Capability) -> String {
        let ods = &self.ods;
        match capability {
            Capability::Structured | Capability::Documents => {
                format!("/{ods}/STU3/1/gpconnect/{}/fhir", capability.code())
            }
            Capability::Foundations => format!("/{ods}/STU3/1/gpconnect/fhir"),
        }
    }
}

/// One practice and its patients.
#[derive(Debug)]
pub(crate) struct GpSystem {
    pub(crate) identity: GpIdentity,
    pub(crate) level: SpecLevel,
    /// Areas that the practice has switched off, by their parameters.
    pub(crate) disabled: Vec<String>,
    pub(crate) practice: Practice,
}

impl GpSystem {
    fn respond(&self, request: &Request, disabled: &[String]) -> Result<Reply, Refusal> {
        let Admitted { interaction, id } = admit(&self.identity, request)?;
        match interaction {
            Interaction::StructuredMetadata
            | Interaction::DocumentsMetadata
            | Interaction::FoundationsMetadata => {
                Ok(Reply::fhir(200, statement(interaction.capability(), self.level).to_string()))
            }
            Interaction::GetStructuredRecord => self.structured(request, disabled),
            Interaction::DocumentsFindPatient => self.find_patient_of_documents(request),
            Interaction::SearchDocuments => self.search_documents(request, id),
            Interaction::ReadBinary => self.read_binary(id),
            Interaction::FindPatient => self.find_patient(request),
            Interaction::ReadPatient => self.read_patient(id),
            Interaction::FindPractitioner => self.find_practitioner(request),
            Interaction::FindOrganization => self.find_organization(request),
            Interaction::ReadPractitioner => self.read("Practitioner", id),
            Interaction::ReadOrganization => self.read("Organization", id),
            Interaction::ReadLocation => self.read("Location", id),
        }
    }

    fn structured(&self, request: &Request, disabled: &[String]) -> Result<Reply, Refusal> {
        let asked = Asked::read(&request.body, self.identity.clock.now(), self.level)?;
        let patient = self.practice.patient(&asked.nhs_number).ok_or_else(patient_not_found)?;
        patient.standing.check_content()?;
        let trace = request.header(TRACE_HEADER).unwrap_or_default();
        let disabled = [self.disabled.as_slice(), disabled].concat();
        let bundle = patient.record.bundle(&asked, trace, &disabled);
        Ok(Reply::fhir(200, self.with_whole_urls(request, bundle)))
    }
}

impl System for GpSystem {
    fn dialect(&self) -> Dialect {
        Dialect::GpConnect
    }

    fn nhs_number(&self, request: &Request) -> Option<String> {
        let (_, tail) = gate::below_root(&self.identity, &request.path)?;
        if request.method == "POST" {
            return nhs_number_of_body(&request.body);
        }
        let mut parts = tail.trim_start_matches('/').split('/');
        match (parts.next(), parts.next()) {
            (Some("Patient"), None) => search::number_asked(request),
            (Some("Patient"), Some(id)) => self.practice.number_of_patient(id),
            (Some("Binary"), Some(id)) => self.practice.number_of_document(id),
            _ => None,
        }
    }

    fn answer(&self, request: &Request, disabled: &[String]) -> Reply {
        self.respond(request, disabled).unwrap_or_else(|refusal| refusal.reply(Dialect::GpConnect))
    }

    fn packed(&self, reply: Reply, request: &Request) -> Reply {
        encoding::packed(reply, request)
    }
}

/// The same refusal whether the patient is unknown, restricted or gone: it must not tell which.
pub(crate) fn patient_not_found() -> Refusal {
    Refusal::new(404, "PATIENT_NOT_FOUND", "No patient details found for the patient identifier")
}

/// The NHS number of a Parameters body, however wrong the rest of it is.
pub(crate) fn nhs_number_of_body(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let parameters = body.get("parameter")?.as_array()?;
    let named = |one: &&Value| one.get("name").and_then(Value::as_str) == Some("patientNHSNumber");
    let identifier = parameters.iter().find(named)?.get("valueIdentifier")?;
    Some(identifier.get("value")?.as_str()?.to_owned())
}
