//! A broker between stubs. What a source does, and when, is in the hands of the test.
//!
//! The log is written by a real thread on a real disk, while the clock of the tests stands still: a blocking
//! task that lasts as long as the bench keeps the runtime from moving it, so it moves when a test says so.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tower::service_fn;
use tower::util::BoxCloneSyncService;
use tributary_audit::{Settings, Trail};
use tributary_broker::{
    Answer, Broker, CodeLists, Lasting, Limits, LinkKey, Locator, Maps, Mode, Parts, Policy, Prompts,
    Refusal, SourceCard, SourcePort, Tracing,
};
use tributary_fhir::{Attached, Document, Passed, Relayed, Reply};
use tributary_model::requester::Assurance;
use tributary_model::{
    Ask, AttachmentAsk, Clock, Deadline, Expected, FaultClass, FixedClock, Freshness, Handling, Locate,
    Located, MemoryBudget, NhsNumber, OdsCode, Practice, Purpose, RecordForm, RecordRequest, Relationship,
    RelayAsk, RequestId, Requester, Retry, Role, SectionSet, SourceFault, SourceId, SourceKind, SpineIds,
};
use tributary_telemetry::Metrics;

use crate::disk::{Disk, records};
use crate::permitted::policy;
use crate::quiet::PANIC;

const NUMBER: &str = "9990000107";
const SOMEBODY_ELSE: &str = "9990000204";

/// What a source does when it is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Does {
    Answers,
    AnswersAfter(Duration),
    AnswersAboutSomebodyElse,
    AnswersAboutSomebodyElseAfter(Duration),
    Fails(FaultClass),
    FailsAfter(Duration, FaultClass),
    AsksToWait(Duration),
    Hangs,
    Panics,
    PanicsAfter(Duration),
}

/// A source, and what it does at its first ask, its second, and so on; the last holds for all that follow.
pub(crate) struct Source {
    pub(crate) id: &'static str,
    pub(crate) does: Vec<Does>,
    pub(crate) serves: SectionSet,
    pub(crate) timeout: Duration,
    pub(crate) cache_ttl: Option<Duration>,
    pub(crate) kind: SourceKind,
    /// What it holds besides.
    pub(crate) more: Vec<Value>,
}

pub(crate) fn source(id: &'static str, does: Does) -> Source {
    let timeout = Duration::from_secs(30);
    Source {
        id,
        does: vec![does],
        serves: SectionSet::all(),
        timeout,
        cache_ttl: None,
        kind: SourceKind::Gp,
        more: Vec::new(),
    }
}

/// One ask, as its stub saw it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) source: &'static str,
    pub(crate) at: Instant,
    pub(crate) sections: SectionSet,
    /// Kinds of the records on disk at that moment.
    pub(crate) on_record: Vec<String>,
}

/// What the stubs saw.
#[derive(Default)]
pub(crate) struct Seen {
    calls: Mutex<Vec<Call>>,
    cancelled: Mutex<Vec<&'static str>>,
    count: watch::Sender<usize>,
}

impl Seen {
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// The sources whose asks were dropped before they ended.
    pub(crate) fn cancelled(&self) -> Vec<&'static str> {
        let mut cancelled = self.cancelled.lock().unwrap().clone();
        cancelled.sort_unstable();
        cancelled
    }

    /// Returns once this many asks have begun.
    pub(crate) async fn begun(&self, count: usize) {
        self.count.subscribe().wait_for(|begun| *begun >= count).await.unwrap();
    }
}

/// Tells when an ask is dropped before its end.
struct Unfinished {
    seen: Arc<Seen>,
    source: &'static str,
    ended: bool,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.ended {
            self.seen.cancelled.lock().unwrap().push(self.source);
        }
    }
}

/// A broker, its stubs and its log.
pub(crate) struct Bench {
    pub(crate) broker: Broker,
    pub(crate) seen: Arc<Seen>,
    pub(crate) disk: Disk,
    pub(crate) metrics: Arc<Metrics>,
    dir: tempfile::TempDir,
    /// The clock stands still for as long as this is held.
    _still: mpsc::Sender<()>,
}

impl Bench {
    pub(crate) fn new(sources: Vec<Source>) -> Self {
        Self::in_mode(Mode::Demo, sources)
    }

