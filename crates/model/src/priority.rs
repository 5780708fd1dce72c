//! Who goes first when there is too much to do.

use crate::requester::Role;

/// How long a request can wait when there is too much to do. The order is that of shedding: lowest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Nobody is waiting: records fetched before a clinic begins.
    Background,
    /// Somebody is waiting.
    #[default]
    Interactive,
    /// Somebody is waiting beside a person in crisis.
    Urgent,
}

impl Priority {
    /// Every priority, the first to be shed first.
    pub const ALL: &[Self] = &[Self::Background, Self::Interactive, Self::Urgent];

    /// The code on the wire and in metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Background => "background",
            Self::Interactive => "interactive",
            Self::Urgent => "urgent",
        }
    }

    /// Reads a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|priority| priority.code() == code)
    }

    /// What people in this role are given.
    pub const fn of(role: Role) -> Self {
        match role {
            Role::Demo | Role::Ambulance | Role::CallHandler | Role::UcrClinician => Self::Urgent,
            Role::CommunityNurse
            | Role::Gp
            | Role::Pharmacist
            | Role::CareManager
            | Role::SocialWorker
            | Role::HomeCarer
            | Role::Patient
            | Role::InformationGovernance => Self::Interactive,
        }
    }

    /// The lower of what a caller may have and what it asks for: nobody can raise themselves.
    #[must_use]
    pub fn lowered_to(self, asked: Self) -> Self {
        self.min(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_raises_themselves() {
        let nurse = Priority::of(Role::CommunityNurse);
        assert_eq!(nurse.lowered_to(Priority::Urgent), Priority::Interactive);
        assert_eq!(nurse.lowered_to(Priority::Background), Priority::Background);
    }

    #[test]
    fn every_code_is_read_back() {
        for priority in Priority::ALL {
            assert_eq!(Priority::from_code(priority.code()), Some(*priority));
        }
        assert_eq!(Priority::from_code("at once"), None);
    }
}
