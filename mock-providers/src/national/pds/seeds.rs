//! The patients every mock PDS starts with.

use jiff::civil::Date;

use super::patient::{
    Death, DeathNotice, NumberStanding, PatientState, Practice, Removal, RemovalReason, Sensitivity,
};

/// A patient of the mock PDS, one for each state a client must tell apart. All but the last are in it from
/// the start; tests seed more with [`super::Pds::put`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PdsPatient {
    /// Unrestricted, alive, registered at [`PdsPatient::PRACTICE`].
    Unrestricted,
    /// Restricted: no practice, no place, but a name.
    Restricted,
    /// Restricted, and without a name.
    RestrictedNameless,
    /// Very restricted.
    VeryRestricted,
    /// Answered with [`PdsPatient::Successor`], whose id is another.
    Superseded,
    /// The patient who has the superseded number's place.
    Successor,
    /// 404 `INVALIDATED_RESOURCE`.
    Invalidated,
    /// Never had a practice.
    NoPractice,
    /// Left the practice on 31 March 2020.
    PracticeEnded,
    /// Died on a known day; the registrar says so.
    Deceased,
    /// Reported dead, not yet registered.
    DeceasedInformally,
    /// Died in a known year.
    DeceasedYear,
    /// Died in a known month.
    DeceasedMonth,
    /// Was held to be dead and is not; the date is still sent.
    DeathWithdrawn,
    /// The number is not verified: code `02`.
    Unverified,
    /// No status of the number at all.
    VerificationMissing,
    /// A number and nothing else.
    Minimal,
    /// Moved to Scotland; the past practice is still named.
    Removed,
    /// Removed for a reason that is confidential.
    RemovedConfidentially,
    /// In nobody's records: 404 `RESOURCE_NOT_FOUND`.
    Unknown,
}

impl PdsPatient {
    /// Every one of them.
    pub const ALL: [Self; 20] = [
        Self::Unrestricted,
        Self::Restricted,
        Self::RestrictedNameless,
        Self::VeryRestricted,
        Self::Superseded,
        Self::Successor,
        Self::Invalidated,
        Self::NoPractice,
        Self::PracticeEnded,
        Self::Deceased,
        Self::DeceasedInformally,
        Self::DeceasedYear,
        Self::DeceasedMonth,
        Self::DeathWithdrawn,
        Self::Unverified,
        Self::VerificationMissing,
        Self::Minimal,
        Self::Removed,
        Self::RemovedConfidentially,
        Self::Unknown,
    ];

    /// The practice of all who have one.
    pub const PRACTICE: &'static str = "A99901";

    /// The NHS number: of the range that is never issued, with its check digit.
    pub const fn nhs_number(self) -> &'static str {
        match self {
            Self::Unrestricted => "9999905005",
            Self::Restricted => "9999905013",
            Self::RestrictedNameless => "9999905021",
            Self::VeryRestricted => "9999905048",
            Self::Superseded => "9999905056",
            Self::Successor => "9999905064",
            Self::Invalidated => "9999905072",
            Self::NoPractice => "9999905080",
            Self::PracticeEnded => "9999905099",
            Self::Deceased => "9999905102",
            Self::DeceasedInformally => "9999905110",
            Self::DeceasedYear => "9999905129",
            Self::DeceasedMonth => "9999905137",
            Self::DeathWithdrawn => "9999905145",
            Self::Unverified => "9999905153",
            Self::VerificationMissing => "9999905161",
            Self::Minimal => "9999905188",
            Self::Removed => "9999905196",
            Self::RemovedConfidentially => "9999905218",
            Self::Unknown => "9999905226",
        }
    }

    /// What PDS knows; nothing of the unknown one.
    pub fn state(self) -> Option<PatientState> {
        let usual = PatientState::registered_at(self.nhs_number(), Self::PRACTICE);
        let died = |at: &str, notice| Some(Death { at: Some(at.to_owned()), notice: Some(notice) });
        let removed = |reason| Some(Removal { reason, from: Date::constant(2023, 9, 1) });
        let state = match self {
            Self::Unrestricted | Self::Successor => usual,
            Self::Restricted => PatientState { sensitivity: Sensitivity::Restricted, ..usual },
            Self::RestrictedNameless => {
                PatientState { sensitivity: Sensitivity::Restricted, name: None, ..usual }
            }
            Self::VeryRestricted => PatientState { sensitivity: Sensitivity::VeryRestricted, ..usual },
            Self::Superseded => {
                let successor = Self::Successor.nhs_number().to_owned();
                PatientState { standing: NumberStanding::SupersededBy(successor), ..usual }
            }
            Self::Invalidated => PatientState { standing: NumberStanding::Invalidated, ..usual },
            Self::NoPractice => PatientState { practice: None, ..usual },
            Self::PracticeEnded => PatientState { practice: Some(ended()), ..usual },
            Self::Deceased => {
                let death = died("2024-11-03T00:00:00+00:00", DeathNotice::Formal);
                PatientState { death, removal: removed(RemovalReason::Death), ..usual }
            }
            Self::DeceasedInformally => {
                PatientState { death: died("2024-11-03", DeathNotice::Informal), ..usual }
            }
            Self::DeceasedYear => PatientState { death: died("2024", DeathNotice::Formal), ..usual },
            Self::DeceasedMonth => PatientState { death: died("2024-11", DeathNotice::Formal), ..usual },
            Self::DeathWithdrawn => {
                PatientState { death: died("2024-11-03", DeathNotice::Withdrawn), ..usual }
            }
            Self::Unverified => PatientState { verification: Some("02".to_owned()), ..usual },
            Self::VerificationMissing => PatientState { verification: None, ..usual },
            Self::Minimal => PatientState::minimal(self.nhs_number()),
            Self::Removed => PatientState { removal: removed(RemovalReason::Scotland), ..usual },
            Self::RemovedConfidentially => {
                PatientState { removal: removed(RemovalReason::ConfidentialSdn), practice: None, ..usual }
            }
            Self::Unknown => return None,
        };
        Some(state)
    }
}

fn ended() -> Practice {
    Practice {
        ods: PdsPatient::PRACTICE.to_owned(),
        from: Date::constant(2015, 4, 1),
        until: Some(Date::constant(2020, 3, 31)),
    }
}
