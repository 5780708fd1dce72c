//! A record as it grows, over real HTTP: what a crew reads second by second, and what a stream leaves behind.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it stands")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mock_providers::{Fault, Played};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::RwLock;
use tributary_tests::{GEORGE, Plan, Stage, http, parameters};

/// What a crew reads second by second cannot be seen while a hundred others are served.
static QUIET: RwLock<()> = RwLock::const_new(());

/// One event.
#[derive(Clone, Debug)]
struct Event {
    id: String,
    name: String,
    data: Value,
}

/// A caller who reads a stream.
struct Reader {
    stream: BufReader<TcpStream>,
    /// What came in and is no whole event yet.
    text: Vec<u8>,
    began: Instant,
    /// What they know: the newest of each part.
    known: BTreeMap<String, Value>,
}

impl Reader {
    async fn open(address: SocketAddr, more: &str) -> Self {
        let (began, body) = (Instant::now(), parameters(GEORGE, &[]));
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST /fhir/R4/Patient/$record HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\
             Content-Type: application/fhir+json\r\nConnection: close\r\nContent-Length: {}\r\n{more}\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).await.unwrap();
        let mut reader =
            Self { stream: BufReader::new(stream), text: Vec::new(), began, known: BTreeMap::new() };
        assert_eq!(reader.line().await, "HTTP/1.1 200 OK");
        while !reader.line().await.is_empty() {}
        reader
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.unwrap();
        line.trim_end().to_owned()
    }

    /// The next event; nothing at the end.
    async fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.text.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.text.drain(..end + 2).collect();
                let block = String::from_utf8(block).unwrap();
                let of = |name: &str| {
                    block.lines().filter_map(|line| line.strip_prefix(name)).collect::<Vec<_>>().join("\n")
                };
                if of("event: ").is_empty() {
                    continue;
                }
                let data = serde_json::from_str(&of("data: ")).unwrap();
                let event = Event { id: of("id: "), name: of("event: "), data };
                self.learn(&event);
                return Some(event);
            }
            let size = usize::from_str_radix(&self.line().await, 16).unwrap();
            let from = self.text.len();
            self.text.resize(from + size, 0);
            self.stream.read_exact(&mut self.text[from..]).await.unwrap();
            self.line().await;
            if size == 0 {
                return None;
            }
        }
    }

    fn learn(&mut self, event: &Event) {
        let part = match event.name.as_str() {
            "status" | "late" => format!("source {}", event.data["id"].as_str().unwrap()),
            "section" => format!("section {}", event.data["section"].as_str().unwrap()),
            other => other.to_owned(),
        };
        self.known.insert(part, event.data.clone());
    }

    async fn until(&mut self, is_it: impl Fn(&Self) -> bool) -> Duration {
        while !is_it(self) {
            assert!(self.event().await.is_some(), "the stream ended: {:?}", self.known.keys());
        }
        self.began.elapsed()
    }

    fn section(&self, name: &str) -> String {
        self.known.get(&format!("section {name}")).map(Value::to_string).unwrap_or_default()
    }

    fn label(&self) -> String {
        self.known["section allergies"]["allergyLabel"].as_str().unwrap().to_owned()
    }

    fn answered(&self) -> usize {
        self.known.iter().filter(|(part, row)| part.starts_with("source ") && row["pending"] == false).count()
    }
}

#[tokio::test]
async fn the_crew_reads_the_plan_while_the_practice_is_silent() {
    let _quiet = QUIET.read().await;
    let plan = Plan { played: Played::AsWritten, source_keys: "timeout_ms = 7000", ..Plan::default() };
    let stage = Stage::set(plan).await;
    let mut reader = Reader::open(stage.running.data_addr(), "").await;
    reader.until(|reader| reader.known.contains_key("section allergies")).await;
    assert_eq!(reader.label(), "Checking");
    reader.until(|reader| reader.section("plans").contains("Not for attempted")).await;
    assert!(!reader.section("plans").contains("cpr-recommendation"), "no conflict yet");
    assert_eq!(reader.label(), "Checking");
    reader.until(|reader| reader.section("flags").contains("Just in case medicines are in the home")).await;
    reader
        .until(|reader| reader.section("plans").contains("convey to Mersey Specialist Cancer Centre"))
        .await;
    reader.until(|reader| reader.section("allergies").contains("No known drug allergy")).await;
    assert_eq!((reader.label().as_str(), reader.known.contains_key("complete")), ("Checking", false));
    let complete = reader.until(|reader| reader.known.contains_key("complete")).await;
    assert_eq!((reader.label().as_str(), reader.answered()), ("No known allergies", 4));
    assert!(reader.section("plans").contains("cpr-recommendation"));
    assert!(complete < Duration::from_secs(5), "{complete:?}");
    assert_eq!(reader.known["complete"]["last"], true);
    assert!(reader.event().await.is_none(), "complete is the last event");
    // What is known now is what is answered at once.
    let headers = [("Content-Type", "application/fhir+json")];
    let path = "/fhir/R4/Patient/$record?view=lines";
    let address = stage.running.data_addr();
    let whole = http::send(address, "POST", path, &parameters(GEORGE, &[]), &headers).await.json();
    for section in whole["sections"].as_array().unwrap() {
        let told = &reader.known[&format!("section {}", section["section"].as_str().unwrap())];
        for (member, value) in section.as_object().unwrap() {
            assert_eq!(&told[member], value, "{member}");
        }
    }
    assert_eq!(whole["patient"], reader.known["patient"]);
    assert_eq!(whole["allergyLabel"].as_str().unwrap(), reader.label());
}

