//! A storm: who is refused on the word of the head.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderValue, Request, Version};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, SanType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tributary_identity::{
    Certificate, CertificateName, Consumer, Consumers, Gate, Issuer, KeyRing, Profile, Replays,
};
use tributary_model::{OdsCode, Relationship, Role};

use super::bench::{
    FakeDesk, RECORD, Say, edge, outcome, parameters, record_request, request, send, settings,
};
use super::sockets::start_with;
use crate::exchange::{Edge, Inbound, ReadError, Reply};
use crate::front::Front;
use crate::listener::Whole;
use crate::settings::{Callers, Limits, Settings};

/// A body that counts how often it is looked at and is never there.
struct Unread(Arc<AtomicUsize>);

impl Body for Unread {
    type Data = Bytes;
    type Error = ReadError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReadError>>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Poll::Pending
    }
}

fn small() -> Settings {
    Settings { limits: Limits { in_flight: 1, ..Limits::default() }, ..settings() }
}

/// A record request over HTTP/2 whose body must not be read, with that body's counter.
fn unread(headers: &[(&str, &str)]) -> (Request<Inbound>, Arc<AtomicUsize>) {
    let looks = Arc::<AtomicUsize>::default();
    let (mut head, _body) = record_request(headers).into_parts();
    head.version = Version::HTTP_2;
    (Request::from_parts(head, Inbound::new(Unread(Arc::clone(&looks)))), looks)
}

/// Answers within one poll, or fails.
#[track_caller]
fn at_once(front: &Front, request: Request<Inbound>) -> Reply {
    front.answer(request).now_or_never().expect("a refusal waits for nothing")
}

/// An edge with one place, and the answer that holds it.
async fn full(desk: &Arc<FakeDesk>, settings: Settings) -> (Arc<Edge>, Front, Reply) {
    let edge = edge(desk, settings);
    let held = send(&edge, record_request(&[])).await;
    let front = Front::of(Arc::clone(&edge));
    (edge, front, held)
}

#[tokio::test]
async fn a_refusal_reads_neither_body_nor_token_and_is_counted_like_any_answer() {
    let desk = FakeDesk::new(Say::Record);
    let (edge, front, held) = full(&desk, small()).await;
    let id = "0f0b1c1e-7d0c-4b0e-8a52-3f6d1f6b9a11";
    for token in [None, Some("Bearer this.is.nothing")] {
        let mut headers = vec![("x-request-id", id), ("x-correlation-id", "c-1")];
        headers.extend(token.map(|token| ("authorization", token)));
        let (request, looks) = unread(&headers);
        let reply = at_once(&front, request);
        let told = reply.headers().clone();
        assert_eq!(
            (&told["x-request-id"], &told["x-correlation-id"]),
            (&id.parse().unwrap(), &"c-1".parse().unwrap())
        );
        assert_eq!(
            (&told["cache-control"], &told["x-content-type-options"]),
            (&HeaderValue::from_static("no-store"), &HeaderValue::from_static("nosniff"))
        );
        let wait: u64 = told["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=5).contains(&wait), "{wait}");
        let (status, json) = outcome(reply).await;
        assert_eq!((status.as_u16(), json["issue"][0]["code"].as_str()), (503, Some("throttled")));
        assert_eq!(looks.load(Ordering::Relaxed), 0, "nobody looked at the body");
    }
    assert_eq!(desk.asked.lock().unwrap().len(), 1, "only who was let in");
    let metrics = edge.metrics.render();
    assert!(metrics.contains("tributary_shed_total{reason=\"requests\"} 2"), "{metrics}");
    assert!(
        metrics.contains("code=\"503\",method=\"POST\",route=\"/fhir/R4/Patient/$record\"} 2"),
        "{metrics}"
    );
    drop(held);
    assert_eq!(front.answer(record_request(&[])).await.status(), 200);
}

#[tokio::test]
async fn what_is_refused_here_says_what_the_door_says() {
    let (edge, front, _held) = full(&FakeDesk::new(Say::Record), small()).await;
    let paths =
        [("POST", RECORD), ("GET", "/A99901/STU3/1/gpconnect/structured/fhir/metadata"), ("GET", "/sources")];
    for (method, path) in paths {
        let asks = || request(method, path, &[], "");
        let (here, door) = (front.answer(asks()).await, send(&edge, asks()).await);
        assert_eq!((here.status(), door.status().as_u16()), (door.status(), 503), "{path}");
        let names = |reply: &Reply| {
            let mut names: Vec<_> = reply.headers().keys().map(|name| name.as_str().to_owned()).collect();
            names.retain(|name| name != "vary");
            names.sort();
            names
        };
        assert_eq!(names(&here), names(&door), "{path}");
        assert_eq!(super::bench::read(here).await, super::bench::read(door).await, "{path}");
    }
    for health in ["/_ping", "/_status"] {
        assert_eq!(front.answer(request("GET", health, &[], "")).await.status(), 200, "{health}");
    }
    let unclear = record_request(&[("tributary-priority", "now")]);
    assert_eq!(front.answer(unclear).await.status(), 400, "what is unclear is told as such");
}

/// A gate with one system and an issuer without keys.
fn gate(certificate: &str) -> Gate {
    let consumer = Consumer {
        asids: BTreeMap::new(),
        relationship: Relationship::default(),
        id: "epr".to_owned(),
        name: "EPR".to_owned(),
        organisations: [OdsCode::parse("RZ905").unwrap()].into(),
        names: vec![CertificateName::parse(&format!("uri:{certificate}")).unwrap()],
        pins: Vec::new(),
        priority: None,
        profiles: vec![Profile::Native],
        roles: vec![Role::Gp, Role::Ambulance],
        default_role: Some(Role::Gp),
        issuers: Vec::new(),
        cis2_client: None,
    };
    let nobody = Vec::<(Issuer, Arc<KeyRing>)>::new();
    Gate::new(Consumers::of(vec![consumer]).unwrap(), nobody, Arc::new(Replays::default()))
}

fn certificate(name: &str) -> Arc<Certificate> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.subject_alt_names = vec![SanType::URI(name.try_into().unwrap())];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    Arc::new(Certificate::read(params.self_signed(&key).unwrap().der()).unwrap())
}

