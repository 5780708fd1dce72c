//! Refuses heads that two readers could read differently.
//!
//! Only what the parsed head still shows can be refused here: `Content-Length` beside `Transfer-Encoding` and
//! bare line feeds are gone by now.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use tower::ServiceExt as _;
use tributary_model::RequestId;

use crate::exchange::{Edge, Inbound, Next, Reply, text};
use crate::problem::Problem;
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
    "x-request-id",
];

/// The layer.
pub(super) async fn strict(edge: Arc<Edge>, request: Request<Inbound>, next: Next<Inbound>) -> Reply {
    let longest = edge.settings.limits.uri_bytes;
    let checked = method(request.method())
        .and_then(|()| target(request.uri(), longest))
        .and_then(|()| edge.hosts.check(request.headers()))
        .and_then(|()| same_host(request.uri(), request.headers()))
        .and_then(|()| framing(request.method(), request.headers()))
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

fn method(method: &Method) -> Result<(), Problem> {
    if *method == Method::TRACE || *method == Method::CONNECT {
        let text = "This method is not offered on any path.";
        return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "not-supported", text)
            .with(header::ALLOW, HeaderValue::from_static("GET, POST")));
    }
    Ok(())
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

fn framing(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(header::UPGRADE) {
        return Err(Problem::bad("No other protocol is offered.").naming("Upgrade"));
    }
    let declared = headers.get(header::CONTENT_LENGTH);
    let has_body = headers.contains_key(header::TRANSFER_ENCODING)
        || declared.is_some_and(|length| length.as_bytes().iter().any(|byte| *byte != b'0'));
    if has_body && matches!(*method, Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS) {
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
