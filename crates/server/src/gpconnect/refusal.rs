//! Refusals of the broker, in the words that GP Connect consumers know. No internals, no source's words.

use std::time::Duration;

use http::StatusCode;
use tributary_bounds::{Problem, Spine};
use tributary_broker::{Refusal, RelayFailure};
use tributary_model::Interaction;

use super::{no_such_practice, not_found};
use crate::exchange::status;

/// When a caller may come back whose GP system, or whose audit record, is not to be had now.
const COME_BACK: Duration = Duration::from_secs(5);

/// A refusal of the broker.
pub(super) fn from_refusal(refusal: Refusal, interaction: Interaction) -> Problem {
    let failed = |status, text: &str| Problem::new(status, "processing", text).coded(Spine::INTERNAL);
    match refusal {
        Refusal::Denied(_) => denied("This requester may not see this record."),
        Refusal::AuditUnavailable => {
            let text = "The access cannot be recorded, so nothing may be shown.";
            failed(StatusCode::SERVICE_UNAVAILABLE, text).after(COME_BACK)
        }
        Refusal::Overloaded(wait) => {
            failed(StatusCode::SERVICE_UNAVAILABLE, "Too much is going on.").after(wait)
        }
        Refusal::Unlocated => from_failure(RelayFailure::Unlocated, interaction),
        Refusal::Barred(_) | Refusal::NotTheirPractice => patient_not_found(),
        Refusal::NoSuchSource => no_such_practice(),
        Refusal::PracticeNotNamed => {
            Problem::bad("Several practices are served here: the address must name one.")
        }
        Refusal::NoSuchAttachment => not_found(interaction),
        Refusal::AttachmentExpired => {
            let problem = not_found(interaction);
            Problem {
                text: "The address of this document has expired; search for it again.".into(),
                ..problem
            }
        }
        Refusal::Source(_, failure) => {
            let problem = from_failure(failure, interaction);
            if let Some(wait) = refusal.retry_after() { problem.after(wait) } else { problem }
        }
        Refusal::Internal => Problem::internal(),
    }
}

/// The one answer about whoever is unknown, gone, registered elsewhere or restricted.
fn patient_not_found() -> Problem {
    not_found(Interaction::ReadPatient)
}

fn denied(text: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "forbidden", text).coded(Spine::DENIED)
}

fn from_failure(failure: RelayFailure, interaction: Interaction) -> Problem {
    let failed = |text: &str| Problem::new(status(failure.http()), "processing", text).coded(Spine::INTERNAL);
    match failure {
        RelayFailure::NoRecord => patient_not_found(),
        RelayFailure::NoConsent => {
            let text = "The patient has not consented to sharing the record.";
            Problem::new(status(failure.http()), "forbidden", text).coded(Spine::CONSENT)
        }
        RelayFailure::Denied => denied("The GP system takes no such requests of this organisation."),
        RelayFailure::NoAsid => denied("The caller's organisation has no system id registered here."),
        RelayFailure::NoAgreement => denied(
            "The Spine knows no agreement to share between the caller's organisation and the practice.",
        ),
        RelayFailure::NotOffered => {
            let text = "The GP system is not registered with this capability.";
            Problem::new(status(failure.http()), "not-supported", text).coded(Spine::UNIMPLEMENTED)
        }
        RelayFailure::TooLarge => {
            Problem { text: "The document is larger than five megabytes.".into(), ..not_found(interaction) }
        }
        RelayFailure::Unlocated => failed("The GP system could not be located.").after(COME_BACK),
        RelayFailure::TimedOut => failed("The GP system did not answer in time."),
        RelayFailure::Shed => failed("The GP system takes no requests at the moment."),
        RelayFailure::Failed => failed("The GP system could not be used."),
    }
}
