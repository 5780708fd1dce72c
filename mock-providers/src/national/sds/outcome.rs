//! The refusals of SDS. It still words them in the codes of STU3.

use serde_json::json;

use crate::national::limit::Throttle;
use crate::wire::Reply;

const SYSTEM: &str = "https://fhir.nhs.uk/STU3/ValueSet/Spine-ErrorOrWarningCode-1";

/// Why a look-up is refused.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    status: u16,
    issue: &'static str,
    code: &'static str,
    diagnostics: String,
}

impl Refusal {
    fn new(status: u16, issue: &'static str, code: &'static str, diagnostics: impl Into<String>) -> Self {
        Self { status, issue, code, diagnostics: diagnostics.into() }
    }

    /// The key is checked by the platform before SDS.
    pub(super) fn unknown_key() -> Self {
        Self::new(401, "forbidden", "ACCESS_DENIED", "the apikey header is missing or not known")
    }

    pub(super) fn throttled(throttle: Throttle) -> Self {
        Self::new(429, "throttled", "TOO_MANY_REQUESTS", throttle.text())
    }

    pub(super) fn bad_request(diagnostics: impl Into<String>) -> Self {
        Self::new(400, "required", "BAD_REQUEST", diagnostics)
    }

    pub(super) fn no_such_path() -> Self {
        Self::new(404, "not-found", "NO_RECORD_FOUND", "no such path")
    }

    pub(super) fn not_a_read() -> Self {
        Self::new(405, "not-supported", "NOT_IMPLEMENTED", "only GET is supported")
    }

    pub(super) fn not_acceptable() -> Self {
        Self::new(406, "not-supported", "MISSING_OR_INVALID_HEADER", "Accept asks for no FHIR JSON")
    }

    /// 500, 502 or 504.
    pub(super) fn internal(status: u16) -> Self {
        let issue = if status == 504 { "timeout" } else { "exception" };
        Self::new(status, issue, "INTERNAL_SERVER_ERROR", "made to fail")
    }

    /// The refusal under the correlation id of the request.
    pub(super) fn reply(&self, correlation: &str) -> Reply {
        let outcome = json!({
            "resourceType": "OperationOutcome",
            "id": correlation,
            "issue": [{
                "severity": "error",
                "code": self.issue,
                "details": {"coding": [{"system": SYSTEM, "code": self.code, "display": self.code}]},
                "diagnostics": self.diagnostics,
            }],
        });
        let reply = Reply::fhir(self.status, outcome.to_string());
        if self.status == 405 { reply.with("Allow", "GET") } else { reply }
    }
}
