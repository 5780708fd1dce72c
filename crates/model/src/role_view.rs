//! What of a record a role may see.
//!
//! The table itself is in [`matrix`]: one row a section, one column a role. Whatever it does not name is hidden.

pub mod matrix;
mod narrower;
mod views;

pub use views::Views;

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
    /// General practice clinician.
    Gp,
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
        Self::Gp,
    ];

    /// How many there are.
    const COUNT: usize = Self::ALL.len();

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
            Self::Gp => "gp",
        }
    }

    /// Reads a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.code() == code)
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
    /// Medicines that are not known to be over, and those that were stopped lately ([`Limit::STOP_DAYS`]).
    CurrentMedicines,
    /// The names of medicines that are not known to be over, and of those that were stopped lately.
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
    /// All of it, without notes.
    WithoutNotes,
    /// As `CurrentMedicines`, without notes.
    CurrentWithoutNotes,
    /// As `Filed`, without notes.
    FiledWithoutNotes,
}

/// What is shown where medicines that are over are not.
fn medicines() -> String {
    let days = Limit::STOP_DAYS;
    format!("current medicines, and those stopped in the last {days} days or on a date that is not recorded,")
}

impl Limit {
    /// For so many days a medicine that was stopped is shown where only current ones are: another source's list may
    /// not have heard of it. As long as in a patient summary (merge policy 3, medicines).
    pub const STOP_DAYS: u16 = 90;

