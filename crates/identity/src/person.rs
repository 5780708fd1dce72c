//! The person that verified claims name.

use std::collections::BTreeMap;

use tributary_model::{NhsNumber, OdsCode, Role, SpineIds};

use crate::issuer::VerifiedClaims;
use crate::json::Json;
use crate::refused::Refused;

const ODS_SYSTEM: &str = "https://fhir.nhs.uk/Id/ods-organization-code";
const USER_SYSTEM: &str = "https://fhir.nhs.uk/Id/sds-user-id";
const ROLE_SYSTEM: &str = "https://fhir.nhs.uk/Id/sds-role-profile-id";
/// The claim of ours beside those of GP Connect.
const ROLE: &str = "role";
/// A patient's own number, and how far it was proven: claims of NHS login.
const OWN: &str = "nhs_number";
const PROOFING: &str = "identity_proofing_level";
/// The level of NHS login at which people see their record.
const PROVEN: &str = "P9";
/// Longest id or name that goes into records and requests.
const MOST_BYTES: usize = 256;

/// A person in a role, for an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) user_id: String,
    pub(crate) family: String,
    pub(crate) given: String,
    /// As named; absent where the token names none.
    pub(crate) role: Option<Role>,
    pub(crate) organisation: OdsCode,
    pub(crate) organisation_name: String,
    pub(crate) spine: SpineIds,
    pub(crate) aal: Option<u8>,
    /// Their own NHS number, proven to the level at which the NHS shows people their record.
    pub(crate) own: Option<NhsNumber>,
}

/// A text of bounded length without control characters.
fn fit(text: &str) -> Option<&str> {
    let fits = text.len() <= MOST_BYTES && !text.chars().any(char::is_control);
    fits.then(|| text.trim()).filter(|text| !text.is_empty())
}

/// A text, if it is there. One that does not fit is a mistake.
fn optional(value: Option<&Json>) -> Result<String, Refused> {
    match value {
        None | Some(Json::Null) => Ok(String::new()),
        Some(value) => value.text().and_then(fit).map(str::to_owned).ok_or(Refused::Claims),
    }
}

fn first(value: &Json) -> &Json {
    value.each().first().unwrap_or(&Json::Null)
}

/// The one value in this system. Several are a mistake: which is meant?
fn identifier<'j>(resource: &'j Json, system: &str) -> Result<Option<&'j str>, Refused> {
    let all = resource.get("identifier").map(Json::each).unwrap_or_default();
    let mut values = all.iter().filter(|one| one.words("system") == Some(system));
    let value = values.next();
    if values.next().is_some() {
        return Err(Refused::Claims);
    }
    value.map(|one| one.words("value").and_then(fit).ok_or(Refused::Claims)).transpose()
}

/// `UNK` is the published word for having none.
fn spine_id(resource: &Json, system: &str) -> Result<Option<String>, Refused> {
    let value = identifier(resource, system)?.filter(|value| *value != "UNK");
    match value {
        Some(value) if value.len() > 64 || !value.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err(Refused::Claims)
        }
        value => Ok(value.map(str::to_owned)),
    }
}

