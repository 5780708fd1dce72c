//! The access matrix: what each role sees of each section, and of what is labelled.
//!
//! A row that is missing hides its section from everybody. Four rows of national guidance stand behind it (the
//! restricted view of GP Connect, care-home proxy levels, list-level notices, exclusion code lists); the rest is
//! this project's, to be owned by a clinical safety officer.

use super::Limit::{
    ActiveProblems, ActiveWithoutNotes, Adjustments, CurrentMedicines, CurrentNames, Filed, LastContacts,
    LastResults, Names, PlanExists, PlansAndDischarge, RecentContacts, RecentWithoutNotes,
};
use super::Shown::{Hidden, Limited, Whole};
use super::Sight::{Seen, Unseen, WithReason};
use super::{Label, Limit, Shown, Sight, ViewRole};
use crate::section::Section;

const fn part(limit: Limit) -> Shown {
    Limited(limit)
}

/// One column for each of [`ViewRole::ALL`]: ambulance, 111 handler, urgent community clinician, community nurse,
/// restricted view, home carer, patient, information governance, general practice clinician.
const SECTIONS: &[(Section, [Shown; 9])] = &[
    (
        Section::Plans,
        [Whole, part(PlanExists), Whole, Whole, part(PlanExists), Hidden, part(PlanExists), Hidden, Whole],
    ),
    (
        Section::Flags,
        [
            Whole,
            part(Adjustments),
            Whole,
            Whole,
            part(Adjustments),
            part(Adjustments),
            part(Adjustments),
            Hidden,
            Whole,
        ],
    ),
    (Section::Allergies, [Whole, Hidden, Whole, Whole, Whole, part(Names), Whole, Hidden, Whole]),
    (
        Section::Medications,
        [
            part(CurrentMedicines),
            Hidden,
            Whole,
            Whole,
            part(CurrentMedicines),
            part(CurrentNames),
            Whole,
            Hidden,
            Whole,
        ],
    ),
    (
        Section::Problems,
        [part(ActiveProblems), Hidden, Whole, Whole, part(ActiveWithoutNotes), Hidden, Whole, Hidden, Whole],
    ),
    (Section::Results, [part(LastResults), Hidden, Whole, Whole, Hidden, Hidden, part(Filed), Hidden, Whole]),
    (
        Section::Encounters,
        [
            part(RecentWithoutNotes(30)),
            Hidden,
            part(RecentContacts(90)),
            Whole,
            part(LastContacts(3)),
            Hidden,
            Whole,
            Hidden,
            Whole,
        ],
    ),
    (
        Section::Documents,
        [part(PlansAndDischarge), Hidden, Whole, Whole, Hidden, Hidden, part(Filed), Hidden, Whole],
    ),
    (Section::Immunisations, [Hidden, Hidden, Whole, Whole, Whole, Hidden, Whole, Hidden, Whole]),
    (Section::SocialCare, [Whole, Hidden, Whole, Whole, Whole, Whole, Whole, Hidden, Whole]),
    // Who sees every clinical section of the guidance sees those it does not speak of; nobody else does.
    (Section::Reports, CLINICIANS_IN_THE_HOME),
    (Section::Procedures, CLINICIANS_IN_THE_HOME),
    (Section::Referrals, CLINICIANS_IN_THE_HOME),
    (Section::Diary, CLINICIANS_IN_THE_HOME),
    (Section::Appointments, CLINICIANS_IN_THE_HOME),
    (Section::Uncategorised, CLINICIANS_IN_THE_HOME),
];

const CLINICIANS_IN_THE_HOME: [Shown; 9] =
    [Hidden, Hidden, Whole, Whole, Hidden, Hidden, Hidden, Hidden, Whole];

/// The same columns.
const LABELS: &[(Label, [Sight; 9])] = &[
    (Label::Restricted, [WithReason, Unseen, Seen, WithReason, Unseen, Unseen, Seen, Unseen, Seen]),
    (Label::VeryRestricted, [Unseen, Unseen, WithReason, Unseen, Unseen, Unseen, Unseen, Unseen, WithReason]),
    (Label::NotForPatient, [Seen, Seen, Seen, Seen, Seen, Seen, Unseen, Unseen, Seen]),
    // As very restricted, but that patients may know what is on record of them.
    (Label::Listed, [Unseen, Unseen, WithReason, Unseen, Unseen, Unseen, Seen, Unseen, WithReason]),
    (Label::Unknown, [Unseen; 9]),
];

fn column(role: ViewRole) -> Option<usize> {
    ViewRole::ALL.iter().position(|one| *one == role)
}

/// What a role sees of a section. Hidden, unless the table says otherwise.
pub fn shown(section: Section, role: ViewRole) -> Shown {
    let row = SECTIONS.iter().find(|(one, _)| *one == section).map(|(_, row)| row);
    row.zip(column(role)).and_then(|(row, column)| row.get(column).copied()).unwrap_or(Hidden)
}

/// Whether a role sees statements under a label. Unseen, unless the table says otherwise.
pub fn sight(label: Label, role: ViewRole) -> Sight {
    let row = LABELS.iter().find(|(one, _)| *one == label).map(|(_, row)| row);
    row.zip(column(role)).and_then(|(row, column)| row.get(column).copied()).unwrap_or(Unseen)
}
