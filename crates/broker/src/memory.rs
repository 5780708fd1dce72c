//! What a request may hold in memory: taken before anybody is asked, given back with the last byte of its answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tributary_model::{FaultClass, Lease, MemoryBudget, SourceFault, SourceId};
use tributary_telemetry::{Metrics, ShedReason};

use crate::parts::SourcePort;
use crate::refusal::Refusal;

/// How much the work on a source's reply is expected to take before it has sent anything.
const EXPECTED_AT_FIRST: u64 = 64 << 10;

/// An expectation comes down by one part in so many with every reply that is smaller: one large record in twenty
/// is still expected.
const DECAY: u64 = 16;

/// While replies are merged, the statements that refer to them and what is written out of them are held at once: so
/// many times the replies. The replies themselves are counted from their first byte on, by a lease of their own,
/// once for all who share them.
const MERGING: u64 = 2;

/// Nobody new is let in to the last part of the budget, one in so many: it is for the work of those who were.
const FOR_THE_ADMITTED: u64 = 8;

/// What an answer needs besides: its outcome, its lists.
const ANSWER_AT_LEAST: u64 = 16 << 10;

/// Callers who find no memory come back after one to so many seconds, each in its turn, so that they do not come
/// back together.
const LONGEST_WAIT_SECS: u64 = 5;

/// By which way something is fetched: a whole record is larger than a search for documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    Record,
    Relay,
    Attachment,
}

/// The memory budget, and what each source is expected to need of it.
pub(crate) struct Memory {
    budget: MemoryBudget,
    metrics: Arc<Metrics>,
    expected: Mutex<BTreeMap<(SourceId, Way), u64>>,
    refused: AtomicU64,
}

impl Memory {
    pub(crate) fn new(budget: MemoryBudget, metrics: Arc<Metrics>) -> Self {
        Self { budget, metrics, expected: Mutex::default(), refused: AtomicU64::new(0) }
    }

    /// Takes what the replies of these sources are expected to take, or refuses.
    pub(crate) fn reserve<'p>(
        &self,
        ports: impl IntoIterator<Item = &'p Arc<SourcePort>>,
        way: Way,
    ) -> Result<Lease, Refusal> {
        let lease = self.budget.take(self.expects(ports, way)).map_err(|_spent| self.refuse())?;
        let most = self.budget.most();
        let is_beyond = self.budget.taken() > most - most / FOR_THE_ADMITTED;
        if is_beyond { Err(self.refuse()) } else { Ok(lease) }
    }

    /// What the replies of these sources are expected to take.
    pub(crate) fn expects<'p>(&self, ports: impl IntoIterator<Item = &'p Arc<SourcePort>>, way: Way) -> u64 {
        let expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |port: &Arc<SourcePort>| expected.get(&(port.counted_as.clone(), way)).copied();
        let each = ports.into_iter().map(|port| of(port).unwrap_or(EXPECTED_AT_FIRST));
        each.fold(0, u64::saturating_add)
    }

    /// Takes what it takes to make a state out of so many bytes; nothing if there is not so much left now. Whoever was
    /// let in waits for it.
    pub(crate) fn work(&self, bytes: u64) -> Option<Lease> {
        self.budget.take(needed(bytes)).ok()
    }

    /// Takes what it takes to make an answer out of so many bytes, or refuses.
    pub(crate) fn work_on(&self, lease: &mut Lease, bytes: u64) -> Result<(), Refusal> {
        lease.resize(needed(bytes)).map_err(|_spent| self.refuse())
    }

    /// The same for the one reply that is passed on; learns how large it is.
    pub(crate) fn work_on_reply(
        &self,
        lease: &mut Lease,
        (port, way): (&SourcePort, Way),
        bytes: usize,
    ) -> Result<(), SourceFault> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.learn(port, way, bytes);
        self.work_on(lease, bytes).map_err(|_spent| SourceFault::new(FaultClass::Memory))
    }

    /// Learns how much a source sent.
    pub(crate) fn learn(&self, port: &SourcePort, way: Way, bytes: u64) {
        let mut all = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        // As many as there are names to count under: those of the registry, and one for practices found.
        let expected = all.entry((port.counted_as.clone(), way)).or_insert(EXPECTED_AT_FIRST);
        *expected = if bytes >= *expected { bytes } else { *expected - (*expected - bytes) / DECAY };
    }

    fn refuse(&self) -> Refusal {
        self.metrics.shed(ShedReason::Memory);
        let turn = self.refused.fetch_add(1, Ordering::Relaxed);
        Refusal::Overloaded(Duration::from_secs(1 + turn % LONGEST_WAIT_SECS))
    }
}

/// What it takes to make an answer out of so many bytes.
const fn needed(bytes: u64) -> u64 {
    bytes.saturating_mul(MERGING).saturating_add(ANSWER_AT_LEAST)
}

/// Holds what an answer of so many bytes takes until it is delivered, and gives the rest back.
pub(crate) fn hold(lease: &mut Lease, bytes: usize) {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    // It is made already: what it takes beyond what was thought is known too late to refuse it.
    let _beyond = lease.resize(bytes);
}
