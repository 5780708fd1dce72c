//! The sources of a world, with the limits that stand around them in earnest.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use tower::util::BoxCloneSyncService;
use tower::{ServiceBuilder, ServiceExt as _, service_fn};
use tributary_broker::{AskService, SourceCard, SourcePort};
use tributary_fhir::{Document, Reply};
use tributary_flow::{
    Answer, Breaker, BreakerLayer, BreakerState, Bulkhead, BulkheadLayer, Chance, DeadlineLayer, Errand,
    FeedbackLayer, HasDeadline, HasErrand, ObserveLayer, Observer, Occasion, RetryBudget, SecondAttemptLayer,
};
use tributary_model::{Ask, Deadline, FaultClass, Retry, SectionSet, SourceFault, SourceKind};

use crate::promises;
use crate::quiet::PANIC;
use crate::world::{Authority, Call, Deed, Habits, STRANGER, World};

/// One request of an ask to its source.
#[derive(Clone)]
struct Attempt {
    ask: Ask,
    /// When the ask began.
    asked: Instant,
    errand: Errand,
}

impl HasDeadline for Attempt {
    fn deadline(&self) -> Deadline {
        self.ask.deadline
    }

    fn set_deadline(&mut self, deadline: Deadline) {
        self.ask.deadline = deadline;
    }
}

impl HasErrand for Attempt {
    fn errand(&self) -> &Errand {
        &self.errand
    }
}

/// What a stub says.
struct Said(Reply);

impl Answer for Said {
    fn fault(&self) -> Option<SourceFault> {
        None
    }

    fn at_second_attempt(self) -> Self {
        Self(Reply { attempts: 2, ..self.0 })
    }
}

/// Hears what the limits around a source do.
struct Hears {
    world: Arc<World>,
    source: usize,
    state: Mutex<Option<BreakerState>>,
}

impl Observer for Hears {
    fn breaker(&self, state: BreakerState) {
        use BreakerState::{Passing, Probing, Shut};
        let before = self.state.lock().unwrap().replace(state);
        let is_lawful = matches!(
            (before, state),
            (None | Some(Probing), Passing) | (Some(Passing | Probing), Shut) | (Some(Shut), Probing)
        );
        self.world.hold(is_lawful, || format!("a breaker went from {before:?} to {state:?}"));
        self.world.history().coverage.shut += u64::from(state == Shut);
    }

    fn limit(&self, requests: usize) {
        let most = self.world.sources[self.source].max_in_flight;
        self.world
            .hold((1..=most).contains(&requests), || format!("a limit of {requests}, and {most} at most"));
    }

    fn waits(&self) {
        self.world.history().coverage.waited += 1;
    }

    fn retried(&self) {
        self.world.history().coverage.retried += 1;
    }
}

/// The onions around an ask and around each of its requests, in the order of `sources/src/source.rs` and
/// `exchange.rs`.
fn onions(world: &Arc<World>, source: usize) -> (AskService, Bulkhead) {
    let Habits { timeout, max_in_flight, .. } = world.sources[source].clone();
    let chance = || Chance::seeded(world.chance().below(u64::MAX));
    let state = Mutex::new(None);
    let hears: Arc<dyn Observer> = Arc::new(Hears { world: Arc::clone(world), source, state });
    let breaker = Breaker::new(timeout, chance(), Arc::clone(&hears));
    let bulkhead = Bulkhead::new(max_in_flight, timeout, chance(), Arc::clone(&hears));
    let (occasion, budget) = (Occasion::SilenceOrGateway, RetryBudget::new());
    let passing = Some(breaker.clone());
    let shared = Arc::clone(world);
    let requests = ServiceBuilder::new()
        .layer(SecondAttemptLayer::new(occasion, budget, passing, chance(), Arc::clone(&hears)))
        .layer(BulkheadLayer)
        .layer(DeadlineLayer::new(timeout))
        .layer(FeedbackLayer::new(bulkhead.clone()))
        .service(service_fn(move |attempt: Attempt| answer(Arc::clone(&shared), source, attempt)));
    let requests = BoxCloneSyncService::new(requests);
    let places = bulkhead.clone();
    let asks = ServiceBuilder::new()
        .layer(ObserveLayer::new(hears))
        .layer(BreakerLayer::new(breaker))
        .layer(DeadlineLayer::new(timeout))
        .service(service_fn(move |ask: Ask| {
            let who = &ask.requester;
            let errand = bulkhead.errand(who.priority, who.organisation.clone());
            let said = requests.clone().oneshot(Attempt { ask, asked: Instant::now(), errand });
            async move { said.await.map(|Said(reply)| reply) }
        }));
    (BoxCloneSyncService::new(asks), places)
}

/// A source, as the broker is given it, and the places there.
pub(crate) fn port(world: &Arc<World>, source: usize) -> (SourcePort, Bulkhead) {
    let Habits { id, timeout, cache_ttl, .. } = world.sources[source].clone();
    let (service, places) = onions(world, source);
    let card = SourceCard {
        id: id.clone(),
        name: id.as_str().to_owned(),
        kind: SourceKind::Gp,
        ods: None,
        rank: 1,
        serves: SectionSet::all(),
        owns: Vec::new(),
        base_url: None,
        maintenance: None,
    };
    let port = SourcePort {
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
    };
    (port, places)
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

async fn answer(world: Arc<World>, source: usize, attempt: Attempt) -> Result<Said, SourceFault> {
    let (deed, wait) = plan(&world, source);
    let call = begin(&world, source, &attempt, deed);
    let ask = &attempt.ask;
    let mut under_way = UnderWay { world, call, is_finished: false };
    tokio::time::sleep(wait).await;
    under_way.is_finished = deed != Deed::Hangs;
    let size = call % 7;
    match deed {
        Deed::Answers => Ok(Said(reply(call, ask.patient.expose(), ask, size))),
        Deed::MixesUp => Ok(Said(reply(call, STRANGER, ask, size))),
        Deed::Fails(class) => Err(SourceFault::new(class).with_retry(again(class))),
        Deed::Hangs => std::future::pending().await,
        Deed::Panics => std::panic::panic_any(PANIC),
    }
}

/// Where nothing was heard, trying once more may help; who has too much to do says when to come again.
fn again(class: FaultClass) -> Retry {
    if matches!(class, FaultClass::Connect | FaultClass::Reset) {
        Retry::Elsewhere
    } else if class == FaultClass::Throttled {
        Retry::Later(Duration::from_secs(1))
    } else {
        Retry::Never
    }
}

fn plan(world: &World, source: usize) -> (Deed, Duration) {
    let habits = &world.sources[source];
    let mut chance = world.chance();
    let wait = if habits.is_steady {
        Duration::from_millis(habits.usual_ms)
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

fn begin(world: &World, source: usize, attempt: &Attempt, deed: Deed) -> usize {
    let (authority, began, asked) = (Authority::of(&attempt.ask), Instant::now(), attempt.asked);
    promises::when_a_source_is_asked(world, source, &authority, asked);
    let mut history = world.history();
    history.coverage.calls += 1;
    history.coverage.mixed_up += u64::from(deed == Deed::MixesUp);
    history.calls.push(Call { source, authority, deed, asked, began, ended: None, is_finished: false });
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
