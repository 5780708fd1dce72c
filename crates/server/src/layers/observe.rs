//! Names requests, watches them to their end, and outlives their panics.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use tokio::time::Instant;
use tower::ServiceExt as _;
use tracing::Instrument as _;
use tributary_bounds::Problem;
use tributary_model::{RequestId, TraceContext};
use tributary_telemetry::{TraceOutcome, Work};

use crate::exchange::{Edge, Inbound, Next, Reply, text};
use crate::render::outcome::{Dialect, respond};
use crate::routes;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
/// `Strict-Transport-Security`.
const A_YEAR: &str = "max-age=31536000; includeSubDomains";
const CORRELATION_LONGEST: usize = 128;
/// The code logged for a caller who left before the answer, as reverse proxies write it.
const CALLER_GONE: u16 = 499;

/// When the head of the request was complete.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrived(pub(super) Instant);

/// Names the request and puts the headers on its answer that every answer has.
pub(super) async fn identified(edge: Arc<Edge>, mut request: Request<Inbound>, next: Next<Inbound>) -> Reply {
    // A malformed id is refused further in, under an id of our own.
    let name = Name::of(request.headers());
    let id = name.id;
    let parents = request.headers().get_all("traceparent").iter().map(HeaderValue::as_bytes);
    let (trace, outcome) = TraceOutcome::of(parents);
    // A caller says whether its trace is kept; of those that begin here it is a share.
    let trace = if outcome == TraceOutcome::Continued { trace } else { edge.metrics.spans().drawn(trace) };
    edge.metrics.traced(outcome);
    request.extensions_mut().insert(id);
    request.extensions_mut().insert(Arrived(Instant::now()));
    // An error, so that it is there whatever is logged: every line of the request names it and its trace.
    let span = tracing::error_span!("request", request.id = %id, trace.id = trace.trace_id());
    let Ok(mut reply) = trace.within(next.oneshot(request)).instrument(span).await;
    name.onto(&edge, reply.headers_mut());
    reply
}

/// By what names a request and its answer are found again.
pub(super) struct Name {
    id: RequestId,
    correlation: Option<HeaderValue>,
}

impl Name {
    /// The names that a request brings; an id of our own where it brings none.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let id = text(headers, REQUEST_ID.as_str()).and_then(RequestId::parse);
        Self { id: id.unwrap_or_else(RequestId::random), correlation: correlation(headers) }
    }

    /// Writes them, and the headers that every answer has.
    pub(super) fn onto(self, edge: &Edge, headers: &mut HeaderMap) {
        if let Ok(id) = HeaderValue::from_str(&self.id.to_string()) {
            headers.insert(REQUEST_ID, id);
        }
        if let Some(correlation) = self.correlation {
            headers.insert(CORRELATION_ID, correlation);
        }
        // Only what is the same for everybody, forever, says otherwise of itself.
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        // Over plain HTTP it would mean nothing: RFC 6797, 7.2.
        if edge.settings.public_base_url.starts_with("https://") {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(A_YEAR));
        }
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    }
}

fn correlation(headers: &HeaderMap) -> Option<HeaderValue> {
    let value = headers.get(CORRELATION_ID)?;
    let short = (1..=CORRELATION_LONGEST).contains(&value.len());
    let printable = value.as_bytes().iter().all(u8::is_ascii_graphic);
    (short && printable).then(|| value.clone())
}

/// Logs and counts the request when its answer, or its caller, is gone.
pub(super) async fn watched(edge: Arc<Edge>, request: Request<Inbound>, next: Next<Inbound>) -> Reply {
    let mut watch = Watch {
        span: tracing::Span::current(),
        trace: TraceContext::current(),
        route: routes::template(request.uri().path()),
        method: request.method().clone(),
        code: CALLER_GONE,
        began: Instant::now(),
        edge,
    };
    let Ok(reply) = next.oneshot(request).await;
    watch.code = reply.status().as_u16();
    reply.map(|body| body.watched_by(watch))
}

/// One request's line in the log and its count, written when it is dropped.
pub(crate) struct Watch {
    edge: Arc<Edge>,
    span: tracing::Span,
    trace: Option<TraceContext>,
    route: &'static str,
    method: Method,
    code: u16,
    began: Instant,
}

impl Drop for Watch {
    fn drop(&mut self) {
        let elapsed = self.began.elapsed();
        let _names_the_request = self.span.enter();
        tracing::info!(
            route = self.route,
            method = routes::known(&self.method),
            code = self.code,
            elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            "request answered"
        );
        if let Some(trace) = self.trace {
            let code = (self.code != CALLER_GONE).then_some(self.code);
            let (route, method) = (self.route, routes::known(&self.method));
            self.edge.metrics.spans().note_as(trace, elapsed, || Work::Request { route, method, code });
        }
        let method = self.method.as_str();
        self.edge.metrics.http_request(self.route, method, self.code, elapsed.as_secs_f64());
    }
}

/// Turns a panic into an answer without detail. What it said may be clinical.
pub(super) async fn unpanicked(edge: Arc<Edge>, request: Request<Inbound>, next: Next<Inbound>) -> Reply {
    let dialect = Dialect::of(request.uri().path());
    // Nothing of the request outlives the panic, so nothing half-changed is seen again.
    match AssertUnwindSafe(next.oneshot(request)).catch_unwind().await {
        Ok(Ok(reply)) => reply,
        Err(_what_it_said) => {
            edge.metrics.panicked();
            tracing::error!("panic caught");
            respond(dialect, Problem::internal().closing())
        }
    }
}
