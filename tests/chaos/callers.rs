//! What callers do.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mock_providers::{ErrorBody, Fault};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tributary_tests::bundle::Merged;
use tributary_tests::{GEORGE, Reply, http, parameters};

use crate::answer::missing;
use crate::row::{Played, Row};
use crate::scene::{FHIR, RECORD, Scene, Setting, eventually, healthy, sources};

/// The rows of this family.
pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::own("F65", "less time than any source takes", || Box::pin(hurry())),
        Row::own("F72", "who asked first leaves first", || Box::pin(leader_leaves())),
        Row::own("G02", "a hidden patient, and an unknown one", || Box::pin(indistinct())),
        Row::own("L01", "a number that is none", || Box::pin(refused(wrong_numbers()))),
        Row::own("L02", "a request that cannot be read", || Box::pin(refused(unreadable()))),
        Row::own("L04", "a request that is large, deep, doubled or packed", || {
            Box::pin(refused(oversized()))
        }),
        Row::own("L05", "another verb, path or media type", || Box::pin(refused(misplaced()))),
        Row::own("L10", "the caller leaves while sources work", || Box::pin(leaves())),
        Row::own("L12", "connections that say little or nothing", || Box::pin(slow_callers())),
    ]
}

/// A deadline nobody can keep is the caller's: it counts against no source.
async fn hurry() -> Played {
    let scene = Scene::usual().await;
    for provider in scene.federation.providers() {
        provider.set_delay(Duration::from_millis(700));
    }
    let mut told = 0;
    for _ in 0..12 {
        let reply = scene.record(&[("Tributary-Deadline-Ms", "300")]).await;
        // On a disk that others use, half of so little time may not do for the record of it.
        let is_unrecorded = reply.status == 503 && reply.body.contains("\"no-store\"");
        assert!(reply.status == 504 || is_unrecorded, "{} {}", reply.status, reply.body);
        told += usize::from(reply.status == 504);
    }
    assert!(told > 0, "nobody was told that no source answered in time");
    let metrics = scene.metrics().await;
    assert!(metrics.sum("tributary_source_breaker_state", &[]).abs() < 0.5, "a breaker is shut");
    scene.federation.reset().unwrap();
    let reply = scene.record(&[]).await;
    assert_eq!(reply.header("Tributary-Completeness"), Some("complete"), "{}", reply.body);
    Played::Held
}

/// Two callers of one flight: that the first leaves costs the second nothing, and the source no second request.
async fn leader_leaves() -> Played {
    let setting = Setting { gp_keys: "cache_ttl_secs = 30".to_owned(), ..Setting::default() };
    let scene = Scene::set(sources().await, setting).await;
    let healthy = healthy().await;
    scene.gp().set_delay(Duration::from_millis(900));
    let leader = begun(scene.broker.data, &asking()).await;
    eventually("the gp is asked", || scene.gp().ask_count() > 0).await;
    let follower = scene.record(&[]);
    let leaves = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(leader);
    };
    let (reply, ()) = tokio::join!(follower, leaves);
    assert_eq!(reply.status, 200, "{}", reply.body);
    let merged = Merged::of(reply.json());
    assert_eq!(missing(&healthy.merged, &merged, ""), Vec::<String>::new());
    // One ask of this practice is two requests: the record, and what its lists point at.
    assert_eq!(scene.gp().ask_count(), 2, "the gp was asked for each caller");
    Played::Held
}

/// What a reader could tell the two apart by, apart from what differs in every answer.
fn masked(reply: &Reply) -> String {
    let head = reply.head.lines().filter(|line| {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        // Durations are in one of them, and their digits in another.
        !["x-request-id", "tributary-audit", "date", "server-timing", "content-length"]
            .contains(&name.as_str())
    });
    let mut outcome = reply.json();
    let issues = outcome["issue"].as_array_mut().into_iter().flatten();
    for extension in issues.filter_map(|issue| issue["extension"].as_array_mut()) {
        extension.retain(|one| {
            one["url"] != "urn:x-tributary:latency-ms" && one["url"] != "urn:x-tributary:last-answered"
        });
    }
    format!("{}\n{outcome}", head.collect::<Vec<_>>().join("\n"))
}

