//! The refusals of PDS.

use serde_json::json;

use crate::wire::Reply;

use crate::national::limit::Throttle;

const SYSTEM: &str = "https://fhir.nhs.uk/R4/CodeSystem/Spine-ErrorOrWarningCode";

/// A refusal, or the one answer with status 200 that is none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    status: u16,
    severity: &'static str,
    issue: &'static str,
    code: &'static str,
    display: &'static str,
    diagnostics: &'static str,
    retry_after: Option<&'static str>,
    body: Body,
}

#[derive(Clone, Copy, Debug)]
enum Body {
    Outcome,
    Page,
}

impl Refusal {
    const fn new(status: u16, issue: &'static str, (code, display): (&'static str, &'static str)) -> Self {
        Self {
            status,
            severity: "error",
            issue,
            code,
            display,
            diagnostics: "",
            retry_after: None,
            body: Body::Outcome,
        }
    }

    const fn because(self, diagnostics: &'static str) -> Self {
        Self { diagnostics, ..self }
    }

    pub(super) const fn access_denied(why: &'static str) -> Self {
        Self::new(401, "forbidden", ("ACCESS_DENIED", "Access Denied")).because(why)
    }

    pub(super) const fn throttled(throttle: Throttle) -> Self {
        Self::new(429, "value", ("TOO_MANY_REQUESTS", "Too Many Requests")).because(throttle.text())
    }

    pub(super) const fn wrong_scope() -> Self {
        Self::new(403, "forbidden", ("ACCESS_DENIED", "Access Denied")).because("no scope of this service")
    }

    pub(super) const fn invalid_method() -> Self {
        Self::new(403, "forbidden", ("INVALID_METHOD", "Invalid Method"))
            .because("not in restricted access mode")
    }

    pub(super) const fn too_many_results_asked() -> Self {
        Self::new(403, "forbidden", ("INVALID_VALUE", "Invalid value"))
            .because("_max-results is 1 in restricted access mode")
    }

    pub(super) const fn unsupported_request() -> Self {
        Self::new(400, "processing", ("UNSUPPORTED_REQUEST", "Unsupported Request"))
            .because("no such path or method")
    }

    pub(super) const fn unsupported_service() -> Self {
        Self::new(400, "processing", ("UNSUPPORTED_SERVICE", "Unsupported Service"))
            .because("search is not played here")
    }

    pub(super) const fn missing_value(what: &'static str) -> Self {
        Self::new(400, "required", ("MISSING_VALUE", "Required value is missing")).because(what)
    }

    pub(super) const fn invalid_value(what: &'static str) -> Self {
        Self::new(400, "value", ("INVALID_VALUE", "Invalid value")).because(what)
    }

    pub(super) const fn invalid_resource_id() -> Self {
        Self::new(400, "value", ("INVALID_RESOURCE_ID", "Resource Id is invalid"))
            .because("not an NHS number with its check digit")
    }

    /// Nobody has this number. Said for information only.
    pub(super) const fn not_found() -> Self {
        let refusal = Self::new(404, "not-found", ("RESOURCE_NOT_FOUND", "Resource not found"));
        Self { severity: "information", ..refusal }
    }

    /// The number was withdrawn and nothing came in its place.
    pub(super) const fn invalidated() -> Self {
        Self::new(404, "processing", ("INVALIDATED_RESOURCE", "Resource that has been marked as invalid"))
    }

    pub(super) const fn unable_to_call() -> Self {
        Self::new(408, "timeout", ("UNABLE_TO_CALL_SERVICE", "Unable to call service"))
    }

    pub(super) const fn unknown_error() -> Self {
        Self::new(500, "exception", ("UNKNOWN_ERROR", "Unknown error"))
    }

    pub(super) const fn unavailable() -> Self {
        let refusal = Self::new(503, "transient", ("SERVICE_UNAVAILABLE", "Service unavailable"));
        Self { retry_after: Some("5"), ..refusal }
    }

    /// A page of some proxy on the way.
    pub(super) const fn page() -> Self {
        Self { body: Body::Page, ..Self::new(503, "", ("", "")) }
    }

    /// What a search with too many hits says, with status 200.
    pub(super) const fn too_many_matches() -> Self {
        let refusal = Self::new(200, "multiple-matches", ("TOO_MANY_MATCHES", "Too Many Matches"));
        Self { severity: "information", ..refusal }
    }

    pub(super) fn reply(&self) -> Reply {
        let reply = match self.body {
            Body::Page => Reply::typed(
                self.status,
                "text/html",
                "<html><body><h1>Service Unavailable</h1></body></html>",
            ),
            Body::Outcome => Reply::fhir(self.status, self.outcome().to_string()),
        };
        match self.retry_after {
            Some(seconds) => reply.with("Retry-After", seconds),
            None => reply,
        }
    }

    fn outcome(&self) -> serde_json::Value {
        let mut outcome = json!({
            "resourceType": "OperationOutcome",
            "issue": [{
                "severity": self.severity,
                "code": self.issue,
                "details": {"coding": [{
                    "system": SYSTEM, "version": "1", "code": self.code, "display": self.display,
                }]},
            }],
        });
        if !self.diagnostics.is_empty()
            && let Some(issue) = outcome.pointer_mut("/issue/0").and_then(serde_json::Value::as_object_mut)
        {
            issue.insert("diagnostics".to_owned(), self.diagnostics.into());
        }
        outcome
    }
}
