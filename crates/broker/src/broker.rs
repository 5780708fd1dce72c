//! The face of the conductor.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tributary_audit::{Delivered, Digest, Trail};
use tributary_merge::{CodeLists, Custodian, Maps, Prompts, RecordView, SourceCard};
use tributary_model::{
    Capability, Clock, Deadline, Decision, Demographics, Denial, DenyReason, Expected, Facts, Locate,
    LocateFault, NhsNumber, Obligations, OdsCode, PatientNote, Practice as Registration, Purpose,
    RecordRequest, RequestId, Requester, SourceId, StreamId, SystemClock,
};
use tributary_signals::{Limits as SignalLimits, Watch};
use tributary_telemetry::Metrics;
use tributary_telemetry::PolicyOutcome;

use crate::admission::Answered;
use crate::answer::{
    Answer, AttachmentAnswer, AttachmentRequest, Practice, RelayAnswer, RelayRequest, SourceSummary,
};
use crate::cache::Cache;
use crate::deliveries::Deliveries;
use crate::flights::Flights;
use crate::glass::BrokenGlass;
use crate::lasting::Lasting;
use crate::links::{Links, Pass};
use crate::memory::Memory;
use crate::mixups::MixUps;
use crate::parts::{FindPractice, Limits, Locator, Mode, Parts, Policy, SourcePort, Tracing};
use crate::refusal::Refusal;
use crate::stream::RecordStream;
use crate::visit::{Offer, Visit};
use crate::workshop::Workshop;
use crate::{attachment, record, relay, stream};

/// Most sources outside the registry of which it is remembered when they last answered.
const MOST_REMEMBERED: usize = 4096;

/// How the delivery of an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The last byte was handed to the connection.
    Whole,
    /// The caller went away before the last byte.
    Aborted,
}

/// Why somebody was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnedAway {
    /// Who they are was not proven.
    Unproven,
    /// It was, and they may not do this.
    Forbidden,
    /// What should have opened a page for somebody was not good for it; about whom, where that could be read.
    Launch(Option<NhsNumber>),
}

/// What a broker holds beyond single requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of replies kept in memory.
    pub cache_bytes: u64,
    /// Asks in flight that others may join.
    pub flights: usize,
}

/// The broker: cheap to clone, shared by every connection.
#[derive(Clone)]
pub struct Broker {
    pub(crate) room: Arc<Room>,
}

/// What all requests share.
pub(crate) struct Room {
    pub(crate) ports: BTreeMap<SourceId, Arc<SourcePort>>,
    /// The registry as the merge wants it.
    pub(crate) cards: Vec<SourceCard>,
    pub(crate) locator: Locator,
    pub(crate) tracing: Tracing,
    practices: Option<FindPractice>,
    pub(crate) trail: Trail,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) links: Links,
    /// The true time, whatever clock dates the rules.
    pub(crate) link_clock: SystemClock,
    pub(crate) maps: Maps,
    pub(crate) prompts: Prompts,
    pub(crate) custodian: Option<Custodian>,
    pub(crate) lists: CodeLists,
    pub(crate) mode: Mode,
    /// A request sees one table from its beginning to its end.
    pub(crate) policy: Policy,
    pub(crate) glass: Arc<BrokenGlass>,
    pub(crate) recorded_purpose: Option<Purpose>,
    pub(crate) config: Digest,
    /// Of the code maps, and of the code lists.
    pub(crate) codes: [Digest; 2],
    pub(crate) signals: Option<SignalLimits>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) limits: Limits,
    pub(crate) cache: Cache,
    pub(crate) flights: Flights,
    pub(crate) memory: Memory,
    pub(crate) mixups: Arc<MixUps>,
    pub(crate) deliveries: Arc<Deliveries>,
    pub(crate) tasks: TaskTracker,
    pub(crate) workshop: Workshop,
    last_answered: Arc<Mutex<BTreeMap<SourceId, Timestamp>>>,
    in_flight: BTreeMap<SourceId, Arc<AtomicUsize>>,
}

/// The last request on a configuration takes what it kept with it.
impl Drop for Room {
    fn drop(&mut self) {
        self.cache.stop();
    }
}

