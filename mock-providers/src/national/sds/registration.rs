//! A registered system, and the resources that are made of it. Their ids are new in every answer.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tributary_model::TraceId;

pub(super) const ODS: &str = "https://fhir.nhs.uk/Id/ods-organization-code";
pub(super) const INTERACTION: &str = "https://fhir.nhs.uk/Id/nhsServiceInteractionId";
pub(super) const PARTY_KEY: &str = "https://fhir.nhs.uk/Id/nhsMhsPartyKey";
const ASID: &str = "https://fhir.nhs.uk/Id/nhsSpineASID";
const EXTENSION: &str = "https://fhir.nhs.uk/StructureDefinition/Extension-SDS-";

/// One accredited system of one organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The organisation.
    pub ods: String,
    /// The address of the system on the Spine: twelve digits.
    pub asid: String,
    /// The key of its message handler: the organisation code, a dash, six or seven digits.
    pub party_key: String,
    /// The organisation that made it.
    pub manufacturer: String,
    /// Where each interaction is answered. A consumer has interactions without an address; an interaction
    /// with two addresses makes two Endpoints.
    pub interactions: BTreeMap<String, Vec<String>>,
}

impl Registration {
    /// A system without interactions, of the manufacturer `YGM99`, with a party key made of its ASID.
    pub fn new(ods: &str, asid: &str) -> Self {
        let serial = asid.len().checked_sub(6).and_then(|from| asid.get(from..)).unwrap_or("000000");
        Self {
            ods: ods.to_owned(),
            asid: asid.to_owned(),
            party_key: format!("{ods}-{serial}"),
            manufacturer: "YGM99".to_owned(),
            interactions: BTreeMap::new(),
        }
    }

    /// The same system, answering an interaction at one more address.
    #[must_use]
    pub fn answers(mut self, interaction: &str, address: &str) -> Self {
        self.interactions.entry(interaction.to_owned()).or_default().push(address.to_owned());
        self
    }

    /// The same system, as a consumer of an interaction.
    #[must_use]
    pub fn consumes(mut self, interaction: &str) -> Self {
        self.interactions.entry(interaction.to_owned()).or_default();
        self
    }

    /// A second system of the same organisation that answers the same: the last digit of its ASID differs.
    pub(super) fn double(&self) -> Self {
        let mut asid = self.asid.clone();
        let last = asid.pop();
        asid.push(if last == Some('9') { '8' } else { '9' });
        Self { asid, party_key: format!("{}-999999", self.ods), ..self.clone() }
    }

    /// Replaces every address.
    pub(super) fn move_to(&mut self, address: &str) {
        for addresses in self.interactions.values_mut() {
            addresses.fill(address.to_owned());
        }
    }

    pub(super) fn device(&self) -> Value {
        let manufacturer = json!({
            "url": format!("{EXTENSION}ManufacturingOrganisation"),
            "valueReference": {"identifier": {"system": ODS, "value": self.manufacturer}},
        });
        let extension: Vec<Value> =
            std::iter::once(manufacturer).chain(self.interactions.keys().map(|urn| of(urn))).collect();
        json!({
            "resourceType": "Device",
            "id": TraceId::random().to_string(),
            "extension": extension,
            "identifier": [
                {"system": ASID, "value": self.asid},
                {"system": PARTY_KEY, "value": self.party_key},
            ],
            "owner": {"identifier": {"system": ODS, "value": self.ods}},
        })
    }

    /// One Endpoint for each address of the interaction, or of all.
    pub(super) fn endpoints(&self, interaction: Option<&str>) -> Vec<Value> {
        let wanted = |urn: &&String| interaction.is_none_or(|asked| asked == urn.as_str());
        let mut endpoints = Vec::new();
        for urn in self.interactions.keys().filter(wanted) {
            let addresses = self.interactions.get(urn).into_iter().flatten();
            endpoints.extend(addresses.map(|address| self.endpoint(urn, address)));
        }
        endpoints
    }

    fn endpoint(&self, urn: &str, address: &str) -> Value {
        let host = url::Url::parse(address).ok().and_then(|url| url.host_str().map(str::to_owned));
        let reliability = |name: &str, value: &str| json!({"url": name, "valueString": value});
        json!({
            "resourceType": "Endpoint",
            "id": TraceId::random().to_string(),
            "extension": [
                of(urn),
                {
                    "url": format!("{EXTENSION}ReliabilityConfiguration"),
                    "extension": [
                        reliability("nhsMHSSyncReplyMode", "None"),
                        reliability("nhsMHSDuplicateElimination", "never"),
                        reliability("nhsMHSAckRequested", "never"),
                    ],
                },
            ],
            "identifier": [
                {"system": "https://fhir.nhs.uk/Id/nhsMhsFQDN", "value": host},
                {"system": PARTY_KEY, "value": self.party_key},
                {"system": "https://fhir.nhs.uk/Id/nhsMhsCPAId", "value": format!("S{}", self.asid)},
                {"system": "https://fhir.nhs.uk/Id/nhsMHSId", "value": format!("M{}", self.asid)},
            ],
            "status": "active",
            "connectionType": {
                "system": "http://terminology.hl7.org/CodeSystem/endpoint-connection-type",
                "code": "hl7-fhir-msg",
                "display": "HL7 FHIR Messaging",
            },
            "managingOrganization": {"identifier": {"system": ODS, "value": self.ods}},
            "payloadType": [{"coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/endpoint-payload-type",
                "code": "any",
                "display": "Any",
            }]}],
            "address": address,
        })
    }
}

/// The extension that names an interaction.
fn of(urn: &str) -> Value {
    json!({
        "url": format!("{EXTENSION}NhsServiceInteractionId"),
        "valueReference": {"identifier": {"system": INTERACTION, "value": urn}},
    })
}
