//! The unsigned token of GP Connect: an assertion for the audit trail, never a proof.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderValue, StatusCode};
use tributary_bounds::{Problem, Spine};
use tributary_fhir::{Document, Json, Kind, Limits};
use tributary_model::requester::Assurance;
use tributary_model::{OdsCode, Priority, Requester, Role, Scope, SpineIds};

const LIMITS: Limits =
    Limits { depth: 12, tokens: 512, string_bytes: 2 << 10, key_bytes: 64, number_bytes: 20 };
const USER_SYSTEM: &str = "https://fhir.nhs.uk/Id/sds-user-id";
const ROLE_SYSTEM: &str = "https://fhir.nhs.uk/Id/sds-role-profile-id";
/// A token lives exactly this long, in seconds.
const LIFE: i64 = 300;
/// How far a caller's clock may run ahead, in seconds.
const AHEAD: i64 = 600;
const CLAIMS: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "reason_for_request",
    "requested_scope",
    "requesting_device",
    "requesting_organization",
    "requesting_practitioner",
];
/// The claims that hold a resource: their type, and the elements that this type has.
const RESOURCES: &[(&str, &str, &[&str])] = &[
    (
        "requesting_device",
        "Device",
        &[
            "udi",
            "status",
            "type",
            "lotNumber",
            "manufacturer",
            "manufactureDate",
            "expirationDate",
            "model",
            "version",
            "patient",
            "owner",
            "contact",
            "location",
            "url",
            "note",
            "safety",
        ],
    ),
    (
        "requesting_organization",
        "Organization",
        &["active", "type", "name", "alias", "telecom", "address", "partOf", "contact", "endpoint"],
    ),
    (
        "requesting_practitioner",
        "Practitioner",
        &[
            "active",
            "name",
            "telecom",
            "address",
            "gender",
            "birthDate",
            "photo",
            "qualification",
            "communication",
        ],
    ),
];
/// The elements that each of them has.
const COMMON: &[&str] = &[
    "resourceType",
    "id",
    "meta",
    "implicitRules",
    "language",
    "text",
    "contained",
    "extension",
    "modifierExtension",
    "identifier",
];

/// Why an `Authorization` header holds no token of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenFault {
    /// Not `Bearer` with three base64url parts of JSON.
    Shape,
    /// It carries a signature, or names an algorithm.
    Signed,
}

impl TokenFault {
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Shape => "The bearer token must be three base64url parts holding JSON.",
            Self::Signed => "The token must be unsigned, with algorithm none and an empty signature.",
        }
    }
}

/// A token that could be read.
#[derive(Debug)]
pub(crate) struct Token {
    claims: Document,
}

impl Token {
    /// Reads the header's value.
    pub(crate) fn read(value: &HeaderValue) -> Result<Self, TokenFault> {
        let text = value.to_str().map_err(|_| TokenFault::Shape)?;
        let (scheme, token) = text.split_once(' ').ok_or(TokenFault::Shape)?;
        let parts: Vec<_> = token.trim().split('.').collect();
        let (true, [header, claims, signature]) = (scheme.eq_ignore_ascii_case("Bearer"), parts.as_slice())
        else {
            return Err(TokenFault::Shape);
        };
        let (header, claims) = (object(header)?, object(claims)?);
        if !signature.is_empty() || !header.root().says("alg", "none") {
            return Err(TokenFault::Signed);
        }
        Ok(Self { claims })
    }

    /// Whom it names. GP Connect tokens carry no role, so the caller of this gives one.
    pub(crate) fn requester(&self, role: Role) -> Option<Requester> {
        let claims = self.claims.root();
        let organisation = claims.get("requesting_organization")?;
        let practitioner = claims.get("requesting_practitioner");
        let said = |path: &[&str]| practitioner.and_then(|person| word(person, path));
        let user_id = said(&["id"]).or_else(|| word(claims, &["sub"]))?;
        Some(Requester {
            user_id,
            family: said(&["name", "family"]).unwrap_or_default(),
            given: said(&["name", "given"]).unwrap_or_default(),
            role,
            organisation: ods_code(organisation)?,
            organisation_name: word(organisation, &["name"]).unwrap_or_default(),
            asid: None,
            spine: practitioner.map(spine_ids).unwrap_or_default(),
            assurance: Assurance::AssertedUnsigned,
            proof: None,
            priority: Priority::of(role),
        })
    }

    /// Checks the token as a GP Connect provider does. `now` is in Unix seconds.
    pub(crate) fn check(&self, now: i64, needed: Scope) -> Result<(), Problem> {
        let claims = self.claims.root();
        present(claims)?;
        lifetime(claims, now)?;
        resources(claims)?;
        scope(claims, needed)?;
        let subject = word(claims, &["sub"]);
        if subject != word(claims, &["requesting_practitioner", "id"]) {
            return Err(claim("sub", "It must be the id of the requesting practitioner."));
        }
        Ok(())
    }
}

fn object(part: &str) -> Result<Document, TokenFault> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenFault::Shape)?;
    let document = Document::scan(bytes, &LIMITS).map_err(|_| TokenFault::Shape)?;
    if document.root().kind() == Kind::Object { Ok(document) } else { Err(TokenFault::Shape) }
}

