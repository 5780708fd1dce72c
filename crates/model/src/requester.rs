//! Who asks.

use std::sync::Arc;

use crate::nhs_number::NhsNumber;
use crate::priority::Priority;
use crate::request::{Purpose, Relationship};
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
    /// A token that the caller's system signed, over a connection of that system: the system is proven, and answers
    /// for the person.
    Signed,
    /// The same, with an id token of the national sign-in (CIS2): the person is proven too.
    Cis2,
}

impl Assurance {
    /// The code in audit.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::AssertedUnsigned => "asserted-unsigned",
            Self::Signed => "signed",
            Self::Cis2 => "cis2",
        }
    }
}

/// The kind of token that named the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// An unsigned GP Connect token.
    Unsigned,
    /// A token signed by the caller's system.
    Signed,
    /// Such a token together with an id token of CIS2.
    Cis2,
}

impl TokenKind {
    /// The code in audit.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Signed => "signed",
            Self::Cis2 => "cis2",
        }
    }
}

/// What a token says of the scope that its bearer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScopeSaid {
    /// Nothing.
    Nothing,
    /// To read what is about patients.
    Patients,
    /// Something else, or nothing that could be read.
    Otherwise,
}

/// What a token says its bearer asks for. A request is held to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Said {
    /// The purposes that its `reason_for_request` covers; none where the claim is absent or means nothing here.
    pub purposes: &'static [Purpose],
    /// Its `requested_scope`.
    pub scope: ScopeSaid,
}

/// That somebody has to do with a patient, as far as a token says so and its system may vouch for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Related {
    /// Which patient.
    pub patient: NhsNumber,
    /// How well that is shown.
    pub degree: Relationship,
}

/// A claim of a token that a request contradicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Claim {
    /// `reason_for_request`: it does not cover the purpose of the request.
    Reason,
    /// `requested_scope`: it is not that of reading a record.
    Scope,
}

impl Claim {
    /// Its name in tokens.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reason => "reason_for_request",
            Self::Scope => "requested_scope",
        }
    }
}

impl Said {
    /// The claim that a request for somebody's record with this purpose contradicts.
    pub fn contradicted_by(&self, purpose: Purpose) -> Option<Claim> {
        if !self.purposes.contains(&purpose) {
            return Some(Claim::Reason);
        }
        (self.scope == ScopeSaid::Otherwise).then_some(Claim::Scope)
    }
}

/// What was proven about a caller, for the audit log. No part of it can be used to log in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Proof {
    /// The entry of the caller's system, by the certificate that it showed, or by the issuer of a signed launch.
    pub consumer: String,
    /// SHA-256 of the public key of that certificate (its `SubjectPublicKeyInfo`). A browser that was launched with a
    /// signed form shows none.
    pub spki_sha256: Option<[u8; 32]>,
    /// What named the person.
    pub token: TokenKind,
    /// Who vouches for the person: the `iss` of the token that was verified. An unsigned token has nobody.
    pub issuer: Option<String>,
    /// SHA-256 of the token's `jti`.
    pub jti_sha256: Option<[u8; 32]>,
    /// How surely the person signed in, 1 to 3 (authentication assurance level), where a token says so.
    pub aal: Option<u8>,
    /// The person's own NHS number, where a verified token says so and that they proved it.
    pub own: Option<NhsNumber>,
    /// What the token says they ask for.
    pub said: Said,
    /// What shows that they have to do with a patient, where the token says so.
    pub related: Option<Related>,
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
    /// What was proven, and by what. Nothing in a demo.
    pub proof: Option<Arc<Proof>>,
    /// How long this request of theirs can wait.
    pub priority: Priority,
}

impl Requester {
    /// What shows that they have to do with this patient. What was shown of another patient shows nothing of this one.
    pub fn relationship_to(&self, patient: NhsNumber) -> Relationship {
        let related = self.proof.as_ref().and_then(|proof| proof.related);
        related.filter(|related| related.patient == patient).map(|related| related.degree).unwrap_or_default()
    }

    /// Whether the system that asks proved who it is: it answers for the person whom it names. What is only asserted
    /// is believed by a demo and by nobody else.
    pub const fn is_proven(&self) -> bool {
        self.proof.is_some()
    }
}
