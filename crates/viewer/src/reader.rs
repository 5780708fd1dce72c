//! Who reads, and what of a page follows from it: the order, what is folded, how plainly it speaks.

use jiff::Timestamp;
use tributary_model::{Purpose, Role, Section};

/// Who looks at a record.
#[derive(Clone, Debug)]
pub struct Reader {
    /// In which role.
    pub role: Role,
    /// The person's name, as it is printed.
    pub name: String,
    /// The organisation's name.
    pub organisation: String,
    /// What for.
    pub purpose: Purpose,
    /// When.
    pub now: Timestamp,
}

impl Reader {
    /// The role in words.
    pub(crate) const fn role_name(&self) -> &'static str {
        match self.role {
            Role::Demo => "Demonstration",
            Role::Ambulance => "Ambulance clinician",
            Role::CallHandler => "111 call handler",
            Role::UcrClinician => "Urgent community response clinician",
            Role::CommunityNurse => "Community nurse",
            Role::Gp => "GP practice clinician",
            Role::Pharmacist => "Pharmacist",
            Role::CareManager => "Care manager",
            Role::SocialWorker => "Social worker",
            Role::HomeCarer => "Home carer",
            Role::Patient => "Patient",
            Role::InformationGovernance => "Information governance",
        }
    }

    /// The purpose in words.
    pub(crate) const fn purpose_name(&self) -> &'static str {
        match self.purpose {
            Purpose::DirectCare => "direct care",
            Purpose::UrgentCare => "urgent care",
            Purpose::Safeguarding => "safeguarding",
            Purpose::PatientAccess => "the patient's own access",
            Purpose::Audit => "looking at accesses",
        }
    }

    /// Whether codes, identifiers and original resources say something to this reader.
    pub(crate) const fn reads_codes(&self) -> bool {
        !matches!(self.role, Role::CareManager | Role::SocialWorker | Role::HomeCarer | Role::Patient)
    }

    /// Every section, in the order in which this reader needs them.
    pub(crate) fn order(&self) -> Vec<Section> {
        let first = first(self.role);
        let rest = CLINICIAN.iter().chain(Section::ALL).filter(|section| !first.contains(section));
        let mut order = first.to_vec();
        for section in rest {
            if !order.contains(section) {
                order.push(*section);
            }
        }
        order
    }

    /// Whether a section is folded until the reader opens it. Nothing that is missing is ever folded away.
    pub(crate) fn folds(&self, section: Section) -> bool {
        match self.role {
            Role::Ambulance => !matches!(
                section,
                Section::Plans
                    | Section::Allergies
                    | Section::Medications
                    | Section::Problems
                    | Section::Flags
                    | Section::SocialCare
                    | Section::Encounters
                    | Section::Documents
                    | Section::Results
            ),
            Role::Patient | Role::HomeCarer | Role::CareManager | Role::SocialWorker => false,
            Role::Demo
            | Role::CallHandler
            | Role::UcrClinician
            | Role::CommunityNurse
            | Role::Gp
            | Role::Pharmacist
            | Role::InformationGovernance => {
                matches!(section, Section::Procedures | Section::Diary | Section::Reports)
            }
        }
    }

    /// The heading of a section.
    pub(crate) const fn title(&self, section: Section) -> &'static str {
        match (section, self.reads_codes()) {
            (Section::Allergies, _) => "Allergies",
            (Section::Medications, _) => "Medicines",
            (Section::Problems, false) => "Health problems",
            (Section::Plans, false) => "Plans",
            (Section::Flags, false) => "Needs and adjustments",
            (Section::Encounters, false) => "Visits and contacts",
            (Section::Immunisations, false) => "Vaccinations",
            (Section::SocialCare, false) => "Care and support",
            (Section::Uncategorised, _) => "Other entries",
            (other, _) => other.title(),
        }
    }
}

/// The order of an urgent visit; every other order ends in it.
const CLINICIAN: &[Section] = &[
    Section::Plans,
    Section::Allergies,
    Section::Medications,
    Section::Problems,
    Section::Results,
    Section::Encounters,
    Section::Flags,
    Section::Documents,
    Section::SocialCare,
    Section::Immunisations,
    Section::Referrals,
    Section::Appointments,
];

/// What a role needs before anything else.
const fn first(role: Role) -> &'static [Section] {
    match role {
        Role::Ambulance => &[
            Section::Plans,
            Section::Allergies,
            Section::Medications,
            Section::Problems,
            Section::Flags,
            Section::SocialCare,
            Section::Encounters,
            Section::Documents,
        ],
        Role::CommunityNurse => &[
            Section::Plans,
            Section::Allergies,
            Section::Medications,
            Section::Problems,
            Section::Flags,
            Section::Encounters,
            Section::Results,
            Section::Immunisations,
        ],
        Role::Pharmacist => &[Section::Allergies, Section::Medications, Section::Problems, Section::Results],
        Role::CareManager | Role::SocialWorker => &[
            Section::Flags,
            Section::Allergies,
            Section::Medications,
            Section::Problems,
            Section::Encounters,
            Section::Immunisations,
            Section::SocialCare,
            Section::Plans,
        ],
        Role::HomeCarer => &[Section::Flags, Section::Allergies, Section::Medications, Section::SocialCare],
        Role::Patient => &[
            Section::Allergies,
            Section::Medications,
            Section::Problems,
            Section::Plans,
            Section::Encounters,
            Section::Immunisations,
            Section::Results,
            Section::Documents,
        ],
        Role::Demo | Role::CallHandler | Role::UcrClinician | Role::Gp | Role::InformationGovernance => {
            CLINICIAN
        }
    }
}
