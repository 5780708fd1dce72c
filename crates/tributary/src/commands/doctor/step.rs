//! One step of the examination: what was looked at, what was found, who can mend it.

use serde::Serialize;

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// As it should be.
    Ok,
    /// Not as it should be.
    Failed,
    /// Could not be looked at, or need not be.
    Skipped,
}

impl State {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// Who can mend what is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Owner {
    /// Whoever runs this broker.
    Us,
    /// Whoever runs the source.
    Supplier,
    /// NHS England's onboarding: applications, keys, interactions.
    Onboarding,
    /// NHS England's service desk: a national service that fails.
    ServiceDesk,
    /// Names, routes and firewalls.
    Network,
}

impl Owner {
    /// What people call them.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Supplier => "the source's supplier",
            Self::Onboarding => "NHS England onboarding",
            Self::ServiceDesk => "the national service desk",
            Self::Network => "the network team",
        }
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Step {
    /// The source's id, or the national service.
    pub(crate) subject: String,
    /// What was looked at.
    #[serde(rename = "step")]
    pub(crate) name: &'static str,
    /// How it went.
    pub(crate) state: State,
    /// What was found.
    pub(crate) says: String,
    /// Who can mend it; nobody need when nothing is wrong.
    pub(crate) owner: Option<Owner>,
}

impl Step {
    pub(super) fn ok(subject: &str, name: &'static str, says: impl Into<String>) -> Self {
        Self { subject: subject.to_owned(), name, state: State::Ok, says: says.into(), owner: None }
    }

    pub(super) fn skipped(subject: &str, name: &'static str, says: impl Into<String>) -> Self {
        Self { state: State::Skipped, ..Self::ok(subject, name, says) }
    }

    pub(super) fn failed(subject: &str, name: &'static str, owner: Owner, says: impl Into<String>) -> Self {
        Self { state: State::Failed, owner: Some(owner), ..Self::ok(subject, name, says) }
    }
}
