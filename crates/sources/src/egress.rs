//! The one HTTP client towards sources. Every limit on what a source can do to us over the wire is here.

mod address;
mod authorities;
mod body;
mod buffer;
mod certificate;
mod classify;
mod connect;
mod contact;
mod decode;
mod exchange;
mod fetch;
mod line;
mod lobby;
mod names;
mod race;
mod tls;
mod torrent;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::uri::Authority;
use http::{HeaderMap, Method, header};
use http_body_util::BodyDataStream;
use hyper::body::Body as _;
use rustls_pki_types::CertificateDer;
use tributary_model::{Deadline, FaultClass, Lease, MemoryBudget, Requests, SourceFault, TraceContext};
use url::Url;

use authorities::Machine;
use connect::{Connector, Means};
use exchange::{Answer, HttpClient};
use lobby::Lobby;
use names::{Names, Resolve, SystemResolver};
use torrent::Torrents;

pub use certificate::{earliest_end, earliest_update};
pub use fetch::{FetchFault, HandedIn, Parcel};
pub use tls::{ClientIdentity, PemError, SourceTls, TlsVersions, certificates, revocations};

/// Bodies of error answers are read only for their codes.
const ERROR_BODY_BYTES: u64 = 64 << 10;
/// A `Retry-After` is believed up to here.
const LONGEST_HOLD: Duration = Duration::from_mins(5);

pub(crate) use contact::Contacted;

/// Why the client could not be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// The TLS library refused the protocol versions or a root certificate.
    #[error("the tls settings of the client were refused")]
    Tls,
}

/// Settings of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressSettings {
    /// Longest time for a connection to one of a host's addresses. Finding them and the TLS handshake have
    /// budgets of their own.
    pub connect_timeout: Duration,
    /// Root certificates trusted besides those of the machine.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// What bodies are taken from while they are read, and until nobody needs them any more.
    pub memory: MemoryBudget,
}

impl Default for EgressSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(1),
            extra_roots: Vec::new(),
            memory: MemoryBudget::default(),
        }
    }
}

/// One request to a source, made anew for each attempt.
#[derive(Clone)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Its shape alone: addresses, headers and bodies hold the patient.
impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (headers, bytes) = (self.headers.len(), self.body.len());
        let mut shown = f.debug_struct("Outgoing");
        shown.field("method", &self.method).field("headers", &headers).field("body_bytes", &bytes);
        shown.finish_non_exhaustive()
    }
}

/// What an answer may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) deadline: Deadline,
    /// Most bytes, as received and again when decoded.
    pub(crate) max_body_bytes: u64,
}

/// A whole answer. Its `Debug` would show clinical text, so it has none.
pub(crate) struct Received {
    pub(crate) status: u16,
    pub(crate) media_type: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    /// The version of a single resource, as sent.
    pub(crate) etag: Option<String>,
    /// Decoded. Empty where an error answer could not be read.
    pub(crate) body: Vec<u8>,
    /// What the body holds of the memory budget.
    pub(crate) held: Lease,
    pub(crate) attempts: u32,
}

/// The client. Clones share one connection pool.
#[derive(Clone)]
pub struct Egress(Arc<Inner>);

struct Inner {
    client: HttpClient,
    shared: Arc<Shared>,
}

/// What the clients of all sources have in common.
struct Shared {
    settings: EgressSettings,
    names: Arc<Names>,
    lobby: Arc<Lobby>,
    torrents: Torrents,
    machine: Arc<Machine>,
    /// One client for each set of demands: a TLS configuration weighs kilobytes, and there are thousands of sources.
    by_demands: Mutex<HashMap<[u8; 32], Weak<Inner>>>,
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress").finish_non_exhaustive()
    }
}

impl Egress {
    /// Builds the client.
    pub fn new(settings: &EgressSettings) -> Result<Self, EgressError> {
        Self::resolving(settings, Arc::new(SystemResolver))
    }

    fn resolving(settings: &EgressSettings, resolver: Arc<dyn Resolve>) -> Result<Self, EgressError> {
        let shared = Shared {
            settings: settings.clone(),
            names: Arc::new(Names::new(resolver)),
            lobby: Arc::default(),
            torrents: Torrents::default(),
            machine: Arc::new(Machine::with(&settings.extra_roots)?),
            by_demands: Mutex::default(),
        };
        Self::of(&Arc::new(shared), &SourceTls::default())
    }

    /// Does what the first handshake would wait for. Takes tens of milliseconds, and reads files.
    pub fn make_ready(&self) {
        self.0.shared.machine.make_ready();
    }