#[tokio::test]
async fn no_token_is_verified_for_a_refusal() {
    const NAME: &str = "urn:x-caller:epr";
    let desk = FakeDesk::new(Say::Record);
    let demo = edge(&desk, small());
    let held = send(&demo, record_request(&[])).await;
    let proven = Settings { callers: Callers::Proven(Arc::new(gate(NAME))), ..small() };
    // The same house: the place that is held counts for both.
    let front = Front::of(demo.followed_by(Arc::<FakeDesk>::clone(&desk), proven));
    let certificate = certificate(NAME);
    let ask = || {
        let (mut request, _looks) = unread(&[("authorization", "Bearer a.b.c")]);
        request.extensions_mut().insert(Arc::clone(&certificate));
        request
    };
    for _ in 0..15 {
        assert_eq!(at_once(&front, ask()).status(), 503);
    }
    assert!(desk.turned_away.lock().unwrap().is_empty(), "no token was looked at");
    drop(held);
    let mut judged = ask();
    *judged.body_mut() = Inbound::new(http_body_util::Empty::new().map_err(|never| match never {}));
    assert_eq!(front.answer(judged).await.status(), 401);
    assert_eq!(desk.turned_away.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_body_that_has_arrived_is_not_waited_for_and_one_that_has_not_is() {
    let (_edge, front, _held) = full(&FakeDesk::new(Say::Record), small()).await;
    let (mut arrived, looks) = unread(&[]);
    *arrived.version_mut() = Version::HTTP_11;
    arrived.extensions_mut().insert(Whole);
    assert_eq!(at_once(&front, arrived).status(), 503);
    assert_eq!(looks.load(Ordering::Relaxed), 0);
    let (mut arriving, looks) = unread(&[]);
    *arriving.version_mut() = Version::HTTP_11;
    assert!(front.answer(arriving).now_or_never().is_none());
    assert_eq!(looks.load(Ordering::Relaxed), 1);
    let (mut asking, looks) = unread(&[("expect", "100-continue")]);
    *asking.version_mut() = Version::HTTP_11;
    assert_eq!(at_once(&front, asking).headers()["connection"], "close");
    assert_eq!(looks.load(Ordering::Relaxed), 0);
}

/// Reads as many answers as there should be, and says whether the connection goes on.
async fn answers(stream: &mut TcpStream, count: usize) -> String {
    let mut all = Vec::new();
    while String::from_utf8_lossy(&all).matches("Too many requests at once").count() < count {
        let mut piece = [0; 4 << 10];
        let size = stream.read(&mut piece).await.unwrap();
        assert!(size > 0, "closed after {}", String::from_utf8_lossy(&all));
        all.extend_from_slice(&piece[..size]);
    }
    String::from_utf8(all).unwrap()
}

#[tokio::test]
async fn a_connection_goes_on_after_its_refusals() {
    let desk = FakeDesk::new(Say::Gated);
    let server = start_with(&desk, small()).await;
    let body = parameters("");
    let head = format!(
        "POST {RECORD} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let whole = format!("{head}{body}");
    let mut holder = TcpStream::connect(server.data).await.unwrap();
    holder.write_all(whole.as_bytes()).await.unwrap();
    while desk.asked.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let mut stream = TcpStream::connect(server.data).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for _ in 0..3 {
        stream.write_all(whole.as_bytes()).await.unwrap();
        assert!(answers(&mut stream, 1).await.starts_with("HTTP/1.1 503 "));
    }
    // In two pieces, as many clients send it; and several at once.
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::task::yield_now().await;
    stream.write_all(body.as_bytes()).await.unwrap();
    assert!(answers(&mut stream, 1).await.starts_with("HTTP/1.1 503 "));
    stream.write_all(whole.repeat(4).as_bytes()).await.unwrap();
    assert_eq!(answers(&mut stream, 4).await.matches("HTTP/1.1 503 ").count(), 4);
    let chunked = format!(
        "POST {RECORD} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\n{{  \r\n1\r\n}}\r\n0\r\n\r\n"
    );
    stream.write_all(chunked.as_bytes()).await.unwrap();
    assert!(answers(&mut stream, 1).await.starts_with("HTTP/1.1 503 "));
    desk.gate.add_permits(2);
    let mut answer = [0; 17];
    holder.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK\r\n");
    drop(holder);
    while server.front.edge().metrics.render().contains("tributary_requests_in_flight{priority=\"urgent\"} 1")
    {
        tokio::task::yield_now().await;
    }
    stream.write_all(whole.as_bytes()).await.unwrap();
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK\r\n", "the same connection");
}
