//! Bounds on what is at work, what is read, and how long it takes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tower::ServiceExt as _;
use tributary_bounds::{Problem, come_back};
use tributary_model::Deadline;
use tributary_telemetry::ShedReason;

use super::observe::Arrived;
use crate::exchange::{Edge, Inbound, Next, Reply, text};
use crate::render::outcome::{Dialect, respond};
use crate::settings::Limits;

/// What an answer may take beyond its deadline before it is cut off: the broker keeps deadlines itself, this
/// is for the day it does not.
const GRACE: Duration = Duration::from_secs(1);

/// Answered from what is at hand, and asked most when there is too much to do.
pub(crate) const HEALTH: &[&str] = &["/_ping", "/_status"];

/// Refuses what is too much at once; never queues. Whether we live is told in any case.
pub(super) async fn in_flight(edge: Arc<Edge>, request: Request<Inbound>, next: Next<Inbound>) -> Reply {
    if HEALTH.contains(&request.uri().path()) {
        let Ok(reply) = next.oneshot(request).await;
        return reply;
    }
    if let Ok(permit) = Arc::clone(&edge.house.at_work).try_acquire_owned() {
        let Ok(reply) = next.oneshot(request).await;
        return reply.map(|body| body.holding(permit));
    }
    edge.metrics.shed(ShedReason::Requests);
    let text = "Too many requests at once. No source was asked.";
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "throttled", text).after(come_back());
    respond(Dialect::of(request.uri().path()), problem)
}

/// Reads the whole body, within its bounds.
pub(super) async fn whole_body(edge: Arc<Edge>, request: Request<Inbound>, next: Next<Bytes>) -> Reply {
    let dialect = Dialect::of(request.uri().path());
    let (head, body) = request.into_parts();
    match read(&edge.settings.limits, &head.headers, body).await {
        Ok(bytes) => {
            let Ok(reply) = next.oneshot(Request::from_parts(head, bytes)).await;
            reply
        }
        Err(problem) => respond(dialect, problem.closing()),
    }
}

pub(super) async fn read(limits: &Limits, headers: &HeaderMap, body: Inbound) -> Result<Bytes, Problem> {
    let encoding = headers.get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        let problem = Problem::media("The body must be sent without a content encoding.");
        return Err(problem.naming("Content-Encoding"));
    }
    let declared = text(headers, "content-length").and_then(|length| length.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limits.body_bytes) {
        return Err(too_large(limits));
    }
    let whole = Limited::new(body, limits.body_bytes).collect();
    match tokio::time::timeout(limits.body_read, whole).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(limits)),
        Ok(Err(_broken)) => Err(Problem::bad("The body could not be read.")),
        Err(_elapsed) => {
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", "The body did not arrive in time."))
        }
    }
}

fn too_large(limits: &Limits) -> Problem {
    let text = format!("The body is larger than {} bytes.", limits.body_bytes);
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-long", text)
}

/// Gives the request its deadline: the caller's within our bounds, counted from its arrival.
pub(super) async fn deadline(edge: Arc<Edge>, mut request: Request<Bytes>, next: Next<Bytes>) -> Reply {
    let dialect = Dialect::of(request.uri().path());
    let budget = match budget(&edge.settings.limits, request.headers()) {
        Ok(budget) => budget,
        Err(problem) => return respond(dialect, problem),
    };
    let arrived = request.extensions().get::<Arrived>();
    let spent = arrived.map(|arrived| arrived.0.elapsed()).unwrap_or_default();
    let deadline = Deadline::after(budget.saturating_sub(spent));
    request.extensions_mut().insert(deadline);
    let answered = tokio::time::timeout_at(deadline.instant() + GRACE, next.oneshot(request)).await;
    match answered {
        Ok(Ok(reply)) => reply,
        Err(_elapsed) => {
            let text = "No answer was ready in time. Nothing was disclosed.";
            respond(dialect, Problem::new(StatusCode::GATEWAY_TIMEOUT, "timeout", text))
        }
    }
}

fn budget(limits: &Limits, headers: &HeaderMap) -> Result<Duration, Problem> {
    const NAME: &str = "Tributary-Deadline-Ms";
    let Some(value) = headers.get(NAME) else {
        return Ok(limits.deadline_default);
    };
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let asked: u32 = digits
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| Problem::bad("The deadline must be a whole number of milliseconds.").naming(NAME))?;
    let (shortest, longest) = limits.deadline_range;
    Ok(Duration::from_millis(u64::from(asked)).clamp(shortest, longest))
}