/// Whom to ask about a patient, and under which number.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    /// The patient's number as it is now: every source is asked for this one.
    pub(crate) patient: NhsNumber,
    /// The expected sources, by rank.
    pub(crate) ports: Vec<Arc<SourcePort>>,
    /// What is known of the patient's practice.
    pub(crate) practice: Registration,
    /// What readers must know of the patient.
    pub(crate) notes: Vec<PatientNote>,
    /// Who the patient is, where the national service was asked and answered.
    pub(crate) pds: Option<Demographics>,
}

impl Located {
    /// The GP system that calls are passed on to: that of the practice named, or the first one expected.
    ///
    /// Where the practice could not be found out, nobody else is tried.
    pub(crate) fn gp(&self, practice: Option<&OdsCode>) -> Result<&Arc<SourcePort>, Refusal> {
        if self.practice == Registration::Unknown {
            return Err(Refusal::Unlocated);
        }
        let is_named = |port: &&Arc<SourcePort>| {
            practice.is_none_or(|practice| port.card.ods.as_ref() == Some(practice))
        };
        let nobody = if practice.is_some() { Refusal::NotTheirPractice } else { Refusal::NoSuchSource };
        self.ports.iter().filter(|port| port.is_gp()).find(is_named).ok_or(nobody)
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("sources", &self.room.cards.len()).finish_non_exhaustive()
    }
}

impl Broker {
    /// Puts a broker together. Must be called inside a tokio runtime: the cache is kept clean by a task.
    ///
    /// A broker that takes another's place is given what the other one had of [`Lasting`]; its cache begins empty.
    pub fn new(parts: Parts) -> Self {
        let cards: Vec<SourceCard> = parts.ports.iter().map(|port| port.card.clone()).collect();
        let in_flight = parts.lasting.counts(cards.iter().map(|card| &card.id));
        let Lasting {
            trail, metrics, mixups, glass, deliveries, tasks, workshop, last_answered, watch, ..
        } = parts.lasting;
        let by_id = parts.ports.into_iter().map(|one| (one.card.id.clone(), Arc::new(one))).collect();
        let cache = Cache::new(parts.limits.cache_bytes);
        cache.keep_clean(&tasks, Arc::clone(&metrics), parts.memory.clone());
        let memory = Memory::new(parts.memory, Arc::clone(&metrics));
        let room = Room {
            ports: by_id,
            cards,
            locator: parts.locator,
            tracing: parts.tracing,
            practices: parts.practices,
            trail,
            metrics,
            clock: parts.clock,
            links: Links::new(&parts.link_key),
            link_clock: SystemClock,
            codes: [parts.maps.digest(), parts.lists.digest()].map(Digest::from),
            maps: parts.maps,
            prompts: parts.prompts,
            custodian: parts.custodian,
            lists: parts.lists,
            mode: parts.mode,
            policy: parts.policy,
            glass,
            recorded_purpose: parts.recorded_purpose,
            config: parts.config,
            signals: parts.signals,
            watch,
            limits: parts.limits,
            cache,
            flights: Flights::default(),
            memory,
            mixups,
            deliveries,
            tasks,
            workshop,
            last_answered,
            in_flight,
        };
        Self { room: Arc::new(room) }
    }

    /// Answers one record request.
    pub async fn answer(&self, request: RecordRequest) -> Result<Answer, Refusal> {
        Box::pin(record::answer(&self.room, request)).await
    }

    /// Answers one record request, with the record in words beside it: for a page.
    pub async fn answer_in_words(&self, request: RecordRequest) -> Result<(Answer, RecordView), Refusal> {
        Box::pin(record::answer_in_words(&self.room, request)).await
    }

    /// Begins one record that is shown as it grows, under this id; it goes on with the one that `resumes` names, if
    /// the same requester began that and it was cut off within the last minute.
    pub async fn stream(
        &self,
        request: RecordRequest,
        (id, resumes): (StreamId, Option<StreamId>),
    ) -> Result<RecordStream, Refusal> {
        Box::pin(stream::begin(&self.room, request, (id, resumes))).await
    }

    /// What an address says in place of a form that somebody sent: addresses are remembered, and forms hold numbers.
    /// It stands for the form for two minutes, for the same person. Nothing if the form is too long.
    pub fn seal_form(&self, who: &Requester, form: &str) -> Option<String> {
        self.room.links.seal_form(&person(who), form, self.room.link_clock.now())
    }

