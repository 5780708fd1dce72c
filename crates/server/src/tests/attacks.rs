//! Frames of HTTP/2 as an attacker writes them: the connection ends, and nobody else notices.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::time::Instant;
use tower::ServiceExt as _;

use super::bench::{FakeDesk, Say, edge, parameters, settings};
use super::secured::{Authority, secured};
use crate::layers;
use crate::listener::{Answering, Talk, converse_h2};
use crate::settings::Limits;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const CALM: u8 = 0xB;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn literal(name_index: u8, value: &str) -> Vec<u8> {
    let mut bytes = vec![name_index, u8::try_from(value.len()).unwrap()];
    bytes.extend(value.as_bytes());
    bytes
}

/// A head in HPACK, without indexing: method by its index, path and authority in full, scheme https.
fn head(method: u8, path: &str, authority: &str) -> Vec<u8> {
    [vec![method, 0x87], literal(0x04, path), literal(0x01, authority)].concat()
}

const GET: u8 = 0x82;
const POST: u8 = 0x83;

fn ping(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &head(GET, "/_ping", "localhost"))
}

fn opening(settings: &[u8]) -> Vec<u8> {
    [PREFACE.to_vec(), frame(SETTINGS, 0, 0, settings)].concat()
}

/// Every frame until the end: kind, flags, stream, payload.
async fn frames<S: AsyncRead + Unpin>(stream: &mut S) -> Vec<(u8, u8, u32, Vec<u8>)> {
    let mut all = Vec::new();
    let mut head = [0; 9];
    while stream.read_exact(&mut head).await.is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut payload = vec![0; length];
        if stream.read_exact(&mut payload).await.is_err() {
            break;
        }
        all.push((head[3], head[4], id, payload));
    }
    all
}

/// Writes as much as is taken, and reads all there is, at once.
async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(stream: S, bytes: &[u8]) -> Vec<(u8, u8, u32, Vec<u8>)> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (found, _) = tokio::join!(frames(&mut reader), writer.write_all(bytes));
    found
}

fn farewell(frames: &[(u8, u8, u32, Vec<u8>)]) -> Option<u8> {
    let goaway = frames.iter().rev().find(|(kind, ..)| *kind == GOAWAY)?;
    goaway.3.get(7).copied()
}

fn repeated(count: u32, each: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    (0..count).flat_map(each).collect()
}

#[tokio::test]
async fn floods_end_the_connection_and_nobody_else_notices() {
    let authority = Authority::new();
    let (server, _tls) = secured(authority.identity(None), Limits::default()).await;
    let reset = |n: u32| [ping(2 * n + 1), frame(RST_STREAM, 0, 2 * n + 1, &[0, 0, 0, 8])].concat();
    // A stream that we must reset ourselves: its length says more than its body.
    let made_to_reset = |n: u32| {
        let id = 2 * n + 1;
        [ping(id), frame(WINDOW_UPDATE, 0, id, &[0; 4])].concat()
    };
    let head_begins = frame(HEADERS, END_STREAM, 1, &head(GET, "/_ping", "localhost"));
    let field = [vec![0, 1, b'x', 127, 0x81, 0x7E], vec![b'y'; 255 - 1]].concat();
    let fields = [head_begins.clone(), repeated(200, |_| frame(CONTINUATION, 0, 1, &field))].concat();
    let attacks: Vec<(&str, Vec<u8>, Option<u8>)> = vec![
        ("rapid reset", repeated(10_000, reset), Some(CALM)),
        ("made to reset", repeated(10_000, made_to_reset), None),
        (
            "continuations",
            [head_begins, repeated(10_000, |_| frame(CONTINUATION, 0, 1, &[]))].concat(),
            Some(CALM),
        ),
        ("a head without end", fields, None),
        ("pings", repeated(10_000, |_| frame(PING, 0, 0, &[0; 8])), Some(CALM)),
        ("settings", repeated(10_000, |_| frame(SETTINGS, 0, 0, &[])), Some(CALM)),
        ("windows", repeated(10_000, |_| frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])), Some(CALM)),
        ("priorities", repeated(10_000, |n| frame(2, 0, 2 * n + 1, &[0, 0, 0, 0, 1])), Some(CALM)),
        ("an even stream", ping(2), None),
        ("a stream again", [ping(5), ping(3)].concat(), None),
        ("no stream", ping(0), None),
        ("a large frame", frame(0, 0, 1, &vec![0; 17 << 10]), None),
    ];
    let mut neighbour = authority.connect(server.data, &["http/1.1"], None).await.unwrap();
    for (name, attack, says) in attacks {
        let stream = authority.connect(server.data, &["h2"], None).await.unwrap();
        let found = exchange(stream, &[opening(&[]), attack].concat()).await;
        if says.is_some() {
            assert_eq!(farewell(&found), says, "{name}");
        }
        let answers = found.iter().filter(|(kind, ..)| *kind == HEADERS).count();
        assert!(answers <= 200, "{name}: {answers} answers");
        neighbour.write_all(b"GET /_ping HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let mut start = [0; 12];
        neighbour.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"HTTP/1.1 200", "{name}");
        let mut remainder = [0; 4 << 10];
        while !remainder.contains(&b'}') {
            let _size = neighbour.read(&mut remainder).await.unwrap();
        }
    }
}

