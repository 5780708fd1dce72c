//! Nothing of a patient outlives its use: the memory of the real process, its files, its logs and its metrics are
//! searched for words that only the records held.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may stop where it stands"
)]

#[path = "memory/caller.rs"]
mod caller;
#[path = "memory/canary.rs"]
mod canary;
#[path = "memory/scan.rs"]
mod scan;
#[path = "memory/tainted.rs"]
mod tainted;

use std::sync::Arc;
use std::time::{Duration, Instant};

use mock_providers::{Fault, Federation};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tributary_tests::process::Process;
use tributary_tests::tls::Authority;
use tributary_tests::{GEORGE, Plan, bearer, configuration, federation, http, parameters};

use caller::{Answer, Caller, Request, Speech};
use canary::Canaries;
use scan::Scan;
use tainted::{Manner, Tainted};

/// How long the replies of the one source that is kept may stay.
const TTL: Duration = Duration::from_secs(2);
/// How much later everything is gone.
const GRACE: Duration = Duration::from_secs(2);
/// The source whose replies are kept.
const KEPT: &str = "acute-a";

static TURN: Mutex<()> = Mutex::const_new(());

/// A broker in a process of its own, before sources whose records hold canaries.
struct Stage {
    canaries: Arc<Canaries>,
    federation: Federation,
    sources: Vec<(&'static str, Arc<Tainted>)>,
    broker: Process,
    authority: Arc<Authority>,
    dir: tempfile::TempDir,
}

impl Stage {
    /// Before callers who speak so.
    async fn set(speech: Speech) -> Self {
        let plan = Plan { source_keys: "timeout_ms = 2000", ..Plan::default() };
        let federation = federation(&plan).await;
        let canaries = Arc::new(Canaries::default());
        let dir = tempfile::tempdir().expect("a directory");
        let mut facts = federation.source_facts().to_vec();
        let mut sources = Vec::new();
        for (facts, provider) in facts.iter_mut().zip(federation.providers()) {
            let tainted = Tainted::start(facts.id, provider.address(), &canaries).await;
            let (old, new) = (provider.address().to_string(), tainted.address.to_string());
            facts.base_url = facts.base_url.replace(&old, &new);
            sources.push((facts.id, tainted));
        }
        let text = configuration(&facts, &plan, &dir.path().join("audit"));
        let kept = format!("id = \"{KEPT}\"\n");
        let text = text.replace(&kept, &format!("{kept}cache_ttl_secs = {}\n", TTL.as_secs()));
        let authority = Arc::new(Authority::new());
        let is_secured = speech != Speech::Plain;
        let tls = is_secured.then(|| authority.listener(dir.path(), None).expect("files are written"));
        let broker = Process::serve(dir.path(), &(text + &tls.unwrap_or_default()));
        Self { canaries, federation, sources, broker, authority, dir }
    }

    fn behave(&self, source: &str, manner: Manner) {
        self.sources.iter().find(|(id, _)| *id == source).expect("a source").1.behave(manner);
    }

    async fn caller(&self, speech: Speech) -> Caller {
        Caller::connect(self.broker.data, speech, &self.authority).await
    }

    /// How many connections the broker holds open to its sources.
    fn open_to_sources(&self) -> usize {
        self.sources.iter().map(|(_, source)| source.open()).sum()
    }

    /// Whether no request is being answered.
    async fn rests(&self) -> bool {
        let metrics = http::get(self.broker.admin, "/metrics").await.body;
        let busy = metrics.lines().filter(|line| line.starts_with("tributary_requests_in_flight"));
        busy.filter_map(|line| line.rsplit(' ').next()).all(|value| value == "0")
    }

    /// Looks through the memory of the process; `None` where the system forbids it.
    fn scan_memory(&self, mut scan: Scan) -> Option<Scan> {
        if let Err(error) = scan.process(self.broker.pid()) {
            println!("NOT RUN: the memory of another process cannot be read here: {}", error.kind());
            return None;
        }
        Some(scan)
    }

