//! The types that travel through the edge.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use tower::util::BoxCloneSyncService;
use tributary_bounds::Hosts;
use tributary_broker::Visit;
use tributary_model::{Deadline, RequestId, Requester};
use tributary_telemetry::Metrics;

use crate::body::ReplyBody;
use crate::desk::Desk;
use crate::house::House;
use crate::identity::Caller;
use crate::layers::{Asked, HEALTH};
use crate::settings::{Callers, Settings};

/// A request body that has not been read.
pub(crate) type Inbound = UnsyncBoxBody<Bytes, ReadError>;
/// Every response.
pub(crate) type Reply = Response<ReplyBody>;
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// The rest of the onion, seen from one of its layers.
pub(crate) type Next<B> = BoxCloneSyncService<Request<B>, Reply, Infallible>;

/// The media type of everything FHIR.
pub(crate) const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";

/// The media type of JSON that is no FHIR resource.
pub(crate) const JSON: &str = "application/json; charset=utf-8";

/// The media type of what may be given as XML.
pub(crate) const FHIR_XML: &str = "application/fhir+xml; charset=utf-8";

/// The body could not be read. Why is the connection's business.
#[derive(Debug)]
pub(crate) struct ReadError;

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request body could not be read")
    }
}

impl std::error::Error for ReadError {}

/// What every request shares.
pub(crate) struct Edge {
    pub(crate) desk: Arc<dyn Desk>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) settings: Settings,
    pub(crate) hosts: Hosts,
    /// What outlives a configuration.
    pub(crate) house: Arc<House>,
    public_root: Arc<str>,
}

impl Edge {
    pub(crate) fn new(desk: Arc<dyn Desk>, metrics: Arc<Metrics>, settings: Settings) -> Arc<Self> {
        let house = House::new(&settings.limits, &metrics);
        Self::within(house, desk, metrics, settings)
    }

    /// The same in a house that stands.
    fn within(
        house: Arc<House>,
        desk: Arc<dyn Desk>,
        metrics: Arc<Metrics>,
        settings: Settings,
    ) -> Arc<Self> {
        Arc::new(Self {
            desk,
            metrics,
            house,
            hosts: Hosts::of(&settings.public_base_url),
            public_root: Arc::from(settings.public_base_url.trim_end_matches('/')),
            settings,
        })
    }

    /// The edge that takes this one's place, in the same house.
    pub(crate) fn followed_by(&self, desk: Arc<dyn Desk>, settings: Settings) -> Arc<Self> {
        Self::within(Arc::clone(&self.house), desk, Arc::clone(&self.metrics), settings)
    }

    /// The address below which callers reach this broker.
    pub(crate) fn public_root(&self) -> Arc<str> {
        Arc::clone(&self.public_root)
    }

    /// Whether requests should be sent here.
    pub(crate) fn is_ready(&self) -> bool {
        self.house.standing.is_ready() && self.desk.is_ready()
    }
}

/// One request as a handler gets it: whole, bounded, with an id, a deadline and a requester.
pub(crate) struct Exchange {
    pub(crate) edge: Arc<Edge>,
    pub(crate) headers: HeaderMap,
    pub(crate) query: Option<String>,
    pub(crate) body: Bytes,
    pub(crate) id: RequestId,
    pub(crate) deadline: Deadline,
    pub(crate) requester: Arc<Requester>,
    /// The system that is proven by its certificate, where its token is only an assertion.
    pub(crate) caller: Option<Caller>,
    /// How the caller lowered its priority.
    pub(crate) asked: Asked,
    /// The visit that a browser shows, where another system sent it here.
    pub(crate) visit: Option<Arc<Visit>>,
}

impl Exchange {
    /// The request as handlers get it; nothing where it got here without anybody having looked who asks.
    pub(crate) fn of(edge: Arc<Edge>, request: Request<Bytes>) -> Option<Self> {
        let (head, body) = request.into_parts();
        // The layers have set all of it; the stand-ins keep a mistake in their order from becoming a panic.
        let extensions = &head.extensions;
        let limit = edge.settings.limits.deadline_default;
        let id = extensions.get().copied().unwrap_or_else(RequestId::random);
        let deadline = extensions.get().copied().unwrap_or_else(|| Deadline::after(limit));
        let asked = extensions.get().copied().unwrap_or_default();
        let is_demo = matches!(edge.settings.callers, Callers::Believed);
        // Whether we live is told to anybody, and by nobody's leave.
        let is_open = is_demo || HEALTH.contains(&head.uri.path());
        let nobody = || is_open.then(|| Arc::new(edge.settings.demo_requester.clone()));
        let requester = extensions.get::<Arc<Requester>>().map(Arc::clone).or_else(nobody)?;
        let caller = extensions.get::<Caller>().cloned();
        let visit = extensions.get::<Arc<Visit>>().map(Arc::clone);
        Some(Self {
            id,
            deadline,
            requester,
            caller,
            asked,
            visit,
            query: head.uri.query().map(str::to_owned),
            headers: head.headers,
            body,
            edge,
        })
    }
}

/// The one value of a header, as text.
pub(crate) fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// The status that the broker put on record. Below 200 would not be an answer.
pub(crate) fn status(http: u16) -> StatusCode {
    let status = StatusCode::from_u16(http).ok().filter(|status| !status.is_informational());
    status.unwrap_or(StatusCode::BAD_GATEWAY)
}

/// A response with a body.
pub(crate) fn reply(status: StatusCode, media: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(ReplyBody::of(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    reply
}

/// Sets a header whose value was written by us; a value that cannot be one is left out.
pub(crate) fn set(reply: &mut Reply, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        reply.headers_mut().insert(name, value);
    }
}
