//! What outlives a configuration: who is at work here, and how far this node is on its way out.

use std::hash::RandomState;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tributary_bounds::{Admission, Looks};
use tributary_telemetry::Metrics;

use crate::handlers::events::CutOff;
use crate::settings::Limits;

pub(crate) use tributary_bounds::Standing;

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
