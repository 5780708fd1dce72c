//! The fan-out: every source at once, one deadline, nobody awaited past it.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::ServiceExt as _;
use tributary_fhir::Reply;
use tributary_merge::{Answer, Heard};
use tributary_model::{
    Ask, Deadline, FaultClass, Freshness, RecordRequest, SectionSet, SourceFault, SourceId, TraceId,
};
use tributary_telemetry::CacheOutcome;

use crate::broker::Room;
use crate::cache::{Kept, Key};
use crate::parts::SourcePort;

/// Share of the budget kept back for merging and recording, and its bounds.
const RESERVE_PERCENT: u32 = 6;
const RESERVE_LEAST: Duration = Duration::from_millis(150);
const RESERVE_MOST: Duration = Duration::from_millis(500);

/// What was heard of one source, with what the audit record wants to know.
pub(crate) struct Heard1 {
    pub(crate) answer: Answer,
    /// How long it really took, whatever the clock of the answer says.
    pub(crate) elapsed: Duration,
    /// The fetch a reply from memory came from.
    pub(crate) fetch: Option<TraceId>,
    /// Where the reply is to be kept once it has been proved to be about the patient.
    pub(crate) keep: Option<(Key, Duration)>,
}

/// The deadline of the sources: what is left after them must do for merging and recording.
pub(crate) fn source_deadline(deadline: Deadline) -> Deadline {
    let reserve = deadline.remaining() * RESERVE_PERCENT / 100;
    deadline.less(reserve.clamp(RESERVE_LEAST, RESERVE_MOST).min(deadline.remaining() / 2))
}

/// Asks every source, gives what each came up with. Dropping the future cancels every ask.
pub(crate) async fn gather(
    room: &Arc<Room>,
    ports: &[&SourcePort],
    request: &RecordRequest,
    allowed: SectionSet,
) -> Vec<Heard1> {
    let deadline = source_deadline(request.deadline);
    let began = Instant::now();
    let mut heard = Vec::with_capacity(ports.len());
    let mut asks = JoinSet::new();
    let mut waiting: Vec<&SourcePort> = Vec::new();
    for port in ports {
        match plan(room, port, request, allowed, deadline) {
            Planned::Known(known) => heard.push(*known),
            Planned::Ask(ask) => {
                waiting.push(port);
                asks.spawn(ask_one(Arc::clone(room), (*port).clone(), *ask, request.freshness));
            }
        }
    }
    loop {
        match tokio::time::timeout_at(deadline.instant(), asks.join_next()).await {
            Ok(Some(Ok(one))) => {
                waiting.retain(|port| port.card.id != one.answer.source);
                heard.push(one);
            }
            // A lost ask is our fault; its source is found among those still waited for, below.
            Ok(Some(Err(lost))) => tracing::error!(
                { outcome.kind = if lost.is_panic() { "panicked" } else { "cancelled" } },
                "an ask was lost"
            ),
            Ok(None) | Err(_) => break,
        }
    }
    let class = if asks.is_empty() { FaultClass::Internal } else { FaultClass::NoHead };
    heard.extend(
        waiting.into_iter().map(|port| silent(room, &port.card.id, SourceFault::new(class), began.elapsed())),
    );
    heard
}

enum Planned {
    Known(Box<Heard1>),
    Ask(Box<Ask>),
}

fn plan(
    room: &Room,
    port: &SourcePort,
    request: &RecordRequest,
    allowed: SectionSet,
    deadline: Deadline,
) -> Planned {
    if room.mixups.is_off(&port.card.id) {
        let fault = SourceFault::new(FaultClass::IdentitySwitch);
        return Planned::Known(Box::new(silent(room, &port.card.id, fault, Duration::ZERO)));
    }
    let ask = Ask {
        patient: request.patient,
        sections: port.card.serves.and(allowed),
        since: request.since,
        requester: Arc::clone(&request.requester),
        purpose: request.purpose,
        deadline: deadline.capped(port.timeout),
    };
    if request.freshness == Freshness::Allowed
        && port.cache_ttl.is_some()
        && let Some(kept) = room.cache.get(&Key::of(&port.card.id, &ask))
    {
        room.metrics.cache_lookup(CacheOutcome::Hit);
        return Planned::Known(Box::new(remembered(&port.card.id, kept)));
    }
    Planned::Ask(Box::new(ask))
}

fn remembered(source: &SourceId, kept: Kept) -> Heard1 {
    let answer = Answer {
        source: source.clone(),
        heard: Heard::Reply(kept.reply),
        latency_ms: 0,
        fetched_at: kept.fetched_at,
        cached: true,
        last_answered: None,
    };
    Heard1 { answer, elapsed: Duration::ZERO, fetch: Some(kept.fetch), keep: None }
}

async fn ask_one(room: Arc<Room>, port: SourcePort, ask: Ask, freshness: Freshness) -> Heard1 {
    let source = port.card.id.clone();
    let key = port.cache_ttl.map(|ttl| (Key::of(&source, &ask), ttl));
    if key.is_some() {
        let missed = if freshness == Freshness::Allowed { CacheOutcome::Miss } else { CacheOutcome::Bypass };
        room.metrics.cache_lookup(missed);
    }
    let began = Instant::now();
    let _in_flight = room.in_flight(&source);
    // The stack has its own deadline; this one stands for stacks that forget theirs.
    let deadline = ask.deadline;
    let outcome = tokio::time::timeout_at(deadline.instant(), port.service.oneshot(ask)).await;
    let outcome = outcome.unwrap_or(Err(SourceFault::new(FaultClass::NoHead)));
    let elapsed = began.elapsed();
    match outcome {
        Ok(reply) => {
            Heard1 { answer: fetched(&room, &source, reply, elapsed), elapsed, fetch: None, keep: key }
        }
        Err(fault) => {
            // A refusal is the source's last word: what was kept before it must not be shown any more.
            if let Some((key, _)) =
                key.filter(|_| matches!(fault.class, FaultClass::Consent | FaultClass::Denied))
            {
                room.cache.forget(&key);
            }
            silent(&room, &source, fault, elapsed)
        }
    }
}

fn fetched(room: &Room, source: &SourceId, reply: Reply, elapsed: Duration) -> Answer {
    let fetched_at = room.clock.now();
    Answer {
        source: source.clone(),
        heard: Heard::Reply(Arc::new(reply)),
        latency_ms: shown(room, elapsed),
        fetched_at,
        cached: false,
        last_answered: None,
    }
}

/// A source that has nothing to say.
fn silent(room: &Room, source: &SourceId, fault: SourceFault, elapsed: Duration) -> Heard1 {
    let answer = Answer {
        source: source.clone(),
        heard: Heard::Fault(fault),
        latency_ms: shown(room, elapsed),
        fetched_at: room.clock.now(),
        cached: false,
        last_answered: room.last_answer(source),
    };
    Heard1 { answer, elapsed, fetch: None, keep: None }
}

/// Under a fixed clock no time passes, so that answers can be compared byte for byte.
fn shown(room: &Room, elapsed: Duration) -> u64 {
    if room.clock.is_fixed() { 0 } else { u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX) }
}