impl Person {
    /// From the resources of a GP Connect token.
    pub(crate) fn of_gp_connect(verified: &VerifiedClaims) -> Result<Self, Refused> {
        let claims = verified.claims();
        let resource = |name: &str, kind: &str| {
            claims.get(name).filter(|one| one.words("resourceType") == Some(kind)).ok_or(Refused::Claims)
        };
        let practitioner = resource("requesting_practitioner", "Practitioner")?;
        let organisation = resource("requesting_organization", "Organization")?;
        let user_id = practitioner.words("id").and_then(fit).ok_or(Refused::Claims)?;
        if claims.words("sub") != Some(user_id) {
            return Err(Refused::Claims);
        }
        let ods = identifier(organisation, ODS_SYSTEM)?.ok_or(Refused::Organisation)?;
        let name = practitioner.get("name").map_or(&Json::Null, first);
        let role = match claims.get(ROLE) {
            None => None,
            Some(role) => Some(role.text().and_then(Role::from_code).ok_or(Refused::Role)?),
        };
        Ok(Self {
            user_id: user_id.to_owned(),
            family: optional(name.get("family"))?,
            given: optional(name.get("given").map(first))?,
            role,
            organisation: OdsCode::parse(ods).map_err(|_discarded| Refused::Organisation)?,
            organisation_name: optional(organisation.get("name"))?,
            spine: SpineIds {
                user: spine_id(practitioner, USER_SYSTEM)?,
                role_profile: spine_id(practitioner, ROLE_SYSTEM)?,
            },
            aal: None,
            own: own(claims)?,
        })
    }

    /// From the claims of an id token of CIS2: the role that was selected, or the only one.
    pub(crate) fn of_cis2(
        verified: &VerifiedClaims,
        least_aal: u8,
        roles: &BTreeMap<String, Role>,
    ) -> Result<Self, Refused> {
        let claims = verified.claims();
        let user = claims.words("nhsid_useruid").or_else(|| claims.words("sub")).and_then(fit);
        let user = user.ok_or(Refused::Claims)?;
        let aal = aal(claims).filter(|aal| *aal >= least_aal).ok_or(Refused::Aal)?;
        let role = selected(claims)?;
        let code = role.words("role_code").and_then(|code| code.rsplit(':').next()).ok_or(Refused::Role)?;
        let ods = role.words("org_code").ok_or(Refused::Organisation)?;
        Ok(Self {
            user_id: user.to_owned(),
            family: optional(claims.get("family_name"))?,
            given: optional(claims.get("given_name"))?,
            role: Some(*roles.get(code).ok_or(Refused::Role)?),
            organisation: OdsCode::parse(ods).map_err(|_discarded| Refused::Organisation)?,
            organisation_name: String::new(),
            spine: SpineIds {
                user: Some(user.to_owned()),
                role_profile: role.words("person_roleid").and_then(fit).map(str::to_owned),
            },
            aal: Some(aal),
            // Whoever signs in with a smartcard asks about others.
            own: None,
        })
    }
}

/// The person's own NHS number. One that was not proven is none; one that cannot be is a mistake.
fn own(claims: &Json) -> Result<Option<NhsNumber>, Refused> {
    let Some(number) = claims.get(OWN) else { return Ok(None) };
    let number = number.text().and_then(|text| NhsNumber::parse(text).ok()).ok_or(Refused::Claims)?;
    Ok((claims.words(PROOFING) == Some(PROVEN)).then_some(number))
}

/// How surely the person signed in: as the token says, or as the class of the sign-in does (`AAL2_…`).
fn aal(claims: &Json) -> Option<u8> {
    let digit = |text: &str| text.parse::<u8>().ok().filter(|aal| (1..=3).contains(aal));
    if let Some(level) = claims.get("authentication_assurance_level") {
        return level.text().and_then(digit).or_else(|| digit(&level.whole()?.to_string()));
    }
    digit(claims.words("acr")?.strip_prefix("AAL")?.get(..1)?)
}

/// The role in which they act. If several are held and none selected, nobody guesses.
fn selected(claims: &Json) -> Result<&Json, Refused> {
    let roles = claims.get("nhsid_nrbac_roles").map(Json::each).unwrap_or_default();
    let mut fitting: Vec<_> = match claims.get("selected_roleid") {
        Some(id) => {
            let id = id.text().ok_or(Refused::Role)?;
            roles.iter().filter(|role| role.words("person_roleid") == Some(id)).collect()
        }
        None => roles.iter().collect(),
    };
    match (fitting.pop(), fitting.is_empty()) {
        (Some(role), true) => Ok(role),
        _ => Err(Refused::Role),
    }
}
