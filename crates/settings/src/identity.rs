//! `[broker]`: who we are towards sources.

use std::collections::BTreeMap;

use tributary_broker::Custodian;
use tributary_model::OdsCode;
use tributary_sources::{Asids, BrokerIdentity, Others};

use super::address;
use super::reader::Reader;

/// The broker as it names itself in tokens and headers; absent parts follow from where it listens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentitySettings {
    /// Address of our Spine endpoint, the issuer of our tokens; absent means our own base address.
    pub iss: Option<String>,
    /// Identifier system of the device that asks; absent means `{iss}/Id/device`.
    pub device_system: Option<String>,
    /// Its value; absent means `tributary`.
    pub device: Option<String>,
    /// In a demo without registered organisations: the system id of those whose requests carry none.
    pub asid: Option<String>,
    /// The organisation that runs this broker, as summaries name it.
    pub organisation: Option<String>,
    /// Its organisation code.
    pub organisation_ods: Option<OdsCode>,
}

impl IdentitySettings {
    /// The identity of a broker whose links begin with this.
    pub fn identity(&self, base_url: &str, asids: Asids) -> BrokerIdentity {
        let iss = self.iss.clone().unwrap_or_else(|| base_url.to_owned());
        let device_system = format!("{}/Id/device", iss.trim_end_matches('/'));
        BrokerIdentity {
            device_system: self.device_system.clone().unwrap_or(device_system),
            device_value: self.device.clone().unwrap_or_else(|| "tributary".to_owned()),
            model: "Tributary".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            asids,
            iss,
        }
    }
}

impl IdentitySettings {
    /// In whose name sources are asked. Only a demo without a table of organisations believes what it is told.
    pub fn asids(&self, by_organisation: BTreeMap<OdsCode, String>, is_demo: bool) -> Asids {
        let stand_in = || self.asid.clone().unwrap_or_else(|| DEMO_ASID.to_owned());
        let believes = is_demo && by_organisation.is_empty();
        let others = if believes { Others::Believed(stand_in()) } else { Others::Refused };
        Asids { by_organisation, others }
    }
}

impl IdentitySettings {
    /// Who keeps the summaries that are given out; a demo has a stand-in, otherwise it is nobody unless named.
    pub fn custodian(&self, is_demo: bool) -> Option<Custodian> {
        let stand_in = || is_demo.then(|| DEMO_ORGANISATION.to_owned());
        let name = self.organisation.clone().or_else(stand_in)?;
        Some(Custodian { name, ods: self.organisation_ods.clone() })
    }
}

/// What a demo calls the organisation that runs it.
const DEMO_ORGANISATION: &str = "Demonstration organisation";

/// A system id of the demonstration; no real system has it.
const DEMO_ASID: &str = "200000000115";

pub(super) fn read(mut table: Reader<'_>) -> IdentitySettings {
    let settings = IdentitySettings {
        iss: table.parsed("iss", address::base_url).map(|url| url.as_str().to_owned()),
        device_system: table.words("device_system"),
        device: table.words("device"),
        asid: table.parsed("asid", asid),
        organisation: table.words("organisation"),
        organisation_ods: table.parsed("organisation_ods", OdsCode::parse),
    };
    if settings.organisation.is_none() && settings.organisation_ods.is_some() {
        table.wrong("organisation_ods", "needs organisation, the name");
    }
    table.close();
    settings
}

/// A system id on the Spine: twelve digits.
pub(super) fn asid(text: &str) -> Result<String, &'static str> {
    let fits = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if fits { Ok(text.to_owned()) } else { Err("is not a system id of twelve digits") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_demo_names_a_stand_in_as_custodian() {
        let unnamed = IdentitySettings::default();
        assert_eq!(unnamed.custodian(true).map(|one| one.name).as_deref(), Some(DEMO_ORGANISATION));
        assert_eq!(unnamed.custodian(false), None);
        let organisation = Some("Mersey Care Record".to_owned());
        let named = IdentitySettings { organisation, ..unnamed };
        for is_demo in [true, false] {
            let name = named.custodian(is_demo).map(|one| one.name);
            assert_eq!(name.as_deref(), Some("Mersey Care Record"));
        }
    }
}
