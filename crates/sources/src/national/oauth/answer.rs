//! What the token service says.

use std::time::Duration;

use tributary_fhir::{Document, Json, Limits};

use super::OauthFault;
use crate::egress::Received;

/// A token lives an hour; what claims to live longer than a day is believed for a day.
const LONGEST_LIFE: Duration = Duration::from_hours(24);
const LONGEST_TOKEN: usize = 16 << 10;

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident, $code:literal;)*) => {
        /// Why the token service refuses: its own codes, and no word more.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum TokenError { $($(#[$doc])* $name,)* }

        impl TokenError {
            /// The code as published.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            fn from_code(code: &str) -> Self {
                match code { $($code => Self::$name,)* _ => Self::Other }
            }
        }
    };
}

errors! {
    /// Something of the request or the assertion: form, key id, audience, life, reuse.
    InvalidRequest, "invalid_request";
    /// The grant is not offered.
    UnsupportedGrantType, "unsupported_grant_type";
    /// The signature does not verify, or no key of ours is published.
    PublicKey, "public_key error";
    /// The application is not known.
    InvalidClient, "invalid_client";
    /// The application may not use this flow.
    UnauthorizedClient, "unauthorized_client";
    /// The grant is not valid.
    InvalidGrant, "invalid_grant";
    /// The application is revoked, not approved or not subscribed.
    AccessDenied, "access_denied";
    /// The service's own failure.
    UnknownError, "unknown_error";
    /// A code that is not published, or none.
    Other, "other";
}

/// A token, and how long it lives from the moment it was asked for.
pub(super) struct Granted {
    pub(super) token: String,
    pub(super) life: Duration,
}

pub(super) fn read(received: Received) -> Result<Granted, OauthFault> {
    let http = received.status;
    let document = Document::scan(received.body, &Limits::default()).ok();
    let body = document.as_ref().map(Document::root);
    match http {
        200 => body.and_then(granted).ok_or(OauthFault::Malformed),
        429 | 500..=599 => Err(OauthFault::Failed(http)),
        _ => {
            let code = body.and_then(|body| body.text_at("error"));
            let error = code.map_or(TokenError::Other, |code| TokenError::from_code(&code));
            Err(OauthFault::Refused { http, error })
        }
    }
}

fn granted(body: Json<'_>) -> Option<Granted> {
    let token = body.text_at("access_token")?;
    let is_plain = token.bytes().all(|byte| byte.is_ascii_graphic());
    let is_bearer = body.text_at("token_type")?.eq_ignore_ascii_case("bearer");
    let fits = is_plain && is_bearer && (1..=LONGEST_TOKEN).contains(&token.len());
    // Numbers arrive as texts.
    let life = body.get("expires_in")?;
    let seconds: u64 = life.text().unwrap_or_else(|| life.raw().into()).parse().ok()?;
    let life = Duration::from_secs(seconds).min(LONGEST_LIFE);
    (fits && seconds > 0).then(|| Granted { token: token.into_owned(), life })
}
