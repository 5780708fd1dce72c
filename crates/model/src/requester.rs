//! Who asks.

use crate::priority::Priority;
use crate::source::OdsCode;

macro_rules! roles {
    ($($(#[$doc:meta])* $name:ident, $code:literal;)*) => {
        /// The role in which a person asks. Closed: an unknown role is no role.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Role { $($(#[$doc])* $name,)* }

        impl Role {
            /// Every role.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code in configuration, tokens and audit.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
        }
    };
}

roles! {
    /// The built-in requester of a demo: nobody, and so nothing but in a demo.
    Demo, "demo";
    /// Ambulance crew.
    Ambulance, "ambulance";
    /// Call handler of NHS 111, not a clinician.
    CallHandler, "111-handler";
    /// Urgent community response clinician.
    UcrClinician, "ucr-clinician";
    /// Community nurse.
    CommunityNurse, "community-nurse";
    /// General practice clinician.
    Gp, "gp";
    /// Pharmacist or pharmacy technician.
    Pharmacist, "pharmacist";
    /// Registered manager, deputy or senior carer of a regulated care provider.
    CareManager, "care-manager";
    /// Social worker.
    SocialWorker, "social-worker";
    /// Home carer.
    HomeCarer, "home-carer";
    /// The patient, about their own record.
    Patient, "patient";
    /// Information governance: who looked, and nothing clinical.
    InformationGovernance, "information-governance";
}

impl Role {
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

    /// Whether somebody proved who asks. What is only asserted is believed by a demo and by nobody else.
    pub const fn is_proven(self) -> bool {
        match self {
            Self::Demo | Self::AssertedUnsigned => false,
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
