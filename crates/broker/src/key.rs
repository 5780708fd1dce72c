//! Whose question to whom about whom: what two asks must share before one reply may serve both.

use tributary_audit::{BreakGlass, Digest};
use tributary_model::requester::Assurance;
use tributary_model::{Ask, NhsNumber, OdsCode, Purpose, Relationship, Role, SectionSet, SourceId, StreamId};

/// What one source holds of one patient, whoever asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Holding {
    pub(crate) source: SourceId,
    pub(crate) patient: NhsNumber,
}

/// The whole authority of an ask. Replies in memory and asks in flight are shared by equal keys, and by no others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) holding: Holding,
    pub(crate) authority: Authority,
}

/// What is asked, and everything of the asker that the source, or the policy, may go by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Authority {
    sections: SectionSet,
    since: Option<String>,
    user: String,
    organisation: OdsCode,
    role: Role,
    purpose: Purpose,
    /// Two systems of one organisation may call two people by one user id.
    system: Option<String>,
    spine_user: Option<String>,
    spine_role: Option<String>,
    assurance: Assurance,
    grant: Grant,
    /// The proven system that asks: another one may be allowed less.
    consumer: Option<String>,
    /// Who vouches for the person: two issuers of one system may call two people by one id.
    issuer: Option<String>,
    /// The stream that alone may go on with it; nothing for what everybody of this authority shares.
    stream: Option<StreamId>,
}

/// What the policy went by besides the asker, and which policy it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Grant {
    pub(crate) policy: Digest,
    pub(crate) relationship: Relationship,
    pub(crate) glass: BreakGlass,
}

impl Key {
    /// The key of an ask.
    pub(crate) fn of(source: &SourceId, ask: &Ask, grant: Grant) -> Self {
        let who = &ask.requester;
        Self {
            holding: Holding { source: source.clone(), patient: ask.patient },
            authority: Authority {
                sections: ask.sections,
                since: ask.since.map(tributary_model::FhirDate::key),
                user: who.user_id.clone(),
                organisation: who.organisation.clone(),
                role: who.role,
                purpose: ask.purpose,
                system: who.asid.clone(),
                spine_user: who.spine.user.clone(),
                spine_role: who.spine.role_profile.clone(),
                assurance: who.assurance,
                grant,
                consumer: who.proof.as_ref().map(|proof| proof.consumer.clone()),
                issuer: who.proof.as_ref().and_then(|proof| proof.issuer.clone()),
                stream: None,
            },
        }
    }

    /// The same, for one stream and no other.
    pub(crate) fn within(mut self, stream: StreamId) -> Self {
        self.authority.stream = Some(stream);
        self
    }

    /// Bytes it keeps in memory.
    pub(crate) fn weight(&self) -> usize {
        let who = &self.authority;
        let texts = [&who.since, &who.system, &who.spine_user, &who.spine_role, &who.consumer, &who.issuer];
        let optional: usize = texts.into_iter().flatten().map(String::len).sum();
        size_of::<Self>() + self.holding.source.as_str().len() + who.user.len() + optional
    }
}

#[cfg(test)]
mod tests;
