//! Ours to the caller: why a request gets no answer.

use std::time::Duration;

use tributary_model::{Barred, DenyReason, FaultClass, Retry, SourceFault, SourceStatus};

/// What callers are told to wait where no source named a time.
const USUAL_WAIT: Duration = Duration::from_secs(5);
/// The least and the most that callers are told to wait, whatever a source named.
const LEAST_WAIT: Duration = Duration::from_secs(1);
const MOST_WAIT: Duration = Duration::from_mins(5);

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

impl Refusal {
    /// When the caller may come back, where that is known.
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Overloaded(wait) => Some(wait),
            Self::Source(fault, RelayFailure::Shed) => Some(shortest_wait([fault])),
            Self::Denied(_)
            | Self::AuditUnavailable
            | Self::Unlocated
            | Self::Barred(_)
            | Self::NoSuchSource
            | Self::NotTheirPractice
            | Self::PracticeNotNamed
            | Self::NoSuchAttachment
            | Self::AttachmentExpired
            | Self::Source(..)
            | Self::Internal => None,
        }
    }
}

/// The shortest wait that sources named, within bounds; a usual one if none named any.
pub(crate) fn shortest_wait(faults: impl IntoIterator<Item = SourceFault>) -> Duration {
    let named = |fault: SourceFault| if let Retry::Later(wait) = fault.retry { Some(wait) } else { None };
    let shortest = faults.into_iter().filter_map(named).min();
    shortest.map_or(USUAL_WAIT, |wait| wait.clamp(LEAST_WAIT, MOST_WAIT))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_told_the_shortest_wait_that_was_named() {
        let busy = SourceFault::new(FaultClass::Throttled);
        let wants = |secs| busy.with_retry(Retry::Later(Duration::from_secs(secs)));
        let check = |faults: &[SourceFault], secs| {
            assert_eq!(shortest_wait(faults.iter().copied()), Duration::from_secs(secs), "{faults:?}");
        };
        check(&[], 5);
        check(&[busy], 5);
        check(&[busy, wants(120), wants(40)], 40);
        check(&[wants(0)], 1);
        check(&[wants(86_400)], 300);
    }
}
