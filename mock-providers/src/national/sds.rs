//! The directory of systems (SDS), FHIR R4: which ASID an organisation answers under, and where.
//!
//! Where the real order of checks is not known, it is: key, rate, path, method, media type, correlation id,
//! parameters.

mod cache;
mod outcome;
mod parameters;
mod registration;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tributary_model::{Clock, RequestId, SystemClock, TraceId};

use crate::asks::AskRecord;
use crate::fault::Lifetime;
use crate::outcome::Dialect;
use crate::provider::{ProviderHandle, Setup, System};
use crate::wire::{Reply, Request};

use super::limit::{Limiter, RateLimit, Throttle};
use super::switch::Switch;

pub use registration::Registration;

use cache::{Cache, Cached};
use outcome::Refusal;
use parameters::{Asked, Kind};

const ROOT: &str = "/spine-directory/FHIR/R4";

/// Whether the proxy before SDS keeps answers for half an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyCache {
    /// It does not, so that a test sees what it has just registered.
    #[default]
    Off,
    /// It does, as the real one: by path, query and `Accept`; `Cache-Control: no-cache` goes past it.
    On,
}

/// How SDS is started.
#[derive(Clone, Debug)]
pub struct SdsOptions {
    /// What it takes the time to be.
    pub clock: Arc<dyn Clock>,
    /// The API key it wants to see; absent takes any.
    pub api_key: Option<String>,
    /// What all requests together may be.
    pub limit: RateLimit,
    /// Whether answers are kept.
    pub proxy_cache: ProxyCache,
    /// How long the store behind it is waited for under [`SdsFault::BackEndTimeout`].
    pub back_end_timeout: Duration,
    /// Its port; absent means any free one.
    pub port: Option<u16>,
}

impl Default for SdsOptions {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            api_key: None,
            limit: RateLimit::NONE,
            proxy_cache: ProxyCache::Off,
            back_end_timeout: Duration::from_secs(3),
            port: None,
        }
    }
}

/// A fault of SDS. All but the first come after every check of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SdsFault {
    /// 429, to a good key.
    Throttled(Throttle),
    /// Every Device has a double with another ASID and party key.
    Ambiguous,
    /// 200 with `total: 0`, at once.
    Nothing,
    /// 200 with `total: 0`, because the store behind did not answer in time.
    BackEndTimeout,
    /// Every Endpoint is at an address where connections are refused.
    DeadHost,
    /// Every Endpoint is at this old address, unless the request goes past caches.
    StaleAddress(String),
    /// 500 `INTERNAL_SERVER_ERROR`.
    InternalError,
    /// 502 `INTERNAL_SERVER_ERROR`.
    BadGateway,
    /// 504 `INTERNAL_SERVER_ERROR`.
    GatewayTimeout,
}

/// A running SDS; it knows nobody until somebody is registered. It ends with this value.
#[derive(Debug)]
pub struct Sds {
    provider: ProviderHandle,
    state: Arc<State>,
}

impl Sds {
    /// Where its service root is.
    pub fn base_url(&self) -> &str {
        &self.provider.base_url
    }

    /// Adds a system, or replaces the one of that ASID. Two systems of one organisation with the same
    /// interaction make an ambiguous look-up.
    pub fn register(&self, registration: Registration) {
        let mut all = self.state.registrations();
        all.retain(|one| one.asid != registration.asid);
        all.push(registration);
    }

    /// Forgets the system of an ASID.
    pub fn unregister(&self, asid: &str) {
        self.state.registrations().retain(|one| one.asid != asid);
    }

    /// An address on loopback where connections are refused; it is kept from others while SDS runs.
    pub fn dead_address(&self) -> String {
        self.state.dead_address.clone()
    }

    /// Makes it fail from now on, or once.
    pub fn set_fault(&self, fault: SdsFault, lifetime: Lifetime) {
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

    /// Its socket: delays and faults of the wire, stop and restart. A fault of status that is set there is
    /// worded as a hospital's; use [`SdsFault`] for those of SDS.
    pub fn provider(&self) -> &ProviderHandle {
        &self.provider
    }
}

impl Drop for Sds {
    fn drop(&mut self) {
        self.provider.stop();
    }
}

/// Starts an SDS, `sds`.
pub fn start_sds(options: SdsOptions) -> io::Result<Sds> {
    // Bound and never listening: connections are refused, and nobody else gets the port.
    let dead = TcpSocket::new_v4()?;
    dead.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let state = Arc::new(State {
        dead_address: format!("http://{}", dead.local_addr()?),
        _dead: dead,
        clock: options.clock,
        api_key: options.api_key,
        limiter: Limiter::new(options.limit),
        cache: Cache::new(options.proxy_cache),
        back_end_timeout: options.back_end_timeout,
        registrations: Mutex::default(),
        fault: Switch::default(),
    });
    let setup = Setup {
        id: "sds".to_owned(),
        root: ROOT.to_owned(),
        port: options.port.unwrap_or_default(),
        roots: BTreeMap::new(),
        scenes: BTreeMap::new(),
    };
    let provider = ProviderHandle::start(setup, Box::new(Service(Arc::clone(&state))))?;
    Ok(Sds { provider, state })
}

#[derive(Debug)]
struct State {
    clock: Arc<dyn Clock>,
    api_key: Option<String>,
    limiter: Limiter,
    cache: Cache,
    back_end_timeout: Duration,
    registrations: Mutex<Vec<Registration>>,
    fault: Switch<SdsFault>,
    dead_address: String,
    _dead: TcpSocket,
}

/// What a fault does to a Bundle.
#[derive(Debug)]
enum Twist {
    None,
    Doubled,
    Emptied,
    At(String),
}

impl State {
    fn registrations(&self) -> MutexGuard<'_, Vec<Registration>> {
        self.registrations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, request: &Request) -> Result<Vec<u8>, Refusal> {
        self.admit(request)?;
        let kind = parameters::kind(request)?;
        parameters::headers(request)?;
        let asked = Asked::read(kind, &request.query)?;
        let key = cache::key(request);
        let past_caches = cache::goes_past(request);
        if !past_caches && let Cached::Kept(body) = self.cache.find(&key, self.clock.now()) {
            return Ok(body);
        }
        let twist = self.twist(kind, past_caches)?;
        let body = self.bundle(request, &asked, &twist).to_string().into_bytes();
        self.cache.keep(key, self.clock.now(), &body);
        Ok(body)
    }

