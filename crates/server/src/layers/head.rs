//! Refuses heads that two readers could read differently, whatever they came in.
//!
//! What only the bytes of HTTP/1.1 show was refused before hyper read them; here that refusal is answered, and
//! what HTTP/2 says in its own way is held to the same rules.

use std::sync::Arc;

use http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use http_body::Body as _;
use tower::ServiceExt as _;
use tributary_bounds::Problem;
use tributary_model::RequestId;

use crate::exchange::{Edge, Inbound, Next, Reply, text};
use crate::listener::{Refused, has_no_body, not_offered, too_large};
use crate::render::outcome::{Dialect, respond};

/// Headers that decide something, and so may come once only.
const SINGLE: &[&str] = &[
    "authorization",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "origin",
    "ssp-from",
    "ssp-interactionid",
    "ssp-to",
    "ssp-traceid",
    "transfer-encoding",
    "tributary-deadline-ms",
    "tributary-priority",
    "tributary-user-token",
    "x-request-id",
];

/// The layer.
pub(super) async fn strict(edge: Arc<Edge>, request: Request<Inbound>, next: Next<Inbound>) -> Reply {
    if let Some(Refused { dialect, problem }) = refused(&request) {
        return respond(dialect, problem.closing());
    }
    let longest = edge.settings.limits.uri_bytes;
    let checked = method(request.method())
        .and_then(|()| target(request.uri(), longest))
        .and_then(|()| edge.hosts.check(request.headers()))
        .and_then(|()| same_host(request.uri(), request.headers()))
        .and_then(|()| framing(&request))
        .and_then(|()| few(request.headers(), edge.settings.limits.head_fields))
        .and_then(|()| single(request.headers()));
    if let Err(problem) = checked {
        return respond(Dialect::of(request.uri().path()), problem.closing());
    }
    // Not a question of framing: the connection can go on.
    if let Err(problem) = request_id(request.headers()) {
        return respond(Dialect::of(request.uri().path()), problem);
    }
    let Ok(reply) = next.oneshot(request).await;
    reply
}

/// What a request stands for that was refused before hyper read it.
pub(crate) fn refused<B>(request: &Request<B>) -> Option<Refused> {
    request.extensions().get::<Arc<Refused>>().map(|refused| Refused::clone(refused))
}

fn method(method: &Method) -> Result<(), Problem> {
    let is_offered = *method != Method::TRACE && *method != Method::CONNECT;
    if is_offered { Ok(()) } else { Err(not_offered()) }
}

fn few(headers: &HeaderMap, most: usize) -> Result<(), Problem> {
    if headers.len() > most { Err(too_large()) } else { Ok(()) }
}

fn target(uri: &Uri, longest: usize) -> Result<(), Problem> {
    let length = uri.path().len() + uri.query().map_or(0, |query| query.len() + 1);
    if length > longest {
        let text = format!("The request target is longer than {longest} bytes.");
        return Err(Problem::new(StatusCode::URI_TOO_LONG, "too-long", text));
    }
    Ok(())
}

/// The host has been checked; a target that names one as well must name the same.
fn same_host(uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let host = text(headers, "host").unwrap_or_default();
    match uri.authority() {
        Some(authority) if !authority.as_str().eq_ignore_ascii_case(host) => {
            Err(Problem::bad("The request target names another host.").naming("Host"))
        }
        _ => Ok(()),
    }
}

fn framing(request: &Request<Inbound>) -> Result<(), Problem> {
    if request.headers().contains_key(header::UPGRADE) {
        return Err(Problem::bad("No other protocol is offered.").naming("Upgrade"));
    }
    // On HTTP/2 a body needs no header that says so.
    if !request.body().is_end_stream() && has_no_body(request.method()) {
        return Err(Problem::bad("A request with this method has no body."));
    }
    Ok(())
}

fn single(headers: &HeaderMap) -> Result<(), Problem> {
    let repeated = |name: &&&str| headers.get_all(**name).iter().nth(1).is_some();
    match SINGLE.iter().find(repeated) {
        Some(name) => Err(Problem::bad("This header may come once only.").naming(name)),
        None => Ok(()),
    }
}

fn request_id(headers: &HeaderMap) -> Result<(), Problem> {
    const NAME: &str = "x-request-id";
    let is_uuid = text(headers, NAME).and_then(RequestId::parse).is_some();
    if headers.contains_key(NAME) && !is_uuid {
        return Err(Problem::bad("The request id must be a UUID.").naming("X-Request-ID"));
    }
    Ok(())
}
