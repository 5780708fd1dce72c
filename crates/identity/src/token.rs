//! A signed token in compact form (RFC 7515, RFC 7519), read and not yet believed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::json::Json;
use crate::refused::Refused;

/// Longer tokens are not read.
pub const MOST_TOKEN_BYTES: usize = 16 << 10;
/// Header members that would have us take a key, a rule or a packing from the token itself.
const FORBIDDEN: &[&str] =
    &["jku", "x5u", "jwk", "x5c", "crit", "b64", "zip", "enc", "cty", "epk", "apu", "apv", "p2s", "p2c"];

/// What a token says before anybody has looked whether it is true. Nothing is granted for these.
///
/// There is no way from here to [`VerifiedClaims`](crate::VerifiedClaims) but a signature that was verified:
///
/// ```compile_fail
/// fn believe(claims: tributary_identity::UnverifiedClaims) -> tributary_identity::VerifiedClaims {
///     claims.into()
/// }
/// ```
///
/// ```compile_fail
/// fn believe(claims: tributary_identity::UnverifiedClaims) -> tributary_identity::VerifiedClaims {
///     tributary_identity::VerifiedClaims { claims, issuer: String::new() }
/// }
/// ```
///
/// ```compile_fail
/// fn ask(claims: &tributary_identity::UnverifiedClaims) {
///     fn needs(_: &tributary_identity::VerifiedClaims) {}
///     needs(claims);
/// }
/// ```
pub struct UnverifiedClaims(pub(crate) Json);

impl fmt::Debug for UnverifiedClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnverifiedClaims")
    }
}

impl UnverifiedClaims {
    /// Who claims to have made it: says which keys to try, and nothing else.
    pub fn issuer(&self) -> Option<&str> {
        self.0.words("iss")
    }
}

/// A token that could be read.
#[derive(Debug)]
pub struct UnverifiedToken<'t> {
    pub(crate) algorithm: String,
    pub(crate) kind: String,
    pub(crate) key_id: String,
    /// What the signature is over: header and claims, as they were sent.
    pub(crate) signed: &'t str,
    pub(crate) signature: Vec<u8>,
    /// What it says.
    pub claims: UnverifiedClaims,
}

impl<'t> UnverifiedToken<'t> {
    /// Reads the value of an `Authorization` header.
    pub fn bearer(value: &'t str) -> Result<Self, Refused> {
        let (scheme, token) = value.split_once(' ').ok_or(Refused::Shape)?;
        if !scheme.eq_ignore_ascii_case("Bearer") {
            return Err(Refused::Shape);
        }
        Self::read(token)
    }

    /// Reads a token.
    pub fn read(token: &'t str) -> Result<Self, Refused> {
        if token.len() > MOST_TOKEN_BYTES {
            return Err(Refused::Shape);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Refused::Shape)?;
        let (header, claims) = signed.split_once('.').ok_or(Refused::Shape)?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_discarded| Refused::Shape);
        let object = |part: &str| Json::object(&decoded(part)?).ok_or(Refused::Shape);
        let (header, claims, signature) = (object(header)?, object(claims)?, decoded(signature)?);
        if header.members().iter().any(|(name, _)| FORBIDDEN.contains(&name.as_str())) {
            return Err(Refused::Header);
        }
        let says = |name: &str, refused: Refused| header.words(name).map(str::to_owned).ok_or(refused);
        let algorithm = says("alg", Refused::Algorithm)?;
        let (kind, key_id) = (says("typ", Refused::Header)?, says("kid", Refused::UnknownKey)?);
        Ok(Self { algorithm, kind, key_id, signed, signature, claims: UnverifiedClaims(claims) })
    }

    /// The id of the key that it claims to be signed with: compared with ids, and used for nothing else.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.AA", part(header), part(claims))
    }

    #[track_caller]
    fn check(header: &str, claims: &str, expected: Option<Refused>) {
        let text = token(header, claims);
        assert_eq!(UnverifiedToken::read(&text).err(), expected, "{header} {claims}");
    }

    const GOOD: &str = r#"{"alg":"RS512","typ":"JWT","kid":"k"}"#;

    #[test]
    fn a_header_may_ask_for_nothing() {
        check(GOOD, "{}", None);
        for name in FORBIDDEN {
            check(&GOOD.replacen('{', &format!("{{\"{name}\":[],"), 1), "{}", Some(Refused::Header));
        }
        for (from, refused) in [
            (r#""alg":"RS512","#, Refused::Algorithm),
            (r#""typ":"JWT","#, Refused::Header),
            (r#","kid":"k""#, Refused::UnknownKey),
        ] {
            check(&GOOD.replace(from, ""), "{}", Some(refused));
        }
        check(r#"{"alg":"RS512","alg":"RS512","typ":"JWT","kid":"k"}"#, "{}", Some(Refused::Shape));
        check(GOOD, r#"{"sub":"a","sub":"b"}"#, Some(Refused::Shape));
    }

    #[test]
    fn only_three_parts_of_base64url_are_a_token() {
        let good = token(GOOD, "{}");
        assert!(UnverifiedToken::bearer(&format!("bearer {good}")).is_ok());
        for bad in [
            String::new(),
            good.clone(),
            format!("Basic {good}"),
            format!("Bearer  {good}"),
            format!("Bearer {good}."),
            format!("Bearer {good}="),
            format!("Bearer .{good}"),
            format!("Bearer {}", good.trim_start_matches('e')),
            format!("Bearer {good} x"),
            format!("Bearer {}", "A".repeat(MOST_TOKEN_BYTES + 1)),
        ] {
            assert_eq!(UnverifiedToken::bearer(&bad).err(), Some(Refused::Shape), "{bad}");
        }
    }
}
