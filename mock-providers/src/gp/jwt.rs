//! The unsigned audit token. Nobody verifies a signature; the claims are checked.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::Value;
use tributary_model::Scope;

use crate::outcome::Refusal;

const CLAIMS: [&str; 10] = [
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
const LIFE_SECONDS: i64 = 300;
/// How far the clocks of consumer and provider may differ.
const LEEWAY_SECONDS: i64 = 600;

/// Checks the `Authorization` header against the validation table of GP Connect.
pub(super) fn check(authorization: &str, scope: Scope, now: Timestamp) -> Result<(), Refusal> {
    let payload = decode(authorization)?;
    for claim in CLAIMS {
        if payload.get(claim).is_none_or(is_empty) {
            return Err(Refusal::bad_request(format!("JWT claim {claim} is missing or empty")));
        }
    }
    times(&payload, now)?;
    if text(&payload, "reason_for_request") != "directcare" {
        return Err(Refusal::bad_request("JWT claim reason_for_request is not directcare"));
    }
    let mut scopes = text(&payload, "requested_scope").split(' ');
    if !scopes.any(|given| given == scope.code()) {
        return Err(Refusal::bad_request("JWT claim requested_scope is not the one of this interaction"));
    }
    resources(&payload)
}

fn decode(authorization: &str) -> Result<Value, Refusal> {
    let malformed = |what: &str| Refusal::bad_request(format!("Authorization header: {what}"));
    let token = authorization.strip_prefix("Bearer ").ok_or_else(|| malformed("not Bearer"))?;
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts.as_slice() else {
        return Err(malformed("not three parts"));
    };
    if !signature.is_empty() {
        return Err(malformed("a signature is not expected"));
    }
    let part = |encoded: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| malformed("not base64url"))?;
        serde_json::from_slice::<Value>(&bytes).map_err(|_| malformed("not JSON"))
    };
    let header = part(header)?;
    if text(&header, "alg") != "none" || text(&header, "typ") != "JWT" {
        return Err(malformed("alg is not none or typ is not JWT"));
    }
    part(payload)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn times(payload: &Value, now: Timestamp) -> Result<(), Refusal> {
    let seconds = |claim: &str| {
        payload
            .get(claim)
            .and_then(Value::as_i64)
            .ok_or_else(|| Refusal::bad_request(format!("JWT claim {claim} is not whole seconds")))
    };
    let (issued, expires) = (seconds("iat")?, seconds("exp")?);
    if expires != issued.saturating_add(LIFE_SECONDS) {
        return Err(Refusal::bad_request("JWT claim exp is not iat + 300"));
    }
    if expires <= now.as_second() {
        return Err(Refusal::bad_request("JWT has expired"));
    }
    if issued > now.as_second() + LEEWAY_SECONDS {
        return Err(Refusal::bad_request("JWT is from the future"));
    }
    Ok(())
}

/// The resource claims, and the fields that base STU3 gives each type.
const RESOURCES: [(&str, &str, &[&str]); 3] = [
    (
        "requesting_device",
        "Device",
        &[
            "identifier",
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
        &[
            "identifier",
            "active",
            "type",
            "name",
            "alias",
            "telecom",
            "address",
            "partOf",
            "contact",
            "endpoint",
        ],
    ),
    (
        "requesting_practitioner",
        "Practitioner",
        &[
            "identifier",
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
const OF_EVERY_RESOURCE: &[&str] = &[
    "resourceType",
    "id",
    "meta",
    "implicitRules",
    "language",
    "text",
    "contained",
    "extension",
    "modifierExtension",
];

fn resources(payload: &Value) -> Result<(), Refusal> {
    for (claim, kind, fields) in RESOURCES {
        let resource = payload.get(claim).unwrap_or(&Value::Null);
        let has_identifier =
            resource.get("identifier").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
        let is_known =
            |field: &String| fields.contains(&field.as_str()) || OF_EVERY_RESOURCE.contains(&field.as_str());
        let is_valid = text(resource, "resourceType") == kind
            && has_identifier
            && resource.as_object().is_some_and(|all| all.keys().all(is_known));
        if !is_valid {
            let diagnostics = format!("JWT claim {claim} is not a valid {kind}");
            return Err(Refusal::new(422, "INVALID_RESOURCE", diagnostics));
        }
    }
    let practitioner = payload.get("requesting_practitioner").unwrap_or(&Value::Null);
    if text(practitioner, "id") != text(payload, "sub") {
        return Err(Refusal::bad_request("JWT claim sub is not the id of the practitioner"));
    }
    Ok(())
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}
