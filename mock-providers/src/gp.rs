//! A GP system as GP Connect describes it: Access Record Structured, STU3.

pub(crate) mod areas;
mod filters;
mod gate;
mod jwt;
mod parameters;
mod record;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tributary_model::Clock;

use crate::outcome::{Dialect, Refusal};
use crate::provider::System;
use crate::wire::{Reply, Request};

pub(crate) use gate::{Interaction, TRACE_HEADER, admit};
pub(crate) use parameters::Asked;
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
    /// The path of the service root.
    pub(crate) fn root(&self) -> String {
        format!("/{}/STU3/1/gpconnect/structured/fhir", self.ods)
    }
}

/// The patients of one practice.
#[derive(Debug)]
pub(crate) struct GpSystem {
    pub(crate) identity: GpIdentity,
    pub(crate) records: BTreeMap<String, GpRecord>,
}

impl GpSystem {
    fn structured(&self, request: &Request, disabled: &[String]) -> Result<Reply, Refusal> {
        let interaction = admit(&self.identity, request)?;
        if interaction == Interaction::Metadata {
            return Ok(Reply::fhir(200, capability().to_string()));
        }
        let asked = Asked::read(&request.body, self.identity.clock.now())?;
        let record = self.records.get(&asked.nhs_number).ok_or_else(patient_not_found)?;
        let trace = request.header(TRACE_HEADER).unwrap_or_default();
        Ok(Reply::fhir(200, record.bundle(&asked, trace, disabled)))
    }
}

impl System for GpSystem {
    fn dialect(&self) -> Dialect {
        Dialect::GpConnect
    }

    fn nhs_number(&self, request: &Request) -> Option<String> {
        nhs_number_of_body(&request.body)
    }

    fn answer(&self, request: &Request, disabled: &[String]) -> Reply {
        self.structured(request, disabled).unwrap_or_else(|refusal| refusal.reply(Dialect::GpConnect))
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

/// What `GET /metadata` says.
pub(crate) fn capability() -> Value {
    json!({
        "resourceType": "CapabilityStatement",
        "version": "1.6.2",
        "name": "GP Connect",
        "status": "active",
        "date": "2024-03-01",
        "publisher": "Riverside GP system (mock)",
        "kind": "capability",
        "fhirVersion": "3.0.1",
        "acceptUnknown": "both",
        "format": ["application/fhir+json"],
        "rest": [{
            "mode": "server",
            "security": {"cors": false},
            "operation": [{
                "name": "gpc.getstructuredrecord",
                "definition": {"reference":
                    "https://fhir.nhs.uk/STU3/OperationDefinition/GPConnect-GetStructuredRecord-Operation-1"},
            }],
        }],
    })
}
