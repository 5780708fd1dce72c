//! The face of the conductor.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tributary_audit::{Delivered, Trail};
use tributary_merge::{Maps, SourceCard};
use tributary_model::{
    Capability, Clock, Decision, DenyReason, Facts, NhsNumber, Obligations, OdsCode, RecordRequest, SourceId,
    SystemClock,
};
use tributary_telemetry::Metrics;
use tributary_telemetry::PolicyOutcome;

use crate::answer::{Answer, Practice, RelayAnswer, RelayRequest, SourceSummary};
use crate::cache::Cache;
use crate::deliveries::Deliveries;
use crate::links::Links;
use crate::mixups::MixUps;
use crate::parts::{Limits, Locator, Mode, Parts, SourcePort};
use crate::refusal::Refusal;
use crate::{record, relay};

/// How the delivery of an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The last byte was handed to the connection.
    Whole,
    /// The caller went away before the last byte.
    Aborted,
}

/// The broker: cheap to clone, shared by every connection.
#[derive(Clone)]
pub struct Broker {
    pub(crate) room: Arc<Room>,
}

/// What all requests share.
pub(crate) struct Room {
    pub(crate) ports: BTreeMap<SourceId, SourcePort>,
    /// The registry as the merge wants it.
    pub(crate) cards: Vec<SourceCard>,
    pub(crate) locator: Locator,
    pub(crate) trail: Trail,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) links: Links,
    /// The true time, whatever clock dates the rules.
    pub(crate) link_clock: SystemClock,
    pub(crate) maps: Maps,
    pub(crate) mode: Mode,
    pub(crate) limits: Limits,
    pub(crate) cache: Cache,
    pub(crate) mixups: MixUps,
    pub(crate) deliveries: Deliveries,
    pub(crate) tasks: TaskTracker,
    last_answered: Mutex<BTreeMap<SourceId, Timestamp>>,
    in_flight: BTreeMap<SourceId, AtomicUsize>,
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("sources", &self.room.cards.len()).finish_non_exhaustive()
    }
}

impl Broker {
    /// Puts a broker together. Must be called inside a tokio runtime: the cache is kept clean by a task.
    pub fn new(parts: Parts) -> Self {
        let cards: Vec<SourceCard> = parts.ports.iter().map(|port| port.card.clone()).collect();
        let in_flight = cards.iter().map(|card| (card.id.clone(), AtomicUsize::new(0))).collect();
        let by_id: BTreeMap<_, _> = parts.ports.into_iter().map(|one| (one.card.id.clone(), one)).collect();
        let tasks = TaskTracker::new();
        let cache = Cache::new(parts.limits.cache_bytes);
        cache.keep_clean(&tasks, Arc::clone(&parts.metrics));
        let room = Room {
            ports: by_id,
            cards,
            locator: parts.locator,
            trail: parts.trail,
            metrics: parts.metrics,
            clock: parts.clock,
            links: Links::new(&parts.link_key),
            link_clock: SystemClock,
            maps: parts.maps,
            mode: parts.mode,
            limits: parts.limits,
            cache,
            mixups: MixUps::default(),
            deliveries: Deliveries::default(),
            tasks,
            last_answered: Mutex::default(),
            in_flight,
        };
        Self { room: Arc::new(room) }
    }

    /// Answers one record request.
    pub async fn answer(&self, request: RecordRequest) -> Result<Answer, Refusal> {
        Box::pin(record::answer(&self.room, request)).await
    }

    /// Passes a GP Connect call on to the patient's GP system.
    pub async fn relay(&self, request: RelayRequest) -> Result<RelayAnswer, Refusal> {
        Box::pin(relay::relay(&self.room, request)).await
    }

    /// Records how the delivery of an answer ended. Never gates anything.
    pub fn delivered(&self, audit: &str, bytes: u64, delivery: Delivery) {
        let how = match delivery {
            Delivery::Whole => Delivered::Whole,
            Delivery::Aborted => Delivered::Aborted,
        };
        self.room.note_delivery(audit, bytes, how);
    }

    /// The registered sources.
    pub fn sources(&self) -> Vec<SourceSummary> {
        let room = &self.room;
        let last = room.last_answered.lock().unwrap_or_else(PoisonError::into_inner);
        let summary = |card: &SourceCard| SourceSummary {
            id: card.id.clone(),
            name: card.name.clone(),
            kind: card.kind,
            sections: card.serves,
            last_answered: last.get(&card.id).map(Timestamp::to_string),
            in_flight: room.in_flight.get(&card.id).map_or(0, |count| count.load(Ordering::Relaxed)),
        };
        room.cards.iter().map(summary).collect()
    }

