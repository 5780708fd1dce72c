//! Every head that two servers could read differently, over real sockets: reliability H3, case by case.

use super::bench::{FakeDesk, Say, parameters};
use super::sockets::{raw, start};

/// What is sent, the status it gets, and a word of the answer. Every one of them ends the connection.
struct Case {
    name: &'static str,
    bytes: Vec<u8>,
    status: u16,
}

fn case(name: &'static str, bytes: impl Into<Vec<u8>>, status: u16) -> Case {
    Case { name, bytes: bytes.into(), status }
}

fn with(fields: &str) -> String {
    format!("POST /record HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")
}

fn cases() -> Vec<Case> {
    let chunked = "Transfer-Encoding: chunked\r\n";
    let chunks = |chunks: &str| format!("{}{chunks}", with(chunked));
    let get = |fields: &str| format!("GET /_ping HTTP/1.1\r\n{fields}\r\n");
    let ours = "Host: localhost\r\n";
    vec![
        case("length, then chunks", with(&format!("Content-Length: 5\r\n{chunked}")) + "0\r\n\r\n", 400),
        case("chunks, then length", with(&format!("{chunked}Content-Length: 5\r\n")) + "0\r\n\r\n", 400),
        case("two lengths", with("Content-Length: 5\r\nContent-Length: 6\r\n") + "abcde", 400),
        case("two equal lengths", with("Content-Length: 5\r\nContent-Length: 5\r\n") + "abcde", 400),
        case("a list of lengths", with("Content-Length: 5, 5\r\n") + "abcde", 400),
        case("a signed length", with("Content-Length: +5\r\n") + "abcde", 400),
        case("another coding", with("Transfer-Encoding: gzip\r\n"), 400),
        case("chunks are not last", with("Transfer-Encoding: chunked, identity\r\n"), 400),
        case("two codings", with(&format!("Transfer-Encoding: identity\r\n{chunked}")) + "0\r\n\r\n", 400),
        case("chunks twice", with(&chunked.repeat(2)) + "0\r\n\r\n", 400),
        case("chunks in 1.0", with(chunked).replace("1.1", "1.0") + "0\r\n\r\n", 400),
        case("blank before the colon", with("Content-Length : 5\r\n") + "abcde", 400),
        case("a folded field", with("x: y\r\n z\r\n"), 400),
        case("a bare line feed", "GET /_ping HTTP/1.1\nHost: localhost\n\n", 400),
        case("a bare carriage return", get("Host: localhost\r\nx: a\rb\r\n"), 400),
        case("a null", get("Host: localhost\r\nx: a\0b\r\n"), 400),
        case("lower-case version", get(ours).replace("HTTP", "http"), 400),
        case("0.9", "GET /_ping\r\n", 400),
        case("no host", get(""), 400),
        case("two hosts", get(&ours.repeat(2)), 400),
        case("another authority", get(ours).replace("/_ping", "http://other.example/_ping"), 400),
        case("TRACE", get(ours).replace("GET", "TRACE"), 405),
        case("CONNECT", "CONNECT localhost:1 HTTP/1.1\r\nHost: localhost:1\r\n\r\n", 405),
        case("GET with a body", get(&format!("{ours}Content-Length: 3\r\n")) + "abc", 400),
        case("65 fields", get(&format!("{ours}{}", "x: y\r\n".repeat(64))), 431),
        case("a large field", get(&format!("{ours}x: {}\r\n", "y".repeat(17 << 10))), 431),
        case("a very large field", get(&format!("{ours}x: {}\r\n", "y".repeat(300 << 10))), 431),
        case("a long target", get(ours).replace("_ping", &"y".repeat(2_049)), 414),
        case("a very long target", get(ours).replace("_ping", &"y".repeat(70 << 10)), 414),
        case("a chunk that is none", chunks("zz\r\nabc\r\n0\r\n\r\n"), 400),
        case("a chunk beyond counting", chunks("fffffffffffffffff\r\nabc\r\n0\r\n\r\n"), 400),
        case("a chunk with a tail", chunks(&format!("3;{}\r\nabc\r\n0\r\n\r\n", "y".repeat(20 << 10))), 400),
        case("a chunk ended by a line feed", chunks("3\nabc\n0\n\n"), 400),
        case("a negative chunk", chunks("-3\r\nabc\r\n0\r\n\r\n"), 400),
        case("a trailer", chunks("0\r\nx: y\r\n\r\n"), 400),
        case("another protocol", get(&format!("{ours}Upgrade: h2c\r\n")), 400),
    ]
}

#[tokio::test]
async fn what_can_be_read_in_two_ways_is_refused_and_the_connection_ends() {
    let desk = FakeDesk::new(Say::Record);
    let server = start(&desk).await;
    let follow_up = "GET /_ping HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for Case { name, mut bytes, status } in cases() {
        bytes.extend_from_slice(follow_up.as_bytes());
        let answer = raw(server.data, &bytes).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{name}: {answer}");
        let head = answer.split("\r\n\r\n").next().unwrap_or_default();
        assert!(head.contains("connection: close"), "{name}: {answer}");
        assert!(head.contains("application/fhir+json") && head.contains("x-request-id"), "{name}: {answer}");
        assert!(answer.contains("OperationOutcome"), "{name}: {answer}");
        assert_eq!(
            answer.matches("x-request-id").count(),
            1,
            "{name}: what follows is not answered: {answer}"
        );
    }
    assert!(desk.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn heads_within_the_bounds_pass() {
    let server = start(&FakeDesk::new(Say::Record)).await;
    let fields = "x: y\r\n".repeat(62);
    let get = format!("GET /_ping HTTP/1.1\r\nHost: localhost\r\n{fields}");
    let answer = raw(server.data, format!("{get}Connection: close\r\n\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let pings = |count: usize| "GET /_ping HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(count);
    let last = "GET /_ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = raw(server.data, format!("{}{last}", pings(7)).as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 8, "{answer}");
    let answer = raw(server.data, pings(20).as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 8, "{answer}");
    assert!(answer.contains("HTTP/1.1 400 "), "the ninth ends it: {answer}");
    let body = parameters("");
    let head = "POST /fhir/R4/Patient/$record HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n";
    let (a, b) = body.split_at(40);
    let chunks = format!("{:x}\r\n{a}\r\n{:x};x=y\r\n{b}\r\n0\r\n\r\n", a.len(), b.len());
    let answer =
        raw(server.data, format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("tributary-audit: 42"), "{answer}");
}

#[tokio::test]
async fn a_refusal_has_the_shape_of_its_path() {
    let server = start(&FakeDesk::new(Say::Record)).await;
    let path = "/A99901/STU3/1/gpconnect/structured/fhir/Patient/$gpc.getstructuredrecord";
    let bytes = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n");
    let answer = raw(server.data, bytes.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("BAD_REQUEST"), "{answer}");
    assert!(
        answer.contains("https://fhir.nhs.uk/STU3/StructureDefinition/GPConnect-OperationOutcome-1"),
        "{answer}"
    );
}
