//! The position of the Spine Secure Proxy: a path that is a whole address, and the proxy's own errors.

use http::StatusCode;
use tributary_fhir::{Issue, Outcome};
use tributary_model::{Capability, OdsCode};

use crate::exchange::{Exchange, FHIR_JSON, Reply, reply, set};

/// The system of the proxy's response codes.
const CODES: &str = "http://fhir.nhs.net/ValueSet/gpconnect-schedule-response-code-1-0";

/// A registered endpoint, and what below it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proxied<'p> {
    pub(super) practice: OdsCode,
    pub(super) capability: Capability,
    pub(super) tail: &'p str,
}

impl<'p> Proxied<'p> {
    /// Whether a path is a whole address.
    pub(crate) fn is_it(path: &str) -> bool {
        path.starts_with("/https://") || path.starts_with("/http://")
    }

    /// The registered endpoint that the address begins with, letter by letter. Any difference, be it a port, a
    /// case or a slash, is another endpoint, and is refused as the proxy refuses it.
    pub(super) fn of(path: &'p str, exchange: &Exchange) -> Option<Self> {
        let address = path.strip_prefix('/').unwrap_or(path);
        let endpoints = exchange.edge.desk.endpoints();
        endpoints.into_iter().find_map(|(practice, capability, root)| {
            let tail = address.strip_prefix(root.trim_end_matches('/'))?.strip_prefix('/')?;
            Some(Self { practice, capability, tail })
        })
    }
}

/// What may be done at an address, in the header by which the proxy tells it.
pub(super) fn options(methods: &[&'static str]) -> Reply {
    if methods.is_empty() {
        return varies();
    }
    let mut reply = reply(StatusCode::OK, FHIR_JSON, "");
    let methods = methods.join(", ");
    set(&mut reply, "access-control-request-method", &methods);
    set(&mut reply, "allow", &methods);
    reply
}

/// The address is no registered endpoint. Whose it is, or what stood behind it, is not repeated.
pub(super) fn varies() -> Reply {
    let text = "ENDPOINT_UNKNOWN_CPAID_UNKNOWN_VARIES_FROM_TARGETURL";
    refusal(StatusCode::BAD_REQUEST, ("invalid", "400"), text)
}

/// The system id of the sender is not the one that is registered for whoever showed the certificate. Neither of the
/// two is repeated.
pub(super) fn sender() -> Reply {
    refusal(StatusCode::FORBIDDEN, ("forbidden", "403"), "ASID_CHECK_FAILED_MESSAGESENDER_UNKNOWN")
}

fn refusal(status: StatusCode, (issue, code): (&'static str, &'static str), text: &'static str) -> Reply {
    let issue = Issue { severity: "error", code: issue, ..Issue::default() };
    let issue = issue.coded(CODES, code, Some(text)).naming(text);
    let outcome = Outcome { id: Some("ssp-refusal"), ..Outcome::of(issue) };
    reply(status, FHIR_JSON, outcome.to_json())
}
