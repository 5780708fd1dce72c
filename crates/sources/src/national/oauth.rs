//! Access tokens of the API platform: client credentials, proved by a token that we sign (`private_key_jwt`).
//!
//! A token is kept to four fifths of its life. However many callers need one, one request is on its way.

mod answer;
mod key;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use http::{HeaderMap, HeaderValue, Method, header};
use tokio::time::{Instant, timeout_at};
use tributary_fhir::Writer;
use tributary_model::{Clock, Deadline, FaultClass, Redacted, SourceFault, TraceContext, TraceId};
use url::Url;
use url::form_urlencoded::Serializer;

use super::{Carrier, Carry, Make};
use crate::egress::{Bounds, Egress, Outgoing};

pub use answer::TokenError;
pub use key::{ClientKey, KeyError};

/// Longest life the platform allows an assertion is five minutes; one less leaves room for clocks that differ.
const ASSERTION_SECS: i64 = 240;
const MAX_BODY_BYTES: u64 = 64 << 10;
/// After a failure nobody asks again for so long.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// A token that is refused this soon after the last refused one is not the reason for the refusal.
const FORCED_APART: Duration = Duration::from_secs(5);

/// Where tokens come from, and who we are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OauthSettings {
    /// The token service; also the audience of our assertions.
    pub token_url: Url,
    /// Our application's API key: issuer and subject.
    pub client_id: String,
    /// Names the key among those that we published.
    pub kid: String,
    /// Longest time for one token.
    pub timeout: Duration,
}

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OauthFault {
    /// The token service gave no answer.
    #[error("the token service was not reached: {}", .0.code())]
    Unreachable(FaultClass),
    /// It refused our assertion.
    #[error("the token service refused with http {http}: {}", .error.code())]
    Refused {
        /// Status.
        http: u16,
        /// Its reason.
        error: TokenError,
    },
    /// It failed.
    #[error("the token service failed with http {0}")]
    Failed(u16),
    /// Its answer holds no token that can be used.
    #[error("the answer of the token service cannot be used")]
    Malformed,
    /// The key does not sign.
    #[error("the assertion cannot be signed")]
    Signing,
    /// No token before the deadline.
    #[error("no token in time")]
    Late,
    /// A new token was refused as the one before it: tokens are not what is wrong.
    #[error("a new token is refused as well")]
    RefusedAgain,
}

/// An access token.
#[derive(Clone)]
pub struct Token(Arc<str>);