/// A connection in memory, so that a paused clock rules it.
fn connect(desk: &Arc<FakeDesk>, room: usize) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(room);
    let onion = layers::onion(&edge(desk, settings()));
    let answer: Answering = Arc::new(move |request| {
        let onion = onion.clone();
        Box::pin(async move { onion.oneshot(request).await.unwrap() })
    });
    tokio::spawn(converse_h2(theirs, Talk { limits: Limits::default(), answer, standing: Arc::default() }));
    ours
}

/// The first byte of each answer's head: the index of its status, where it has one.
async fn statuses(bytes: Vec<u8>) -> Vec<(u32, u8)> {
    let stream = connect(&FakeDesk::new(Say::Record), 1 << 20);
    let found = exchange(stream, &[opening(&[]), bytes].concat()).await;
    found
        .into_iter()
        .filter(|(kind, ..)| *kind == HEADERS)
        .map(|(_, _, id, payload)| (id, payload[0]))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn streams_are_answered_under_the_same_rules() {
    const OK: u8 = 0x88;
    const BAD: u8 = 0x8C;
    assert_eq!(statuses([ping(1), ping(3)].concat()).await, [(1, OK), (3, OK)]);
    let with_body =
        [frame(HEADERS, END_HEADERS, 1, &head(GET, "/_ping", "localhost")), frame(0, END_STREAM, 1, b"abc")];
    assert_eq!(statuses(with_body.concat()).await, [(1, BAD)], "a body where there is none");
    let foreign = frame(HEADERS, END_STREAM | END_HEADERS, 1, &head(GET, "/_ping", "evil.example"));
    let answers = statuses(foreign).await;
    assert!(answers.len() == 1 && answers[0].1 != OK, "another's host");
    let many: Vec<u8> = (0..65).flat_map(|_| [0, 1, b'x', 1, b'y']).collect();
    let many = [head(GET, "/_ping", "localhost"), many].concat();
    let answers = statuses(frame(HEADERS, END_STREAM | END_HEADERS, 1, &many)).await;
    assert!(answers.len() == 1 && answers[0].1 != OK, "too many fields");
}

/// Seconds until the connection ends, after these bytes and no more.
async fn ends_after(stream: DuplexStream, bytes: &[u8]) -> u64 {
    let began = Instant::now();
    exchange(stream, bytes).await;
    began.elapsed().as_secs()
}

fn record(id: u32) -> Vec<u8> {
    let body = parameters("");
    let json = literal(0x0F, "application/json");
    // content-type is entry 31 of the static table: 15 and 16 more.
    let content_type = [vec![0x0F, 0x10], json[1..].to_vec()].concat();
    let head = [head(POST, "/fhir/R4/Patient/$record", "localhost"), content_type].concat();
    [frame(HEADERS, END_HEADERS, id, &head), frame(0, END_STREAM, id, body.as_bytes())].concat()
}

#[tokio::test(start_paused = true)]
async fn silence_ends_a_connection_of_streams() {
    let desk = FakeDesk::new(Say::Record);
    let connected = || connect(&desk, 1 << 20);
    assert_eq!(ends_after(connected(), b"").await, 5);
    assert_eq!(ends_after(connected(), &opening(&[])).await, 5, "no head");
    let part = frame(HEADERS, END_STREAM, 1, &head(GET, "/_ping", "localhost"));
    assert_eq!(ends_after(connected(), &[opening(&[]), part].concat()).await, 5, "part of a head");
}

#[tokio::test(start_paused = true)]
async fn a_resting_connection_of_streams_is_told_to_go() {
    const NO_ERROR: [u8; 4] = [0; 4];
    let began = Instant::now();
    // Nobody answers our pings either.
    let stream = connect(&FakeDesk::new(Say::Record), 1 << 20);
    let found = exchange(stream, &[opening(&[]), ping(1)].concat()).await;
    let took = began.elapsed().as_millis();
    assert!((1_900..2_000).contains(&took), "{took} ms");
    let told = found.iter().find(|(kind, ..)| *kind == GOAWAY).map(|(.., payload)| payload[4..8].to_vec());
    assert_eq!(told.as_deref(), Some(&NO_ERROR[..]), "no mistake");
    let settings = found.iter().find(|(kind, flags, ..)| (*kind, *flags) == (SETTINGS, 0)).unwrap();
    assert!(settings.3.chunks(6).any(|entry| entry == [0, 1, 0, 0, 0, 0]), "no table of headers");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_not_read_is_not_waited_for() {
    let desk = FakeDesk::with_body(Say::Record, Bytes::from(vec![b' '; 1 << 20]));
    // SETTINGS_INITIAL_WINDOW_SIZE is nothing.
    let closed_window = opening(&[0, 4, 0, 0, 0, 0]);
    let seconds = ends_after(connect(&desk, 1 << 20), &[closed_window, record(1)].concat()).await;
    assert_eq!(seconds, 10);
    {
        let delivered = desk.delivered.lock().unwrap();
        assert_eq!(delivered.len(), 1);
        assert!(delivered[0].1 <= 64 << 10, "{}", delivered[0].1);
    }
    let mut stalled = connect(&desk, 1 << 10);
    let began = Instant::now();
    stalled.write_all(&[opening(&[]), record(1)].concat()).await.unwrap();
    while desk.delivered.lock().unwrap().len() < 2 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
}
