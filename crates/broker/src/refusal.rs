//! Ours to the caller: why a request gets no answer.

use std::time::Duration;

use tributary_model::{Barred, DenyReason, SourceFault, SourceStatus};

/// Why the broker refuses. Nothing clinical has left, and the refusal itself is audited where it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The policy does not allow it. No source was asked.
    #[error("denied by policy: {}", .0.code())]
    Denied(DenyReason),
    /// The audit log cannot be written. Nothing may be fetched or shown.
    #[error("the audit log cannot be written")]
    AuditUnavailable,
    /// Too much is going on; ask again after the time given.
    #[error("overloaded")]
    Overloaded(Duration),
    /// It could not be found out which sources may hold the patient. Guessing is not an option.
    #[error("the sources of the patient could not be located")]
    Unlocated,
    /// Nobody may be asked about this patient. No source was asked.
    #[error("nobody may be asked: {}", .0.code())]
    Barred(Barred),
    /// No registered source answers to this organisation or patient.
    #[error("no such source")]
    NoSuchSource,
    /// The one source that was to be relayed to failed.
    #[error("the source failed: {}", .0.class.code())]
    Source(SourceFault),
    /// Our own fault.
    #[error("internal fault")]
    Internal,
}

/// What the failure of the one source that was to be relayed to means to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayFailure {
    /// It holds no record of the patient.
    NoRecord,
    /// The patient has not consented to sharing.
    NoConsent,
    /// It did not answer in time.
    TimedOut,
    /// It takes no requests now.
    Shed,
    /// Anything else.
    Failed,
}

impl RelayFailure {
    /// What a status amounts to.
    pub const fn of(status: SourceStatus) -> Self {
        match status {
            SourceStatus::NoRecord => Self::NoRecord,
            SourceStatus::WithheldConsent => Self::NoConsent,
            SourceStatus::Timeout => Self::TimedOut,
            SourceStatus::Shed => Self::Shed,
            SourceStatus::Ok
            | SourceStatus::OkEmpty
            | SourceStatus::OkCached
            | SourceStatus::OkStale
            | SourceStatus::OkTruncated
            | SourceStatus::WithheldSource
            | SourceStatus::WithheldPolicy
            | SourceStatus::Denied
            | SourceStatus::Unavailable
            | SourceStatus::Invalid
            | SourceStatus::IdentityMismatch
            | SourceStatus::NotQueried => Self::Failed,
        }
    }

    /// The HTTP status that goes to the caller and on record.
    pub const fn http(self) -> u16 {
        match self {
            Self::NoRecord => 404,
            Self::NoConsent => 403,
            Self::TimedOut => 504,
            Self::Shed => 503,
            Self::Failed => 502,
        }
    }
}
