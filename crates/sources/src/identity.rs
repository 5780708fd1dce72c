//! Who we are towards sources.

use std::collections::BTreeMap;

use tributary_model::{OdsCode, Requester};

/// The broker as it names itself in tokens and headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerIdentity {
    /// Address of our Spine endpoint: the token's issuer.
    pub iss: String,
    /// Identifier system of the device that asks.
    pub device_system: String,
    /// Its value.
    pub device_value: String,
    /// Product name.
    pub model: String,
    /// Product version.
    pub version: String,
    /// In whose name sources are asked.
    pub asids: Asids,
}

/// Our system ids on the Spine: one for each organisation that asks through us (`Ssp-From`).
///
/// GP Connect knows a request by the organisation where its user sits, so a host never asks in its own name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asids {
    /// The registered organisations.
    pub by_organisation: BTreeMap<OdsCode, String>,
    /// What becomes of the others.
    pub others: Others,
}

/// What becomes of an organisation that is not registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Others {
    /// It is refused: no source is asked.
    Refused,
    /// It is believed, as everything is in a demo: the id its request carries, or else this one.
    Believed(String),
}

impl Asids {
    /// The system id with which a requester's organisation asks; `None` if it may not.
    pub fn of<'a>(&'a self, requester: &'a Requester) -> Option<&'a str> {
        let registered = self.by_organisation.get(&requester.organisation);
        match (registered, &self.others) {
            (Some(asid), _) => Some(asid),
            (None, Others::Believed(stand_in)) => Some(requester.asid.as_deref().unwrap_or(stand_in)),
            (None, Others::Refused) => None,
        }
    }
}
