//! One world from its first request to the moment when nothing of it is left in memory.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, advance};
use tower::service_fn;
use tower::util::BoxCloneSyncService;
use tributary_audit::{ConfigChange, ConfigEvent, Digest, Event, Settings, Trail};
use tributary_broker::{Broker, CodeLists, Lasting, Limits, LinkKey, Maps, Mode, Parts, Prompts, Tracing};
use tributary_flow::Bulkhead;
use tributary_model::{
    Deadline, Expected, FixedClock, Freshness, Handling, Locate, LocateFault, Located, MemoryBudget,
    NhsNumber, Practice, Purpose, RecordForm, RecordRequest, RequestId, SourceId, SourceKind,
};
use tributary_telemetry::Metrics;

use crate::chance::Chance;
use crate::log::Trouble;
use crate::promises;
use crate::stubs::port;
use crate::world::{Asked, Authority, Coverage, PATIENTS, PEOPLE, World, person, sections};

/// How far the clock moves at once. Half of what an answer may be late.
const TICK: Duration = Duration::from_millis(25);
/// What is expected of a source that has not answered yet.
const EXPECTED_BYTES: u64 = 64 << 10;
/// The longest time to live of a world, and the second after it.
const KEPT_AT_MOST: Duration = Duration::from_secs(5);

/// A request to come.
struct Coming {
    at: Duration,
    person: usize,
    patient: usize,
    sections: usize,
    budget: Duration,
    is_fresh: bool,
    leaves_after: Option<Duration>,
    /// How long its caller takes to read the answer.
    reads_for: Duration,
}

/// A request under way.
struct Going {
    index: usize,
    leaves_at: Option<Instant>,
    task: JoinHandle<()>,
}

struct Play {
    world: Arc<World>,
    broker: Broker,
    trail: Trail,
    places: Vec<Bulkhead>,
    metrics: Arc<Metrics>,
    memory: MemoryBudget,
    cache_bytes: u64,
    /// When the log is in trouble, and how.
    trouble: Option<(Duration, Duration, Trouble)>,
    now_in: Trouble,
    began: Instant,
    _dir: tempfile::TempDir,
}

/// Plays the world of a seed: what happened in it, and which promises were broken.
pub(crate) fn run(seed: u64) -> (Coverage, Vec<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(async {
        // For as long as a blocking task runs, the clock moves only when it is told to: the log is written by a
        // thread of its own, which the runtime does not know to wait for.
        let (still, hold) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || hold.recv());
        let mut chance = Chance::new(seed);
        let coming = coming(&mut chance);
        let mut play = Play::new(chance);
        play.through(coming).await;
        drop(still);
        let history = std::mem::take(&mut *play.world.history());
        (history.coverage, history.broken)
    })
}

fn coming(chance: &mut Chance) -> Vec<Coming> {
    let span = chance.between(200, 6_000);
    let people = chance.index(PEOPLE.len()) + 1;
    let mut all: Vec<_> = (0..chance.between(6, 20))
        .map(|_| Coming {
            at: chance.millis(0, span),
            person: chance.index(people),
            patient: chance.index(PATIENTS.len()),
            sections: chance.index(5) / 4,
            budget: chance.millis(300, 4_000),
            is_fresh: chance.percent(15),
            leaves_after: chance.percent(20).then(|| chance.millis(0, 1_500)),
            reads_for: chance.millis(0, 300),
        })
        .collect();
    all.sort_by_key(|one| one.at);
    all
}

