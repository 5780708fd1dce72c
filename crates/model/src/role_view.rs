//! What of a record a role may see.
//!
//! The table itself is in [`matrix`]: one row a section, one column a role. Whatever it does not name is hidden.

pub mod matrix;

use crate::section::{Section, SectionSet};

/// A role as the access matrix knows it. A role of a token is mapped to one of these by the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ViewRole {
    /// Ambulance crew.
    Ambulance,
    /// Call handler of NHS 111, not a clinician.
    CallHandler,
    /// Urgent community response clinician.
    UcrClinician,
    /// Community nurse.
    CommunityNurse,
    /// The restricted view: registered manager, deputy, senior carer, pharmacist or social worker of a regulated
    /// care provider.
    Restricted,
    /// Home carer.
    HomeCarer,
    /// The patient.
    Patient,
    /// Information governance: who looked, and nothing clinical.
    InformationGovernance,
}

impl ViewRole {
    /// Every role, in the order of the matrix's columns.
    pub const ALL: &[Self] = &[
        Self::Ambulance,
        Self::CallHandler,
        Self::UcrClinician,
        Self::CommunityNurse,
        Self::Restricted,
        Self::HomeCarer,
        Self::Patient,
        Self::InformationGovernance,
    ];

    /// The code in configuration and audit.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ambulance => "ambulance",
            Self::CallHandler => "111-handler",
            Self::UcrClinician => "ucr-clinician",
            Self::CommunityNurse => "community-nurse",
            Self::Restricted => "restricted",
            Self::HomeCarer => "home-carer",
            Self::Patient => "patient",
            Self::InformationGovernance => "information-governance",
        }
    }
}

/// Whether the requester gave a reason for seeing what is labelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Yes, and it is on record.
    Given,
    /// No.
    NotGiven,
}

/// How much of a section is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shown {
    /// All of it, but for what a label or a code list holds back.
    Whole,
    /// A part of it.
    Limited(Limit),
    /// Nothing, not even whether there is anything.
    Hidden,
}

/// Which part of a section is shown.
///
/// Each limit looks at one statement, or at the statements of one source: never at another source's, so that what
/// one source answers changes nothing of what is shown of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Whether a plan exists and whom to ask, and nothing of it.
    PlanExists,
    /// Reasonable adjustments; no alerts about safety or safeguarding.
    Adjustments,
    /// Names alone: the concept and its standing, no other element.
    Names,
    /// Medicines that are not known to be over.
    CurrentMedicines,
    /// The names of medicines that are not known to be over.
    CurrentNames,
    /// Problems that are not known to be over, or ruled out.
    ActiveProblems,
    /// As `ActiveProblems`, without notes.
    ActiveWithoutNotes,
    /// The newest result of each test at each source, without notes.
    LastResults,
    /// What its source calls final.
    Filed,
    /// Contacts that began in the last so many days.
    RecentContacts(u16),
    /// As `RecentContacts`, without notes.
    RecentWithoutNotes(u16),
    /// The newest so many contacts of each source, without notes.
    LastContacts(u16),
    /// Documents that are plans or tell of a discharge, without notes.
    PlansAndDischarge,
}

impl Limit {
    /// The sentence that stands at the section, whatever was held back. Never empty.
    pub fn words(self) -> String {
        match self {
            Self::PlanExists => "Only whether a plan exists is shown for your role.".to_owned(),
            Self::Adjustments => "Only reasonable adjustments are shown for your role.".to_owned(),
            Self::Names => "Only names are shown for your role.".to_owned(),
            Self::CurrentMedicines => "Only current medicines are shown for your role.".to_owned(),
            Self::CurrentNames => "Only the names of current medicines are shown for your role.".to_owned(),
            Self::ActiveProblems => "Only active problems are shown for your role.".to_owned(),
            Self::ActiveWithoutNotes => {
                "Only active problems are shown for your role, without notes.".to_owned()
            }
            Self::LastResults => {
                "Only the last result of each test at each source is shown for your role, without notes."
                    .to_owned()
            }
            Self::Filed => {
                "Only what is final is shown. A clinician may not have discussed it with you yet.".to_owned()
            }
            Self::RecentContacts(days) => {
                format!("Only contacts of the last {days} days are shown for your role.")
            }
            Self::RecentWithoutNotes(days) => {
                format!("Only contacts of the last {days} days are shown for your role, without notes.")
            }
            Self::LastContacts(count) => {
                format!(
                    "Only the last {count} contacts at each source are shown for your role, without notes."
                )
            }
            Self::PlansAndDischarge => {
                "Only plans and discharge documents are shown for your role, without notes.".to_owned()
            }
        }
    }

