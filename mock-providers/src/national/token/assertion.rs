//! The client assertion, checked in the order of the real endpoint, so that the answer to an assertion with
//! two mistakes is always the same.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Refusal, State, TokenClient};

/// How far ahead `exp` may be: five minutes, and ten seconds for clocks that differ.
const MAX_AHEAD_SECONDS: f64 = 310.0;
/// How long past `exp` an assertion still counts.
const SKEW_SECONDS: f64 = 10.0;
/// How long a `jti` is remembered for each client.
const JTI_MEMORY: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The assertion of a client, taken apart.
#[derive(Debug)]
struct Assertion<'a> {
    header: Value,
    claims: Value,
    signed: &'a str,
    signature: Vec<u8>,
}

/// The `jti`s that were used, by client, and when.
#[derive(Debug, Default)]
pub(super) struct Used(Mutex<BTreeMap<(String, String), Timestamp>>);

impl Used {
    fn seen(&self, client: &str, jti: &str, now: Timestamp) -> bool {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, at| now.duration_since(*at) < JTI_MEMORY);
        used.contains_key(&(client.to_owned(), jti.to_owned()))
    }

    fn remember(&self, client: &str, jti: &str, now: Timestamp) {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.insert((client.to_owned(), jti.to_owned()), now);
    }
}

/// The client that signed the assertion. A `jti` is used up by an assertion that is good in every way.
pub(super) fn check<'s>(state: &'s State, text: &str, now: Timestamp) -> Result<&'s TokenClient, Refusal> {
    let assertion = taken_apart(text).ok_or_else(|| Refusal::invalid("client_assertion is malformed"))?;
    let seconds = now.as_duration().as_secs_f64();
    let kid = header(&assertion, seconds)?;
    let expires = expiry(&assertion.claims)?;
    let client = issuer(state, &assertion.claims)?;
    let jti = unused(state, client, &assertion.claims, now)?;
    if expires > seconds + MAX_AHEAD_SECONDS {
        return Err(Refusal::invalid("exp is more than five minutes ahead"));
    }
    let audience = state.audience.get().map(String::as_str);
    if audience.is_none() || assertion.claims.get("aud").and_then(Value::as_str) != audience {
        return Err(Refusal::new(401, "invalid_request", "aud is not this endpoint"));
    }
    let key = state.keys.find(&client.api_key, kid, now)?;
    if !key.verifies(assertion.signed.as_bytes(), &assertion.signature) {
        return Err(Refusal::new(401, "public_key error", "the signature does not verify"));
    }
    state.used.remember(&client.api_key, jti, now);
    Ok(client)
}

fn taken_apart(text: &str) -> Option<Assertion<'_>> {
    let (signed, signature) = text.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let object = |encoded: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
        serde_json::from_slice::<Value>(&bytes).ok().filter(Value::is_object)
    };
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    Some(Assertion { header: object(header)?, claims: object(claims)?, signed, signature })
}

/// `alg`, then whether it has expired, then `kid` and `typ`; gives the `kid`.
fn header<'a>(assertion: &'a Assertion<'_>, seconds: f64) -> Result<&'a str, Refusal> {
    let field = |name: &str| assertion.header.get(name).and_then(Value::as_str);
    match field("alg") {
        Some("RS512") => {}
        Some(_) => return Err(Refusal::invalid("alg is not RS512")),
        None => return Err(Refusal::invalid("alg is missing")),
    }
    let expires = assertion.claims.get("exp").and_then(Value::as_f64);
    if expires.is_some_and(|at| at + SKEW_SECONDS < seconds) {
        return Err(Refusal::invalid("exp is in the past"));
    }
    let kid = field("kid").ok_or_else(|| Refusal::invalid("kid is missing"))?;
    if field("typ").is_none_or(|typ| !typ.eq_ignore_ascii_case("JWT")) {
        return Err(Refusal::invalid("typ is not JWT"));
    }
    Ok(kid)
}

fn expiry(claims: &Value) -> Result<f64, Refusal> {
    let exp = claims.get("exp").ok_or_else(|| Refusal::invalid("exp is missing"))?;
    exp.as_f64().ok_or_else(|| Refusal::invalid("exp is not a number"))
}

fn issuer<'s>(state: &'s State, claims: &Value) -> Result<&'s TokenClient, Refusal> {
    let claim = |name: &str| claims.get(name).and_then(Value::as_str);
    let issuer = claim("iss").filter(|issuer| claim("sub") == Some(issuer));
    let issuer = issuer.ok_or_else(|| Refusal::invalid("iss and sub are missing or differ"))?;
    let client = state.clients.iter().find(|client| client.api_key == issuer);
    client.ok_or_else(|| Refusal::new(401, "invalid_request", "iss and sub are not known here"))
}

fn unused<'c>(
    state: &State,
    client: &TokenClient,
    claims: &'c Value,
    now: Timestamp,
) -> Result<&'c str, Refusal> {
    let jti = claims.get("jti").ok_or_else(|| Refusal::invalid("jti is missing"))?;
    let jti = jti.as_str().ok_or_else(|| Refusal::invalid("jti is not a string"))?;
    if state.used.seen(&client.api_key, jti, now) {
        return Err(Refusal::invalid("jti was used before"));
    }
    Ok(jti)
}
