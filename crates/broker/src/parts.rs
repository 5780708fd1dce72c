//! What a broker is put together from.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tower::util::BoxCloneSyncService;
use tributary_audit::Digest;
use tributary_fhir::{Attached, Relayed, Reply};
use tributary_merge::{CodeLists, Custodian, Maps, Prompts, SourceCard};
use tributary_model::{
    Ask, AttachmentAsk, Capability, Clock, Locate, LocateFault, Located, MemoryBudget, OdsCode, Purpose,
    RelayAsk, SourceFault, SourceId, SourceKind,
};
use tributary_policy::Table;
use tributary_signals::Limits as SignalLimits;

use crate::answer::Pulse;
use crate::lasting::Lasting;
use crate::links::LinkKey;

/// Asks one source. Built once; every ask takes a clone, so that limits keep their memory.
pub type AskService = BoxCloneSyncService<Ask, Reply, SourceFault>;

/// Passes a call on to one GP source.
pub type RelayService = BoxCloneSyncService<RelayAsk, Relayed, SourceFault>;

/// Fetches what is attached to a source's records.
pub type AttachmentService = BoxCloneSyncService<AttachmentAsk, Attached, SourceFault>;

/// Names the sources that may hold a patient; those in no registry come ready to be asked.
pub type Locator = BoxCloneSyncService<Locate, Located<Arc<SourcePort>>, LocateFault>;

/// One source as the conductor sees it: a service, and what the merge must know.
#[derive(Clone)]
pub struct SourcePort {
    /// What the merge must know of it.
    pub card: SourceCard,
    /// Asks it.
    pub service: AskService,
    /// Passes calls on to it, when it is a GP system.
    pub relay: Option<RelayService>,
    /// Fetches what is attached to its records, where it offers that.
    pub attachments: Option<AttachmentService>,
    /// Its system id on the Spine.
    pub asid: Option<String>,
    /// Where its GP Connect capabilities are, as registered.
    pub roots: BTreeMap<Capability, String>,
    /// Longest it may take.
    pub timeout: Duration,
    /// How long a reply may be kept in memory; `None` for never.
    pub cache_ttl: Option<Duration>,
    /// The id it is counted under: its own, or the one that all practices found for a patient share.
    pub counted_as: SourceId,
    /// Its service roots, where each is known only once it was asked there; the card has none then.
    pub found_roots: FoundRoots,
    /// Tells how it is just now; nothing where nobody looks.
    pub feel_pulse: Option<FeelPulse>,
}

/// Tells how a source is just now.
#[derive(Clone)]
pub struct FeelPulse(Arc<Feel>);

type Feel = dyn Fn() -> Pulse + Send + Sync;

impl FeelPulse {
    /// Tells by this.
    pub fn by(feel: impl Fn() -> Pulse + Send + Sync + 'static) -> Self {
        Self(Arc::new(feel))
    }

    pub(crate) fn now(&self) -> Pulse {
        (self.0)()
    }
}

impl fmt::Debug for FeelPulse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FeelPulse").finish_non_exhaustive()
    }
}

/// Service roots that are found while a source is asked; empty for sources that are registered with theirs.
pub type FoundRoots = Arc<Mutex<BTreeMap<Capability, String>>>;

/// Gives the source of a practice that is in no registry.
#[derive(Clone)]
pub struct FindPractice(Arc<Find>);

type Find = dyn Fn(&OdsCode) -> Arc<SourcePort> + Send + Sync;

impl FindPractice {
    /// Finds by this.
    pub fn by(find: impl Fn(&OdsCode) -> Arc<SourcePort> + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }

    pub(crate) fn find(&self, practice: &OdsCode) -> Arc<SourcePort> {
        (self.0)(practice)
    }
}

impl fmt::Debug for FindPractice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FindPractice").finish_non_exhaustive()
    }
}

impl SourcePort {
    /// Where a capability is, as registered or as found by now.
    pub fn root(&self, capability: Capability) -> Option<String> {
        let found =
            || self.found_roots.lock().unwrap_or_else(PoisonError::into_inner).get(&capability).cloned();
        self.roots.get(&capability).cloned().or_else(found)
    }

    /// Where its resources live, as far as that is known by now.
    pub fn base_url(&self) -> Option<String> {
        self.card.base_url.clone().or_else(|| self.root(Capability::Structured))
    }

    /// Whether GP Connect calls are passed on to it. A community system may speak GP Connect; it is no practice.
    pub(crate) fn is_gp(&self) -> bool {
        self.card.kind == SourceKind::Gp && self.relay.is_some()
    }

    /// What the merge must know of it, its service root included.
    pub(crate) fn card_now(&self) -> SourceCard {
        SourceCard { base_url: self.base_url(), ..self.card.clone() }
    }
}

impl fmt::Debug for SourcePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourcePort").field("card", &self.card).finish_non_exhaustive()
    }
}

/// Whether locating a patient asks somebody outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracing {
    /// It does not: the registry alone decides.
    Off,
    /// It does, and each time is on record before.
    Recorded,
}

/// Whether this broker runs as a demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// On loopback, with asserted identities and invented patients.
    Demo,
    /// For real.
    Live,
}

/// Who may see what, and the name of the text that says so.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The checked table.
    pub table: Arc<Table>,
    /// Digest of the text it was read from, for the audit record.
    pub digest: Digest,
}

/// Bounds of the conductor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of replies kept in memory, their keys and places included.
    pub cache_bytes: u64,
    /// Replies up to this size are merged where the request runs, in about a fifth of a millisecond; larger ones in
    /// the workshop.
    pub merge_inline_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { cache_bytes: 64 << 20, merge_inline_bytes: 16 << 10 }
    }
}

/// Everything a broker needs.
#[derive(Debug)]
pub struct Parts {
    /// The registered sources.
    pub ports: Vec<SourcePort>,
    /// Who may hold a patient.
    pub locator: Locator,
    /// Whether the locator asks somebody outside.
    pub tracing: Tracing,
    /// Practices that are in no registry; `None` where they are not asked.
    pub practices: Option<FindPractice>,
    /// The audit log, the counters, and whatever else outlives a configuration.
    pub lasting: Lasting,
    /// The clock of dated rules.
    pub clock: Arc<dyn Clock>,
    /// Seals the addresses of attachments.
    pub link_key: LinkKey,
    /// Optional code maps.
    pub maps: Maps,
    /// The prompts that are switched on.
    pub prompts: Prompts,
    /// Who keeps the summaries that are given out.
    pub custodian: Option<Custodian>,
    /// The codes that hold a statement back from who may not see it.
    pub lists: CodeLists,
    /// Demo or not.
    pub mode: Mode,
    /// Who may see what.
    pub policy: Policy,
    /// Why records are asked for, as it is put on record; nothing where that is what the request says.
    pub recorded_purpose: Option<Purpose>,
    /// Digest of the configuration, for disclosures.
    pub config: Digest,
    /// What looking is ordinary; nothing where it is not watched.
    pub signals: Option<SignalLimits>,
    /// Bounds.
    pub limits: Limits,
    /// What requests may hold in memory, together.
    pub memory: MemoryBudget,
}
