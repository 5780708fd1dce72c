//! Who may vouch for people, and the one place where a claim becomes a fact.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tributary_model::Role;

use crate::certificate::Certificate;
use crate::json::Json;
use crate::key::{Algorithm, Key};
use crate::refused::Refused;
use crate::token::UnverifiedToken;

/// How far two clocks may be apart, in seconds.
pub const SKEW_SECS: i64 = 60;
/// No `jti` is longer.
const MOST_JTI_BYTES: usize = 256;

/// Whether a token must be bound to the certificate of the connection (RFC 8705, 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Binding {
    /// Every token must be.
    #[default]
    Required,
    /// One that names a certificate must come over a connection with that one.
    WhereGiven,
}

/// Where an issuer's tokens say who the person is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimShape {
    /// In the resources of a GP Connect token, with the role in `role`.
    GpConnect,
    /// In the claims of an id token of CIS2.
    Cis2 {
        /// The least assurance of the sign-in, 1 to 3.
        least_aal: u8,
        /// Our role for each job role code (the last part of `S0080:G0450:R5080`). One without an entry is no role.
        roles: BTreeMap<String, Role>,
    },
}

/// What an issuer's tokens must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// `iss`, letter by letter.
    pub iss: String,
    /// What `aud` must be one of. For CIS2 it is the client of the caller's entry instead.
    pub audiences: Vec<String>,
    /// With what it signs.
    pub algorithms: Vec<Algorithm>,
    /// What `typ` may be, in any case, without `application/`.
    pub kinds: Vec<String>,
    /// Longest life from `iat` to `exp`, in seconds.
    pub most_life_secs: i64,
    /// Whether tokens are bound to the connection.
    pub binding: Binding,
    /// Where they name the person.
    pub shape: ClaimShape,
}

/// What a token says whose signature, issuer, audience and times were verified.
///
/// Only [`Issuer::verify`] makes one.
pub struct VerifiedClaims {
    claims: Json,
    issuer: String,
    ends: i64,
}

impl fmt::Debug for VerifiedClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedClaims").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl VerifiedClaims {
    pub(crate) const fn claims(&self) -> &Json {
        &self.claims
    }

    /// Who vouches for them.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// How long it was made for, in seconds.
    pub(crate) fn life_secs(&self) -> i64 {
        let issued = self.claims.get("iat").and_then(Json::whole);
        self.ends.saturating_sub(issued.unwrap_or_default())
    }

    /// The second since 1970 after which nobody accepts the token any more, clocks that differ included.
    pub(crate) const fn ends(&self) -> i64 {
        self.ends.saturating_add(SKEW_SECS)
    }

    /// SHA-256 of the `jti`.
    pub(crate) fn jti_sha256(&self) -> Option<[u8; 32]> {
        let jti = self.claims.words("jti").filter(|jti| jti.len() <= MOST_JTI_BYTES)?;
        Some(sha256(jti.as_bytes()))
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut whole = [0; 32];
    for (to, from) in whole.iter_mut().zip(digest(&SHA256, bytes).as_ref()) {
        *to = *from;
    }
    whole
}

/// The circumstances in which a token is shown.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'s> {
    /// The certificate of the connection; none where a browser shows the token.
    pub certificate: Option<&'s Certificate>,
    /// Seconds since 1970.
    pub now: i64,
    /// What `aud` must be one of.
    pub audiences: &'s [String],
    /// What `typ` may be, in any case, without `application/`.
    pub kinds: &'s [String],
}

impl Issuer {
    /// Verifies a token with the key that it names. The signature comes first: what somebody else wrote is told
    /// nothing about its claims.
    pub(crate) fn verify(
        &self,
        token: UnverifiedToken<'_>,
        key: &Key,
        shown: Shown<'_>,
    ) -> Result<VerifiedClaims, Refused> {
        let named = Algorithm::from_code(&token.algorithm);
        let algorithm = named.filter(|named| self.algorithms.contains(named)).ok_or(Refused::Algorithm)?;
        // The token says what it was signed with; the key says what it verifies with. They must not differ.
        if algorithm != key.algorithm() {
            return Err(Refused::Algorithm);
        }
        let kind = token.kind.to_ascii_lowercase();
        let kind = kind.strip_prefix("application/").unwrap_or(&kind);
        if !shown.kinds.iter().any(|allowed| allowed.eq_ignore_ascii_case(kind)) {
            return Err(Refused::Header);
        }
        if !key.made(token.signed.as_bytes(), &token.signature) {
            return Err(Refused::Signature);
        }
        let claims = token.claims.0;
        if claims.words("iss") != Some(self.iss.as_str()) {
            return Err(Refused::Issuer);
        }
        if !is_for(&claims, shown.audiences) {
            return Err(Refused::Audience);
        }
        let ends = self.lives(&claims, shown.now)?;
        if claims.words("sub").is_none() {
            return Err(Refused::Claims);
        }
        self.is_bound(&claims, shown.certificate)?;
        Ok(VerifiedClaims { claims, issuer: self.iss.clone(), ends })
    }

    /// Checks the times; gives the one at which it ends.
    fn lives(&self, claims: &Json, now: i64) -> Result<i64, Refused> {
        let time =
            |name: &str| claims.get(name).map(|value| value.whole().ok_or(Refused::Claims)).transpose();
        let (Some(issued), Some(ends)) = (time("iat")?, time("exp")?) else { return Err(Refused::Claims) };
        let begins = time("nbf")?.unwrap_or(issued);
        let is_time = |time: i64| (0..=i64::MAX - SKEW_SECS).contains(&time);
        if ![issued, ends, begins].into_iter().all(is_time) {
            return Err(Refused::Claims);
        }
        let is_short = ends > issued && ends - issued <= self.most_life_secs;
        let has_begun = issued <= now + SKEW_SECS && begins <= now + SKEW_SECS && begins < ends;
        if is_short && has_begun && now < ends + SKEW_SECS { Ok(ends) } else { Err(Refused::Lifetime) }
    }

    /// A token that is bound to a connection is of no use without that; whoever shows one that is not, without any
    /// connection of their own, was meant to.
    fn is_bound(&self, claims: &Json, certificate: Option<&Certificate>) -> Result<(), Refused> {
        let Some(certificate) = certificate else {
            return if claims.get("cnf").is_none() { Ok(()) } else { Err(Refused::Binding) };
        };
        let Some(confirmation) = claims.get("cnf") else {
            return if self.binding == Binding::Required { Err(Refused::Binding) } else { Ok(()) };
        };
        let thumbprint = confirmation.get("x5t#S256").and_then(Json::text);
        let bytes = thumbprint.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let fits = bytes.is_some_and(|bytes| bytes == certificate.sha256());
        if fits { Ok(()) } else { Err(Refused::Binding) }
    }
}

/// For us alone: one that is for others too could be theirs to use against us.
fn is_for(claims: &Json, audiences: &[String]) -> bool {
    let Some([Json::Text(audience)]) = claims.get("aud").map(Json::each) else { return false };
    audiences.contains(audience)
}
