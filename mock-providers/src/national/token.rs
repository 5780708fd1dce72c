//! The token endpoint: a signed assertion in, an access token out.

mod assertion;
mod keys;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use serde_json::json;
use tributary_model::{Clock, SystemClock, TraceId};

use crate::asks::AskRecord;
use crate::fault::Lifetime;
use crate::outcome::Dialect;
use crate::provider::{ProviderHandle, Setup, System};
use crate::wire::{Reply, Request};

use super::limit::{Limiter, RateLimit, Throttle};
use super::switch::Switch;
use super::tokens::{AccessTokens, Grant};

pub use keys::{ClientKey, Jwks, MadeUpKey};

use assertion::Used;
use keys::KeySets;

/// One application that may ask for tokens.
#[derive(Clone, Debug)]
pub struct TokenClient {
    /// Its API key: `iss` and `sub` of its assertions.
    pub api_key: String,
    /// Where its keys are.
    pub jwks: Jwks,
    /// What its tokens open.
    pub scopes: Vec<String>,
}

impl TokenClient {
    /// An application with these keys and access to PDS.
    pub fn new(api_key: &str, keys: Vec<ClientKey>) -> Self {
        let scopes = Grant::application(api_key).scopes;
        Self { api_key: api_key.to_owned(), jwks: Jwks::Published(keys), scopes }
    }
}

/// How the token endpoint is started.
#[derive(Clone, Debug)]
pub struct TokenOptions {
    /// What it takes the time to be.
    pub clock: Arc<dyn Clock>,
    /// The applications it knows.
    pub clients: Vec<TokenClient>,
    /// What all requests together may be; an application is not known yet when it is counted.
    pub limit: RateLimit,
    /// What `aud` has to be; absent means its own URL.
    pub audience: Option<String>,
    /// Its port; absent means any free one.
    pub port: Option<u16>,
}

impl Default for TokenOptions {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            clients: Vec::new(),
            limit: RateLimit::PRODUCTION,
            audience: None,
            port: None,
        }
    }
}

/// A fault of the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// 429, before anything is looked at.
    Throttled(Throttle),
    /// 500 `unknown_error`, before anything is looked at.
    UnknownError,
    /// 401 `invalid_client`, to a good assertion.
    InvalidClient,
    /// 401 `unauthorized_client`, to a good assertion.
    UnauthorizedClient,
    /// 401 `access_denied`, to a good assertion: the application was revoked or is not approved.
    AppRevoked,
    /// 403 `access_denied`, to a good assertion: the application has not subscribed to the service.
    NotSubscribed,
}

/// A running token endpoint. It ends with this value.
#[derive(Debug)]
pub struct TokenEndpoint {
    provider: ProviderHandle,
    state: Arc<State>,
}

impl TokenEndpoint {
    /// Where its root is: ends in `/oauth2`.
    pub fn base_url(&self) -> &str {
        &self.provider.base_url
    }

    /// Where tokens are asked for.
    pub fn token_url(&self) -> String {
        format!("{}/token", self.provider.base_url)
    }

    /// The tokens it has issued; give them to PDS.
    pub fn tokens(&self) -> AccessTokens {
        self.state.tokens.clone()
    }

    /// Changes where an application's keys are. New keys are seen when the copy of the old ones is an hour
    /// old; keys that are gone or cannot be reached are missed at once.
    pub fn set_jwks(&self, api_key: &str, jwks: Jwks) {
        self.state.keys.set(api_key, jwks);
    }

    /// Makes it fail from now on, or once.
    pub fn set_fault(&self, fault: TokenFault, lifetime: Lifetime) {
        self.state.fault.set(fault, lifetime);
    }

    /// Ends every fault, those of the wire as well.
    pub fn clear_fault(&self) -> io::Result<()> {
        self.state.fault.clear();
        self.provider.clear_fault()
    }

    /// What it was asked, oldest first.
    pub fn asks(&self) -> Vec<AskRecord> {
        self.provider.asks()
    }

    /// Its socket: faults of the wire, stop and restart.
    pub fn provider(&self) -> &ProviderHandle {
        &self.provider
    }
}

impl Drop for TokenEndpoint {
    fn drop(&mut self) {
        self.provider.stop();
    }
}

/// Starts a token endpoint, `token`.
pub fn start_token(options: TokenOptions) -> io::Result<TokenEndpoint> {
    let state = Arc::new(State {
        tokens: AccessTokens::new(Arc::clone(&options.clock)),
        clock: options.clock,
        keys: KeySets::new(&options.clients),
        clients: options.clients,
        limiter: Limiter::new(options.limit),
        audience: OnceLock::new(),
        used: Used::default(),
        fault: Switch::default(),
    });
    let setup = Setup {
        id: "token".to_owned(),
        root: "/oauth2".to_owned(),
        port: options.port.unwrap_or_default(),
        roots: BTreeMap::new(),
        scenes: BTreeMap::new(),
    };
    let provider = ProviderHandle::start(setup, Box::new(Service(Arc::clone(&state))))?;
    let endpoint = TokenEndpoint { provider, state };
    let audience = options.audience.unwrap_or_else(|| endpoint.token_url());
    endpoint.state.audience.get_or_init(|| audience);
    Ok(endpoint)
}

