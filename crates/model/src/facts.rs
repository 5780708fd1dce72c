//! What a policy decision is made from, and what it says.

use crate::locate::Barred;
use crate::request::Purpose;
use crate::requester::{Assurance, Role};
use crate::role_view::RoleView;
use crate::section::SectionSet;

/// Everything the policy may look at. No clinical content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Role of the requester.
    pub role: Role,
    /// How the identity was established.
    pub assurance: Assurance,
    /// Purpose of the request.
    pub purpose: Purpose,
    /// Sections asked for.
    pub sections: SectionSet,
    /// Whether the caller asks to break the glass.
    pub break_glass: bool,
    /// Whether this broker runs as a demo, on loopback only.
    pub demo: bool,
}

/// What must be done to the record before it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obligations {
    /// Only these sections may be shown.
    pub sections: SectionSet,
    /// What of them is shown.
    pub view: RoleView,
    /// The rule that decided, for the audit record.
    pub rule: &'static str,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenyReason {
    /// No rule permits this requester.
    NoRule,
    /// Break-glass is not offered here.
    BreakGlassNotOffered,
    /// Nobody may be asked about this patient.
    Barred(Barred),
}

impl DenyReason {
    /// The code in audit and metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoRule => "no-rule",
            Self::BreakGlassNotOffered => "break-glass-not-offered",
            Self::Barred(why) => why.code(),
        }
    }
}

/// The policy's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Allowed, with obligations.
    Permit(Obligations),
    /// Refused.
    Deny(DenyReason),
}
