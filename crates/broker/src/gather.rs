//! The fan-out: every source at once, one deadline, nobody awaited past it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;
use tributary_audit::{BreakGlass, Digest};
use tributary_fhir::{Json, Reply};
use tributary_merge::{Answer, Heard};
use tributary_model::{
    Ask, Deadline, FaultClass, Freshness, Obligations, RecordRequest, SectionSet, SourceFault, SourceId,
    StreamId, TraceId,
};
use tributary_telemetry::CacheOutcome;

use crate::broker::Room;
use crate::cache::{Held, Kept};
use crate::flights::{Boarding, Flight, Landing, Ticket, Wish, board};
use crate::key::{Grant, Key};
use crate::memory::Way;
use crate::parts::SourcePort;

/// Share of the budget kept back for merging and recording, and its bounds.
const RESERVE_PERCENT: u32 = 6;
const RESERVE_LEAST: Duration = Duration::from_millis(150);
const RESERVE_MOST: Duration = Duration::from_millis(500);

/// What was heard of one source, with what the audit record wants to know.
pub(crate) struct Hearing {
    pub(crate) answer: Answer,
    /// How long it really took, whatever the clock of the answer says.
    pub(crate) elapsed: Duration,
    /// Names the fetch it came from: this request's, one that it joined, or the one it was kept from.
    pub(crate) fetch: Option<TraceId>,
    /// What may be kept of it, once a reply has been proved to be about the patient.
    pub(crate) keep: Option<Keep>,
    /// Whether this request counts what became of the source: of those who share a fetch, one does.
    pub(crate) counting: Counting,
    /// The digest of the entries, once it was asked for.
    pub(crate) content: OnceLock<Digest>,
}

impl Hearing {
    /// Digest of the entries of the reply. What stands around them, as the id of the Bundle, is new in each answer. They
    /// are hashed once, however often they are disclosed: a kept reply brings its digest along.
    pub(crate) fn content(&self) -> Option<Digest> {
        let reply = self.reply()?;
        Some(*self.content.get_or_init(|| {
            let entries =
                reply.documents.iter().map(|document| document.root().get("entry").map_or("", Json::raw));
            let digests: String = entries.map(|entries| Digest::of(entries.as_bytes()).to_string()).collect();
            Digest::of(digests.as_bytes())
        }))
    }

    /// The reply, if there is one.
    pub(crate) const fn reply(&self) -> Option<&Arc<Reply>> {
        if let Heard::Reply(reply) = &self.answer.heard { Some(reply) } else { None }
    }
}

/// Who counts what became of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counting {
    /// This request.
    Here,
    /// Another one that shares the fetch, now or before.
    Elsewhere,
}

/// What may be kept of a fetch.
pub(crate) struct Keep {
    pub(crate) key: Key,
    pub(crate) began: Ticket,
    pub(crate) landed: Instant,
    /// How long the source's entry lets it be kept; not at all, but for whoever resumes.
    pub(crate) ttl: Option<Duration>,
}

/// The deadline of the sources: what is left after them must do for merging and recording.
pub(crate) fn source_deadline(deadline: Deadline) -> Deadline {
    let reserve = deadline.remaining() * RESERVE_PERCENT / 100;
    deadline.less(reserve.clamp(RESERVE_LEAST, RESERVE_MOST).min(deadline.remaining() / 2))
}

/// Asks every source, gives what each came up with. Dropping the future cancels every ask that nobody else waits
/// for.
pub(crate) async fn gather(
    room: &Arc<Room>,
    ports: &[Arc<SourcePort>],
    request: &RecordRequest,
    allowed: Allowed<'_>,
) -> Vec<Hearing> {
    let until = source_deadline(request.deadline);
    let began = Instant::now();
    let (mut heard, seats) = set_off(room, ports, request, allowed);
    let hearings = seats.iter().map(|seat| hear(room, seat, (began, until)));
    heard.extend(join_all(hearings).await);
    heard
}

