//! The registered sources and their stacks, built once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tributary_flow::{Observer, Unobserved};
use tributary_model::{Capability, Clock, OdsCode, Section, SectionSet, SourceId, SourceKind};

use crate::directory::Directory;
use crate::egress::{Egress, SourceTls};
use crate::identity::BrokerIdentity;
use crate::root::ServiceRoot;
use crate::source::Source;

/// The protocol a source speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// GP Connect Access Record: Structured (STU3).
    GpConnectStructured,
    /// FHIR R4 searches.
    FhirR4,
    /// FHIR STU3 searches.
    FhirStu3,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: &[Self] = &[Self::GpConnectStructured, Self::FhirR4, Self::FhirStu3];

    /// The code in configuration.
    pub const fn code(self) -> &'static str {
        match self {
            Self::GpConnectStructured => "gpconnect-structured",
            Self::FhirR4 => "fhir-r4",
            Self::FhirStu3 => "fhir-stu3",
        }
    }

    /// Reads a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|protocol| protocol.code() == code)
    }

    /// The sections that can be asked for in this protocol.
    pub fn can_serve(self) -> SectionSet {
        match self {
            Self::GpConnectStructured => crate::connect::structured::sections(),
            Self::FhirR4 | Self::FhirStu3 => {
                Section::ALL.iter().copied().filter(|section| *section != Section::Uncategorised).collect()
            }
        }
    }
}

/// A registered source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceEntry {
    /// Its id.
    pub id: SourceId,
    /// What people call it.
    pub name: String,
    /// What kind of organisation it belongs to.
    pub kind: SourceKind,
    /// How it is asked.
    pub protocol: Protocol,
    /// Its organisation.
    pub ods: Option<OdsCode>,
    /// Its system id on the Spine.
    pub asid: Option<String>,
    /// Its service root; of a GP Connect source that of Access Record: Structured.
    pub base_url: ServiceRoot,
    /// Roots of its other GP Connect capabilities, where it is registered with them.
    pub more_roots: BTreeMap<Capability, ServiceRoot>,
    /// How it is reached.
    pub route: Route,
    /// What it demands of TLS; absent means what the machine believes, and no certificate of ours.
    pub tls: Option<SourceTls>,
    /// The sections it can answer; `None` means all that its protocol can.
    pub sections: Option<SectionSet>,
    /// Identifier systems it is the author of, as prefixes.
    pub owns: Vec<String>,
    /// Its place among the sources; lower comes first.
    pub rank: u32,
    /// Longest time for one ask.
    pub timeout: Duration,
    /// How long its replies may be kept; `None` means never.
    pub cache_ttl: Option<Duration>,
    /// Most bytes of one reply, all its bodies together.
    pub max_body_bytes: u64,
    /// Most requests at a time, whatever they are part of.
    pub max_in_flight: usize,
    /// Whether each request says how many milliseconds are left for it (`Tributary-Deadline-Ms`).
    pub sends_deadline: bool,
}

impl SourceEntry {
    /// The sections it serves: what it is registered with, as far as its protocol can.
    pub fn serves(&self) -> SectionSet {
        let able = self.protocol.can_serve();
        self.sections.map_or(able, |registered| registered.and(able))
    }

    /// The root it is registered with for a capability.
    pub fn root(&self, capability: Capability) -> Option<&ServiceRoot> {
        match capability {
            Capability::Structured => Some(&self.base_url),
            Capability::Documents | Capability::Foundations => self.more_roots.get(&capability),
        }
    }

    /// Whether it is asked as another entry says: all but its name, its rank, what it owns and how long its replies
    /// are kept, none of which its stack knows.
    fn is_asked_as(&self, other: &Self) -> bool {
        let as_shown = Self {
            name: other.name.clone(),
            rank: other.rank,
            owns: other.owns.clone(),
            cache_ttl: other.cache_ttl,
            ..self.clone()
        };
        as_shown == *other
    }

    /// The requests that it may have before anything is known of it: all that were agreed.
    pub fn first_limit(&self) -> usize {
        self.max_in_flight.max(1)
    }

    fn check(&self, context: &Context) -> Result<(), RegistryError> {
        if self.protocol == Protocol::GpConnectStructured && self.asid.is_none() {
            return Err(RegistryError::NoAsid(self.id.clone()));
        }
        if self.route == Route::Spine && context.spine_proxy.is_none() {
            return Err(RegistryError::NoProxy(self.id.clone()));
        }
        Ok(())
    }
}

