//! The Personal Demographics Service, read by NHS number (FHIR R4, application-restricted).

mod patient;
mod person;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tributary_fhir::{Document, Json, Limits};
use tributary_model::{Deadline, FaultClass, Locate, NhsNumber, OdsCode, SourceFault, TraceId};
use url::Url;

use super::keep::Keep;
use super::oauth::{OauthFault, Token, Tokens};
use super::pace::Pace;
use super::{Carrier, Carry, Make, jitter, secret, value};
use crate::checkup::Contact;
use crate::egress::{Bounds, Egress, Outgoing, Received};

pub use patient::{Access, Patient, Registration};

pub(crate) const END_USER: HeaderName = HeaderName::from_static("nhsd-end-user-organisation-ods");
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const FHIR_JSON: HeaderValue = HeaderValue::from_static("application/fhir+json");
const MAX_BODY_BYTES: u64 = 256 << 10;
/// After a 429 nobody asks for so long: the service gives no `Retry-After` on reads.
const SLOW_LANE: Duration = Duration::from_secs(1);
const MOST_KEPT: usize = 4096;

/// Where the service is, and how often it may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PdsSettings {
    /// Its service root.
    pub base_url: Url,
    /// Longest time for one read.
    pub timeout: Duration,
    /// Requests a second: the application's quota, or this node's share of it.
    pub per_second: u32,
    /// How long an answer about an unrestricted patient may be kept; `None` for never. At most a minute.
    pub cache_ttl: Option<Duration>,
}

/// What a read says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Traced {
    /// The patient.
    Found(Box<Patient>),
    /// The number was withdrawn.
    Invalidated,
    /// Nobody has the number.
    Unknown,
}

/// Why a read says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PdsFault {
    /// No answer.
    #[error("not reached: {}", .0.code())]
    Unreachable(FaultClass),
    /// No token for it.
    #[error("no access token: {0}")]
    Token(OauthFault),
    /// Our own quota leaves no turn before the deadline.
    #[error("no turn before the deadline")]
    Paced,
    /// The service's quota is used up.
    #[error("too many requests")]
    Throttled,
    /// It refuses us: onboarding, not the patient.
    #[error("refused with http {0}")]
    Denied(u16),
    /// It takes our request for wrong.
    #[error("our request was refused with http {0}")]
    OurRequest(u16),
    /// It failed.
    #[error("failed with http {0}")]
    Failed(u16),
    /// It answered with something that is no patient and no known outcome.
    #[error("the answer to http {0} cannot be used")]
    Malformed(u16),
    /// The answer does not prove whom it is about.
    #[error("the answer does not prove whom it is about")]
    Unproven,
}

/// The service. Clones share its pace, its tokens and what is kept.
#[derive(Clone)]
pub struct Pds {
    inner: Arc<Inner>,
}

impl fmt::Debug for Pds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pds").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

struct Inner {
    settings: PdsSettings,
    tokens: Tokens,
    carrier: Arc<dyn Carry>,
    pace: Pace,
    kept: Keep<Key, Patient>,
}

/// For whom an answer is kept.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    organisation: OdsCode,
    user: String,
    patient: NhsNumber,
}

impl Pds {
    /// The service behind this address.
    pub fn new(settings: PdsSettings, tokens: Tokens, egress: &Egress) -> Self {
        Self::over(settings, tokens, Carrier::new(egress))
    }

    pub(crate) fn over(settings: PdsSettings, tokens: Tokens, carrier: Arc<dyn Carry>) -> Self {
        let pace = Pace::new(settings.per_second);
        Self { inner: Arc::new(Inner { settings, tokens, carrier, pace, kept: Keep::new(MOST_KEPT) }) }
    }

    /// Reads a patient. What is not certain is a fault.
    pub async fn read(&self, ask: &Locate) -> Result<Traced, PdsFault> {
        let inner = &self.inner;
        let key = Key {
            organisation: ask.requester.organisation.clone(),
            user: ask.requester.user_id.clone(),
            patient: ask.patient,
        };
        if let Some(kept) = inner.settings.cache_ttl.and_then(|_ttl| inner.kept.get(&key)) {
            return Ok(Traced::Found(Box::new(kept)));
        }
        let traced = judge(inner.fetch(ask).await?, ask)?;
        match (&traced, inner.settings.cache_ttl) {
            (Traced::Found(found), Some(ttl)) if found.may_be_kept(ask.patient) => {
                inner.kept.put(key, Patient::clone(found), ttl);
            }
            (Traced::Found(_) | Traced::Invalidated | Traced::Unknown, _) => inner.kept.forget(&key),
        }
        Ok(traced)
    }
}

/// A number that is never given to anybody, though its check digit is right.
const NOBODY: &str = "0000000000";