    /// The sentence that stands at the section, whatever was held back. Never empty.
    pub fn words(self) -> String {
        match self {
            Self::PlanExists => "Only whether a plan exists is shown for your role.".to_owned(),
            Self::Adjustments => "Only reasonable adjustments are shown for your role.".to_owned(),
            Self::Names => "Only names are shown for your role.".to_owned(),
            Self::CurrentMedicines => format!("Only {} are shown for your role.", medicines()),
            Self::CurrentNames => format!("Only the names of {} are shown for your role.", medicines()),
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
            Self::WithoutNotes => "Notes are not shown for your role.".to_owned(),
            Self::CurrentWithoutNotes => {
                format!("Only {} are shown for your role, without notes.", medicines())
            }
            Self::FiledWithoutNotes => {
                "Only what is final is shown, without notes. A clinician may not have discussed it with you yet."
                    .to_owned()
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
            | Self::PlansAndDischarge
            | Self::WithoutNotes
            | Self::CurrentWithoutNotes
            | Self::FiledWithoutNotes => false,
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

impl Label {
    /// Every label.
    pub const ALL: &[Self] =
        &[Self::Restricted, Self::VeryRestricted, Self::NotForPatient, Self::Listed, Self::Unknown];

    /// How many there are.
    const COUNT: usize = Self::ALL.len();

    /// The code in configuration.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Restricted => "restricted",
            Self::VeryRestricted => "very-restricted",
            Self::NotForPatient => "not-for-patient",
            Self::Listed => "listed",
            Self::Unknown => "unknown",
        }
    }

    /// Reads the code of a label that may be named. What nobody knows cannot be.
    pub fn from_code(code: &str) -> Option<Self> {
        let named = Self::ALL.iter().copied().filter(|label| *label != Self::Unknown);
        named.into_iter().find(|label| label.code() == code)
    }
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

/// What of a record one requester may see: the column of a role, cut down to some sections, some labels, and what
/// other columns show too.
///
/// A view can be narrowed and never widened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RoleView {
    who: Who,
    sections: SectionSet,
    /// The sections in which a further column counts, in the order of the columns.
    also: [SectionSet; ViewRole::COUNT],
    /// The sections of which no free text is shown.
    untold: SectionSet,
    /// The sections in which each label may be seen at all, in the order of the labels.
    labels: [SectionSet; Label::COUNT],
}

impl RoleView {
    /// Everything: nothing is held back.
    pub const fn whole() -> Self {
        Self::with(Who::Anybody, SectionSet::all())
    }

    /// Nothing clinical at all.
    pub const fn nothing() -> Self {
        Self::with(Who::Nobody, SectionSet::EMPTY)
    }

    /// What the matrix shows to a role.
    pub const fn of(role: ViewRole, reason: Reason) -> Self {
        Self::with(Who::Role(role, reason), SectionSet::all())
    }

    const fn with(who: Who, sections: SectionSet) -> Self {
        let (also, labels) = ([SectionSet::EMPTY; ViewRole::COUNT], [SectionSet::all(); Label::COUNT]);
        Self { who, sections, also, untold: SectionSet::EMPTY, labels }
    }

    /// What the matrix shows to the role of this code; nothing to a role it does not know.
    pub fn of_code(code: &str, reason: Reason) -> Self {
        ViewRole::from_code(code).map_or(Self::nothing(), |role| Self::of(role, reason))
    }

    /// This view without the sections that are not in the set.
    #[must_use]
    pub const fn within(self, sections: SectionSet) -> Self {
        Self { sections: self.sections.and(sections), ..self }
    }

    /// This view where, in these sections, another role's column counts as well: what both show is shown.
    #[must_use]
    pub fn as_also(mut self, role: ViewRole, sections: SectionSet) -> Self {
        for (one, held) in ViewRole::ALL.iter().zip(&mut self.also) {
            if *one == role {
                *held = held.or(sections);
            }
        }
        self
    }

    /// This view without the free text of these sections.
    #[must_use]
    pub const fn without_notes(self, sections: SectionSet) -> Self {
        Self { untold: self.untold.or(sections), ..self }
    }

    /// This view where a label is seen in these sections at most.
    #[must_use]
    pub fn labelled(mut self, label: Label, sections: SectionSet) -> Self {
        for (one, seen) in Label::ALL.iter().zip(&mut self.labels) {
            if *one == label {
                *seen = seen.and(sections);
            }
        }
        self
    }

    /// Whether nothing is held back, so that nothing has to be taken out.
    pub fn is_whole(self) -> bool {
        self == Self::whole()
    }

    /// How much of a section is shown.
    pub fn shown(self, section: Section) -> Shown {
        if !self.sections.contains(section) {
            return Shown::Hidden;
        }
        let own = match self.who {
            Who::Nobody => Shown::Hidden,
            Who::Role(role, _) => matrix::shown(section, role),
            Who::Anybody => Shown::Whole,
        };
        let others = self.others().filter(|(_, sections)| sections.contains(section));
        let told =
            if self.untold.contains(section) { Shown::Limited(Limit::WithoutNotes) } else { Shown::Whole };
        others.fold(own.and(told), |shown, (role, _)| shown.and(matrix::shown(section, role)))
    }

    /// The further columns that count, with the sections in which they do.
    fn others(self) -> impl Iterator<Item = (ViewRole, SectionSet)> {
        ViewRole::ALL.iter().copied().zip(self.also).filter(|(_, sections)| !sections.is_empty())
    }

    /// Whether statements under a label are seen, in whatever section of this view they stand.
    pub fn sees(self, label: Label) -> bool {
        !self.sections.is_empty() && self.sees_in(label, self.sections)
    }

    /// Whether statements under a label are seen in each of these sections.
    pub fn sees_in(self, label: Label, sections: SectionSet) -> bool {
        let seen_by = |role| match (matrix::sight(label, role), self.who) {
            (Sight::Seen, _) | (Sight::WithReason, Who::Role(_, Reason::Given) | Who::Anybody) => true,
            (Sight::WithReason | Sight::Unseen, _) => false,
        };
        let own = match self.who {
            Who::Nobody => false,
            Who::Anybody => true,
            Who::Role(role, _) => seen_by(role),
        };
        let mut others = self.others().filter(|(_, theirs)| !theirs.and(sections).is_empty());
        let mut allowed = Label::ALL.iter().zip(self.labels);
        let is_allowed = allowed.any(|(one, seen)| *one == label && seen.holds(sections));
        own && is_allowed && others.all(|(role, _)| seen_by(role))
    }

    /// Whether it is the patient who looks: nothing is shown then that somebody else said about others.
    pub fn is_patient(self) -> bool {
        matches!(self.who, Who::Role(ViewRole::Patient, _))
            || self.others().any(|(role, _)| role == ViewRole::Patient)
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