/// A source that was asked, and the flight that brings its answer.
pub(crate) struct Seat {
    pub(crate) port: Arc<SourcePort>,
    pub(crate) flight: Arc<Flight>,
}

/// Asks every source, and waits for none: gives what is known at once, and where the rest comes from.
pub(crate) fn set_off(
    room: &Arc<Room>,
    ports: &[Arc<SourcePort>],
    request: &RecordRequest,
    allowed: Allowed<'_>,
) -> (Vec<Hearing>, Vec<Seat>) {
    let deadline = source_deadline(request.deadline);
    let (mut heard, mut seats) = (Vec::with_capacity(ports.len()), Vec::with_capacity(ports.len()));
    for port in ports {
        match plan(room, port, request, Plan { allowed, deadline }) {
            Planned::Known(known) => heard.push(*known),
            Planned::Asked(flight) => seats.push(Seat { port: Arc::clone(port), flight }),
        }
    }
    (heard, seats)
}

enum Planned {
    Known(Box<Hearing>),
    Asked(Arc<Flight>),
}

#[derive(Clone, Copy)]
struct Plan<'p> {
    allowed: Allowed<'p>,
    deadline: Deadline,
}

/// What a request may ask for.
#[derive(Clone, Copy)]
pub(crate) struct Allowed<'p> {
    /// The policy's word.
    pub(crate) obligations: &'p Obligations,
    /// Whether the glass was broken for it.
    pub(crate) glass: BreakGlass,
    /// When it arrived.
    pub(crate) arrived: Ticket,
    /// The stream that it goes on with, which may have heard something before it was cut off.
    pub(crate) resumes: Option<StreamId>,
}

impl Allowed<'_> {
    /// What a source may be asked for: of what it serves, what is shown of its kind of source. Nothing that may not
    /// be shown is fetched.
    pub(crate) fn of(self, port: &SourcePort) -> SectionSet {
        let shown = self.obligations.views.of(port.card.kind).sections();
        port.card.serves.and(self.obligations.sections).and(shown)
    }
}

fn plan(room: &Arc<Room>, port: &Arc<SourcePort>, request: &RecordRequest, plan: Plan<'_>) -> Planned {
    if room.mixups.is_off(&port.card.id) {
        let fault = SourceFault::new(FaultClass::IdentitySwitch);
        return Planned::Known(Box::new(silent(room, &port.card.id, fault, Duration::ZERO)));
    }
    let sections = plan.allowed.of(port);
    if sections.is_empty() {
        let fault = SourceFault::new(FaultClass::NotPermitted);
        let known = silent(room, &port.card.id, fault, Duration::ZERO);
        // Nobody was asked, so there is nothing to count.
        return Planned::Known(Box::new(Hearing { counting: Counting::Elsewhere, ..known }));
    }
    let ask = Ask {
        patient: request.patient,
        sections,
        since: request.since,
        requester: Arc::clone(&request.requester),
        purpose: request.purpose,
        deadline: plan.deadline.capped(port.timeout),
    };
    let freshness = request.freshness;
    let grant =
        Grant { policy: room.policy.digest, relationship: request.relationship, glass: plan.allowed.glass };
    let key = Key::of(&port.card.id, &ask, grant);
    if let Some(stream) = plan.allowed.resumes
        && let Some(kept) = room.cache.get(&key.clone().within(stream))
    {
        return Planned::Known(Box::new(remembered(room, &port.card.id, kept)));
    }
    if freshness == Freshness::Allowed
        && port.cache_ttl.is_some()
        && let Some(kept) = room.cache.get(&key)
    {
        return Planned::Known(Box::new(remembered(room, &port.card.id, kept)));
    }
    let (flight, boarding) = board(room, port, Wish { key, ask, freshness, arrived: plan.allowed.arrived });
    match boarding {
        Boarding::Joined => room.metrics.cache_lookup(CacheOutcome::Joined),
        Boarding::Led if port.cache_ttl.is_none() => {}
        Boarding::Led if freshness == Freshness::Allowed => room.metrics.cache_lookup(CacheOutcome::Miss),
        Boarding::Led => room.metrics.cache_lookup(CacheOutcome::Bypass),
    }
    Planned::Asked(flight)
}

