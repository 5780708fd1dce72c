//! The admin listener: metrics, health and sources. It has no way to a record.

use std::sync::Arc;

use http::{HeaderValue, Method, Request, StatusCode, header};
use tributary_bounds::Problem;

use crate::exchange::{Edge, Inbound, Reply, reply};
use crate::front::Front;
use crate::handlers::sources;
use crate::layers::refused;
use crate::listener::Answering;
use crate::render::outcome::{Dialect, respond};

const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// What answers on the admin listener.
pub(crate) fn answering(front: &Front) -> Answering {
    let front = front.clone();
    Arc::new(move |request| {
        let reply = answer(&front.edge(), &request);
        Box::pin(std::future::ready(reply))
    })
}

fn answer(edge: &Edge, request: &Request<Inbound>) -> Reply {
    let mut answer = told(edge, request).unwrap_or_else(|problem| respond(Dialect::R4, problem));
    crate::exchange::set(&mut answer, "cache-control", "no-store");
    crate::exchange::set(&mut answer, "x-content-type-options", "nosniff");
    answer
}

fn told(edge: &Edge, request: &Request<Inbound>) -> Result<Reply, Problem> {
    if let Some(refused) = refused(request) {
        return Err(refused.problem.closing());
    }
    edge.hosts.check(request.headers()).map_err(Problem::closing)?;
    if *request.method() != Method::GET {
        let text = "The admin listener only tells.";
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "not-supported", text);
        return Err(problem.with(header::ALLOW, HeaderValue::from_static("GET")).closing());
    }
    match request.uri().path() {
        "/metrics" => Ok(reply(StatusCode::OK, METRICS, edge.metrics.render())),
        "/health/live" => Ok(reply(StatusCode::OK, PLAIN, "live\n")),
        "/health/ready" if edge.is_ready() => {
            Ok(reply(StatusCode::OK, PLAIN, format!("ready\n{}", edge.settings.posture)))
        }
        "/health/ready" => Ok(reply(StatusCode::SERVICE_UNAVAILABLE, PLAIN, "not ready\n")),
        "/sources" => Ok(sources::for_operators(&edge.desk.sources())),
        _ => Err(Problem::new(StatusCode::NOT_FOUND, "not-found", "There is nothing at this address.")),
    }
}
