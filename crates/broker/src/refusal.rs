//! Ours to the caller: why a request gets no answer.

use std::time::Duration;

use tributary_model::{Barred, DenyReason, FaultClass, SourceFault, SourceStatus};

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
    /// The practice that was named is not the one that the patient is registered with.
    #[error("the patient is registered elsewhere")]
    NotTheirPractice,
    /// A call that belongs to one practice names none, and there are several.
    #[error("no practice was named")]
    PracticeNotNamed,
    /// An attachment's id was not given out here.
    #[error("no such attachment")]
    NoSuchAttachment,
    /// An attachment's id was given out too long ago.
    #[error("the attachment's id has expired")]
    AttachmentExpired,
    /// The one source that was to be relayed to failed, and what that means to the caller.
    #[error("the source failed: {}", .0.class.code())]
    Source(SourceFault, RelayFailure),
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
    /// It, or the way to it, refuses the caller's organisation.
    Denied,
    /// It did not answer in time.
    TimedOut,
    /// It takes no requests now.
    Shed,
    /// The attachment is larger than may be passed on.
    TooLarge,
    /// The caller's organisation has no system id here: it was not asked.
    NoAsid,
    /// The Spine lets the two organisations not share.
    NoAgreement,
    /// It is not registered with this capability: it was not asked.
    NotOffered,
    /// It could not be found out where it is: nobody was asked.
    Unlocated,
    /// Anything else.
    Failed,
}

impl RelayFailure {
    /// What a fault amounts to.
    pub const fn of(fault: SourceFault) -> Self {
        if matches!(fault.class, FaultClass::NoAsid) {
            return Self::NoAsid;
        }
        if matches!(fault.class, FaultClass::NoAgreement | FaultClass::AsidCheck) {
            return Self::NoAgreement;
        }
        if matches!(fault.class, FaultClass::NotOffered) {
            return Self::NotOffered;
        }
        if matches!(fault.class, FaultClass::Unlocated) {
            return Self::Unlocated;
        }
        match fault.status() {
            SourceStatus::NoRecord => Self::NoRecord,
            SourceStatus::WithheldConsent => Self::NoConsent,
            SourceStatus::Denied => Self::Denied,
            SourceStatus::Timeout => Self::TimedOut,
            SourceStatus::Shed => Self::Shed,
            SourceStatus::Ok
            | SourceStatus::OkEmpty
            | SourceStatus::OkCached
            | SourceStatus::OkStale
            | SourceStatus::OkTruncated
            | SourceStatus::WithheldSource
            | SourceStatus::WithheldPolicy
            | SourceStatus::Unavailable
            | SourceStatus::Invalid
            | SourceStatus::IdentityMismatch
            | SourceStatus::NotQueried => Self::Failed,
        }
    }

    /// The HTTP status that goes to the caller and on record.
    pub const fn http(self) -> u16 {
        match self {
            Self::NoRecord | Self::TooLarge => 404,
            Self::NoConsent | Self::Denied | Self::NoAsid | Self::NoAgreement => 403,
            Self::NotOffered => 501,
            Self::TimedOut => 504,
            Self::Shed | Self::Unlocated => 503,
            Self::Failed => 502,
        }
    }
}