impl Play {
    fn new(mut chance: Chance) -> Self {
        let memory = if chance.percent(30) {
            MemoryBudget::new(EXPECTED_BYTES * chance.between(1, 24))
        } else {
            MemoryBudget::default()
        };
        let cache_bytes = chance.pick(&[0, 6_000, 20_000, 1 << 20]);
        let trouble = chance.percent(30).then(|| {
            let from = chance.millis(0, 3_000);
            let how = chance.pick(&[Trouble::Stalls, Trouble::Fails]);
            (from, from + chance.millis(25, 2_000), how)
        });
        let world = Arc::new(World::new(chance));
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock("2026-03-10T02:10:00Z".parse().unwrap()));
        let log = Box::new(world.log.clone());
        let trail =
            Trail::open_on(log, dir.path(), Settings::default(), Arc::<FixedClock>::clone(&clock)).unwrap();
        let (ports, places): (Vec<_>, Vec<_>) =
            (0..world.sources.len()).map(|source| port(&world, source)).unzip();
        let kinds: Vec<_> = world.sources.iter().map(|one| (one.id.clone(), SourceKind::Gp)).collect();
        let metrics = Arc::new(Metrics::new(&kinds).unwrap());
        let broker = Broker::new(Parts {
            ports,
            locator: everybody(world.sources.iter().map(|one| one.id.clone()).collect()),
            tracing: Tracing::Off,
            practices: None,
            lasting: Lasting::new(trail.clone(), Arc::clone(&metrics)),
            clock,
            link_key: LinkKey::of([7; 32]),
            maps: Maps::default(),
            prompts: Prompts::default(),
            custodian: None,
            lists: CodeLists::default(),
            mode: Mode::Demo,
            policy: crate::permitted::policy(),
            config: Digest::of(b""),
            signals: None,
            recorded_purpose: None,
            limits: Limits { cache_bytes, ..Limits::default() },
            memory: memory.clone(),
        });
        let (now_in, began) = (Trouble::None, Instant::now());
        Self { world, broker, trail, places, metrics, memory, cache_bytes, trouble, now_in, began, _dir: dir }
    }

    async fn through(&mut self, coming: Vec<Coming>) {
        let mut coming = coming.into_iter().peekable();
        let mut going: Vec<Going> = Vec::new();
        while coming.peek().is_some() || !going.is_empty() || self.now_in != Trouble::None {
            self.trouble_the_log().await;
            let now = self.began.elapsed();
            while let Some(one) = coming.next_if(|one| one.at <= now) {
                going.push(self.asks(&one));
            }
            self.see_off(&mut going);
            self.settle().await;
            promises::when_time_passes(&self.world, &self.broker, self.cache_bytes);
            promises::when_places_are_taken(&self.world, &self.places);
            going.retain(|one| !one.task.is_finished());
            // When nothing is under way, nothing happens before the next request, or trouble.
            let is_idle = going.is_empty() && self.now_in == Trouble::None;
            let next =
                coming.peek().map_or(Duration::ZERO, |one| one.at.saturating_sub(self.began.elapsed()));
            advance(if is_idle { next.max(TICK) } else { TICK }).await;
        }
        for _ in 0..4 {
            advance(TICK).await;
            self.settle().await;
        }
        promises::when_all_is_quiet(&self.world, &self.broker, &self.memory);
        promises::when_nobody_is_there(&self.world, &self.places);
        let end = Instant::now() + KEPT_AT_MOST;
        while Instant::now() < end {
            advance(Duration::from_millis(500)).await;
            self.settle().await;
        }
        let kept = self.broker.usage().cache_bytes;
        self.world.hold(kept == 0, || format!("{kept} bytes are kept for ever"));
        let (joined, absent) = (self.lookups("joined"), self.lookups("absence"));
        let mut history = self.world.history();
        (history.coverage.joined, history.coverage.absent) = (joined, absent);
    }

    fn asks(&self, one: &Coming) -> Going {
        let requester = person(one.person);
        let patient = NhsNumber::parse(PATIENTS[one.patient]).unwrap();
        let authority = Authority {
            patient,
            user: requester.user_id.clone(),
            organisation: requester.organisation.clone(),
            role: requester.role,
            sections: sections(one.sections),
        };
        let deadline = Deadline::after(one.budget);
        let arrived = Instant::now();
        let asked =
            Asked { authority, is_fresh: one.is_fresh, arrived, deadline: deadline.instant(), ended: None };
        let mut history = self.world.history();
        history.asked.push(asked);
        let index = history.asked.len() - 1;
        let request = RecordRequest {
            id: RequestId::random(),
            patient,
            sections: sections(one.sections),
            since: None,
            purpose: Purpose::DirectCare,
            relationship: tributary_model::Relationship::Unknown,
            break_glass: None,
            requester: Arc::new(requester),
            deadline,
            handling: Handling::Lenient,
            form: RecordForm::R4,
            public_root: Arc::from("http://broker.test"),
            freshness: if one.is_fresh { Freshness::FetchNow } else { Freshness::Allowed },
        };
        let (broker, world, memory) = (self.broker.clone(), Arc::clone(&self.world), self.memory.clone());
        let (is_troubled, reads_for) = (self.trouble.is_some(), one.reads_for);
        let task = tokio::spawn(async move {
            let told = broker.answer(request).await;
            promises::when_somebody_is_answered(&world, index, &told, is_troubled, &memory);
            tokio::time::sleep(reads_for).await;
        });
        Going { index, leaves_at: one.leaves_after.map(|after| arrived + after), task }
    }

    /// Callers who have waited long enough go away.
    fn see_off(&self, going: &mut [Going]) {
        let now = Instant::now();
        for one in going.iter_mut().filter(|one| one.leaves_at.is_some_and(|at| at <= now)) {
            one.task.abort();
            one.leaves_at = None;
            let mut history = self.world.history();
            if history.asked[one.index].ended.is_none() {
                history.asked[one.index].ended = Some(now);
                history.coverage.left += 1;
            }
        }
    }

    async fn trouble_the_log(&mut self) {
        let now = self.began.elapsed();
        let is_on = |(from, to, _): &(Duration, Duration, Trouble)| *from <= now && now < *to;
        let wanted = self.trouble.filter(is_on).map_or(Trouble::None, |(_, _, how)| how);
        if wanted == self.now_in {
            return;
        }
        self.now_in = wanted;
        self.world.log.trouble(wanted);
        if wanted == Trouble::Stalls {
            let trail = self.trail.clone();
            tokio::spawn(async move { trail.record(probe()).await });
            self.world.log.has_stalled().await;
        }
    }

    /// Returns when nothing more happens at this moment: no task has anything to do, and the log no record.
    async fn settle(&self) {
        if self.now_in == Trouble::Stalls {
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
            return;
        }
        loop {
            let before = self.so_far();
            let _written_or_not = self.trail.record(probe()).await;
            for _ in 0..30 {
                tokio::task::yield_now().await;
            }
            if self.so_far() == before {
                return;
            }
        }
    }

    fn so_far(&self) -> (usize, usize, usize) {
        let history = self.world.history();
        let ended = |is: bool| usize::from(is);
        let ends = history.calls.iter().map(|call| ended(call.ended.is_some())).sum::<usize>()
            + history.asked.iter().map(|asked| ended(asked.ended.is_some())).sum::<usize>();
        (self.world.log.count(), history.calls.len(), ends)
    }

    /// How often a look at what is kept or under way ended so.
    fn lookups(&self, outcome: &str) -> u64 {
        let line = format!("tributary_cache_lookups_total{{outcome=\"{outcome}\"}} ");
        let metrics = self.metrics.render();
        metrics.lines().find_map(|told| told.strip_prefix(&line)?.parse().ok()).unwrap_or_default()
    }
}

fn everybody(ids: Vec<SourceId>) -> tributary_broker::Locator {
    BoxCloneSyncService::new(service_fn(move |ask: Locate| {
        let expected = ids.iter().cloned().map(Expected::Registered).collect();
        let (practice, notes, demographics) = (Practice::AsConfigured, Vec::new(), None);
        let located = Located { patient: ask.patient, expected, practice, notes, demographics };
        std::future::ready(Ok::<_, LocateFault>(located))
    }))
}

/// A record that is written after all that were handed in before it.
fn probe() -> Event {
    Event::Config(ConfigEvent { change: ConfigChange::Loaded, digest: Digest::of(b"") })
}
