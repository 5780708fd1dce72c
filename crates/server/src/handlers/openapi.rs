//! `GET /openapi.yaml`.

use http::StatusCode;

use crate::exchange::{Exchange, Reply, reply};

/// The description, written by hand; a test holds it against the routes.
pub(crate) const DESCRIPTION: &str = include_str!("../web/openapi.yaml");

/// Hands out the description.
pub(crate) fn openapi(_exchange: &Exchange) -> Reply {
    reply(StatusCode::OK, "application/yaml; charset=utf-8", DESCRIPTION)
}
