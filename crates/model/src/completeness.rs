//! Is the answer whole? Computed from the statuses of the expected sources and from nothing else.

use std::fmt;

use crate::status::{SourceStatus, StatusClass};

/// What the completeness header and tag say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Completeness {
    /// Every expected source contributed or answered.
    Complete,
    /// As `Complete`, but something was deliberately withheld.
    CompleteWithheld,
    /// At least one source is missing or degraded, and at least one is not.
    Partial,
    /// No source contributed, answered or withheld.
    None,
}

impl Completeness {
    /// Every value.
    pub const ALL: &[Self] = &[Self::Complete, Self::CompleteWithheld, Self::Partial, Self::None];

    /// The code in the header, the tag and the metric.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::CompleteWithheld => "complete-withheld",
            Self::Partial => "partial",
            Self::None => "none",
        }
    }
}

/// The statuses of one answer, counted by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Sources expected.
    pub expected: usize,
    /// Sources whose class is contributed, answered or withheld.
    pub answered: usize,
    /// Sources whose class is withheld.
    pub withheld: usize,
    /// Sources whose class is degraded.
    pub degraded: usize,
    /// Sources whose class is missing.
    pub failed: usize,
}

impl Tally {
    /// Counts statuses.
    pub fn of(statuses: impl IntoIterator<Item = SourceStatus>) -> Self {
        let mut tally = Self::default();
        for status in statuses {
            tally.expected += 1;
            match status.class() {
                StatusClass::Contributed | StatusClass::Answered => tally.answered += 1,
                StatusClass::Withheld => {
                    tally.answered += 1;
                    tally.withheld += 1;
                }
                StatusClass::Degraded => tally.degraded += 1,
                StatusClass::Missing => tally.failed += 1,
            }
        }
        tally
    }

    /// The verdict. No expected source at all is `None`: silence is not completeness.
    pub const fn completeness(self) -> Completeness {
        if self.answered + self.degraded == 0 {
            Completeness::None
        } else if self.failed + self.degraded > 0 {
            Completeness::Partial
        } else if self.withheld > 0 {
            Completeness::CompleteWithheld
        } else {
            Completeness::Complete
        }
    }
}

impl fmt::Display for Tally {
    /// The value of the `Tributary-Completeness` header.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.completeness().code())?;
        if self.failed > 0 {
            write!(f, "; failed={}", self.failed)?;
        }
        if self.withheld > 0 {
            write!(f, "; withheld={}", self.withheld)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SourceStatus as S;

    #[track_caller]
    fn check(statuses: &[S], header: &str) {
        assert_eq!(Tally::of(statuses.iter().copied()).to_string(), header);
    }

    #[test]
    fn header_follows_the_classes() {
        check(&[], "none");
        check(&[S::Ok, S::NoRecord], "complete");
        check(&[S::Ok, S::WithheldSource], "complete-withheld; withheld=1");
        check(&[S::Timeout, S::WithheldSource, S::Ok], "partial; failed=1; withheld=1");
        check(&[S::Ok, S::OkTruncated], "partial");
        check(&[S::Timeout, S::Invalid], "none; failed=2");
        check(&[S::NotQueried, S::Ok], "partial; failed=1");
    }
}
