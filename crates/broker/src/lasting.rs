//! What outlives a configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio_util::task::TaskTracker;
use tributary_audit::Trail;
use tributary_model::SourceId;
use tributary_signals::{Signal, Watch};
use tributary_telemetry::Metrics;

use crate::deliveries::Deliveries;
use crate::glass::BrokenGlass;
use crate::mixups::MixUps;
use crate::workshop::Workshop;

/// Asks in flight, by source.
type Counts = BTreeMap<SourceId, Arc<AtomicUsize>>;

/// What a broker shares with the one that takes its place: what is on record and counted, which sources are
/// switched off, who broke the glass, when each last answered, who looked at whom, what is at each, what is on its way,
/// what is still being written, and where long work is done.
///
/// Handed to [`crate::Broker::new`]; clones are the same.
#[derive(Clone)]
pub struct Lasting {
    pub(crate) trail: Trail,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) mixups: Arc<MixUps>,
    pub(crate) glass: Arc<BrokenGlass>,
    pub(crate) deliveries: Arc<Deliveries>,
    pub(crate) tasks: TaskTracker,
    pub(crate) workshop: Workshop,
    pub(crate) last_answered: Arc<Mutex<BTreeMap<SourceId, Timestamp>>>,
    pub(crate) watch: Arc<Watch>,
    in_flight: Arc<Mutex<Counts>>,
}

impl fmt::Debug for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lasting").finish_non_exhaustive()
    }
}

impl Lasting {
    /// Of a node that begins: nothing is counted yet, and no source is switched off.
    pub fn new(trail: Trail, metrics: Arc<Metrics>) -> Self {
        metrics.records().rules_begin(tributary_merge::RULE_IDS);
        metrics.anomalies_begin(Signal::ALL.iter().map(|signal| signal.code()));
        Self {
            trail,
            metrics,
            mixups: Arc::default(),
            glass: Arc::default(),
            deliveries: Arc::default(),
            tasks: TaskTracker::new(),
            workshop: Workshop::new(),
            last_answered: Arc::default(),
            watch: Arc::default(),
            in_flight: Arc::default(),
        }
    }

    /// The counts of these sources, with what is at them now. Those of others are forgotten once nobody asks them.
    pub(crate) fn counts<'s>(&self, sources: impl Iterator<Item = &'s SourceId>) -> Counts {
        let mut all = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = sources.map(|id| (id.clone(), Arc::clone(all.entry(id.clone()).or_default()))).collect();
        // A broker that still asks holds the count as well.
        all.retain(|_, count| Arc::strong_count(count) > 1);
        counts
    }
}

#[cfg(test)]
mod tests;