/// How a source is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Route {
    /// At its own address.
    #[default]
    Direct,
    /// Through the Spine Secure Proxy.
    Spine,
}

/// Why a registry cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// Two entries have one id.
    #[error("source {0} is registered twice")]
    Twice(SourceId),
    /// A GP Connect source without a system id cannot be addressed.
    #[error("source {0} has no asid")]
    NoAsid(SourceId),
    /// Certificates or a key that do not fit together.
    #[error("source {0} has certificates or a key that cannot be used")]
    Tls(SourceId),
    /// A source behind the Spine proxy, and no address of the proxy.
    #[error("source {0} is behind the spine proxy, whose address is not known")]
    NoProxy(SourceId),
}

/// Gives each source its observer.
pub trait Observers: Send + Sync {
    /// The observer of one source; it is wanted when the source is first asked.
    fn of(&self, source: &SourceEntry) -> Arc<dyn Observer>;

    /// A source is registered from now on, and was not asked yet.
    fn registered(&self, _source: &SourceEntry) {}
}

/// Nobody listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnobservedSources;

impl Observers for UnobservedSources {
    fn of(&self, _source: &SourceEntry) -> Arc<dyn Observer> {
        Arc::new(Unobserved)
    }
}

/// What every source's stack is built with.
#[derive(Clone)]
pub struct Context {
    /// Who we are.
    pub identity: Arc<BrokerIdentity>,
    /// Dates tokens. Sources compare tokens with their own clocks, so this is the system's clock, always;
    /// the clock of dated rules is another one.
    pub token_clock: Arc<dyn Clock>,
    /// The Spine Secure Proxy, for sources that are reached through it.
    pub spine_proxy: Option<ServiceRoot>,
    /// Says where an interaction is served, when the registry does not.
    pub directory: Option<Directory>,
    /// Who hears of asks.
    pub observers: Arc<dyn Observers>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// The registered sources.
#[derive(Clone, Debug)]
pub struct Registry {
    sources: Arc<BTreeMap<SourceId, Source>>,
}

impl Registry {
    /// Checks the entries and builds a stack for each.
    pub fn build(
        entries: impl IntoIterator<Item = SourceEntry>,
        egress: &Egress,
        context: &Context,
    ) -> Result<Self, RegistryError> {
        Self { sources: Arc::default() }.followed_by(entries, egress, context)
    }

    /// The client for a source, if it can be registered with these demands of TLS. No stack is built.
    pub fn client_for(
        entry: &SourceEntry,
        tls: Option<&SourceTls>,
        egress: &Egress,
        context: &Context,
    ) -> Result<Egress, RegistryError> {
        entry.check(context)?;
        let own = tls.map_or_else(|| Ok(egress.clone()), |tls| egress.with_tls(tls));
        own.map_err(|_refused| RegistryError::Tls(entry.id.clone()))
    }

    /// The registry that takes this one's place, built with the same client and the same context.
    ///
    /// A source that is asked as before keeps its stack, with what it has learnt and its connections: a new
    /// configuration neither forgives a source nor lets more requests reach it at a time.
    pub fn followed_by(
        &self,
        entries: impl IntoIterator<Item = SourceEntry>,
        egress: &Egress,
        context: &Context,
    ) -> Result<Self, RegistryError> {
        let context = &Arc::new(context.clone());
        let mut sources = BTreeMap::new();
        for entry in entries {
            entry.check(context)?;
            let id = entry.id.clone();
            let before = self.get(&id).filter(|before| before.entry.is_asked_as(&entry));
            let source = if let Some(before) = before {
                Source { entry: Arc::new(entry), ..before.clone() }
            } else {
                let own = Self::client_for(&entry, entry.tls.as_ref(), egress, context)?;
                Source::build(entry, &own, context)
            };
            if before.is_none() {
                context.observers.registered(&source.entry);
            }
            if sources.insert(id.clone(), source).is_some() {
                return Err(RegistryError::Twice(id));
            }
        }
        Ok(Self { sources: Arc::new(sources) })
    }

    /// A source by its id.
    pub fn get(&self, id: &SourceId) -> Option<&Source> {
        self.sources.get(id)
    }

    /// The sources in the order of their ids.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Source> {
        self.sources.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }
}

#[cfg(test)]
mod tests;