    /// The system id of a practice's GP system; nothing if no such practice is served here.
    pub fn practice(&self, ods: &OdsCode) -> Option<Practice> {
        let mut ports = self.room.ports.values();
        let port = ports.find(|port| port.relay.is_some() && port.card.ods.as_ref() == Some(ods))?;
        Some(Practice { asid: port.asid.clone() })
    }

    /// Every registered GP Connect endpoint: its practice, its capability, and its service root as registered.
    pub fn endpoints(&self) -> Vec<(OdsCode, Capability, String)> {
        let of = |port: &SourcePort| {
            let ods = port.card.ods.clone().filter(|_| port.relay.is_some())?;
            let roots = port.roots.iter();
            Some(
                roots
                    .map(move |(capability, root)| (ods.clone(), *capability, root.clone()))
                    .collect::<Vec<_>>(),
            )
        };
        self.room.ports.values().filter_map(of).flatten().collect()
    }

    /// Whether requests can be served: the last audit record was written.
    pub fn is_ready(&self) -> bool {
        self.room.deliveries.log_is_well()
    }

    /// Waits for what is still being written down, at most `limit`, and closes the log.
    pub async fn close(self, limit: Duration) {
        self.room.cache.stop();
        self.room.tasks.close();
        let quiet = self.room.tasks.wait();
        if tokio::time::timeout(limit, quiet).await.is_err() {
            tracing::warn!("records were still waiting when the drain ended");
        }
        // A disk that hangs must not keep the process from ending.
        let closed = tokio::time::timeout(limit, self.room.trail.clone().close()).await;
        if !matches!(closed, Ok(Ok(()))) {
            tracing::error!("the audit log did not close cleanly");
        }
    }
}

impl Room {
    /// The policy's word on a request, counted.
    ///
    /// A permit for part of what was asked is refused whole: statements of the other sections could still hang
    /// on those of the permitted ones, and nothing takes them out yet.
    pub(crate) fn decide(&self, facts: &Facts) -> Result<Obligations, Refusal> {
        match tributary_policy::decide(facts) {
            Decision::Permit(obligations) if obligations.sections == facts.sections => {
                self.metrics.policy_decision(PolicyOutcome::Permit);
                Ok(obligations)
            }
            Decision::Permit(_) => {
                self.metrics.policy_decision(PolicyOutcome::Deny);
                Err(Refusal::Denied(DenyReason::NoRule))
            }
            Decision::Deny(reason) => {
                self.metrics.policy_decision(PolicyOutcome::Deny);
                Err(Refusal::Denied(reason))
            }
        }
    }

    /// The sources that may hold a patient.
    pub(crate) async fn locate(&self, patient: NhsNumber) -> Result<Vec<&SourcePort>, Refusal> {
        let ids = self.locator.clone().oneshot(patient).await.map_err(|_fault| Refusal::Unlocated)?;
        let mut ports: Vec<&SourcePort> = ids.iter().filter_map(|id| self.ports.get(id)).collect();
        ports.sort_by_key(|port| (port.card.rank, &port.card.id));
        ports.dedup_by_key(|port| &port.card.id);
        Ok(ports)
    }

    /// Remembers that a source answered.
    pub(crate) fn note_answer(&self, source: &SourceId, at: Timestamp) {
        self.last_answered.lock().unwrap_or_else(PoisonError::into_inner).insert(source.clone(), at);
    }

    /// When a source last answered.
    pub(crate) fn last_answer(&self, source: &SourceId) -> Option<Timestamp> {
        self.last_answered.lock().unwrap_or_else(PoisonError::into_inner).get(source).copied()
    }

    /// Counts an ask in flight until the guard is dropped.
    pub(crate) fn in_flight(&self, source: &SourceId) -> InFlight<'_> {
        let count = self.in_flight.get(source);
        if let Some(count) = count {
            count.fetch_add(1, Ordering::Relaxed);
        }
        InFlight { count, _gauge: self.metrics.in_flight(source) }
    }
}

/// An ask in flight.
pub(crate) struct InFlight<'a> {
    count: Option<&'a AtomicUsize>,
    _gauge: tributary_telemetry::InFlight,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.count {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