/// Nobody else knows the patient. The practice does, and may not say so; then it does not know them either.
async fn indistinct() -> Played {
    const PATIENT: &str = "9990000034";
    let hidden = Fault::Status {
        status: 404,
        body: ErrorBody::Outcome,
        spine_code: Some("PATIENT_NOT_FOUND".to_owned()),
        retry_after_secs: None,
    };
    let scene = Scene::usual().await;
    // When a source last answered anybody is told to everybody: let each have answered.
    scene.record(&[]).await;
    let ask = async || http::post(scene.broker.data, RECORD, FHIR, &parameters(PATIENT, &[]), &[]).await;
    scene.gp().set_fault(hidden);
    let known = ask().await;
    scene.gp().clear_fault().unwrap();
    let unknown = ask().await;
    assert_eq!((known.status, unknown.status), (404, 404), "{}", unknown.body);
    let (known, unknown) = (masked(&known), masked(&unknown));
    let differs = known.chars().zip(unknown.chars()).position(|(one, other)| one != other);
    let around =
        |text: &str, at: usize| text.chars().skip(at.saturating_sub(120)).take(240).collect::<String>();
    if let Some(at) = differs {
        panic!("{}\n{}", around(&known, at), around(&unknown, at));
    }
    assert_eq!(known.len(), unknown.len());
    Played::Held
}

/// One request that is turned away, and the statuses it may be turned away with.
struct Bad {
    what: &'static str,
    method: &'static str,
    path: &'static str,
    body: String,
    headers: Vec<(&'static str, &'static str)>,
    statuses: &'static [u16],
}

fn bad(what: &'static str, body: impl Into<String>, statuses: &'static [u16]) -> Bad {
    Bad {
        what,
        method: "POST",
        path: RECORD,
        body: body.into(),
        headers: vec![("Content-Type", FHIR)],
        statuses,
    }
}

/// Sends each; nobody may be asked, and nothing may be on record as disclosed.
async fn refused(requests: Vec<Bad>) -> Played {
    let scene = Scene::usual().await;
    for Bad { what, method, path, body, headers, statuses } in requests {
        let reply = http::send(scene.broker.data, method, path, &body, &headers).await;
        assert!(statuses.contains(&reply.status), "{what}: {} {}", reply.status, reply.body);
        assert_eq!(reply.json()["resourceType"], "OperationOutcome", "{what}");
        assert_eq!(reply.header("Allow").is_some(), reply.status == 405, "{what}");
        assert!(!reply.body.contains(GEORGE), "{what} tells the number");
        assert_eq!(scene.asked(), 0, "{what}: a source was asked");
    }
    let records = scene.records();
    let of_a_record = |kind: &str| records.iter().any(|record| record["kind"] == kind);
    assert!(!of_a_record("intent") && !of_a_record("disclosure"));
    // It goes on as if nothing had been.
    assert_eq!(scene.record(&[]).await.header("Tributary-Completeness"), Some("complete"));
    Played::Held
}

fn wrong_numbers() -> Vec<Bad> {
    let numbers =
        [("check digit", "9990000019"), ("letters", "99900A0107"), ("short", "999000010"), ("none", "")];
    numbers.map(|(what, number)| bad(what, parameters(number, &[]), &[400])).into()
}

