//! What may be said about allergies: the words of the label, and when each is allowed.

/// The label over the allergies (professional standard PAB-0064, and two for the federated case).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AllergyLabel {
    /// At least one active allergy is recorded.
    Known,
    /// A source said so, and every source that holds allergies answered.
    NoneKnown,
    /// As `NoneKnown`, but only drugs were spoken of.
    NoneKnownDrugs,
    /// Everyone answered, nobody recorded anything.
    NotRecorded,
    /// Nobody could say.
    Unavailable,
    /// A negative was recorded, but not everyone answered.
    Incomplete,
    /// A source that could change the label has not answered yet.
    Checking,
    /// The requester's role sees no allergies. It is not made from any.
    NotShown,
}

/// The facts the label follows from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "six independent facts, named as the rule names them")]
pub struct AllergyFacts {
    /// An active, not refuted positive statement exists.
    pub positive: bool,
    /// A negative of every scope exists.
    pub negative_all: bool,
    /// A negative of part of the scope exists.
    pub negative_part: bool,
    /// A source that serves allergies failed, or its list is confidential, in transit or awaiting filing.
    pub unsure: bool,
    /// At least one source was asked for allergies and answered.
    pub answered: bool,
    /// A source that serves allergies has not answered yet.
    pub pending: bool,
}

impl AllergyLabel {
    /// The label these facts allow.
    pub const fn of(facts: AllergyFacts) -> Self {
        let negative = facts.negative_all || facts.negative_part;
        if facts.positive {
            Self::Known
        } else if facts.pending {
            Self::Checking
        } else if negative && (facts.unsure || !facts.answered) {
            Self::Incomplete
        } else if facts.negative_all {
            Self::NoneKnown
        } else if facts.negative_part {
            Self::NoneKnownDrugs
        } else if facts.unsure || !facts.answered {
            Self::Unavailable
        } else {
            Self::NotRecorded
        }
    }

    /// The exact words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Known => "Known allergies",
            Self::NoneKnown => "No known allergies",
            Self::NoneKnownDrugs => "No known allergies (drugs only)",
            Self::NotRecorded => "Allergies not recorded",
            Self::Unavailable => "Allergies unavailable",
            Self::Incomplete => "Allergy check incomplete",
            Self::Checking => "Checking",
            Self::NotShown => crate::words::NOT_FOR_ROLE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: AllergyFacts = AllergyFacts {
        positive: false,
        negative_all: false,
        negative_part: false,
        unsure: false,
        answered: true,
        pending: false,
    };

    #[track_caller]
    fn check(facts: AllergyFacts, words: &str) {
        assert_eq!(AllergyLabel::of(facts).words(), words);
    }

    #[test]
    fn silence_is_never_no_known_allergies() {
        check(QUIET, "Allergies not recorded");
        check(AllergyFacts { answered: false, ..QUIET }, "Allergies unavailable");
        check(AllergyFacts { unsure: true, ..QUIET }, "Allergies unavailable");
        check(AllergyFacts { negative_all: true, unsure: true, ..QUIET }, "Allergy check incomplete");
        check(AllergyFacts { negative_part: true, unsure: true, ..QUIET }, "Allergy check incomplete");
    }

    #[test]
    fn a_recorded_negative_counts_when_everyone_answered() {
        check(AllergyFacts { negative_all: true, negative_part: true, ..QUIET }, "No known allergies");
        check(AllergyFacts { negative_part: true, ..QUIET }, "No known allergies (drugs only)");
    }

    #[test]
    fn a_positive_wins_and_pending_is_never_final() {
        check(AllergyFacts { positive: true, pending: true, negative_all: true, ..QUIET }, "Known allergies");
        check(AllergyFacts { pending: true, negative_all: true, ..QUIET }, "Checking");
    }
}
