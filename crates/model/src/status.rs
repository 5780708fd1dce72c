//! What became of a source in one answer: the closed vocabulary a consumer can rely on.

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident, $code:literal, $class:ident, $severity:literal, $issue:literal;)*) => {
        /// The one status every expected source has in every answer.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum SourceStatus { $($(#[$doc])* $name,)* }

        impl SourceStatus {
            /// Every status.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code on the wire and in metrics.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// How the status counts towards completeness.
            pub const fn class(self) -> StatusClass {
                match self { $(Self::$name => StatusClass::$class,)* }
            }

            /// Severity of its `OperationOutcome` issue.
            pub const fn severity(self) -> &'static str {
                match self { $(Self::$name => $severity,)* }
            }

            /// FHIR issue type of its `OperationOutcome` issue.
            pub const fn issue_code(self) -> &'static str {
                match self { $(Self::$name => $issue,)* }
            }
        }
    };
}

statuses! {
    /// Contributed, fetched now.
    Ok, "ok", Contributed, "information", "informational";
    /// Knows the patient, holds nothing in the sections asked.
    OkEmpty, "ok-empty", Contributed, "information", "informational";
    /// Contributed from memory, within its time to live.
    OkCached, "ok-cached", Contributed, "information", "informational";
    /// The source failed; an older copy was used.
    OkStale, "ok-stale", Degraded, "warning", "incomplete";
    /// The source cut its answer short.
    OkTruncated, "ok-truncated", Degraded, "warning", "incomplete";
    /// Holds no record it can share.
    NoRecord, "no-record", Answered, "information", "not-found";
    /// The patient dissents, says the source.
    WithheldConsent, "withheld-consent", Withheld, "warning", "suppressed";
    /// The source left items out: confidential, in transit, or awaiting filing.
    WithheldSource, "withheld-source", Withheld, "warning", "suppressed";
    /// This broker's policy removed the answer or sections of it.
    WithheldPolicy, "withheld-policy", Withheld, "warning", "suppressed";
    /// The source refused this organisation, user or interaction.
    Denied, "denied", Missing, "error", "forbidden";
    /// No complete answer inside the deadline.
    Timeout, "timeout", Missing, "error", "timeout";
    /// Could not be reached, or failed.
    Unavailable, "unavailable", Missing, "error", "transient";
    /// Refused for load, by the source or by our own guard.
    Shed, "shed", Missing, "error", "throttled";
    /// Answered, but unusable.
    Invalid, "invalid", Missing, "error", "processing";
    /// The answer is not provably about this patient; all of it is quarantined.
    IdentityMismatch, "identity-mismatch", Missing, "error", "conflict";
    /// Expected, but not asked.
    NotQueried, "not-queried", Missing, "warning", "incomplete";
}

/// How a status counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatusClass {
    /// Its statements are in the answer.
    Contributed,
    /// It answered, and holds nothing to share.
    Answered,
    /// It answered, and something is deliberately left out.
    Withheld,
    /// Something of it is in the answer, but old or cut short.
    Degraded,
    /// Nothing of it is in the answer.
    Missing,
}

impl SourceStatus {
    /// Whether statements of a source with this status may stand in the answer.
    pub const fn carries_statements(self) -> bool {
        matches!(
            self,
            Self::Ok
                | Self::OkEmpty
                | Self::OkCached
                | Self::OkStale
                | Self::OkTruncated
                | Self::WithheldSource
                | Self::WithheldPolicy
        )
    }
}

/// What is known of one section at one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SectionState {
    /// It sent statements.
    Content,
    /// It was asked, and records nothing here.
    Empty,
    /// It sent statements, and said that some are missing.
    Partial,
    /// It said that statements exist or may exist, and sent none.
    Withheld,
    /// It should have answered, and did not.
    Failed,
    /// It was not asked for this section.
    NotAsked,
    /// It does not hold this section.
    NotHeld,
    /// It has not answered yet.
    Pending,
}

impl SectionState {
    /// Every state.
    pub const ALL: &[Self] = &[
        Self::Content,
        Self::Empty,
        Self::Partial,
        Self::Withheld,
        Self::Failed,
        Self::NotAsked,
        Self::NotHeld,
        Self::Pending,
    ];

    /// The code on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Empty => "empty",
            Self::Partial => "partial",
            Self::Withheld => "withheld",
            Self::Failed => "failed",
            Self::NotAsked => "not-asked",
            Self::NotHeld => "not-held",
            Self::Pending => "pending",
        }
    }
}

macro_rules! notices {
    ($($(#[$doc:meta])* $name:ident, $code:literal, $severity:literal, $issue:literal;)*) => {
        /// Why a section of a source is less than whole, or what else a reader must know of it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum NoticeKind { $($(#[$doc])* $name,)* }

        impl NoticeKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code on the wire.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// Severity of its `OperationOutcome` issue.
            pub const fn severity(self) -> &'static str {
                match self { $(Self::$name => $severity,)* }
            }

            /// FHIR issue type of its `OperationOutcome` issue.
            pub const fn issue_code(self) -> &'static str {
                match self { $(Self::$name => $issue,)* }
            }
        }
    };
}

notices! {
    /// The source left out confidential items (GP Connect list warning).
    ConfidentialItems, "confidential-items", "warning", "suppressed";
    /// The record from the previous practice has not arrived (GP Connect list warning).
    DataInTransit, "data-in-transit", "warning", "incomplete";
    /// Letters wait to be filed (GP Connect list warning).
    DataAwaitingFiling, "data-awaiting-filing", "warning", "incomplete";
    /// The area is switched off or unknown at the source.
    NotSupported, "not-supported", "warning", "not-supported";
    /// The section was asked and not answered.
    Failed, "failed", "warning", "incomplete";
    /// More pages exist than were read.
    CutShort, "cut-short", "warning", "incomplete";
    /// Statements whose subject could not be tied to this patient were withheld.
    NotTied, "not-tied-to-patient", "warning", "suppressed";
    /// Resources without a conversion table are carried whole in their own version.
    CarriedWhole, "carried-whole", "warning", "incomplete";
    /// Statements carry modifiers that nobody here knows: they are shown as sent, and nothing follows from them.
    NotUnderstood, "not-understood", "warning", "incomplete";
    /// The source's Patient carries no birth date: accepted on the NHS number alone.
    NoBirthDate, "no-birth-date", "information", "informational";
    /// A reference of the source leads nowhere inside its own answer.
    UnresolvedReference, "unresolved-reference", "information", "incomplete";
    /// The requester's role sees nothing of the section.
    NotForRole, "not-for-role", "information", "suppressed";
    /// The requester's role sees a part of the section.
    PartForRole, "part-for-role", "information", "suppressed";
    /// Plans exist at the source, and the requester's role sees only that.
    PlanExists, "plan-exists", "information", "suppressed";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique() {
        let mut codes: Vec<_> = SourceStatus::ALL.iter().map(|status| status.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), 16);
    }

    #[test]
    fn missing_sources_carry_nothing() {
        for status in SourceStatus::ALL {
            if status.class() == StatusClass::Missing {
                assert!(!status.carries_statements(), "{status:?}");
            }
        }
    }
}
