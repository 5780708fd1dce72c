//! Endpoints and systems from two searches, put together by party key.

use std::collections::BTreeSet;

use tributary_fhir::{Document, Json};

use super::{ODS_SYSTEM, PARTY_KEY_SYSTEM, Place, SdsFault};

const ASID_SYSTEM: &str = "https://fhir.nhs.uk/Id/nhsSpineASID";

/// What is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    /// A message handler: the address.
    Endpoint,
    /// An accredited system: the system id.
    Device,
}

impl Listed {
    /// The resource type.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Endpoint => "Endpoint",
            Self::Device => "Device",
        }
    }
}

/// Every endpoint and every system listed, each with its party key. Ids are made up for each answer and mean
/// nothing.
#[derive(Debug)]
pub(super) struct Pairing {
    /// Address by party key. An address that differs in its last slash is the same.
    endpoints: BTreeSet<(String, String)>,
    /// System id by party key.
    devices: BTreeSet<(String, String)>,
}

impl Pairing {
    pub(super) fn read(endpoints: &Document, devices: &Document, place: &Place) -> Result<Self, SdsFault> {
        let mut pairing = Self { endpoints: BTreeSet::new(), devices: BTreeSet::new() };
        for endpoint in listed(endpoints, Listed::Endpoint)? {
            let serves = endpoint.get("managingOrganization").is_none_or(|owner| owns(owner, place));
            let is_active = endpoint.get("status").is_none() || endpoint.says("status", "active");
            if !serves || !is_active || !has_interaction(endpoint, place) {
                continue;
            }
            let address = endpoint.text_at("address").ok_or(SdsFault::Malformed)?;
            let key = identifier(endpoint, PARTY_KEY_SYSTEM).ok_or(SdsFault::Malformed)?;
            pairing.endpoints.insert((key, address.trim_end_matches('/').to_owned()));
        }
        for device in listed(devices, Listed::Device)? {
            let serves = device.get("owner").is_none_or(|owner| owns(owner, place));
            if !serves || !has_interaction(device, place) {
                continue;
            }
            let asid = identifier(device, ASID_SYSTEM).filter(|asid| is_asid(asid));
            let key = identifier(device, PARTY_KEY_SYSTEM).ok_or(SdsFault::Malformed)?;
            pairing.devices.insert((key, asid.ok_or(SdsFault::Malformed)?));
        }
        Ok(pairing)
    }

    /// The party key of the endpoints, if they have one in common.
    pub(super) fn only_party_key(&self) -> Option<&str> {
        let mut keys = self.endpoints.iter().map(|(key, _)| key.as_str());
        let first = keys.next()?;
        keys.all(|key| key == first).then_some(first)
    }

    fn pairs(&self) -> BTreeSet<(&str, &str)> {
        let all =
            self.endpoints.iter().flat_map(|endpoint| self.devices.iter().map(move |one| (endpoint, one)));
        all.filter(|(endpoint, device)| endpoint.0 == device.0)
            .map(|(endpoint, device)| (endpoint.1.as_str(), device.1.as_str()))
            .collect()
    }

    /// Whether systems are listed, and none or more than one belongs to an endpoint.
    pub(super) fn is_open(&self) -> bool {
        !self.devices.is_empty() && self.pairs().len() != 1
    }

    /// The one address and system id, or why there is none.
    pub(super) fn settle(self) -> Result<(String, String), SdsFault> {
        let pairs = self.pairs();
        let mut all = pairs.iter();
        match (all.next(), all.next()) {
            (Some((address, asid)), None) => Ok(((*address).to_owned(), (*asid).to_owned())),
            (None, _) if self.endpoints.is_empty() || self.devices.is_empty() => Err(SdsFault::Unconfirmed),
            // More than one pair; or an endpoint and a system that do not belong together.
            (Some(_), Some(_)) | (None, _) => Err(SdsFault::Ambiguous),
        }
    }
}

fn listed(document: &Document, what: Listed) -> Result<impl Iterator<Item = Json<'_>>, SdsFault> {
    let bundle = document.root();
    if !bundle.says("resourceType", "Bundle") || !bundle.says("type", "searchset") {
        return Err(SdsFault::Malformed);
    }
    let entries = bundle.get("entry").into_iter().flat_map(Json::items);
    let resources = entries.filter_map(|entry| entry.get("resource"));
    Ok(resources.filter(move |resource| resource.says("resourceType", what.code())))
}

fn identifier(of: Json<'_>, system: &str) -> Option<String> {
    let mut all = of.get("identifier")?.items().filter(|one| one.says("system", system));
    let value = all.next()?.text_at("value")?;
    (!value.is_empty()).then(|| value.into_owned())
}

fn owns(reference: Json<'_>, place: &Place) -> bool {
    let identifier = reference.get("identifier");
    let code = identifier.filter(|one| one.says("system", ODS_SYSTEM)).and_then(|one| one.text_at("value"));
    code.is_some_and(|code| place.is_served_by(&code))
}

/// Whether the resource names the interaction, where it names any.
fn has_interaction(of: Json<'_>, place: &Place) -> bool {
    let all = of.get("extension").into_iter().flat_map(Json::items);
    let mut named = all
        .filter(|one| {
            one.text_at("url").is_some_and(|url| url.ends_with("/Extension-SDS-NhsServiceInteractionId"))
        })
        .peekable();
    let says = |one: Json<'_>| {
        one.path(&["valueReference", "identifier"]).is_some_and(|id| id.says("value", place.interaction))
    };
    named.peek().is_none() || named.any(says)
}

fn is_asid(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