    pub(crate) fn in_mode(mode: Mode, sources: Vec<Source>) -> Self {
        Self::made(mode, MemoryBudget::default(), policy(), sources)
    }

    /// A bench whose broker may hold so many bytes.
    pub(crate) fn with_memory(memory: &MemoryBudget, sources: Vec<Source>) -> Self {
        Self::made(Mode::Demo, memory.clone(), policy(), sources)
    }

    /// A bench under a policy of its own.
    pub(crate) fn under(policy: Policy, sources: Vec<Source>) -> Self {
        Self::made(Mode::Demo, MemoryBudget::default(), policy, sources)
    }

    pub(crate) fn made(mode: Mode, memory: MemoryBudget, policy: Policy, sources: Vec<Source>) -> Self {
        let (still, hold) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || hold.recv());
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path());
        let clock: Arc<dyn Clock> = Arc::new(FixedClock("2026-03-10T02:10:00Z".parse().unwrap()));
        let files = Box::new(disk.clone());
        let trail = Trail::open_on(files, dir.path(), Settings::default(), Arc::clone(&clock)).unwrap();
        let seen = Arc::new(Seen::default());
        let ids: Vec<SourceId> = sources.iter().map(|one| SourceId::parse(one.id).unwrap()).collect();
        let kinds: Vec<_> = ids.iter().map(|id| (id.clone(), SourceKind::Gp)).collect();
        let ports = sources.into_iter().map(|one| port(one, &seen, dir.path().to_owned())).collect();
        let metrics = Arc::new(Metrics::new(&kinds).unwrap());
        let locator = everybody(ids);
        let broker = Broker::new(Parts {
            ports,
            locator,
            tracing: Tracing::Off,
            practices: None,
            lasting: Lasting::new(trail, Arc::clone(&metrics)),
            clock,
            link_key: LinkKey::of([7; 32]),
            maps: Maps::default(),
            prompts: Prompts::default(),
            custodian: None,
            lists: CodeLists::default(),
            mode,
            policy,
            config: tributary_audit::Digest::of(b""),
            signals: None,
            recorded_purpose: None,
            limits: Limits::default(),
            memory,
        });
        Self { broker, seen, disk, metrics, dir, _still: still }
    }

    /// Asks, without waiting for the answer.
    pub(crate) fn asks(&self, request: RecordRequest) -> JoinHandle<Result<Answer, Refusal>> {
        let broker = self.broker.clone();
        tokio::spawn(async move { broker.answer(request).await })
    }

    /// Returns once so many requests have joined an ask that was in flight.
    pub(crate) async fn joined(&self, count: usize) {
        let line = format!("tributary_cache_lookups_total{{outcome=\"joined\"}} {count}");
        while !self.metrics.render().lines().any(|told| told == line) {
            tokio::task::yield_now().await;
        }
        settle().await;
    }

    /// Whether nothing is in flight and nobody waits for anything.
    pub(crate) fn is_quiet(&self) -> bool {
        self.broker.usage().flights == 0 && self.broker.sources().iter().all(|one| one.in_flight == 0)
    }

    /// The records on disk.
    pub(crate) fn records(&self) -> Vec<Value> {
        records(self.dir.path())
    }

    /// The records of one kind.
    pub(crate) fn records_of(&self, kind: &str) -> Vec<Value> {
        self.records().into_iter().filter(|record| record["kind"] == kind).collect()
    }

    /// Lets what is being recorded be recorded, and gives the records of one kind.
    pub(crate) async fn closed(self, kind: &str) -> Vec<Value> {
        self.closed_all().await.into_iter().filter(|record| record["kind"] == kind).collect()
    }

    /// Lets what is being recorded be recorded, and gives all records.
    pub(crate) async fn closed_all(self) -> Vec<Value> {
        self.broker.close(Duration::from_secs(5)).await;
        records(self.dir.path())
    }
}

fn everybody(ids: Vec<SourceId>) -> Locator {
    BoxCloneSyncService::new(service_fn(move |ask: Locate| {
        let expected = ids.iter().cloned().map(Expected::Registered).collect();
        let practice = Practice::AsConfigured;
        let (notes, demographics) = (Vec::new(), None);
        std::future::ready(Ok(Located { patient: ask.patient, expected, practice, notes, demographics }))
    }))
}

