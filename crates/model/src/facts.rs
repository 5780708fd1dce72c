//! What a policy decision is made from, and what it says.

use std::sync::Arc;

use crate::locate::Barred;
use crate::request::{Purpose, Relationship};
use crate::requester::{Claim, Role};
use crate::role_view::Views;
use crate::section::SectionSet;
use crate::source::{KindSet, OdsCode};

/// Everything the policy may look at. No clinical content; no dissent and no restriction by the national service
/// either: those are final, and nothing here could lift them.
///
/// What is not known is absent, and what is absent permits nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Role of the requester.
    pub role: Option<Role>,
    /// Organisation of the requester.
    pub organisation: Option<OdsCode>,
    /// Whether the system that asks proved who it is, and so whom it names.
    pub is_proven: bool,
    /// Purpose of the request.
    pub purpose: Option<Purpose>,
    /// What shows that the requester has to do with the patient.
    pub relationship: Relationship,
    /// Sections asked for.
    pub sections: SectionSet,
    /// Whether the caller asks to break the glass, and says why.
    pub break_glass: bool,
    /// Whether this broker runs as a demo, on loopback only.
    pub demo: bool,
}

/// What must be done to the record before it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obligations {
    /// Only these sections may be shown, each of some kind of source at least.
    pub sections: SectionSet,
    /// What of them is shown of each kind of source.
    pub views: Arc<Views>,
    /// The kinds of sources whose answers may be passed on as they were sent, with nothing taken out.
    pub as_sent: KindSet,
    /// The ids of the rules that decided, joined by `+`, for the audit record.
    pub rule: Arc<str>,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenyReason {
    /// No rule permits this requester.
    NoRule,
    /// A rule forbids what another one permits.
    Forbidden,
    /// Nobody proved who asks.
    NotProven,
    /// No rule lets this requester break the glass.
    BreakGlassNotOffered,
    /// This user broke the glass too often.
    BreakGlassQuota,
    /// The token says that something else is asked for.
    Contradicts(Claim),
    /// Nobody may be asked about this patient.
    Barred(Barred),
}

impl DenyReason {
    /// The code in audit and metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoRule => "no-rule",
            Self::Forbidden => "forbidden",
            Self::NotProven => "not-proven",
            Self::BreakGlassNotOffered => "break-glass-not-offered",
            Self::BreakGlassQuota => "break-glass-quota",
            Self::Contradicts(Claim::Reason) => "reason-for-request",
            Self::Contradicts(Claim::Scope) => "requested-scope",
            Self::Barred(why) => why.code(),
        }
    }
}

/// A refusal, and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Why.
    pub reason: DenyReason,
    /// The ids of the rules that forbid it, joined by `+`; absent where no rule permits it.
    pub rule: Option<Arc<str>>,
}

impl From<DenyReason> for Denial {
    fn from(reason: DenyReason) -> Self {
        Self { reason, rule: None }
    }
}

/// The policy's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Allowed, with obligations.
    Permit(Obligations),
    /// Refused.
    Deny(Denial),
}