fn word(value: Json<'_>, path: &[&str]) -> Option<String> {
    let text = value.path(path)?.text()?;
    (!text.trim().is_empty()).then(|| text.into_owned())
}

/// The person's national ids. `UNK` is the published word for having none.
fn spine_ids(practitioner: Json<'_>) -> SpineIds {
    let value = |system: &str| {
        let identifiers = practitioner.get("identifier").into_iter().flat_map(Json::each);
        let mut values = identifiers.filter(|one| one.says("system", system));
        let value = values.find_map(|one| one.text_at("value"))?;
        let is_id = (1..=64).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic());
        (is_id && value != "UNK").then(|| value.into_owned())
    };
    SpineIds { user: value(USER_SYSTEM), role_profile: value(ROLE_SYSTEM) }
}

fn ods_code(organisation: Json<'_>) -> Option<OdsCode> {
    let identifiers = organisation.get("identifier")?;
    identifiers
        .each()
        .filter_map(|identifier| identifier.text_at("value"))
        .find_map(|code| OdsCode::parse(&code).ok())
}

fn claim(name: &str, text: &str) -> Problem {
    Problem::bad(text).naming(&format!("Authorization: {name}"))
}

fn present(claims: Json<'_>) -> Result<(), Problem> {
    let is_empty = |value: Json<'_>| match value.kind() {
        Kind::Null => true,
        Kind::String => value.text().is_none_or(|text| text.trim().is_empty()),
        Kind::Object => value.members().next().is_none(),
        Kind::Array => value.items().next().is_none(),
        Kind::Number | Kind::True | Kind::False => false,
    };
    match CLAIMS.iter().find(|name| claims.get(name).is_none_or(is_empty)) {
        Some(name) => Err(claim(name, "The claim is missing or empty.")),
        None => Ok(()),
    }
}

fn lifetime(claims: Json<'_>, now: i64) -> Result<(), Problem> {
    let seconds = |name: &str| -> Result<i64, Problem> {
        let number = claims.get(name).filter(|value| value.kind() == Kind::Number);
        number
            .and_then(|value| value.raw().parse().ok())
            .ok_or_else(|| claim(name, "It must be a whole number of seconds."))
    };
    let (issued, expires) = (seconds("iat")?, seconds("exp")?);
    if issued.checked_add(LIFE) != Some(expires) {
        return Err(claim("exp", "It must be five minutes after the token was made."));
    }
    if expires < now {
        return Err(claim("exp", "The token has expired."));
    }
    if issued > now.saturating_add(AHEAD) {
        return Err(claim("iat", "The token was made in the future."));
    }
    Ok(())
}

fn resources(claims: Json<'_>) -> Result<(), Problem> {
    let unprocessable = |name: &str, text: &str| {
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", text);
        problem.coded(Spine::RESOURCE).naming(&format!("Authorization: {name}"))
    };
    for (name, resource, elements) in RESOURCES {
        let claim = claims.get(name).filter(|claim| claim.says("resourceType", resource));
        let Some(claim) = claim else {
            return Err(unprocessable(name, "The claim is not the resource it should be."));
        };
        let is_element = |key: &str| {
            let key = key.strip_prefix('_').unwrap_or(key);
            COMMON.contains(&key) || elements.contains(&key)
        };
        if !claim.members().all(|(key, _)| is_element(key)) {
            return Err(unprocessable(name, "The resource has an element that its type has not."));
        }
    }
    let organisation = claims.get("requesting_organization");
    if organisation.and_then(ods_code).is_none() {
        return Err(unprocessable("requesting_organization", "It names no ODS code."));
    }
    Ok(())
}

fn scope(claims: Json<'_>, needed: Scope) -> Result<(), Problem> {
    let scope = word(claims, &["requested_scope"]).unwrap_or_default();
    let mut words: Vec<_> = scope.split_ascii_whitespace().collect();
    words.retain(|word| !matches!(*word, "conf/N" | "conf/R"));
    if words != [needed.code()] {
        return Err(claim("requested_scope", "It is not the scope of this interaction."));
    }
    if !claims.says("reason_for_request", "directcare") {
        return Err(claim("reason_for_request", "It is not a reason for this interaction."));
    }
    Ok(())
}

#[cfg(test)]
mod tests;

/// The claims of a good token made at `now`.
#[cfg(test)]
pub(crate) fn claims_for_tests(now: i64) -> String {
    let expires = now + LIFE;
    format!(
        r#"{{"iss":"https://epr.example.test/","sub":"u-17","aud":"https://gp.example.test/","iat":{now},"exp":{expires},"reason_for_request":"directcare","requested_scope":"patient/*.read","requesting_device":{{"resourceType":"Device","model":"EPR"}},"requesting_organization":{{"resourceType":"Organization","identifier":[{{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"RXX01"}}],"name":"Community Trust"}},"requesting_practitioner":{{"resourceType":"Practitioner","id":"u-17","name":[{{"family":"Okoro","given":["Ada"]}}]}}}}"#
    )
}
