//! What a rule can say. What cannot be said here cannot be configured.
//!
//! There is no word for a patient's dissent, nor for a restriction by the national service: no rule can lift them.

use std::sync::Arc;

use tributary_model::{Label, OdsCode, Purpose, Relationship, Role, Section, SourceKind, ViewRole};

/// Whom or what a rule is about. Nothing stands for "any" by being left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Among<T> {
    /// Every one that is known. What is absent is not among them.
    Any,
    /// These. None of them is nobody, and a table with such a rule is refused.
    Only(Vec<T>),
}

impl<T: PartialEq> Among<T> {
    /// Whether this one is meant.
    pub fn has(&self, one: &T) -> bool {
        match self {
            Self::Any => true,
            Self::Only(all) => all.contains(one),
        }
    }

    /// Whether nobody is meant.
    pub const fn is_nobody(&self) -> bool {
        matches!(self, Self::Only(all) if all.is_empty())
    }
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Names it in audit records: `a-z`, `0-9` and `-`.
    pub id: Arc<str>,
    /// What it is for, in words.
    pub says: String,
    /// Organisations of the requester.
    pub organisations: Among<OdsCode>,
    /// Roles of the requester.
    pub roles: Among<Role>,
    /// Purposes of the request.
    pub purposes: Among<Purpose>,
    /// Kinds of sources whose content it is about.
    pub kinds: Among<SourceKind>,
    /// Sections it is about.
    pub sections: Among<Section>,
    /// What it does.
    pub effect: Effect,
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Lets be seen.
    Permit(Permit),
    /// Lets less be seen of what is permitted.
    Limit(Limits),
    /// Lets nothing be seen, whatever any rule permits.
    Deny(Deny),
}

/// When a permit holds, and how far it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    /// It holds from this degree of relationship on.
    pub relationship: Relationship,
    /// Whether it holds only where the glass was broken.
    pub glass: Glass,
    /// Whether it holds only on a broker that runs as a demo.
    pub holds: Holds,
    /// Labelled statements that it lets be seen too, as far as the role's column does; `None` for none.
    pub labels: Option<Among<Label>>,
    /// Whether answers may be passed on as they were sent.
    pub as_sent: AsSent,
}

/// Whether a permit needs the glass to be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glass {
    /// It does not.
    Whole,
    /// It does.
    Broken,
}

/// On which broker a permit holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// On every one.
    Everywhere,
    /// On one that runs as a demo.
    InDemo,
}

/// Whether an answer may be passed on as it was sent, with nothing taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsSent {
    /// It may not.
    No,
    /// It may, where every section that was asked for is shown whole.
    Yes,
}

/// What a limit takes away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// It does not hold from this degree of relationship on; `None`: it always holds.
    pub unless: Option<Relationship>,
    /// No more than this role's column shows.
    pub view: Option<ViewRole>,
    /// No free text.
    pub free_text: Taken,
    /// Nothing that is on a code list.
    pub listed: Taken,
}

/// Whether something is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is.
    Away,
    /// It is left.
    Left,
}

/// When a denial holds, and how far it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deny {
    /// It does not hold from this degree of relationship on; `None`: it always holds.
    pub unless: Option<Relationship>,
    /// Only statements under these labels; `None` for all statements, labelled or not.
    pub labels: Option<Among<Label>>,
}