impl Pds {
    /// Reads nobody: a service that takes us refuses the number, not the request.
    pub async fn contact(&self, egress: &Egress, organisation: &OdsCode) -> Result<Contact, OauthFault> {
        let inner = &self.inner;
        let timeout = inner.settings.timeout;
        let token = inner.tokens.bearer(Deadline::after(timeout)).await?;
        let make = inner.make(NOBODY, organisation, &token, TraceId::random());
        Ok(Contact::make(egress, timeout, make()).await)
    }
}

/// What may still be tried for one read.
struct Allowance {
    renewal: bool,
    retry: bool,
}

enum Next {
    Done,
    Renew,
    After(Duration),
}

impl Inner {
    async fn fetch(&self, ask: &Locate) -> Result<Received, PdsFault> {
        // The same id for every attempt at one read.
        let request_id = TraceId::random();
        let deadline = ask.deadline.capped(self.settings.timeout);
        let mut token = self.tokens.bearer(deadline).await.map_err(PdsFault::Token)?;
        let mut allowance = Allowance { renewal: true, retry: true };
        loop {
            self.pace.turn(deadline).await.map_err(|_none| PdsFault::Paced)?;
            let make = self.make(ask.patient.expose(), &ask.requester.organisation, &token, request_id);
            let bounds = Bounds { deadline, max_body_bytes: MAX_BODY_BYTES };
            let received = self.carrier.carry(bounds, make).await;
            let received = received.map_err(|fault| PdsFault::Unreachable(fault.class))?;
            if received.status == 429 {
                self.pace.hold(SLOW_LANE);
            }
            match next(&received, deadline, &mut allowance) {
                Next::Renew => match self.tokens.renewed(&token, deadline).await {
                    Ok(other) => token = other,
                    Err(OauthFault::RefusedAgain) => return Ok(received),
                    Err(fault) => return Err(PdsFault::Token(fault)),
                },
                Next::After(wait) if self.carrier.grants_another() => tokio::time::sleep(wait).await,
                Next::Done | Next::After(_) => return Ok(received),
            }
        }
    }

    fn make(&self, patient: &str, organisation: &OdsCode, token: &Token, request_id: TraceId) -> Make {
        let mut url = self.settings.base_url.clone();
        let organisation = organisation.clone();
        let bearer = token.bearer();
        // The interface has the number in its address. Nothing of ours writes that address down.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["Patient", patient]);
        }
        Arc::new(move || {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, secret(bearer.expose())?);
            headers.insert(header::ACCEPT, FHIR_JSON);
            headers.insert(REQUEST_ID, value(&request_id.to_string())?);
            headers.insert(END_USER, value(organisation.as_str())?);
            Ok(Outgoing { method: Method::GET, url: url.clone(), headers, body: Bytes::new() })
        })
    }
}

/// One new token after a 401, and apart from that one second attempt where waiting can help.
fn next(received: &Received, deadline: Deadline, allowance: &mut Allowance) -> Next {
    let had_two = received.attempts > 1;
    match received.status {
        401 if allowance.renewal => {
            allowance.renewal = false;
            Next::Renew
        }
        408 | 500 | 502 | 503 if allowance.retry && !had_two => {
            allowance.retry = false;
            let wait = received.retry_after.unwrap_or_else(jitter);
            if wait < deadline.remaining() / 3 { Next::After(wait) } else { Next::Done }
        }
        _ => Next::Done,
    }
}

fn judge(received: Received, ask: &Locate) -> Result<Traced, PdsFault> {
    let status = received.status;
    let document = Document::scan(received.body, &Limits::default()).ok();
    let body = document.as_ref().map(Document::root);
    match status {
        200 => {
            let body = body.filter(|body| body.says("resourceType", "Patient"));
            let body = body.ok_or(PdsFault::Malformed(200))?;
            patient::read(body, ask.at).map(Box::new).map(Traced::Found)
        }
        404 => match body.and_then(spine_code).as_deref() {
            Some("RESOURCE_NOT_FOUND") => Ok(Traced::Unknown),
            Some("INVALIDATED_RESOURCE") => Ok(Traced::Invalidated),
            // A wrong address must never look like a patient nobody knows.
            Some(_) | None => Err(PdsFault::Malformed(404)),
        },
        429 => Err(PdsFault::Throttled),
        401 | 403 => Err(PdsFault::Denied(status)),
        408 | 500..=599 => Err(PdsFault::Failed(status)),
        400..=499 => Err(PdsFault::OurRequest(status)),
        _ => Err(PdsFault::Malformed(status)),
    }
}

/// The code of an outcome with exactly one issue.
fn spine_code(body: Json<'_>) -> Option<String> {
    let mut issues = body.get("issue").filter(|_| body.says("resourceType", "OperationOutcome"))?.items();
    let (issue, None) = (issues.next()?, issues.next()) else { return None };
    let code = issue.path(&["details", "coding"])?.text_at("code")?;
    Some(code.into_owned())
}

impl From<PdsFault> for SourceFault {
    fn from(_fault: PdsFault) -> Self {
        Self::new(FaultClass::Unlocated)
    }
}

#[cfg(test)]
mod tests;