fn unreadable() -> Vec<Bad> {
    let named = |name: &str| format!(r#"{{"resourceType":"Parameters","parameter":[{{"name":"{name}"}}]}}"#);
    vec![
        bad("no JSON", "{", &[400]),
        bad("no body", "", &[400]),
        bad("no Parameters", r#"{"resourceType":"Patient"}"#, &[400, 422]),
        bad("no patient", named("section"), &[400, 422]),
        bad("an unknown parameter", named("patiens"), &[400, 422]),
        bad("an unknown section", parameters(GEORGE, &["toes"]), &[422]),
    ]
}

fn oversized() -> Vec<Bad> {
    let good = parameters(GEORGE, &[]);
    let deep =
        format!(r#"{{"resourceType":"Parameters","parameter":{}{}}}"#, "[".repeat(9_000), "]".repeat(9_000));
    let doubled = good.replacen('{', r#"{"resourceType":"Parameters","#, 1);
    let mut packed = bad("packed", good, &[415]);
    packed.headers.push(("Content-Encoding", "gzip"));
    vec![
        bad("two megabytes", " ".repeat(2 << 20), &[413]),
        bad("nested nine thousand deep", deep, &[400]),
        bad("a key twice", doubled, &[400]),
        packed,
    ]
}

fn misplaced() -> Vec<Bad> {
    let good = || parameters(GEORGE, &[]);
    let mut plain = bad("plain text", good(), &[415]);
    plain.headers = vec![("Content-Type", "text/plain")];
    let mut image = bad("wants an image", good(), &[406]);
    image.headers.push(("Accept", "image/png"));
    vec![
        Bad { method: "PUT", ..bad("another verb", good(), &[405]) },
        Bad { method: "TRACE", ..bad("a verb of the line", "", &[400, 405]) },
        Bad { path: "/fhir/R4/Patient/$everything", ..bad("another path", good(), &[404]) },
        plain,
        image,
    ]
}

/// The bytes of a request for George.
pub(crate) fn asking() -> Vec<u8> {
    let body = parameters(GEORGE, &[]);
    let length = body.len();
    format!(
        "POST {RECORD} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FHIR}\r\nTributary-Deadline-Ms: 3000\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A connection that has sent so much.
pub(crate) async fn begun(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

async fn leaves() -> Played {
    let scene = Scene::usual().await;
    for provider in scene.federation.providers() {
        provider.set_fault(Fault::HangBeforeHead);
    }
    let caller = begun(scene.broker.data, &asking()).await;
    eventually("every source works", || scene.open() >= 5).await;
    let began = Instant::now();
    drop(caller);
    eventually("every source is left alone", || scene.open() == 0).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    let records = scene.records();
    let of_kind = |kind: &str| records.iter().filter(|record| record["kind"] == kind).count();
    assert_eq!(of_kind("intent"), 1);
    let whole = records.iter().any(|record| record["delivery"]["delivered"] == "whole");
    assert!(!whole, "on record as delivered");
    scene.federation.reset().unwrap();
    assert_eq!(scene.record(&[]).await.header("Tributary-Completeness"), Some("complete"));
    Played::Held
}

/// Everybody gets five seconds for a head, and for a body; nobody else waits for them.
async fn slow_callers() -> Played {
    const PATIENCE: Duration = Duration::from_secs(5);
    const GRACE: Duration = Duration::from_millis(1_500);
    let scene = Scene::usual().await;
    let address = scene.broker.data;
    let whole = asking();
    let cut = |from_end: usize| whole[..whole.len() - from_end].to_vec();
    let head = cut(parameters(GEORGE, &[]).len());
    let cases = [
        ("nothing", Vec::new()),
        ("one letter", b"P".to_vec()),
        ("a line", b"POST / HTTP/1.1\r\n".to_vec()),
        ("a head without end", head[..head.len() - 2].to_vec()),
        ("a head without its body", head.clone()),
        ("all but a byte", cut(1)),
    ];
    let mut slow = JoinSet::new();
    for (what, bytes) in cases {
        slow.spawn(async move {
            let mut stream = begun(address, &bytes).await;
            let began = Instant::now();
            let mut read = Vec::new();
            let ended = timeout(PATIENCE + GRACE, stream.read_to_end(&mut read)).await;
            assert!(ended.is_ok(), "{what}: still open after {:?}", began.elapsed());
        });
    }
    for _ in 0..5 {
        let answered = scene.asks(&[]).await;
        assert_eq!(answered.reply.header("Tributary-Completeness"), Some("complete"));
    }
    let mut open = Vec::new();
    while let Some(ended) = slow.join_next().await {
        open.extend(ended.err());
    }
    assert!(open.is_empty(), "{} connections are still open", open.len());
    let before = scene.asked();
    assert_eq!(before, 5 * asks_of_one_record(&scene).await, "half a request reached a source");
    Played::Held
}

/// How many requests one record takes at all sources.
async fn asks_of_one_record(scene: &Scene) -> u64 {
    let before = scene.asked();
    scene.record(&[]).await;
    scene.asked() - before
}
