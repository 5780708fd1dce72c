//! Foundations: patients, practitioners, organisations and locations.

use serde_json::Value;
use tributary_model::Capability;
use tributary_model::nhs_number::NHS_NUMBER_SYSTEM;

use crate::outcome::Refusal;
use crate::store::Resource;
use crate::wire::{Reply, Request};

use super::parameters::checked_number;
use super::search::{Mode, identifier};
use super::{GpSystem, Standing, gate, patient_not_found};

const SDS_USER_SYSTEM: &str = "https://fhir.nhs.uk/Id/sds-user-id";
pub(super) const ODS_SYSTEM: &str = "https://fhir.nhs.uk/Id/ods-organization-code";

impl GpSystem {
    /// Patients of any registration. Who cannot be found gives an empty searchset, never a refusal.
    pub(super) fn find_patient(&self, request: &Request) -> Result<Reply, Refusal> {
        self.find_patient_with(request, Standing::is_in_foundations)
    }

    /// Regular patients only.
    pub(super) fn find_patient_of_documents(&self, request: &Request) -> Result<Reply, Refusal> {
        self.find_patient_with(request, Standing::is_in_documents)
    }

    fn find_patient_with(
        &self,
        request: &Request,
        is_visible: impl Fn(Standing) -> bool,
    ) -> Result<Reply, Refusal> {
        let number = checked_number(identifier(request, NHS_NUMBER_SYSTEM)?, "identifier")?;
        let found = self.practice.patient(&number).filter(|one| is_visible(one.standing));
        let entries: Vec<_> = found.iter().map(|one| (Mode::Match, &one.patient)).collect();
        Ok(self.searchset(request, &entries))
    }

    pub(super) fn read_patient(&self, id: &str) -> Result<Reply, Refusal> {
        self.practice
            .patient_of_id(id)
            .filter(|one| one.standing.is_in_foundations())
            .map(|one| single(&one.patient))
            .ok_or_else(patient_not_found)
    }

    pub(super) fn find_practitioner(&self, request: &Request) -> Result<Reply, Refusal> {
        self.find(request, "Practitioner", SDS_USER_SYSTEM)
    }

    pub(super) fn find_organization(&self, request: &Request) -> Result<Reply, Refusal> {
        self.find(request, "Organization", ODS_SYSTEM)
    }

    fn find(&self, request: &Request, kind: &str, system: &str) -> Result<Reply, Refusal> {
        let value = identifier(request, system)?;
        let found =
            self.practice.directory().iter().filter(|one| one.kind == kind && identified(one, system, value));
        let entries: Vec<_> = found.map(|one| (Mode::Match, one)).collect();
        Ok(self.searchset(request, &entries))
    }

    pub(super) fn read(&self, kind: &str, id: &str) -> Result<Reply, Refusal> {
        let code = match kind {
            "Practitioner" => "PRACTITIONER_NOT_FOUND",
            "Organization" => "ORGANISATION_NOT_FOUND",
            _ => "NO_RECORD_FOUND",
        };
        self.practice
            .entry(&format!("{kind}/{id}"))
            .map(single)
            .ok_or_else(|| Refusal::new(404, code, format!("no such {kind}")))
    }

    /// The service root that a request came to, as the client knows it.
    pub(super) fn whole_root(&self, request: &Request) -> String {
        let capability = gate::below_root(&self.identity, &request.path)
            .map_or(Capability::Foundations, |(capability, _)| capability);
        self.whole_root_of(request, capability)
    }

    pub(super) fn whole_root_of(&self, request: &Request, capability: Capability) -> String {
        let host = request.header("host").unwrap_or_default();
        format!("http://{host}{}", self.identity.root(capability))
    }
}

fn identified(one: &Resource, system: &str, value: &str) -> bool {
    let text = |identifier: &Value, field: &str| {
        identifier.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let identifiers = one.value.get("identifier").and_then(Value::as_array);
    identifiers
        .into_iter()
        .flatten()
        .any(|identifier| text(identifier, "system") == system && text(identifier, "value") == value)
}

/// The answer to a read: the resource, and its version as `ETag`.
pub(super) fn single(one: &Resource) -> Reply {
    let version = one.value.pointer("/meta/versionId").and_then(Value::as_str).unwrap_or("1");
    Reply::fhir(200, one.text.clone()).with("ETag", format!("W/\"{version}\""))
}
