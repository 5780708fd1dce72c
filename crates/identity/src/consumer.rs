//! The systems that may call us, each found by a name of the certificate that it shows.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tributary_model::requester::Related;
use tributary_model::{OdsCode, Priority, Relationship, Role};

use crate::certificate::{Certificate, CertificateName};
use crate::refused::Refused;

/// In which way a system calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// With a signed token that names the person.
    Native,
    /// With a signed token, and the person's id token of CIS2.
    Cis2,
    /// With an unsigned token of GP Connect, on the listener for that.
    GpConnect,
    /// With a signed form that a person's browser posts, on the listener for that: the system itself does not call.
    Launch,
}

impl Profile {
    /// Every profile.
    pub const ALL: &[Self] = &[Self::Native, Self::Cis2, Self::GpConnect, Self::Launch];

    /// The code in the configuration.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Cis2 => "cis2",
            Self::GpConnect => "gpconnect",
            Self::Launch => "launch",
        }
    }

    /// Reads a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|profile| profile.code() == code)
    }
}

/// One system that may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// Names the entry, in the audit log.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The organisations that it may speak for. Without any it speaks for nobody.
    pub organisations: BTreeSet<OdsCode>,
    /// The system id of each organisation that it asks for over GP Connect (`Ssp-From`).
    pub asids: BTreeMap<OdsCode, String>,
    /// The names by which its certificates are known. Who only sends signed forms needs none.
    pub names: Vec<CertificateName>,
    /// SHA-256 of the public keys that it may show; any, where there are none.
    pub pins: Vec<[u8; 32]>,
    /// How long its requests can wait; absent means what the person's role is given.
    pub priority: Option<Priority>,
    /// In which ways it may call.
    pub profiles: Vec<Profile>,
    /// The roles that it may assert.
    pub roles: Vec<Role>,
    /// The role of people whose token names none. One of `roles`.
    pub default_role: Option<Role>,
    /// How well its tokens may show that a person has to do with a patient. What they say beyond that counts as this.
    pub relationship: Relationship,
    /// The issuers whose tokens it may show.
    pub issuers: Vec<String>,
    /// Its own client at CIS2: the audience of the id tokens that it may show.
    pub cis2_client: Option<String>,
}

impl Consumer {
    /// The role that a token names, if this system may assert it.
    pub(crate) fn role(&self, named: Option<Role>) -> Result<Role, Refused> {
        let role = named.or(self.default_role);
        role.filter(|role| self.roles.contains(role)).ok_or(Refused::Role)
    }

    /// Refuses an organisation that it may not speak for.
    pub(crate) fn speaks_for(&self, organisation: &OdsCode) -> Result<(), Refused> {
        if self.organisations.contains(organisation) { Ok(()) } else { Err(Refused::Organisation) }
    }

    /// The most urgent that a request of its can be, whomever its token names.
    pub fn most_urgent(&self) -> Priority {
        let of_roles = || self.roles.iter().map(|role| Priority::of(*role)).max();
        self.priority.or_else(of_roles).unwrap_or_default()
    }

    /// A relationship as far as it may vouch for one.
    pub(crate) fn vouched(&self, related: Related) -> Related {
        Related { degree: related.degree.min(self.relationship), ..related }
    }

    /// Refuses a system id that is not the one registered for it and this organisation, as the Spine does. Without a
    /// registered one there is none to be.
    pub fn sends_as(&self, asid: &str, organisation: &OdsCode) -> Result<(), Refused> {
        let own = self.asids.get(organisation);
        if own.is_some_and(|own| own == asid) { Ok(()) } else { Err(Refused::Asid) }
    }

    /// Whether it may call in this way.
    pub fn may(&self, profile: Profile) -> bool {
        self.profiles.contains(&profile)
    }
}

/// Every system that may call.
#[derive(Clone, Debug, Default)]
pub struct Consumers {
    all: Vec<Arc<Consumer>>,
    by_name: HashMap<CertificateName, Arc<Consumer>>,
}

/// Two entries know a certificate by one name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("has a certificate name of an earlier entry")]
pub struct SharedName {
    /// The later entry, from 0.
    pub index: usize,
}

impl Consumers {
    /// Of these entries.
    pub fn of(entries: Vec<Consumer>) -> Result<Self, SharedName> {
        let (mut all, mut by_name) = (Vec::new(), HashMap::new());
        for (index, entry) in entries.into_iter().enumerate() {
            let entry = Arc::new(entry);
            for name in &entry.names {
                if by_name.insert(name.clone(), Arc::clone(&entry)).is_some() {
                    return Err(SharedName { index });
                }
            }
            all.push(entry);
        }
        Ok(Self { all, by_name })
    }

    /// Every entry.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Consumer>> {
        self.all.iter()
    }

    /// Whose certificate it is. One with names of two entries is nobody's.
    pub(crate) fn find(&self, certificate: &Certificate) -> Result<&Arc<Consumer>, Refused> {
        let mut found = certificate.names().iter().filter_map(|name| self.by_name.get(name));
        let first = found.next().ok_or(Refused::UnknownCaller)?;
        if found.any(|other| other.id != first.id) {
            return Err(Refused::UnknownCaller);
        }
        let is_pinned = first.pins.is_empty() || first.pins.contains(&certificate.spki_sha256());
        if is_pinned { Ok(first) } else { Err(Refused::Pin) }
    }
}