    /// The form that such an address stands for.
    pub fn open_form(&self, who: &Requester, sealed: &str) -> Option<String> {
        self.room.links.open_form(&person(who), sealed, self.room.link_clock.now())
    }

    /// Puts on record that a page is opened for somebody from another system, and gives the address that opens it.
    pub async fn offer(
        &self,
        visit: &Visit,
        request: RequestId,
        deadline: Deadline,
    ) -> Result<Offer, Refusal> {
        let sealed = self.seal_visit(Pass::Launch, visit).ok_or(Refusal::Internal)?;
        let audit = crate::ledger::launched(&self.room, visit, request, deadline).await?;
        Ok(Offer { sealed, audit })
    }

    /// What stands for a visit, in this way; nothing if what it says of its reader is too long.
    pub fn seal_visit(&self, pass: Pass, visit: &Visit) -> Option<String> {
        self.room.links.seal_visit(pass, &visit.to_text()?, self.room.link_clock.now())
    }

    /// The visit that it stands for, if it was given out here for this, is not too old, and not over.
    pub fn open_visit(&self, pass: Pass, sealed: &str) -> Option<Visit> {
        let now = self.room.link_clock.now();
        let visit = Visit::from_text(&self.room.links.open_visit(pass, sealed, now)?)?;
        visit.lasts(now).then_some(visit)
    }

    /// The moment at which visits begin.
    pub fn visit_begins(&self) -> Timestamp {
        self.room.link_clock.now()
    }

    /// Passes a GP Connect call on to the patient's GP system.
    pub async fn relay(&self, request: RelayRequest) -> Result<RelayAnswer, Refusal> {
        Box::pin(relay::relay(&self.room, request)).await
    }

    /// Fetches what is attached to a record.
    pub async fn attachment(&self, request: AttachmentRequest) -> Result<AttachmentAnswer, Refusal> {
        Box::pin(attachment::attachment(&self.room, request)).await
    }

    /// Records how the delivery of an answer ended. Never gates anything.
    pub fn delivered(&self, audit: &str, bytes: u64, delivery: Delivery) {
        let how = match delivery {
            Delivery::Whole => Delivered::Whole,
            Delivery::Aborted => Delivered::Aborted,
        };
        self.room.note_delivery(audit, bytes, how);
    }

