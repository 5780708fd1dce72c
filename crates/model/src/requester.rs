//! Who asks.

use crate::priority::Priority;
use crate::source::OdsCode;

/// The role in which a person asks. Closed: an unknown role is no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Ambulance crew.
    Ambulance,
    /// Urgent community response clinician.
    UcrClinician,
    /// Community nurse.
    CommunityNurse,
    /// General practice clinician.
    Gp,
}

impl Role {
    /// Every role.
    pub const ALL: &[Self] = &[Self::Ambulance, Self::UcrClinician, Self::CommunityNurse, Self::Gp];

    /// The code in configuration, tokens and audit.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ambulance => "ambulance",
            Self::UcrClinician => "ucr-clinician",
            Self::CommunityNurse => "community-nurse",
            Self::Gp => "gp",
        }
    }

    /// Reads a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.code() == code)
    }
}

/// How the requester's identity was established.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Assurance {
    /// The built-in requester of the demo.
    Demo,
    /// An unsigned GP Connect token: an assertion, not a proof.
    AssertedUnsigned,
}

impl Assurance {
    /// The code in audit.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::AssertedUnsigned => "asserted-unsigned",
        }
    }
}

/// Ids of a person in the Spine's user directory. Without a smartcard there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpineIds {
    /// SDS user id: the person.
    pub user: Option<String>,
    /// SDS role profile id: the person in one role at one organisation.
    pub role_profile: Option<String>,
}

/// The person and organisation on whose behalf a record is asked for, as they were at that moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requester {
    /// Local user id: what the consumer calls the person.
    pub user_id: String,
    /// Family name, as GP Connect tokens carry it.
    pub family: String,
    /// Given name.
    pub given: String,
    /// Role.
    pub role: Role,
    /// Organisation.
    pub organisation: OdsCode,
    /// Organisation's name.
    pub organisation_name: String,
    /// The system id with which the caller's own system signs its requests (`Ssp-From`), where it sends one.
    pub asid: Option<String>,
    /// National ids of the person, as far as the caller's token gives them.
    pub spine: SpineIds,
    /// How far the identity can be trusted.
    pub assurance: Assurance,
    /// How long this request of theirs can wait.
    pub priority: Priority,
}
