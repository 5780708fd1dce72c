//! The sources of a world, with the limits that stand around them in earnest.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tower::util::BoxCloneSyncService;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tributary_broker::{AskService, SourceCard, SourcePort};
use tributary_fhir::{Document, Reply};
use tributary_flow::DeadlineLayer;
use tributary_model::{Ask, FaultClass, SectionSet, SourceFault, SourceKind};

use crate::promises;
use crate::world::{Authority, Call, Deed, Habits, STRANGER, World};

/// The words of a stub that panics.
pub(crate) const PANIC: &str = "a stub that panics, as it should";
/// The user whose asks only try whether there is room.
pub(crate) const PROBE: &str = "probe";

/// A source, as the broker is given it.
pub(crate) fn port(world: &Arc<World>, source: usize) -> SourcePort {
    let Habits { id, timeout, max_in_flight, cache_ttl, .. } = world.sources[source].clone();
    let shared = Arc::clone(world);
    let stub = service_fn(move |ask: Ask| answer(Arc::clone(&shared), source, ask));
    let places = Arc::new(Semaphore::new(max_in_flight));
    let timed = DeadlineLayer::new(timeout).layer(stub);
    let guarded = service_fn(move |ask: Ask| {
        let place = Arc::clone(&places).try_acquire_owned();
        let answer = timed.clone().oneshot(ask);
        async move {
            let _place = place.map_err(|_full| SourceFault::new(FaultClass::Guard))?;
            answer.await
        }
    });
    let card = SourceCard {
        id: id.clone(),
        name: id.as_str().to_owned(),
        kind: SourceKind::Gp,
        ods: None,
        rank: 1,
        serves: SectionSet::all(),
        owns: Vec::new(),
        base_url: None,
    };
    let service: AskService = BoxCloneSyncService::new(guarded);
    SourcePort {
        card,
        service,
        relay: None,
        attachments: None,
        asid: None,
        roots: BTreeMap::new(),
        timeout,
        cache_ttl,
        counted_as: id,
        found_roots: Arc::default(),
        feel_pulse: None,
    }
}

/// An ask under way. Dropped before its end, it was cancelled.
struct UnderWay {
    world: Arc<World>,
    call: usize,
    is_finished: bool,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut history = self.world.history();
        let call = &mut history.calls[self.call];
        (call.ended, call.is_finished) = (Some(Instant::now()), self.is_finished);
        history.coverage.cancelled += u64::from(!self.is_finished && !std::thread::panicking());
    }
}

async fn answer(world: Arc<World>, source: usize, ask: Ask) -> Result<Reply, SourceFault> {
    if ask.requester.user_id == PROBE {
        return std::future::pending().await;
    }
    let (deed, wait) = plan(&world, source);
    let call = begin(&world, source, &ask, deed);
    let mut under_way = UnderWay { world, call, is_finished: false };
    tokio::time::sleep(wait).await;
    under_way.is_finished = deed != Deed::Hangs;
    let size = call % 7;
    match deed {
        Deed::Answers => Ok(reply(call, ask.patient.expose(), &ask, size)),
        Deed::MixesUp => Ok(reply(call, STRANGER, &ask, size)),
        Deed::Fails(class) => Err(SourceFault::new(class)),
        Deed::Hangs => std::future::pending().await,
        Deed::Panics => std::panic::panic_any(PANIC),
    }
}

fn plan(world: &World, source: usize) -> (Deed, std::time::Duration) {
    let habits = &world.sources[source];
    let mut chance = world.chance();
    let wait = if habits.is_steady {
        std::time::Duration::from_millis(habits.usual_ms)
    } else {
        chance.heavy_tailed(habits.usual_ms)
    };
    let deed = if chance.percent(habits.hangs) {
        Deed::Hangs
    } else if chance.percent(habits.fails) {
        // What is remembered, and what ends what is remembered, more often than the rest.
        let last_words =
            [FaultClass::NoRecord, FaultClass::NoRecord, FaultClass::Consent, FaultClass::Denied];
        let is_last_word = chance.percent(50);
        Deed::Fails(chance.pick(if is_last_word { &last_words } else { FaultClass::ALL }))
    } else if chance.percent(habits.mixes_up) {
        Deed::MixesUp
    } else if chance.percent(habits.panics) {
        Deed::Panics
    } else {
        Deed::Answers
    };
    (deed, wait)
}

fn begin(world: &World, source: usize, ask: &Ask, deed: Deed) -> usize {
    let (authority, began) = (Authority::of(ask), Instant::now());
    promises::when_a_source_is_asked(world, source, &authority);
    let mut history = world.history();
    history.coverage.calls += 1;
    history.coverage.mixed_up += u64::from(deed == Deed::MixesUp);
    history.calls.push(Call { source, authority, deed, began, ended: None, is_finished: false });
    history.calls.len() - 1
}

/// What only this call can have brought.
pub(crate) fn canary(call: usize) -> String {
    format!("canary-{call}-")
}

/// A patient and some conditions, each with the canary of the call.
fn reply(call: usize, number: &str, ask: &Ask, more: usize) -> Reply {
    let system = "https://fhir.nhs.uk/Id/nhs-number";
    let patient = json!({"resource": {"resourceType": "Patient", "id": "p1", "birthDate": "1953-02-11",
        "identifier": [{"system": system, "value": number}]}});
    let condition = |index: usize| {
        json!({"resource": {"resourceType": "Condition", "id": format!("c{index}"),
            "subject": {"reference": "Patient/p1"}, "code": {"text": canary(call)}}})
    };
    let entry: Vec<Value> = [patient].into_iter().chain((0..=more).map(condition)).collect();
    let bundle = json!({"resourceType": "Bundle", "type": "collection", "entry": entry});
    let document =
        Document::scan(bundle.to_string().into_bytes(), &tributary_fhir::Limits::default()).unwrap();
    let bytes = document.text().len() as u64;
    Reply { documents: vec![document], asked: ask.sections, bytes, attempts: 1, ..Reply::default() }
}
