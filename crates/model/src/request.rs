//! What is asked for.

use std::sync::Arc;

use crate::date::FhirDate;
use crate::deadline::Deadline;
use crate::ids::RequestId;
use crate::nhs_number::NhsNumber;
use crate::redacted::Redacted;
use crate::requester::Requester;
use crate::section::SectionSet;

/// Why the record is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Direct care of this patient.
    DirectCare,
    /// Care that cannot wait.
    UrgentCare,
    /// Protecting the patient, or somebody else, from harm.
    Safeguarding,
    /// The patient wants to see what is on record.
    PatientAccess,
    /// Looking at accesses, not at records.
    Audit,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: &[Self] =
        &[Self::DirectCare, Self::UrgentCare, Self::Safeguarding, Self::PatientAccess, Self::Audit];

    /// The code on the wire and in audit.
    pub const fn code(self) -> &'static str {
        match self {
            Self::DirectCare => "directcare",
            Self::UrgentCare => "urgentcare",
            Self::Safeguarding => "safeguarding",
            Self::PatientAccess => "patientaccess",
            Self::Audit => "audit",
        }
    }

    /// Reads a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|purpose| purpose.code() == code)
    }
}

/// What shows that the requester has to do with the patient. A later one is worth more than those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relationship {
    /// Nothing.
    #[default]
    Unknown,
    /// The requester says so.
    Asserted,
    /// A referral, a caseload or an appointment that the requester's system vouches for.
    Evidenced,
}

impl Relationship {
    /// Every degree, the least first.
    pub const ALL: &[Self] = &[Self::Unknown, Self::Asserted, Self::Evidenced];

    /// The code in configuration and audit.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Asserted => "asserted",
            Self::Evidenced => "evidenced",
        }
    }

    /// Reads a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|degree| degree.code() == code)
    }
}

/// Whether an answer from memory will do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Freshness {
    /// A source's answer may be as old as its entry allows.
    #[default]
    Allowed,
    /// Every source must be asked now.
    FetchNow,
}

/// What to do when not every expected source contributed (`Prefer: handling=…`, RFC 7240).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Handling {
    /// Show what there is, and say what is missing.
    #[default]
    Lenient,
    /// All or nothing.
    Strict,
}

/// In which form a record is given. Every form shows the same merged record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordForm {
    /// An R4 Bundle of type `collection`.
    #[default]
    R4,
    /// A STU3 Bundle of type `collection`, converted from the R4 one.
    Stu3,
    /// Compact JSON of lines, with the statements in the same answer (`?view=lines`).
    Lines,
    /// An International Patient Summary: an R4 Bundle of type `document` (`$summary`).
    Summary,
    /// A page that was asked for to be printed.
    Print,
}

impl RecordForm {
    /// Every form.
    pub const ALL: &[Self] = &[Self::R4, Self::Stu3, Self::Lines, Self::Summary, Self::Print];

    /// The code on record.
    pub const fn code(self) -> &'static str {
        match self {
            Self::R4 => "r4",
            Self::Stu3 => "stu3",
            Self::Lines => "lines",
            Self::Summary => "summary",
            Self::Print => "print",
        }
    }

    /// Reads a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|form| form.code() == code)
    }
}

/// One request for one patient's record, parsed and valid.
#[derive(Clone, Debug)]
pub struct RecordRequest {
    /// Names the request.
    pub id: RequestId,
    /// Whose record.
    pub patient: NhsNumber,
    /// Which sections.
    pub sections: SectionSet,
    /// Only what happened since then, where a source can filter.
    pub since: Option<FhirDate>,
    /// Why.
    pub purpose: Purpose,
    /// What shows that the requester has to do with the patient.
    pub relationship: Relationship,
    /// The reason given for breaking the glass.
    pub break_glass: Option<Redacted<String>>,
    /// Who asks.
    pub requester: Arc<Requester>,
    /// By when the answer must be on its way.
    pub deadline: Deadline,
    /// What to do with a partial answer.
    pub handling: Handling,
    /// Whether an answer from memory will do (`Cache-Control: no-cache` says it will not).
    pub freshness: Freshness,
    /// In which form the record is wanted.
    pub form: RecordForm,
    /// The address below which callers reach this broker: what is attached is found below it.
    pub public_root: Arc<str>,
}
