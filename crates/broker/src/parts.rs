//! What a broker is put together from.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tower::util::BoxCloneSyncService;
use tributary_audit::Trail;
use tributary_fhir::{Relayed, Reply};
use tributary_merge::{Maps, SourceCard};
use tributary_model::{Ask, Capability, Clock, NhsNumber, RelayAsk, SourceFault, SourceId};
use tributary_telemetry::Metrics;

use crate::links::LinkKey;

/// Asks one source. Built once; every ask takes a clone, so that limits keep their memory.
pub type AskService = BoxCloneSyncService<Ask, Reply, SourceFault>;

/// Passes a call on to one GP source.
pub type RelayService = BoxCloneSyncService<RelayAsk, Relayed, SourceFault>;

/// Names the sources that may hold a patient.
pub type Locator = BoxCloneSyncService<NhsNumber, Vec<SourceId>, LocateFault>;

/// The locator could not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sources of the patient could not be located")]
pub struct LocateFault;

/// One source as the conductor sees it: a service, and what the merge must know.
#[derive(Clone)]
pub struct SourcePort {
    /// What the merge must know of it.
    pub card: SourceCard,
    /// Asks it.
    pub service: AskService,
    /// Passes calls on to it, when it is a GP system.
    pub relay: Option<RelayService>,
    /// Its system id on the Spine.
    pub asid: Option<String>,
    /// Where its GP Connect capabilities are, as registered.
    pub roots: BTreeMap<Capability, String>,
    /// Longest it may take.
    pub timeout: Duration,
    /// How long a reply may be kept in memory; `None` for never.
    pub cache_ttl: Option<Duration>,
}

impl fmt::Debug for SourcePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourcePort").field("card", &self.card).finish_non_exhaustive()
    }
}

/// Whether this broker runs as a demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// On loopback, with asserted identities and invented patients.
    Demo,
    /// For real.
    Live,
}

/// Bounds of the conductor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of replies kept in memory.
    pub cache_bytes: u64,
    /// Replies up to this size are merged where the request runs; larger ones on a thread of their own.
    pub merge_inline_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { cache_bytes: 64 << 20, merge_inline_bytes: 256 << 10 }
    }
}

/// Everything a broker needs.
#[derive(Debug)]
pub struct Parts {
    /// The registered sources.
    pub ports: Vec<SourcePort>,
    /// Who may hold a patient.
    pub locator: Locator,
    /// The audit log.
    pub trail: Trail,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// The clock of dated rules.
    pub clock: Arc<dyn Clock>,
    /// Seals the addresses of attachments.
    pub link_key: LinkKey,
    /// Optional code maps.
    pub maps: Maps,
    /// Demo or not.
    pub mode: Mode,
    /// Bounds.
    pub limits: Limits,
}
