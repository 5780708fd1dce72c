//! Tokens of callers.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// An unsigned token of one user, as GP Connect consumers make it.
pub fn bearer() -> String {
    bearer_of("u-4711")
}

/// An unsigned token of this user, as GP Connect consumers make it.
#[expect(clippy::disallowed_methods, reason = "a token is judged by the true time")]
pub fn bearer_of(user: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let named = |system: &str, value: &str| json!([{"system": system, "value": value}]);
    let claims = json!({
        "iss": "https://epr.example.test/", "sub": user, "aud": "https://gp.example.test/",
        "iat": now, "exp": now + 300,
        "reason_for_request": "directcare", "requested_scope": "patient/*.read",
        "requesting_device": {"resourceType": "Device", "model": "EPR", "version": "1",
            "identifier": named("https://epr.example.test/device", "d-1")},
        "requesting_organization": {"resourceType": "Organization", "name": "Mersey Community Trust",
            "identifier": named("https://fhir.nhs.uk/Id/ods-organization-code", "RXY99")},
        "requesting_practitioner": {"resourceType": "Practitioner", "id": user,
            "identifier": named("https://fhir.nhs.uk/Id/sds-user-id", "UNK"),
            "name": [{"family": "Nwosu", "given": ["Chidi"]}]},
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("Bearer {}.{}.", part(&json!({"alg": "none", "typ": "JWT"})), part(&claims))
}
