//! From a received answer to a document, or to the fault its status and codes stand for.

use tributary_fhir::outcome::{OutcomeFacts, ProxyRefusal, read_outcome};
use tributary_fhir::{Document, Limits};
use tributary_model::{FaultClass, NoticeKind, Retry, SourceFault};

use crate::egress::Received;

/// An answer that is no document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) fault: SourceFault,
    /// Whether the source said so in an `OperationOutcome`.
    pub(crate) said: Said,
}

/// How a source refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// With an `OperationOutcome`.
    Outcome,
    /// With a bare status, or not at all.
    Nothing,
}

/// How a protocol says that it has no record of the patient, when no Spine code says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absence {
    /// With an outcome that says `not-found`: the operation is about nobody but the patient.
    Outcome,
    /// With an empty searchset. `not-found` speaks of the address, not of the patient.
    Searchset,
}

impl Refused {
    /// A fault without a word of the source.
    pub(crate) const fn silent(fault: SourceFault) -> Self {
        Self { fault, said: Said::Nothing }
    }

    /// What to tell of one refused search among several; nothing when it is a fault of the whole ask.
    pub(crate) const fn of_one_type(&self) -> Option<NoticeKind> {
        match (self.fault.class, self.fault.http, self.said) {
            // The patient was found before, so this is no word about the patient. And whether our own
            // parameters are at fault or the type cannot be searched, nobody can tell.
            (FaultClass::NoRecord, _, _) | (_, Some(400 | 422), _) => Some(NoticeKind::Failed),
            (_, Some(404 | 501), Said::Outcome) => Some(NoticeKind::NotSupported),
            _ => None,
        }
    }
}

impl From<Refused> for SourceFault {
    fn from(refused: Refused) -> Self {
        refused.fault
    }
}

/// The document of a good answer.
pub(crate) fn document(received: Received, absence: Absence) -> Result<Document, Refused> {
    document_within(received, absence, &Limits::default())
}

/// The same with other limits.
pub(crate) fn document_within(
    received: Received,
    absence: Absence,
    limits: &Limits,
) -> Result<Document, Refused> {
    if received.status != 200 {
        return Err(refusal(received, absence));
    }
    let silent = |class| Refused::silent(SourceFault::new(class).with_http(200));
    if received.body.is_empty() {
        return Err(silent(FaultClass::EmptyBody));
    }
    if !received.media_type.as_deref().is_some_and(is_fhir_json) {
        return Err(silent(FaultClass::MediaType));
    }
    let document = Document::scan(received.body, limits).map_err(|rejection| silent(rejection.class))?;
    match read_outcome(document.root()) {
        None => Ok(document),
        Some(facts) => Err(Refused { fault: in_success(facts, absence).with_http(200), said: Said::Outcome }),
    }
}

/// The fault of an answer whose status is not 200.
pub(crate) fn refusal(received: Received, absence: Absence) -> Refused {
    let Received { status, retry_after, body, media_type: _, etag: _, attempts: _, held: _held } = received;
    // Best effort: proxies send HTML, or nothing.
    let document = Document::scan(body, &Limits::default()).ok();
    let facts = document.and_then(|document| read_outcome(document.root()));
    let (class, retry) = match (status, retry_after) {
        (429, wait) => (FaultClass::Throttled, later(wait)),
        (400..=499, _) if facts.is_some_and(|facts| facts.proxy.is_some()) => {
            (of_proxy(facts.and_then(|facts| facts.proxy)), Retry::Never)
        }
        (503, Some(wait)) => (FaultClass::Throttled, Retry::Later(wait)),
        _ => (of_status(status, facts, absence), Retry::Never),
    };
    Refused {
        fault: SourceFault::new(class)
            .with_http(status)
            .with_spine(facts.and_then(|facts| facts.spine))
            .with_retry(retry),
        // What the proxy says is no word of the source.
        said: if facts.is_some_and(|facts| !facts.of_proxy) { Said::Outcome } else { Said::Nothing },
    }
}

/// The fault that a refusal of the Spine proxy stands for.
const fn of_proxy(refusal: Option<ProxyRefusal>) -> FaultClass {
    match refusal {
        Some(ProxyRefusal::EndpointVaries) => FaultClass::EndpointVaries,
        Some(ProxyRefusal::AsidCheck) => FaultClass::AsidCheck,
        Some(ProxyRefusal::NoAgreement) => FaultClass::NoAgreement,
        Some(ProxyRefusal::Unreachable) | None => FaultClass::ServerError,
    }
}

fn later(wait: Option<std::time::Duration>) -> Retry {
    wait.map_or(Retry::Never, Retry::Later)
}

fn of_status(status: u16, facts: Option<OutcomeFacts>, absence: Absence) -> FaultClass {
    match status {
        204 => FaultClass::EmptyBody,
        300..=399 => FaultClass::Redirect,
        403 if facts.is_some_and(says_consent) => FaultClass::Consent,
        401 | 403 => FaultClass::Denied,
        404 if facts.is_some_and(|facts| says_no_record(facts, absence)) => FaultClass::NoRecord,
        // A wrong address must never look like a patient without a record.
        404 | 410 => FaultClass::BadEndpoint,
        408 | 500..=599 => FaultClass::ServerError,
        400..=499 => FaultClass::OurRequest,
        _ => FaultClass::UnexpectedStatus,
    }
}

/// A 200 that carries nothing but an outcome is a refusal, whatever its severity.
fn in_success(facts: OutcomeFacts, absence: Absence) -> SourceFault {
    let denied = matches!(spine(facts), "ACCESS DENIED" | "ACCESS_DENIED" | "NO_RELATIONSHIP");
    let class = if says_consent(facts) {
        FaultClass::Consent
    } else if says_no_record(facts, absence) {
        FaultClass::NoRecord
    } else if denied {
        FaultClass::Denied
    } else {
        FaultClass::OutcomeError
    };
    SourceFault::new(class).with_spine(facts.spine)
}

fn spine(facts: OutcomeFacts) -> &'static str {
    facts.spine.map_or("", tributary_model::SpineCode::as_str)
}

fn says_consent(facts: OutcomeFacts) -> bool {
    matches!(spine(facts), "NO_PATIENT_CONSENT" | "NO_ORGANISATION_CONSENT" | "NO_ORGANISATIONAL_CONSENT")
}

/// A Spine code decides; without one the FHIR issue type does, where it can mean the patient.
fn says_no_record(facts: OutcomeFacts, absence: Absence) -> bool {
    match spine(facts) {
        "" => facts.not_found && absence == Absence::Outcome,
        code => matches!(code, "PATIENT_NOT_FOUND" | "NO_RECORD_FOUND"),
    }
}

fn is_fhir_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    ["application/fhir+json", "application/json", "application/json+fhir"]
        .iter()
        .any(|known| essence.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests;