fn remembered(room: &Room, source: &SourceId, kept: Kept) -> Hearing {
    let (heard, outcome, last_answered) = match kept.held {
        Held::Reply(reply) => {
            // The clock of rules may stand still; there a reply has no age.
            let age = room.clock.now().duration_since(kept.fetched_at);
            room.metrics.cache_hit(age.as_secs_f64().max(0.0));
            (Heard::Reply(reply), CacheOutcome::Hit, None)
        }
        Held::Nothing(fault) => (Heard::Fault(fault), CacheOutcome::Absence, room.last_answer(source)),
    };
    room.metrics.cache_lookup(outcome);
    let answer = Answer {
        source: source.clone(),
        heard,
        latency_ms: 0,
        fetched_at: kept.fetched_at,
        cached: true,
        last_answered,
    };
    let (elapsed, fetch, counting) = (Duration::ZERO, Some(kept.fetch), Counting::Elsewhere);
    let content = kept.content.map(OnceLock::from).unwrap_or_default();
    Hearing { answer, elapsed, fetch, keep: None, counting, content }
}

/// Waits for a flight, until the sources' time is up.
pub(crate) async fn hear(room: &Room, seat: &Seat, (began, until): (Instant, Deadline)) -> Hearing {
    let Seat { port, flight } = seat;
    let landed = flight.landing(until).await;
    // Others may have waited longer for the same.
    let elapsed = began.elapsed();
    let counting = counting(flight);
    let (outcome, fetched_at, keep) = match landed {
        Ok(Landing { outcome, at, landed }) => {
            let keep = Keep { key: flight.key.clone(), began: flight.began, landed, ttl: port.cache_ttl };
            (outcome, at, Some(keep))
        }
        Err(fault) => (Err(fault), room.clock.now(), None),
    };
    let hearing = match outcome {
        Ok(reply) => {
            let bytes = u64::try_from(reply.weight()).unwrap_or(u64::MAX);
            if counting == Counting::Here {
                room.memory.learn(port, Way::Record, bytes);
            }
            answered(room, &port.card.id, reply, elapsed)
        }
        Err(fault) => silent(room, &port.card.id, fault, elapsed),
    };
    let answer = Answer { fetched_at, ..hearing.answer };
    Hearing { answer, fetch: Some(flight.fetch), keep, counting, ..hearing }
}

/// Of those who share a flight, the first to ask counts it.
pub(crate) fn counting(flight: &Flight) -> Counting {
    if flight.is_mine_to_count() { Counting::Here } else { Counting::Elsewhere }
}

fn answered(room: &Room, source: &SourceId, reply: Arc<Reply>, elapsed: Duration) -> Hearing {
    let answer = Answer {
        source: source.clone(),
        heard: Heard::Reply(reply),
        latency_ms: shown(room, elapsed),
        fetched_at: room.clock.now(),
        cached: false,
        last_answered: None,
    };
    Hearing { answer, elapsed, fetch: None, keep: None, counting: Counting::Here, content: OnceLock::new() }
}

/// A source that has nothing to say.
fn silent(room: &Room, source: &SourceId, fault: SourceFault, elapsed: Duration) -> Hearing {
    let answer = Answer {
        source: source.clone(),
        heard: Heard::Fault(fault),
        latency_ms: shown(room, elapsed),
        fetched_at: room.clock.now(),
        cached: false,
        last_answered: room.last_answer(source),
    };
    Hearing { answer, elapsed, fetch: None, keep: None, counting: Counting::Here, content: OnceLock::new() }
}

/// Under a fixed clock no time passes, so that answers can be compared byte for byte.
fn shown(room: &Room, elapsed: Duration) -> u64 {
    if room.clock.is_fixed() { 0 } else { u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX) }
}