#[tokio::test]
async fn what_hangs_holds_up_nobody_and_is_told_at_the_deadline() {
    let _quiet = QUIET.read().await;
    let stage = Stage::set(Plan { source_keys: "timeout_ms = 20000", ..Plan::default() }).await;
    stage.federation.provider("gp").unwrap().set_fault(Fault::HangBeforeHead);
    let mut reader = Reader::open(stage.running.data_addr(), "Tributary-Deadline-Ms: 3000\r\n").await;
    let plans = reader.until(|reader| reader.section("plans").contains("Not for attempted")).await;
    let complete = reader.until(|reader| reader.known.contains_key("complete")).await;
    assert!(plans < Duration::from_secs(2) && complete < Duration::from_secs(4), "{plans:?} {complete:?}");
    assert_eq!(reader.label(), "Allergy check incomplete");
    assert_eq!(reader.known["complete"]["last"], false, "the practice may still answer");
    assert_eq!(reader.known["source gp"]["status"], "timeout");
    assert!(stage.federation.provider("gp").unwrap().open_count() > 0);
    drop(reader);
    let gone = Instant::now();
    while stage.federation.provider("gp").unwrap().open_count() > 0 {
        assert!(gone.elapsed() < Duration::from_secs(5), "the ask was not taken back");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_late_answer_is_told_and_is_the_end() {
    let _quiet = QUIET.read().await;
    let stage = Stage::set(Plan { source_keys: "timeout_ms = 20000", ..Plan::default() }).await;
    stage.federation.provider("gp").unwrap().set_delay(Duration::from_secs(3));
    let mut reader = Reader::open(stage.running.data_addr(), "Tributary-Deadline-Ms: 1000\r\n").await;
    reader.until(|reader| reader.known.contains_key("complete")).await;
    assert_eq!(reader.known["complete"]["last"], false);
    let mut names = Vec::new();
    while let Some(event) = reader.event().await {
        names.push(event.name);
    }
    assert_eq!(names.first().map(String::as_str), Some("late"), "{names:?}");
    assert_eq!(names.last().map(String::as_str), Some("complete"));
    assert_eq!(reader.known["complete"]["last"], true);
    assert_eq!(reader.label(), "No known allergies");
}

#[tokio::test]
async fn a_stream_that_was_cut_off_goes_on() {
    let _quiet = QUIET.read().await;
    let stage = Stage::set(Plan { source_keys: "timeout_ms = 20000", ..Plan::default() }).await;
    stage.federation.provider("walkin").unwrap().set_delay(Duration::from_secs(1));
    let mut reader = Reader::open(stage.running.data_addr(), "").await;
    reader.until(|reader| reader.section("plans").contains("cpr-recommendation")).await;
    let mut last = String::new();
    // The whole of that state, but for what follows when the last source answers.
    while reader.section("uncategorised").is_empty() {
        last = reader.event().await.unwrap().id;
    }
    if last.is_empty() {
        last = reader.event().await.unwrap().id;
    }
    drop(reader);
    let asked = stage.federation.provider("specialist").unwrap().ask_count();
    let mut reader = Reader::open(stage.running.data_addr(), &format!("Last-Event-ID: {last}\r\n")).await;
    let first = reader.event().await.unwrap();
    let number = |id: &str| id.split_once('-').unwrap().0.parse::<u64>().unwrap();
    assert!(number(&first.id) > number(&last), "{} after {last}", first.id);
    reader.until(|reader| reader.known.contains_key("complete")).await;
    assert!(reader.section("encounters").contains("Walk-in centre attendance"));
    let again = stage.federation.provider("specialist").unwrap().ask_count();
    assert_eq!(again, asked, "who was heard is not asked again");
}

#[tokio::test]
async fn a_hundred_streams_at_once_leave_nothing_behind() {
    const STREAMS: usize = 100;
    let _alone = QUIET.write().await;
    let plan = Plan {
        source_keys: "timeout_ms = 20000\nmax_in_flight = 512",
        server_keys: "max_behind_ms = 10000\nmax_connections_per_address = 600\nmax_in_flight = 1024",
        ..Plan::default()
    };
    let stage = Stage::set(plan).await;
    for provider in stage.federation.providers() {
        provider.set_delay(Duration::from_millis(500));
    }
    let address = stage.running.data_addr();
    let readers = (0..STREAMS).map(|turn| {
        tokio::spawn(async move {
            let mut reader = Reader::open(address, "Tributary-Deadline-Ms: 30000\r\n").await;
            if turn % 5 == 0 {
                // One in five goes away at once.
                return None;
            }
            reader.until(|reader| reader.known.contains_key("complete")).await;
            Some(reader.label())
        })
    });
    let mut labels = Vec::new();
    for reader in readers.collect::<Vec<_>>() {
        labels.extend(reader.await.unwrap());
    }
    assert_eq!(labels.len(), STREAMS * 4 / 5);
    assert!(labels.iter().all(|label| label == "No known allergies"));
    let began = Instant::now();
    loop {
        let metrics = http::get(stage.running.admin_addr(), "/metrics").await.body;
        let left = |name: &str| {
            let lines = metrics.lines().filter(|line| line.starts_with(name));
            lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<f64>()
        };
        let all = [left("tributary_source_inflight"), left("tributary_memory_taken_bytes")];
        if all == [0.0, 0.0] {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{all:?} is left");
        tokio::task::yield_now().await;
    }
}