    /// A client for a source with its own demands. Sources with the same demands share its connections.
    pub(crate) fn with_tls(&self, tls: &SourceTls) -> Result<Self, EgressError> {
        Self::of(&self.0.shared, tls)
    }

    fn of(shared: &Arc<Shared>, tls: &SourceTls) -> Result<Self, EgressError> {
        let fingerprint = tls::fingerprint(tls);
        let mut known = shared.by_demands.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(inner) = known.get(&fingerprint).and_then(Weak::upgrade) {
            return Ok(Self(inner));
        }
        let config = tls::config(tls, &shared.machine)?;
        let client = exchange::client(Connector::new(Means {
            names: Arc::clone(&shared.names),
            lobby: Arc::clone(&shared.lobby),
            tls: Arc::new(config).into(),
            connect_timeout: shared.settings.connect_timeout,
        }));
        let inner = Arc::new(Inner { client, shared: Arc::clone(shared) });
        known.retain(|_, inner| inner.strong_count() > 0);
        known.insert(fingerprint, Arc::downgrade(&inner));
        Ok(Self(inner))
    }

    /// Sends a request, once.
    pub(crate) async fn attempt(
        &self,
        bounds: Bounds,
        mut outgoing: Outgoing,
    ) -> Result<Received, SourceFault> {
        outgoing.headers.insert(header::ACCEPT_ENCODING, header::HeaderValue::from_static("gzip"));
        trace(&mut outgoing.headers);
        let host: Option<Authority> = outgoing.url.authority().parse().ok();
        let answer = self.exchange(bounds, outgoing).await?;
        let status = answer.response.status().as_u16();
        let headers = answer.response.headers();
        let media_type = text_of(headers, &header::CONTENT_TYPE);
        let retry_after = text_of(headers, &header::RETRY_AFTER).map(|text| hold(&text));
        let etag = text_of(headers, &header::ETAG);
        let (body, held) = match (status, self.read(answer, bounds, host.as_ref()).await) {
            (_, Ok(body)) => body,
            (200, Err(class)) => return Err(SourceFault::new(class).with_http(200)),
            // The status says enough.
            (_, Err(_unread)) => (Vec::new(), Lease::default()),
        };
        Ok(Received { status, media_type, retry_after, etag, body, held, attempts: 1 })
    }

    async fn exchange(&self, bounds: Bounds, outgoing: Outgoing) -> Result<Answer, SourceFault> {
        exchange::exchange(&self.0.client, outgoing, bounds.deadline).await
    }

    async fn read(
        &self,
        answer: Answer,
        bounds: Bounds,
        host: Option<&Authority>,
    ) -> Result<(Vec<u8>, Lease), FaultClass> {
        let Answer { response, visit } = answer;
        let cap = match response.status().as_u16() {
            200 => bounds.max_body_bytes,
            _ => bounds.max_body_bytes.min(ERROR_BODY_BYTES),
        };
        let expected = body::Expected {
            coding: decode::Coding::of(response.headers())?,
            declared_bytes: response.body().size_hint().exact(),
            max_bytes: cap,
            deadline: bounds.deadline,
        };
        let chunks = BodyDataStream::new(response.into_body());
        let body = body::read(chunks, &expected, &self.0.shared.settings.memory, || {
            Some(self.0.shared.torrents.of(host?))
        })
        .await;
        // The connection may be idle now, and overwrites what the last chunk lay in.
        drop(visit);
        body
    }
}

/// Says which trace a request belongs to, and which span of ours: that of the ask, where it belongs to one. The ids
/// are all that goes out: what a caller says in `tracestate` may be anything, and is for nobody else.
fn trace(headers: &mut HeaderMap) {
    Requests::note();
    let parent = TraceContext::current().map(|context| context.to_string());
    if let Some(Ok(parent)) = parent.map(header::HeaderValue::try_from) {
        headers.insert(header::HeaderName::from_static("traceparent"), parent);
    }
}

fn text_of(headers: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Reads `Retry-After` in seconds. The date form is rare and needs a clock: it counts as a minute.
fn hold(text: &str) -> Duration {
    let wait = text.trim().parse().map_or(Duration::from_mins(1), Duration::from_secs);
    wait.min(LONGEST_HOLD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_bounded() {
        assert_eq!(hold("120"), Duration::from_mins(2));
        assert_eq!(hold("999999"), LONGEST_HOLD);
        assert_eq!(hold("Wed, 21 Oct 2026 07:28:00 GMT"), Duration::from_mins(1));
    }

    #[test]
    fn the_client_builds() {
        assert!(Egress::new(&EgressSettings::default()).is_ok());
    }
}
