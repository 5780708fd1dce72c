//! The admin listener: metrics, health and sources. It has no way to a record.

use std::sync::Arc;

use http::{Method, Request, StatusCode};

use crate::exchange::{Edge, Inbound, Reply, reply};
use crate::handlers::sources;
use crate::listener::Answering;
use crate::problem::Problem;
use crate::render::outcome::{Dialect, respond};

const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// What answers on the admin listener.
pub(crate) fn answering(edge: &Arc<Edge>) -> Answering {
    let edge = Arc::clone(edge);
    Arc::new(move |request| {
        let reply = answer(&edge, &request);
        Box::pin(std::future::ready(reply))
    })
}

fn answer(edge: &Edge, request: &Request<Inbound>) -> Reply {
    if *request.method() != Method::GET {
        let text = "The admin listener only tells.";
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "not-supported", text);
        return respond(Dialect::R4, problem.closing());
    }
    let mut answer = match request.uri().path() {
        "/metrics" => reply(StatusCode::OK, METRICS, edge.metrics.render()),
        "/health/live" => reply(StatusCode::OK, PLAIN, "live\n"),
        "/health/ready" if edge.is_ready() => reply(StatusCode::OK, PLAIN, "ready\n"),
        "/health/ready" => reply(StatusCode::SERVICE_UNAVAILABLE, PLAIN, "not ready\n"),
        "/sources" => sources::for_operators(&edge.desk.sources()),
        _ => {
            let text = "There is nothing at this address.";
            respond(Dialect::R4, Problem::new(StatusCode::NOT_FOUND, "not-found", text))
        }
    };
    crate::exchange::set(&mut answer, "cache-control", "no-store");
    crate::exchange::set(&mut answer, "x-content-type-options", "nosniff");
    answer
}