fn port(source: Source, seen: &Arc<Seen>, dir: PathBuf) -> SourcePort {
    let id = SourceId::parse(source.id).unwrap();
    let Source { id: name, does, serves, timeout, cache_ttl, kind, more } = source;
    let counted_as = id.clone();
    let card = SourceCard {
        id,
        name: name.to_owned(),
        kind,
        ods: None,
        rank: 1,
        serves,
        owns: Vec::new(),
        base_url: None,
        maintenance: None,
    };
    let stub = Stub { name, seen: Arc::clone(seen), plan: Arc::new(Mutex::new(does)), dir };
    let (record, relay, attachments) = (stub.clone(), stub.clone(), stub);
    SourcePort {
        card,
        service: BoxCloneSyncService::new(service_fn(move |ask: Ask| {
            let sections = ask.sections;
            let more = more.clone();
            record.plays(sections, move |number| reply(name, number, &ask, &more))
        })),
        relay: Some(BoxCloneSyncService::new(service_fn(move |_ask: RelayAsk| {
            relay.plays(SectionSet::EMPTY, |_| relayed())
        }))),
        attachments: Some(BoxCloneSyncService::new(service_fn(move |_ask: AttachmentAsk| {
            attachments.plays(SectionSet::EMPTY, |_| attached())
        }))),
        asid: None,
        roots: BTreeMap::new(),
        timeout,
        cache_ttl,
        counted_as,
        found_roots: Arc::default(),
        feel_pulse: None,
    }
}

/// One source: what it does, and who hears of it.
#[derive(Clone)]
struct Stub {
    name: &'static str,
    seen: Arc<Seen>,
    /// The last is played for ever.
    plan: Arc<Mutex<Vec<Does>>>,
    dir: PathBuf,
}

impl Stub {
    fn plays<R: Send + 'static>(
        &self,
        sections: SectionSet,
        reply: impl FnOnce(&str) -> R + Send + 'static,
    ) -> BoxFuture<'static, Result<R, SourceFault>> {
        let does = {
            let mut plan = self.plan.lock().unwrap();
            if plan.len() > 1 { plan.remove(0) } else { plan[0] }
        };
        let kinds = records(&self.dir).into_iter();
        let on_record = kinds.map(|record| record["kind"].as_str().unwrap().to_owned()).collect();
        let call = Call { source: self.name, at: Instant::now(), sections, on_record };
        self.seen.calls.lock().unwrap().push(call);
        self.seen.count.send_modify(|count| *count += 1);
        Box::pin(play(
            does,
            reply,
            Unfinished { seen: Arc::clone(&self.seen), source: self.name, ended: false },
        ))
    }
}

async fn play<R>(
    does: Does,
    reply: impl FnOnce(&str) -> R,
    mut unfinished: Unfinished,
) -> Result<R, SourceFault> {
    let outcome = match does {
        Does::Answers => Ok(reply(NUMBER)),
        Does::AnswersAfter(wait) => {
            tokio::time::sleep(wait).await;
            Ok(reply(NUMBER))
        }
        Does::AnswersAboutSomebodyElse => Ok(reply(SOMEBODY_ELSE)),
        Does::AnswersAboutSomebodyElseAfter(wait) => {
            tokio::time::sleep(wait).await;
            Ok(reply(SOMEBODY_ELSE))
        }
        Does::Fails(class) => Err(SourceFault::new(class)),
        Does::FailsAfter(wait, class) => {
            tokio::time::sleep(wait).await;
            Err(SourceFault::new(class))
        }
        Does::AsksToWait(wait) => Err(SourceFault::new(FaultClass::Throttled).with_retry(Retry::Later(wait))),
        Does::Hangs => std::future::pending().await,
        Does::Panics => std::panic::panic_any(PANIC),
        Does::PanicsAfter(wait) => {
            tokio::time::sleep(wait).await;
            panic!("a stub that panics late, as it should")
        }
    };
    unfinished.ended = true;
    outcome
}

fn scanned(json: &Value) -> Document {
    Document::scan(json.to_string().into_bytes(), &tributary_fhir::Limits::default()).unwrap()
}