    /// Puts on record that somebody was not let in. They are not let in whether or not it can be recorded.
    pub async fn turned_away(&self, request: RequestId, why: TurnedAway) {
        self.room.turned_away(request, why).await;
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
            maintenance: card.maintenance.clone().filter(|announced| room.clock.now() < announced.until),
            in_flight: room.in_flight.get(&card.id).map_or(0, |count| count.load(Ordering::Relaxed)),
            pulse: room.ports.get(&card.id).and_then(|port| Some(port.feel_pulse.as_ref()?.now())),
        };
        room.cards.iter().map(summary).collect()
    }

    /// The system id of a practice's GP system; nothing if no such practice is served here.
    pub fn practice(&self, ods: &OdsCode) -> Option<Practice> {
        self.room.gp_at(ods).map(|port| Practice { asid: port.asid.clone() })
    }

    /// Every registered GP Connect endpoint: its practice, its capability, and its service root as registered.
    pub fn endpoints(&self) -> Vec<(OdsCode, Capability, String)> {
        let of = |port: &Arc<SourcePort>| {
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

    /// What is held beyond single requests, now.
    pub fn usage(&self) -> Usage {
        Usage { cache_bytes: self.room.cache.bytes(), flights: self.room.flights.count() }
    }

    /// For how long the longest waiting piece of our own work has waited for a processor.
    pub fn behind(&self) -> Duration {
        self.room.workshop.behind()
    }

    /// Forgets every reply that is kept, and keeps nothing of the asks that are in flight.
    pub fn clear_cache(&self) {
        self.room.cache.clear(self.room.flights.draw());
    }

    /// Whether requests can be served: the last audit record was written.
    pub fn is_ready(&self) -> bool {
        self.room.deliveries.log_is_well()
    }

    /// Forgets every kept reply, once another broker has taken this one's place. Requests that are at work end here;
    /// what they still keep goes with the last of them.
    pub fn retire(&self) {
        self.room.cache.stop();
    }

    /// Waits for what is still being written down, by this broker and those before it, at most `limit`, and closes
    /// the log.
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

/// Who somebody is, for what only they may open.
fn person(who: &Requester) -> String {
    format!("{}@{}", who.user_id, who.organisation.as_str())
}

impl Room {
    /// Whether disclosures are made again here, to compare them: then there is a purpose to put on record.
    pub(crate) const fn is_replay(&self) -> bool {
        self.recorded_purpose.is_some()
    }

    /// The policy's word on a request.
    ///
    /// A permit for part of what was asked comes with views that take out the rest. Where nothing can be taken out of
    /// an answer, whoever may not see everything is refused.
    pub(crate) fn decide(&self, facts: &Facts, answered: Answered) -> Result<Obligations, Denial> {
        let obligations = match self.policy.table.decide(facts) {
            Decision::Permit(obligations) => obligations,
            Decision::Deny(denial) => return Err(denial),
        };
        match answered {
            Answered::AsItIs(kind) if !obligations.as_sent.contains(kind) => Err(DenyReason::NoRule.into()),
            Answered::AsItIs(_) | Answered::Merged => Ok(obligations),
        }
    }

    /// Counts a verdict of the policy.
    pub(crate) fn count(&self, verdict: &Result<Obligations, Denial>) {
        self.metrics.policy_decision(if verdict.is_ok() {
            PolicyOutcome::Permit
        } else {
            PolicyOutcome::Deny
        });
    }

    /// The sources that may hold a patient, by rank, and the number to ask them for.
    pub(crate) async fn locate(
        &self,
        patient: NhsNumber,
        requester: &Arc<Requester>,
        deadline: Deadline,
    ) -> Result<Located, Refusal> {
        // Whatever becomes of locating, half of the time is left for those who are expected.
        let half = deadline.capped(deadline.remaining() / 2);
        let requester = Arc::clone(requester);
        let question = Locate { patient, requester, at: self.clock.now(), deadline: half };
        let found = self.locator.clone().oneshot(question);
        let found = tokio::time::timeout_at(deadline.instant(), found).await;
        let found = found.unwrap_or(Err(LocateFault::Unavailable)).map_err(|fault| match fault {
            LocateFault::Unavailable => Refusal::Unlocated,
            LocateFault::Barred(why) => Refusal::Barred(why),
        })?;
        let port = |one: Expected<Arc<SourcePort>>| match one {
            Expected::Registered(id) => self.ports.get(&id).cloned(),
            Expected::Found(port) => Some(port),
        };
        let mut ports: Vec<_> = found.expected.into_iter().filter_map(port).collect();
        ports.sort_by(|a, b| (a.card.rank, &a.card.id).cmp(&(b.card.rank, &b.card.id)));
        ports.dedup_by(|a, b| a.card.id == b.card.id);
        Ok(Located {
            patient: found.patient,
            ports,
            practice: found.practice,
            notes: found.notes,
            pds: found.demographics,
        })
    }

    /// The GP system of a practice: registered, or to be found.
    pub(crate) fn gp_at(&self, practice: &OdsCode) -> Option<Arc<SourcePort>> {
        let is_named = |port: &&Arc<SourcePort>| port.is_gp() && port.card.ods.as_ref() == Some(practice);
        let found = || self.practices.as_ref().map(|practices| practices.find(practice));
        self.ports.values().find(is_named).cloned().or_else(found)
    }

    /// Remembers that a source answered.
    pub(crate) fn note_answer(&self, source: &SourceId, at: Timestamp) {
        // Operators compare with their own clock, whatever clock dates the rules.
        self.metrics.sources().answered(source, SystemClock.now().as_second());
        let mut last = self.last_answered.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() < self.ports.len() + MOST_REMEMBERED || last.contains_key(source) {
            last.insert(source.clone(), at);
        }
    }

    /// When a source last answered.
    pub(crate) fn last_answer(&self, source: &SourceId) -> Option<Timestamp> {
        self.last_answered.lock().unwrap_or_else(PoisonError::into_inner).get(source).copied()
    }

    /// Counts an ask in flight until the guard is dropped.
    pub(crate) fn in_flight(&self, port: &SourcePort) -> InFlight<'_> {
        let count = self.in_flight.get(&port.card.id).map(AsRef::as_ref);
        if let Some(count) = count {
            count.fetch_add(1, Ordering::Relaxed);
        }
        InFlight { count, _gauge: self.metrics.sources().in_flight(&port.counted_as) }
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
