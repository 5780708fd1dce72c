//! `GET /_ping` and `GET /_status`, as NHS platform proxies expect them.

use http::StatusCode;
use tributary_fhir::Writer;

use crate::exchange::{Exchange, Reply, reply};

const JSON: &str = "application/health+json; charset=utf-8";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Alive, and which version.
pub(crate) fn ping(_exchange: &Exchange) -> Reply {
    reply(StatusCode::OK, JSON, health("pass"))
}

/// Whether requests can be served.
pub(crate) fn status(exchange: &Exchange) -> Reply {
    if exchange.edge.is_ready() {
        reply(StatusCode::OK, JSON, health("pass"))
    } else {
        reply(StatusCode::SERVICE_UNAVAILABLE, JSON, health("fail"))
    }
}

fn health(status: &str) -> String {
    let mut json = Writer::default();
    json.object(|health| {
        health.text("status", status);
        health.text("version", VERSION);
    });
    json.finish()
}
