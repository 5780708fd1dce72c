//! What outlives a configuration: who is at work here, and how far this node is on its way out.

use std::collections::HashMap;
use std::hash::RandomState;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tributary_bounds::Admission;
use tributary_telemetry::Metrics;

use crate::handlers::events::CutOff;
use crate::settings::Limits;

/// The outermost guard stands this many times wider than admission: before it are those whose names and bodies
/// we do not know yet, and they must not be able to keep out those we do.
const STRANGERS: usize = 2;

/// One node, whatever its configuration is at the moment.
#[derive(Debug)]
pub(crate) struct House {
    /// Who is admitted.
    pub(crate) admission: Arc<Admission>,
    /// Requests at once, admitted or not.
    pub(crate) at_work: Arc<Semaphore>,
    /// Whether it is on its way out.
    pub(crate) standing: Arc<Standing>,
    /// What the streams had told that were cut off.
    pub(crate) cut_off: CutOff,
    /// Addresses of pages that were looked at.
    pub(crate) looks: Looks,
    /// Digests of what was told: of use in this process only.
    pub(crate) hashing: RandomState,
}

impl House {
    pub(crate) fn new(limits: &Limits, metrics: &Arc<Metrics>) -> Arc<Self> {
        let at_work = limits.in_flight.saturating_mul(STRANGERS).min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            admission: Admission::new(limits.in_flight, limits.behind, Arc::clone(metrics)),
            at_work: Arc::new(Semaphore::new(at_work)),
            standing: Arc::default(),
            cut_off: CutOff::default(),
            looks: Looks::default(),
            hashing: RandomState::new(),
        })
    }
}

/// For so long an address of a page is remembered: longer than it is good for.
const LOOK_LIFE: Duration = Duration::from_mins(3);
/// Most addresses remembered. With more than that none is good for a while.
const MOST_LOOKS: usize = 65_536;

/// Addresses that were good for one look, and have had it.
#[derive(Debug, Default)]
pub(crate) struct Looks(Mutex<HashMap<String, Instant>>);

impl Looks {
    /// Whether this is the first look.
    pub(crate) fn take(&self, address: &str) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST_LOOKS {
            all.retain(|_, at| at.elapsed() < LOOK_LIFE);
        }
        if all.len() >= MOST_LOOKS || all.contains_key(address) {
            return false;
        }
        all.insert(address.to_owned(), Instant::now());
        true
    }
}

/// How far a listener is on its way out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    #[default]
    Serving,
    /// It serves, and asks callers to go elsewhere.
    Leaving,
    /// It finishes what it has.
    Draining,
}

/// Whether requests should come here, and whether they may.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    phase: watch::Sender<Phase>,
    /// No connection can be accepted: too many files are open.
    is_strained: AtomicBool,
}

impl Standing {
    /// From now on callers are asked to go elsewhere. Whoever comes is still served.
    pub(crate) fn leave(&self) {
        self.phase.send_replace(Phase::Leaving);
    }

    /// From now on no connection is taken.
    pub(crate) fn drain(&self) {
        self.phase.send_replace(Phase::Draining);
    }

    /// Whether connections can be accepted.
    pub(crate) fn strained(&self, is_strained: bool) {
        self.is_strained.store(is_strained, Ordering::Release);
    }

    /// Whether requests should be sent here.
    pub(crate) fn is_ready(&self) -> bool {
        !self.is_leaving() && !self.is_strained.load(Ordering::Acquire)
    }

    /// Whether callers are asked to go elsewhere.
    pub(crate) fn is_leaving(&self) -> bool {
        *self.phase.borrow() >= Phase::Leaving
    }

    /// Ends when callers are asked to go elsewhere.
    pub(crate) async fn left(&self) {
        self.reached(Phase::Leaving).await;
    }

    /// Ends when no connection is taken any more.
    pub(crate) async fn drained(&self) {
        self.reached(Phase::Draining).await;
    }

    async fn reached(&self, phase: Phase) {
        let mut phases = self.phase.subscribe();
        // The sender is ours, so the wait cannot be cut short.
        drop(phases.wait_for(|now| *now >= phase).await);
    }
}