    /// Whether notes and other free text beside the coded statement are shown.
    pub const fn shows_notes(self) -> bool {
        match self {
            Self::CurrentMedicines | Self::ActiveProblems | Self::RecentContacts(_) | Self::Filed => true,
            Self::PlanExists
            | Self::Adjustments
            | Self::Names
            | Self::CurrentNames
            | Self::ActiveWithoutNotes
            | Self::LastResults
            | Self::RecentWithoutNotes(_)
            | Self::LastContacts(_)
            | Self::PlansAndDischarge => false,
        }
    }

    /// Whether nothing but names is shown.
    pub const fn is_names(self) -> bool {
        matches!(self, Self::Names | Self::CurrentNames)
    }
}

/// Why a single statement may be held back, in whatever section it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    /// Confidentiality `R`.
    Restricted,
    /// Confidentiality `V`.
    VeryRestricted,
    /// `NOPAT`: not to be disclosed to the patient.
    NotForPatient,
    /// A code of it is on a configured list.
    Listed,
    /// A label nobody here knows.
    Unknown,
}

/// Whether statements under a label are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sight {
    /// Always.
    Seen,
    /// If a reason was given.
    WithReason,
    /// Never.
    Unseen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Who {
    /// Nobody who is known: sees nothing.
    Nobody,
    /// One of the roles of the matrix.
    Role(ViewRole, Reason),
    /// No restriction by role.
    Anybody,
}

/// What of a record one requester may see: the column of a role, cut down to some sections.
///
/// A view can be narrowed and never widened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RoleView {
    who: Who,
    sections: SectionSet,
}

impl RoleView {
    /// Everything: nothing is held back.
    pub const fn whole() -> Self {
        Self { who: Who::Anybody, sections: SectionSet::all() }
    }

    /// Nothing clinical at all.
    pub const fn nothing() -> Self {
        Self { who: Who::Nobody, sections: SectionSet::EMPTY }
    }

    /// What the matrix shows to a role.
    pub const fn of(role: ViewRole, reason: Reason) -> Self {
        Self { who: Who::Role(role, reason), sections: SectionSet::all() }
    }

    /// What the matrix shows to the role of this code; nothing to a role it does not know.
    pub fn of_code(code: &str, reason: Reason) -> Self {
        let role = ViewRole::ALL.iter().find(|role| role.code() == code);
        role.map_or(Self::nothing(), |role| Self::of(*role, reason))
    }

    /// This view without the sections that are not in the set.
    #[must_use]
    pub const fn within(self, sections: SectionSet) -> Self {
        Self { who: self.who, sections: self.sections.and(sections) }
    }

    /// Whether nothing is held back, so that nothing has to be taken out.
    pub fn is_whole(self) -> bool {
        self.who == Who::Anybody && self.sections == SectionSet::all()
    }

    /// How much of a section is shown.
    pub fn shown(self, section: Section) -> Shown {
        if !self.sections.contains(section) {
            return Shown::Hidden;
        }
        match self.who {
            Who::Nobody => Shown::Hidden,
            Who::Role(role, _) => matrix::shown(section, role),
            Who::Anybody => Shown::Whole,
        }
    }

    /// Whether statements under a label are seen.
    pub fn sees(self, label: Label) -> bool {
        let (role, reason) = match self.who {
            Who::Nobody => return false,
            Who::Anybody => return true,
            Who::Role(role, reason) => (role, reason),
        };
        match matrix::sight(label, role) {
            Sight::Seen => true,
            Sight::WithReason => reason == Reason::Given,
            Sight::Unseen => false,
        }
    }

    /// Whether it is the patient who looks: nothing is shown then that somebody else said about others.
    pub const fn is_patient(self) -> bool {
        matches!(self.who, Who::Role(ViewRole::Patient, _))
    }

    /// The sections of which anything is shown.
    pub fn sections(self) -> SectionSet {
        Section::ALL.iter().copied().filter(|section| self.shown(*section) != Shown::Hidden).collect()
    }

    /// Whether nothing of a section is shown.
    pub fn hides(self, section: Section) -> bool {
        self.shown(section) == Shown::Hidden
    }
}

#[cfg(test)]
mod tests;
