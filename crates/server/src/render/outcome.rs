//! Errors as `OperationOutcome`, in the version of the path.

use http::StatusCode;
use tributary_bounds::{Problem, Spine};
use tributary_fhir::outcome::SPINE_CODES;
use tributary_fhir::{Issue, Outcome};

use crate::exchange::{FHIR_JSON, Reply, reply};
use crate::gpconnect;
use crate::negotiate::Format;

/// Which shape a path's errors have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    R4,
    GpConnect,
}

impl Dialect {
    /// The dialect of a path, known or not. Outcomes of the merged record have one shape in both versions.
    pub(crate) fn of(path: &str) -> Self {
        let is_merged = path == "/fhir/STU3" || path.starts_with("/fhir/STU3/");
        if is_merged {
            Self::R4
        } else if path.split('/').any(|part| part == "STU3") {
            Self::GpConnect
        } else {
            Self::R4
        }
    }
}

/// The response to a problem.
pub(crate) fn respond(dialect: Dialect, problem: Problem) -> Reply {
    let body = match dialect {
        Dialect::R4 => r4(&problem).to_json(),
        Dialect::GpConnect => gp_connect(&problem).to_json(),
    };
    let mut reply = reply(problem.status, FHIR_JSON, body);
    reply.headers_mut().extend(problem.headers);
    reply
}

/// A problem as an R4 outcome.
pub(crate) fn r4(problem: &Problem) -> Outcome {
    let issue = Issue::error(problem.code, &*problem.text);
    let issue = match problem.spine {
        Some(Spine(code, display)) => issue.coded(SPINE_CODES, code, Some(display)),
        None => issue,
    };
    Outcome::of(match &problem.element {
        Some(element) => issue.naming(&**element),
        None => issue,
    })
}

/// The response to a problem below a GP Connect root, in the caller's format.
pub(crate) fn respond_as(format: Format, problem: Problem) -> Reply {
    let (media, body) = gpconnect::outcome_in(format, &problem);
    let mut reply = reply(problem.status, media, body);
    reply.headers_mut().extend(problem.headers);
    reply
}

/// One issue, one Spine coding, always diagnostics: what GP Connect consumers look for.
pub(crate) fn gp_connect(problem: &Problem) -> Outcome {
    let Spine(code, display) = problem.spine.unwrap_or_else(|| spine_of(problem.status));
    let diagnostics = match &problem.element {
        Some(element) => format!("{element}: {}", problem.text),
        None => problem.text.to_string(),
    };
    Outcome::spine(stu3_issue(problem), code, display, Some(&diagnostics))
}

/// GP Connect answers wrong media types and verbs as `invalid`, and failures as `processing`.
fn stu3_issue(problem: &Problem) -> &'static str {
    match problem.status {
        StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::METHOD_NOT_ALLOWED | StatusCode::BAD_REQUEST => {
            if problem.code == "value" {
                "value"
            } else {
                "invalid"
            }
        }
        status if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED => "processing",
        _ => problem.code,
    }
}

fn spine_of(status: StatusCode) -> Spine {
    match status {
        StatusCode::FORBIDDEN => Spine::DENIED,
        StatusCode::UNPROCESSABLE_ENTITY => Spine::PARAMETER,
        StatusCode::NOT_IMPLEMENTED => Spine::UNIMPLEMENTED,
        status if status.is_server_error() => Spine::INTERNAL,
        _ => Spine::BAD_REQUEST,
    }
}