fn relayed() -> Relayed {
    let said = Passed::Document(scanned(&json!({"resourceType": "Organization", "id": "o1"})));
    Relayed { status: 200, etag: None, attempts: 1, said, held: tributary_model::Lease::default() }
}

fn attached() -> Attached {
    let document =
        scanned(&json!({"resourceType": "Binary", "contentType": "text/plain", "data": "aGVsbG8="}));
    Attached { document, attempts: 1, held: tributary_model::Lease::default() }
}

/// A patient, one condition, and more.
fn reply(source: &str, number: &str, ask: &Ask, more: &[Value]) -> Reply {
    let system = "https://fhir.nhs.uk/Id/nhs-number";
    let mut bundle = json!({"resourceType": "Bundle", "type": "collection", "entry": [
        {"resource": {"resourceType": "Patient", "id": "p1", "birthDate": "1953-02-11",
            "identifier": [{"system": system, "value": number}]}},
        {"resource": {"resourceType": "Condition", "id": format!("c-{source}"),
            "subject": {"reference": "Patient/p1"},
            "code": {"coding": [{"system": "http://snomed.info/sct", "code": "254637007"}]}}},
    ]});
    let entries = more.iter().map(|resource| json!({"resource": resource}));
    bundle["entry"].as_array_mut().unwrap().extend(entries);
    let document = scanned(&bundle);
    let size = document.text().len() as u64;
    Reply { documents: vec![document], asked: ask.sections, bytes: size, attempts: 1, ..Reply::default() }
}

pub(crate) fn requester() -> Requester {
    Requester {
        user_id: "u-17".to_owned(),
        family: "Okoro".to_owned(),
        given: "Ada".to_owned(),
        role: Role::Ambulance,
        organisation: OdsCode::parse("RXX01").unwrap(),
        organisation_name: "An ambulance trust".to_owned(),
        asid: None,
        spine: SpineIds::default(),
        assurance: Assurance::Demo,
        proof: None,
        priority: tributary_model::Priority::Interactive,
    }
}

/// What is left of the budget for the sources: 6 per cent of eight seconds are kept back.
pub(crate) const SOURCES_HAVE: Duration = Duration::from_millis(7_520);

/// Everything about the patient, within eight seconds.
pub(crate) fn request() -> RecordRequest {
    RecordRequest {
        id: RequestId::random(),
        patient: NhsNumber::parse(NUMBER).unwrap(),
        sections: SectionSet::all(),
        since: None,
        purpose: Purpose::DirectCare,
        relationship: Relationship::Unknown,
        break_glass: None,
        requester: Arc::new(requester()),
        deadline: Deadline::after(Duration::from_secs(8)),
        handling: Handling::Lenient,
        form: RecordForm::R4,
        public_root: Arc::from("http://broker.test"),
        freshness: Freshness::Allowed,
    }
}

/// Lets every task run until it waits for something.
pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// Statuses by source, from the answer's body.
pub(crate) fn statuses(answer: &Answer) -> BTreeMap<String, String> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let outcome = if body["resourceType"] == "Bundle" { &body["entry"][0]["resource"] } else { &body };
    let issues = outcome["issue"].as_array().unwrap().iter();
    issues.filter_map(|issue| Some((source_of(issue)?, status_of(issue)?))).collect()
}

fn source_of(issue: &Value) -> Option<String> {
    let all = issue["extension"].as_array()?;
    let named = all.iter().find(|one| one["url"] == "urn:x-tributary:source")?;
    let value = named.as_object()?.iter().find(|(key, _)| key.starts_with("value"))?;
    value.1.as_str().map(str::to_owned)
}

fn status_of(issue: &Value) -> Option<String> {
    let all = issue["details"]["coding"].as_array()?;
    let coding = all.iter().find(|one| one["system"] == "urn:x-tributary:source-status")?;
    coding["code"].as_str().map(str::to_owned)
}

/// Whether the answer holds the statement of a source.
pub(crate) fn has_statement_of(answer: &Answer, source: &str) -> bool {
    let body = String::from_utf8_lossy(&answer.body);
    body.matches(&format!("\"urn:x-tributary:{source}#Condition/c-{source}\"")).count() == 1
}
