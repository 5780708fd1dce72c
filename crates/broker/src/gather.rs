//! The fan-out: every source at once, one deadline, nobody awaited past it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
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
pub(crate) struct Hearing {
    pub(crate) answer: Answer,
    /// How long it really took, whatever the clock of the answer says.
    pub(crate) elapsed: Duration,
    /// Names the fetch the reply came from, this one or the one it was kept from.
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
    ports: &[Arc<SourcePort>],
    request: &RecordRequest,
    allowed: SectionSet,
) -> Vec<Hearing> {
    let deadline = source_deadline(request.deadline);
    let began = Instant::now();
    let mut heard = Vec::with_capacity(ports.len());
    let mut asks = JoinSet::new();
    // Which source an ask belongs to, so that a lost one is told apart from a slow one.
    let mut waiting: BTreeMap<Id, &SourceId> = BTreeMap::new();
    for port in ports {
        match plan(room, port, request, allowed, deadline) {
            Planned::Known(known) => heard.push(*known),
            Planned::Ask(ask) => {
                let asked = asks.spawn(ask_one(Arc::clone(room), Arc::clone(port), *ask, request.freshness));
                waiting.insert(asked.id(), &port.card.id);
            }
        }
    }
    // What has ended by the deadline counts, in whichever order its timers fired.
    while let Some(ended) = next(&mut asks, deadline).await {
        match ended {
            Ok((id, one)) => {
                waiting.remove(&id);
                heard.push(one);
            }
            Err(lost) => {
                let how = if lost.is_panic() { "panicked" } else { "cancelled" };
                tracing::error!({ outcome.kind = how }, "an ask was lost");
                let fault = SourceFault::new(FaultClass::Internal);
                heard.extend(
                    waiting.remove(&lost.id()).map(|source| silent(room, source, fault, began.elapsed())),
                );
            }
        }
    }
    let late = SourceFault::new(FaultClass::NoHead);
    heard.extend(waiting.into_values().map(|source| silent(room, source, late, began.elapsed())));
    heard
}

/// The next ask that ends before the deadline, or had ended when it passed.
async fn next(asks: &mut JoinSet<Hearing>, deadline: Deadline) -> Option<Result<(Id, Hearing), JoinError>> {
    match tokio::time::timeout_at(deadline.instant(), asks.join_next_with_id()).await {
        Ok(ended) => ended,
        Err(_late) => asks.try_join_next_with_id(),
    }
}

enum Planned {
    Known(Box<Hearing>),
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

fn remembered(source: &SourceId, kept: Kept) -> Hearing {
    let answer = Answer {
        source: source.clone(),
        heard: Heard::Reply(kept.reply),
        latency_ms: 0,
        fetched_at: kept.fetched_at,
        cached: true,
        last_answered: None,
    };
    Hearing { answer, elapsed: Duration::ZERO, fetch: Some(kept.fetch), keep: None }
}

async fn ask_one(room: Arc<Room>, port: Arc<SourcePort>, ask: Ask, freshness: Freshness) -> Hearing {
    let source = port.card.id.clone();
    let key = port.cache_ttl.map(|ttl| (Key::of(&source, &ask), ttl));
    if key.is_some() {
        let missed = if freshness == Freshness::Allowed { CacheOutcome::Miss } else { CacheOutcome::Bypass };
        room.metrics.cache_lookup(missed);
    }
    let began = Instant::now();
    let _in_flight = room.in_flight(&port);
    // The stack has its own deadline; this one stands for stacks that forget theirs.
    let deadline = ask.deadline;
    let outcome = tokio::time::timeout_at(deadline.instant(), port.service.clone().oneshot(ask)).await;
    let outcome = outcome.unwrap_or(Err(SourceFault::new(FaultClass::NoHead)));
    let elapsed = began.elapsed();
    match outcome {
        Ok(reply) => {
            let fetch = Some(TraceId::random());
            Hearing { answer: fetched(&room, &source, reply, elapsed), elapsed, fetch, keep: key }
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
fn silent(room: &Room, source: &SourceId, fault: SourceFault, elapsed: Duration) -> Hearing {
    let answer = Answer {
        source: source.clone(),
        heard: Heard::Fault(fault),
        latency_ms: shown(room, elapsed),
        fetched_at: room.clock.now(),
        cached: false,
        last_answered: room.last_answer(source),
    };
    Hearing { answer, elapsed, fetch: None, keep: None }
}

/// Under a fixed clock no time passes, so that answers can be compared byte for byte.
fn shown(room: &Room, elapsed: Duration) -> u64 {
    if room.clock.is_fixed() { 0 } else { u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX) }
}
