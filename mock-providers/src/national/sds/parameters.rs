//! What SDS is asked for.

use tributary_model::RequestId;

use crate::wire::Request;

use super::ROOT;
use super::outcome::Refusal;
use super::registration::{INTERACTION, ODS, PARTY_KEY, Registration};

/// The two things one can look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An accredited system: its ASID.
    Device,
    /// A message handler: its address.
    Endpoint,
}

/// What the path and the method ask for.
pub(super) fn kind(request: &Request) -> Result<Kind, Refusal> {
    let kind = match request.path.strip_prefix(ROOT) {
        Some("/Device") => Kind::Device,
        Some("/Endpoint") => Kind::Endpoint,
        Some(_) | None => return Err(Refusal::no_such_path()),
    };
    if request.method == "GET" { Ok(kind) } else { Err(Refusal::not_a_read()) }
}

/// `Accept`, then `X-Correlation-Id`. Both may be absent.
pub(super) fn headers(request: &Request) -> Result<(), Refusal> {
    const ACCEPTED: [&str; 3] = ["application/fhir+json", "application/json", "*/*"];
    let accept = request.header("accept").unwrap_or("*/*");
    let mut kinds = accept.split(',').filter_map(|one| one.split(';').next());
    if !kinds.any(|kind| ACCEPTED.iter().any(|known| kind.trim().eq_ignore_ascii_case(known))) {
        return Err(Refusal::not_acceptable());
    }
    match request.header("x-correlation-id") {
        Some(id) if RequestId::parse(id).is_none() => {
            Err(Refusal::bad_request("X-Correlation-Id is not a UUID"))
        }
        Some(_) | None => Ok(()),
    }
}

/// The parameters of a look-up.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) kind: Kind,
    organisation: Option<String>,
    interaction: Option<String>,
    party_key: Option<String>,
    manufacturer: Option<String>,
}

impl Asked {
    /// Reads the query: unknown parameters and systems are refused, then combinations that are too vague.
    pub(super) fn read(kind: Kind, query: &[(String, String)]) -> Result<Self, Refusal> {
        let mut asked =
            Self { kind, organisation: None, interaction: None, party_key: None, manufacturer: None };
        for (name, value) in query {
            let (system, value) = value.split_once('|').unwrap_or(("", value));
            let field = match (name.as_str(), system, kind) {
                ("organization", ODS, _) => &mut asked.organisation,
                ("identifier", INTERACTION, _) => &mut asked.interaction,
                ("identifier", PARTY_KEY, _) => &mut asked.party_key,
                ("manufacturing-organization", ODS, Kind::Device) => &mut asked.manufacturer,
                _ => {
                    return Err(Refusal::bad_request(format!(
                        "{name} is not known here, or its system is not"
                    )));
                }
            };
            if value.is_empty() {
                return Err(Refusal::bad_request(format!("{name} is empty")));
            }
            *field = Some(value.to_owned());
        }
        asked.enough()
    }

    fn enough(self) -> Result<Self, Refusal> {
        let given = [&self.organisation, &self.interaction, &self.party_key];
        let enough = match self.kind {
            Kind::Device => self.organisation.is_some() && self.interaction.is_some(),
            Kind::Endpoint => given.into_iter().flatten().count() >= 2,
        };
        if enough { Ok(self) } else { Err(Refusal::bad_request("a mandatory parameter is missing")) }
    }

    /// The interaction, if only one is wanted.
    pub(super) fn interaction(&self) -> Option<&str> {
        self.interaction.as_deref()
    }

    /// Whether a system is meant.
    pub(super) fn matches(&self, one: &Registration) -> bool {
        let same = |asked: &Option<String>, own: &str| asked.as_ref().is_none_or(|asked| asked == own);
        same(&self.organisation, &one.ods)
            && same(&self.party_key, &one.party_key)
            && same(&self.manufacturer, &one.manufacturer)
            && self.interaction.as_ref().is_none_or(|urn| one.interactions.contains_key(urn))
    }
}