    fn admit(&self, request: &Request) -> Result<(), Refusal> {
        let key = request.header("apikey").filter(|key| !key.is_empty());
        let known = key.filter(|key| self.api_key.as_ref().is_none_or(|own| own == key));
        let known = known.ok_or_else(Refusal::unknown_key)?;
        let fault = self.fault.take(|fault| match fault {
            SdsFault::Throttled(throttle) => Some(*throttle),
            SdsFault::Ambiguous
            | SdsFault::Nothing
            | SdsFault::BackEndTimeout
            | SdsFault::DeadHost
            | SdsFault::StaleAddress(_)
            | SdsFault::InternalError
            | SdsFault::BadGateway
            | SdsFault::GatewayTimeout => None,
        });
        match fault {
            Some(throttle) => Err(Refusal::throttled(throttle)),
            None => self.limiter.admit(known, self.clock.now()).map_err(Refusal::throttled),
        }
    }

    fn twist(&self, kind: Kind, past_caches: bool) -> Result<Twist, Refusal> {
        let twist = self.fault.take(|fault| match (fault, kind) {
            (SdsFault::Ambiguous, Kind::Device) => Some(Ok(Twist::Doubled)),
            (SdsFault::Nothing | SdsFault::BackEndTimeout, _) => Some(Ok(Twist::Emptied)),
            (SdsFault::DeadHost, Kind::Endpoint) => Some(Ok(Twist::At(self.dead_address.clone()))),
            (SdsFault::StaleAddress(address), Kind::Endpoint) if !past_caches => {
                Some(Ok(Twist::At(address.clone())))
            }
            (SdsFault::InternalError, _) => Some(Err(Refusal::internal(500))),
            (SdsFault::BadGateway, _) => Some(Err(Refusal::internal(502))),
            (SdsFault::GatewayTimeout, _) => Some(Err(Refusal::internal(504))),
            (
                SdsFault::Throttled(_) | SdsFault::Ambiguous | SdsFault::DeadHost | SdsFault::StaleAddress(_),
                _,
            ) => None,
        });
        twist.unwrap_or(Ok(Twist::None))
    }

    fn bundle(&self, request: &Request, asked: &Asked, twist: &Twist) -> Value {
        let mut registrations = self.registrations().clone();
        match twist {
            Twist::None => {}
            Twist::Emptied => registrations.clear(),
            Twist::Doubled => {
                let doubles: Vec<Registration> = registrations.iter().map(Registration::double).collect();
                registrations.extend(doubles);
            }
            Twist::At(address) => registrations.iter_mut().for_each(|one| one.move_to(address)),
        }
        let matching = registrations.iter().filter(|one| asked.matches(one));
        let resources: Vec<Value> = match asked.kind {
            Kind::Device => matching.map(Registration::device).collect(),
            Kind::Endpoint => matching.flat_map(|one| one.endpoints(asked.interaction())).collect(),
        };
        let host = request.header("host").unwrap_or("localhost");
        let root = format!("http://{host}{}", request.path);
        let query =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&request.query).finish();
        let entry = |resource: Value| {
            let id = resource.get("id").and_then(Value::as_str).unwrap_or_default();
            json!({"fullUrl": format!("{root}/{id}"), "search": {"mode": "match"}, "resource": resource})
        };
        json!({
            "resourceType": "Bundle",
            "id": TraceId::random().to_string(),
            "type": "searchset",
            "total": resources.len(),
            "link": [{"relation": "self", "url": format!("{root}?{query}")}],
            "entry": resources.into_iter().map(entry).collect::<Vec<Value>>(),
        })
    }
}

#[derive(Debug)]
struct Service(Arc<State>);

impl System for Service {
    fn dialect(&self) -> Dialect {
        Dialect::R4
    }

    fn nhs_number(&self, _request: &Request) -> Option<String> {
        None
    }

    fn answer(&self, request: &Request, _disabled: &[String]) -> Reply {
        let sent = request.header("x-correlation-id").filter(|id| RequestId::parse(id).is_some());
        let correlation = sent.map_or_else(|| TraceId::random().to_string(), str::to_owned);
        let reply = match self.0.serve(request) {
            Ok(body) => Reply::fhir(200, body),
            Err(refusal) => refusal.reply(&correlation),
        };
        reply.with("X-Correlation-Id", correlation)
    }

    fn pause(&self, _request: &Request) -> Duration {
        match self.0.fault.peek() {
            Some(SdsFault::BackEndTimeout) => self.0.back_end_timeout,
            Some(
                SdsFault::Throttled(_)
                | SdsFault::Ambiguous
                | SdsFault::Nothing
                | SdsFault::DeadHost
                | SdsFault::StaleAddress(_)
                | SdsFault::InternalError
                | SdsFault::BadGateway
                | SdsFault::GatewayTimeout,
            )
            | None => Duration::ZERO,
        }
    }
}
