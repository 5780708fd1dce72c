//! Who may hold a part of a patient's record: the question, the answer, and why nobody may be asked.

use std::sync::Arc;

use jiff::Timestamp;

use crate::deadline::Deadline;
use crate::demographics::Demographics;
use crate::nhs_number::NhsNumber;
use crate::requester::Requester;
use crate::source::{OdsCode, SourceId};

/// Asks who may hold a part of a patient's record.
#[derive(Clone, Debug)]
pub struct Locate {
    /// Whose record.
    pub patient: NhsNumber,
    /// On whose behalf.
    pub requester: Arc<Requester>,
    /// The instant of dated rules: a registration counts if it holds then.
    pub at: Timestamp,
    /// By when.
    pub deadline: Deadline,
}

/// The answer. `S` is a source that is in no registry, ready to be asked.
#[derive(Clone, Debug)]
pub struct Located<S> {
    /// The patient's number as it is now. It differs from the one asked for when that one was replaced.
    pub patient: NhsNumber,
    /// Everybody who is expected to answer. Each of them is reported.
    pub expected: Vec<Expected<S>>,
    /// What is known of the patient's practice.
    pub practice: Practice,
    /// What readers of the record must know of the patient.
    pub notes: Vec<PatientNote>,
    /// Who the patient is, where the national service was asked and answered.
    pub demographics: Option<Demographics>,
}

impl<S> Located<S> {
    /// The same answer, with other words for sources that are in no registry.
    pub fn map<T>(self, change: impl Fn(S) -> T) -> Located<T> {
        let Self { patient, expected, practice, notes, demographics } = self;
        let change = |one| match one {
            Expected::Registered(id) => Expected::Registered(id),
            Expected::Found(source) => Expected::Found(change(source)),
        };
        let expected = expected.into_iter().map(change).collect();
        Located { patient, expected, practice, notes, demographics }
    }
}

/// One expected source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected<S> {
    /// It is registered.
    Registered(SourceId),
    /// It was found for this patient.
    Found(S),
}

/// What is known of the patient's practice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Practice {
    /// Nobody was asked: the registry alone says who is expected.
    AsConfigured,
    /// The patient is registered here.
    At(OdsCode),
    /// The patient is registered nowhere.
    None,
    /// It could not be found out.
    Unknown,
}

macro_rules! notes {
    ($($(#[$doc:meta])* $name:ident, $code:literal, $severity:literal, $words:literal;)*) => {
        /// What readers of a record must know of its patient, from the national demographics service.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum PatientNote { $($(#[$doc])* $name,)* }

        impl PatientNote {
            /// Every note.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code on the wire.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// Severity of its `OperationOutcome` issue.
            pub const fn severity(self) -> &'static str {
                match self { $(Self::$name => $severity,)* }
            }

            /// What a reader is told.
            pub const fn words(self) -> &'static str {
                match self { $(Self::$name => $words,)* }
            }
        }
    };
}

notes! {
    /// The number asked for was replaced by another: this is the record of the new one.
    Superseded, "superseded-number", "information",
        "The NHS number asked for has been replaced. Every source was asked for the patient's present number.";
    /// A death certificate is registered.
    Deceased, "deceased-formal", "warning",
        "The national demographics service holds a formal notice of the patient's death.";
    /// Somebody told the service of a death; nothing is registered yet.
    DeceasedInformally, "deceased-informal", "warning",
        "The national demographics service holds an informal notice of the patient's death.";
    /// The service does not know when the patient was born: no source's Patient can be checked against it.
    NoBirthDate, "traced-without-birth-date", "information",
        "The national demographics service gives no date of birth. Every answer was accepted on the NHS number alone.";
}

macro_rules! bars {
    ($($(#[$doc:meta])* $name:ident, $code:literal;)*) => {
        /// Why nobody may be asked about a patient.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Barred { $($(#[$doc])* $name,)* }

        impl Barred {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code in audit and metrics.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
        }
    };
}

bars! {
    /// Access to the patient's demographics is restricted: whoever holds a record must not be told, nor tell.
    Restricted, "patient-restricted";
    /// Nobody has the number.
    UnknownNumber, "number-unknown";
    /// The number was withdrawn, and none took its place.
    InvalidatedNumber, "number-invalidated";
    /// The number is not verified: it may be somebody else's.
    UnverifiedNumber, "number-unverified";
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocateFault {
    /// The service that knows was not reached in time.
    #[error("the locating service gave no answer")]
    Unavailable,
    /// Nobody may be asked.
    #[error("nobody may be asked: {}", .0.code())]
    Barred(Barred),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique() {
        let notes = PatientNote::ALL.iter().map(|note| note.code());
        let mut codes: Vec<_> = notes.chain(Barred::ALL.iter().map(|bar| bar.code())).collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
    }
}