    /// Looks through all that was written: files, logs, metrics, the operator's sources.
    async fn scan_writings(&self) -> Scan {
        let mut scan = Scan::of(&self.canaries);
        scan.folder(self.dir.path()).expect("files are read");
        for path in ["/metrics", "/sources", "/_status"] {
            scan.look(path, http::get(self.broker.admin, path).await.body.as_bytes());
            scan.look(path, http::get(self.broker.data, path).await.body.as_bytes());
        }
        scan
    }
}

fn headers(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn record(path: &str) -> Request {
    let headers = headers(&[("Content-Type", "application/fhir+json")]);
    ("POST", path.to_owned(), headers, parameters(GEORGE, &[]))
}

/// A record in every form.
fn forms() -> Vec<Request> {
    let page = headers(&[("Content-Type", "application/x-www-form-urlencoded")]);
    vec![
        record("/fhir/R4/Patient/$record"),
        record("/fhir/STU3/Patient/$record"),
        record("/fhir/R4/Patient/$record?view=lines"),
        record("/fhir/R4/Patient/$summary"),
        ("GET", format!("/fhir/R4/Patient/{GEORGE}/$summary"), Vec::new(), String::new()),
        ("POST", "/record".to_owned(), page, format!("nhs={GEORGE}")),
    ]
}

/// A record passed through from the GP system, as it is and compressed.
fn relayed() -> Vec<Request> {
    const PATH: &str = "/A99901/STU3/1/gpconnect/structured/fhir/Patient/$gpc.getstructuredrecord";
    const INTERACTION: &str = "urn:nhs:names:services:gpconnect:fhir:operation:gpc.getstructuredrecord-1";
    let identifier = json!({"system": "https://fhir.nhs.uk/Id/nhs-number", "value": GEORGE});
    let body = json!({"resourceType": "Parameters", "parameter": [
        {"name": "patientNHSNumber", "valueIdentifier": identifier},
        {"name": "includeProblems"}, {"name": "includeConsultations"},
    ]});
    let token = bearer();
    let of = |coding: &str| {
        let headers = headers(&[
            ("Ssp-TraceID", "09a01679-2564-0fb4-5129-aecc81ea2706"),
            ("Ssp-From", "200000000359"),
            ("Ssp-To", "200000000205"),
            ("Ssp-InteractionID", INTERACTION),
            ("Authorization", &token),
            ("Content-Type", "application/fhir+json"),
            ("Accept", "application/fhir+json"),
            ("Accept-Encoding", coding),
        ]);
        ("POST", PATH.to_owned(), headers, body.to_string())
    };
    vec![of("identity"), of("gzip")]
}

/// Every attachment that a record leads to, whole and as a resource.
fn attachments(answer: &Answer) -> Vec<Request> {
    let bundle: Value = serde_json::from_slice(&answer.body).expect("a bundle");
    let mut urls = Vec::new();
    collect_urls(&bundle, &mut urls);
    let of = |url: &String, accept: &str| {
        let path = url[url.find("/fhir/R4/Binary").expect("ours")..].to_owned();
        ("GET", path, headers(&[("Accept", accept)]), String::new())
    };
    urls.iter()
        .flat_map(|url| [of(url, "application/fhir+json"), of(url, "*/*"), of(url, "text/html")])
        .collect()
}

fn collect_urls(value: &Value, urls: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            let url = members.get("url").and_then(Value::as_str);
            urls.extend(url.filter(|url| url.contains("/fhir/R4/Binary/")).map(str::to_owned));
            members.values().for_each(|inner| collect_urls(inner, urls));
        }
        Value::Array(items) => items.iter().for_each(|inner| collect_urls(inner, urls)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

async fn until_rest(stage: &Stage) {
    let began = Instant::now();
    while !stage.rests().await {
        assert!(began.elapsed() < Duration::from_secs(20), "requests without end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Asks for everything at once over connections that stay open, while other callers go away in the middle. Gives
/// the open connections, and how many answers were whole.
async fn storm(stage: &Stage, all: &[Request], speech: Speech) -> (Vec<Caller>, usize) {
    let mut tasks = Vec::new();
    for request in all {
        let request = request.clone();
        let (mut caller, leaving) = (stage.caller(speech).await, stage.caller(speech).await);
        let canaries = Arc::clone(&stage.canaries);
        tasks.push(tokio::spawn(async move {
            let mut whole = 0;
            for answer in [caller.ask(&request).await, caller.ask(&request).await] {
                if answer.head.to_ascii_lowercase().contains("content-encoding: gzip") {
                    canaries.compressed("a compressed answer", &answer.body);
                }
                whole += usize::from(answer.status == 200);
            }
            leaving.leave_in_the_middle(&request).await;
            (caller, whole)
        }));
    }
    let mut callers = Vec::new();
    let mut whole = 0;
    for task in tasks {
        let (caller, count) = task.await.expect("an answer");
        callers.push(caller);
        whole += count;
    }
    (callers, whole)
}

/// Looks until nothing is found, or until it should be gone.
fn left_after_use(stage: &Stage) -> Scan {
    let used = Instant::now();
    loop {
        let began = used.elapsed();
        let scan = stage.scan_memory(Scan::of(&stage.canaries)).expect("readable as before");
        if scan.findings.is_empty() || began > TTL + GRACE {
            println!("{} bytes searched {} ms after the last use", scan.bytes, began.as_millis());
            return scan;
        }
    }
}

/// How many of them are open still.
async fn open(callers: &mut [Caller]) -> usize {
    let mut open = 0;
    for caller in callers {
        open += usize::from(caller.is_open().await);
    }
    open
}

/// The search finds what is there: a reply that is kept. On a busy machine its time may be over before that.
/// Whether the system lets us search.
async fn kept_is_found(stage: &Stage, caller: &mut Caller) -> bool {
    let mut found = 0;
    for _ in 0..10 {
        assert_eq!(caller.ask(&forms()[0]).await.status, 200);
        // Its time is short: the search ends when there is enough.
        let scan = Scan::of(&stage.canaries).until_found(20_000);
        let Some(kept) = stage.scan_memory(scan) else { return false };
        let of_kept = kept.findings.iter().filter(|(name, _)| name.contains(KEPT));
        found = of_kept.map(|(_, count)| count).sum::<usize>();
        if found > 10_000 {
            return true;
        }
    }
    panic!("a kept reply is not found: {found}");
}

/// Asks in every form, and searches.
async fn search(speech: Speech) {
    // A search keeps a processor busy, and what is searched for ends with time: one after the other.
    let _turn = TURN.lock().await;
    let stage = Stage::set(speech).await;
    let mut first = stage.caller(speech).await;
    let answer = first.ask(&forms()[0]).await;
    assert_eq!(answer.status, 200, "{}", answer.head);
    let mut expected = Scan::of(&stage.canaries);
    expected.look("the record", &answer.body);
    assert!(expected.findings.len() >= 10, "canaries are missing: {:?}", expected.findings);
    if !kept_is_found(&stage, &mut first).await {
        return;
    }

    let mut all: Vec<Request> = forms().into_iter().chain(attachments(&answer)).chain(relayed()).collect();
    assert!(all.len() > forms().len() + 2, "no attachment");
    // What a caller says is not kept either, nor where it is answered at once.
    let said = stage.canaries.word("a header of a caller");
    all.push(("GET", format!("/fhir/R4/Patient/{said}/$summary"), Vec::new(), String::new()));
    all.push(("GET", "/fhir/R4/metadata".to_owned(), Vec::new(), String::new()));
    // Longer than the room that one read offers: it is read into a room that grows.
    let (method, path, fields, _) = record("/fhir/R4/Patient/$record");
    let long = json!({"resourceType": "Parameters", "parameter": [
        {"name": "note", "valueString": stage.canaries.word("a long body of a caller").repeat(800)}]});
    all.push((method, path, fields, long.to_string()));
    for (_, _, headers, _) in &mut all {
        headers.push(("X-Said".to_owned(), said.clone()));
    }
    let mut callers = vec![first];
    let mut whole = 0;
    for (round, (gp, specialist)) in [
        (Manner::Gzip, Manner::Plain),
        (Manner::Plain, Manner::Torn),
        (Manner::Torn, Manner::Gzip),
        (Manner::Gzip, Manner::Gzip),
    ]
    .into_iter()
    .enumerate()
    {
        stage.behave("gp", gp);
        stage.behave("specialist", specialist);
        if round > 0 {
            stage.federation.provider("walkin").expect("a source").set_fault(Fault::WrongPatient);
        }
        let (open, count) = storm(&stage, &all, speech).await;
        callers.extend(open);
        whole += count;
    }
    println!("{whole} whole answers over {} connections", callers.len());
    assert!(whole > callers.len(), "most requests failed");

    nothing_is_left(&stage, &mut callers).await;
}

async fn nothing_is_left(stage: &Stage, callers: &mut [Caller]) {
    until_rest(stage).await;
    let left = left_after_use(stage);
    let (callers_open, sources_open) = (open(callers).await, stage.open_to_sources());
    println!("{callers_open} connections of callers and {sources_open} to sources are open");
    assert!(left.findings.is_empty(), "left behind: {:#?}\n{}", left.findings, left.shown.join("\n"));
    assert!(sources_open > 0, "nothing was kept open to a source");
    let written = stage.scan_writings().await;
    assert!(written.findings.is_empty(), "written: {:#?}", written.findings);
    assert!(written.bytes > 10_000, "nothing was searched");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_patient_outlives_its_use() {
    search(Speech::Plain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_patient_outlives_its_use_over_tls() {
    search(Speech::Tls).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_patient_outlives_its_use_over_http_2() {
    search(Speech::TlsHttp2).await;
}