#[derive(Debug)]
struct State {
    clock: Arc<dyn Clock>,
    clients: Vec<TokenClient>,
    keys: KeySets,
    limiter: Limiter,
    /// Known when the socket is.
    audience: OnceLock<String>,
    used: Used,
    tokens: AccessTokens,
    fault: Switch<TokenFault>,
}

#[derive(Debug)]
struct Service(Arc<State>);

/// Why no token is given.
#[derive(Debug)]
struct Refusal {
    status: u16,
    error: &'static str,
    description: String,
}

impl Refusal {
    fn new(status: u16, error: &'static str, description: impl Into<String>) -> Self {
        Self { status, error, description: description.into() }
    }

    fn invalid(description: impl Into<String>) -> Self {
        Self::new(400, "invalid_request", description)
    }

    fn throttled(throttle: Throttle) -> Self {
        Self::new(429, "too_many_requests", throttle.text())
    }

    fn reply(&self) -> Reply {
        let body = json!({
            "error": self.error,
            "error_description": self.description,
            "message_id": TraceId::random().to_string(),
        });
        Reply::typed(self.status, "application/json", body.to_string())
    }
}

impl State {
    fn serve(&self, request: &Request) -> Result<Reply, Refusal> {
        let now = self.clock.now();
        if request.path != "/oauth2/token" {
            return Err(Refusal::new(404, "invalid_request", "no such path"));
        }
        self.at_the_door(now)?;
        if request.method != "POST" {
            return Err(Refusal::new(405, "invalid_request", "tokens are asked for by POST"));
        }
        let form = form(request)?;
        let client = self.client(&form, now)?;
        self.after_the_check()?;
        Ok(self.issued(client, now))
    }

    fn at_the_door(&self, now: Timestamp) -> Result<(), Refusal> {
        let fault = self.fault.take(|fault| match fault {
            TokenFault::Throttled(throttle) => Some(Refusal::throttled(*throttle)),
            TokenFault::UnknownError => Some(Refusal::new(500, "unknown_error", "made to fail")),
            TokenFault::InvalidClient
            | TokenFault::UnauthorizedClient
            | TokenFault::AppRevoked
            | TokenFault::NotSubscribed => None,
        });
        match fault {
            Some(refusal) => Err(refusal),
            None => self.limiter.admit("", now).map_err(Refusal::throttled),
        }
    }

    fn after_the_check(&self) -> Result<(), Refusal> {
        let fault = self.fault.take(|fault| match fault {
            TokenFault::InvalidClient => Some((401, "invalid_client", "the API key is not in force")),
            TokenFault::UnauthorizedClient => Some((401, "unauthorized_client", "the flow is not allowed")),
            TokenFault::AppRevoked => Some((401, "access_denied", "the application is not approved")),
            TokenFault::NotSubscribed => Some((403, "access_denied", "the application has no subscription")),
            TokenFault::Throttled(_) | TokenFault::UnknownError => None,
        });
        fault.map_or(Ok(()), |(status, error, description)| Err(Refusal::new(status, error, description)))
    }

    /// The fields of the form, then the assertion.
    fn client(&self, form: &[(String, String)], now: Timestamp) -> Result<&TokenClient, Refusal> {
        const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match field("grant_type") {
            Some("client_credentials") => {}
            Some("refresh_token") => {
                return Err(Refusal::new(401, "invalid_grant", "no such refresh token was issued"));
            }
            None | Some("") => return Err(Refusal::invalid("grant_type is missing")),
            Some(_) => {
                return Err(Refusal::new(400, "unsupported_grant_type", "grant_type is not supported"));
            }
        }
        if field("client_assertion_type") != Some(ASSERTION) {
            return Err(Refusal::invalid("client_assertion_type is missing or not that of a JWT"));
        }
        let assertion = field("client_assertion").filter(|text| !text.is_empty());
        let assertion = assertion.ok_or_else(|| Refusal::invalid("client_assertion is missing"))?;
        assertion::check(self, assertion, now)
    }

    fn issued(&self, client: &TokenClient, now: Timestamp) -> Reply {
        let grant =
            Grant { client_id: client.api_key.clone(), scopes: client.scopes.clone(), roles: Vec::new() };
        // Numbers are strings here; clients that want numbers fail against the real one too.
        let body = json!({
            "access_token": self.tokens.issue(grant),
            "expires_in": "3599",
            "token_type": "Bearer",
            "issued_at": now.as_millisecond().to_string(),
        });
        Reply::typed(200, "application/json", body.to_string())
    }
}

fn form(request: &Request) -> Result<Vec<(String, String)>, Refusal> {
    let kind = request.header("content-type").and_then(|kind| kind.split(';').next()).unwrap_or_default();
    if kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        Ok(url::form_urlencoded::parse(&request.body).into_owned().collect())
    } else {
        Err(Refusal::new(415, "invalid_request", "Content-Type is not that of a form"))
    }
}

impl System for Service {
    fn dialect(&self) -> Dialect {
        Dialect::R4
    }

    fn nhs_number(&self, _request: &Request) -> Option<String> {
        None
    }

    fn answer(&self, request: &Request, _disabled: &[String]) -> Reply {
        self.0.serve(request).unwrap_or_else(|refusal| refusal.reply())
    }
}