impl Token {
    /// The value of an `Authorization` header.
    pub(crate) fn bearer(&self) -> Redacted<String> {
        Redacted::new(format!("Bearer {}", self.0))
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The tokens of one application. Clones share them.
#[derive(Clone)]
pub struct Tokens {
    inner: Arc<Inner>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

struct Inner {
    settings: OauthSettings,
    key: ClientKey,
    carrier: Arc<dyn Carry>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    flight: Option<Flight>,
    failed: Option<(OauthFault, Instant)>,
    forced: Option<Instant>,
}

struct Held {
    token: Token,
    renew_at: Instant,
    ends_at: Instant,
}

type Flight = Shared<BoxFuture<'static, Result<Token, OauthFault>>>;

enum Step {
    Have(Token),
    Failed(OauthFault),
    /// Wait for this one; if it fails, the old token may still do.
    Wait(Flight, Option<Token>),
}

impl Tokens {
    /// Tokens for the holder of this key. `clock` dates the assertions: the platform compares them with its own.
    pub fn new(settings: OauthSettings, key: ClientKey, egress: &Egress, clock: Arc<dyn Clock>) -> Self {
        Self::over(settings, key, Carrier::new(egress), clock)
    }

    pub(crate) fn over(
        settings: OauthSettings,
        key: ClientKey,
        carrier: Arc<dyn Carry>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let state = Mutex::new(State::default());
        Self { inner: Arc::new(Inner { settings, key, carrier, clock, state }) }
    }

    /// A token that may be used now.
    pub async fn bearer(&self, deadline: Deadline) -> Result<Token, OauthFault> {
        let step = Inner::step(&self.inner, &mut self.inner.state());
        settle(step, deadline).await
    }

    /// A token other than one that was refused. Callers with the same refused token share the new one.
    pub async fn renewed(&self, refused: &Token, deadline: Deadline) -> Result<Token, OauthFault> {
        let step = {
            let mut state = self.inner.state();
            if state.held.as_ref().is_some_and(|held| held.token.is(refused)) {
                let now = Instant::now();
                if state.forced.is_some_and(|at| now.duration_since(at) < FORCED_APART) {
                    return Err(OauthFault::RefusedAgain);
                }
                state.forced = Some(now);
                state.held = None;
            }
            Inner::step(&self.inner, &mut state)
        };
        settle(step, deadline).await
    }
}

async fn settle(step: Step, deadline: Deadline) -> Result<Token, OauthFault> {
    match step {
        Step::Have(token) => Ok(token),
        Step::Failed(fault) => Err(fault),
        Step::Wait(flight, old) => {
            let ended = timeout_at(deadline.instant(), flight).await;
            ended.unwrap_or(Err(OauthFault::Late)).or_else(|fault| old.ok_or(fault))
        }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(this: &Arc<Self>, state: &mut State) -> Step {
        let now = Instant::now();
        let held = state.held.as_ref().filter(|held| held.ends_at > now);
        let old = held.map(|held| held.token.clone());
        if let (Some(token), Some(true)) = (&old, held.map(|held| held.renew_at > now)) {
            return Step::Have(token.clone());
        }
        if let Some(flight) = &state.flight {
            return Step::Wait(flight.clone(), old);
        }
        let failed = state.failed.filter(|(_, at)| now.duration_since(*at) < AFTER_FAILURE);
        match (old, failed) {
            (Some(token), Some(_)) => Step::Have(token),
            (None, Some((fault, _))) => Step::Failed(fault),
            (old, None) => {
                let inner = Arc::clone(this);
                // A task of its own: whoever asked first may leave, the others still want the token.
                let task = tokio::spawn(TraceContext::carried(async move { inner.fetch().await }));
                let flight = async move { task.await.unwrap_or(Err(OauthFault::Late)) }.boxed().shared();
                state.flight = Some(flight.clone());
                Step::Wait(flight, old)
            }
        }
    }

    async fn fetch(self: Arc<Self>) -> Result<Token, OauthFault> {
        let asked_at = Instant::now();
        let fetched = Self::ask(&self).await;
        let mut state = self.state();
        state.flight = None;
        match fetched {
            Ok(answer::Granted { token, life }) => {
                let token = Token(token.into());
                let (renew_at, ends_at) = (asked_at + life * 4 / 5, asked_at + life);
                state.held = Some(Held { token: token.clone(), renew_at, ends_at });
                state.failed = None;
                Ok(token)
            }
            Err(fault) => {
                tracing::warn!(fault.kind = %fault, "no access token");
                state.failed = Some((fault, Instant::now()));
                Err(fault)
            }
        }
    }

    async fn ask(this: &Arc<Self>) -> Result<answer::Granted, OauthFault> {
        // Signed once here, so that a key that does not sign is told apart from a service that does not answer.
        this.assertion()?;
        let maker = Arc::clone(this);
        let make: Make = Arc::new(move || maker.outgoing());
        let bounds =
            Bounds { deadline: Deadline::after(this.settings.timeout), max_body_bytes: MAX_BODY_BYTES };
        let received = this.carrier.carry(bounds, make).await;
        answer::read(received.map_err(|fault| OauthFault::Unreachable(fault.class))?)
    }

    /// One attempt: an assertion is good for one request only.
    fn outgoing(&self) -> Result<Outgoing, SourceFault> {
        let assertion = self.assertion().map_err(|_unsigned| SourceFault::new(FaultClass::OurRequest))?;
        let form = Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
            .append_pair("client_assertion", &assertion)
            .finish();
        let mut headers = HeaderMap::new();
        let media = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, media);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let url = self.settings.token_url.clone();
        Ok(Outgoing { method: Method::POST, url, headers, body: Bytes::from(form) })
    }

    fn assertion(&self) -> Result<String, OauthFault> {
        let OauthSettings { token_url, client_id, kid, .. } = &self.settings;
        let mut head = Writer::with_capacity(64);
        head.record([("alg", "RS512"), ("typ", "JWT"), ("kid", kid)]);
        let mut claims = Writer::with_capacity(256);
        claims.object(|claims| {
            claims.text("iss", client_id);
            claims.text("sub", client_id);
            claims.text("aud", token_url.as_str());
            claims.text("jti", &TraceId::random().to_string());
            let ends = self.clock.now().as_second() + ASSERTION_SECS;
            claims.key("exp").number(u64::try_from(ends).unwrap_or(0));
        });
        self.key.signed(&head.finish(), &claims.finish()).ok_or(OauthFault::Signing)
    }
}

#[cfg(test)]
mod tests;
