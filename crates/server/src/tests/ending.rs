//! The end of a broker in two phases, and how many connections it takes before that.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::bench::{FakeDesk, Say, parameters, settings};
use super::sockets::{raw, start_with};
use crate::settings::{Limits, Settings};

const PING: &str = "GET /_ping HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// One answer, without waiting for the connection to end.
async fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"}") {
        let mut more = [0; 1 << 10];
        let size = stream.read(&mut more).await.unwrap();
        assert!(size > 0, "cut: {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&more[..size]);
    }
    String::from_utf8(bytes).unwrap()
}

fn record() -> String {
    let body = parameters("");
    let head =
        "POST /fhir/R4/Patient/$record HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn whoever_asks_before_the_door_closes_is_answered() {
    let desk = FakeDesk::new(Say::Gated);
    let ending =
        Settings { lame_duck: Duration::from_millis(400), drain: Duration::from_secs(10), ..settings() };
    let server = start_with(&desk, ending).await;
    let mut resting = TcpStream::connect(server.data).await.unwrap();
    resting.write_all(PING.as_bytes()).await.unwrap();
    assert!(!answer(&mut resting).await.contains("connection: close"));
    let mut under_way = TcpStream::connect(server.data).await.unwrap();
    under_way.write_all(record().as_bytes()).await.unwrap();
    while desk.asked.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    server.stop.send(()).unwrap();
    let ready = "GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    while raw(server.admin, ready).await.starts_with("HTTP/1.1 200 ") {}
    // Phase one: not ready, and yet everybody is served, and told to go.
    let status = "GET /_status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert!(raw(server.data, status).await.starts_with("HTTP/1.1 503 "));
    resting.write_all(PING.as_bytes()).await.unwrap();
    let told = answer(&mut resting).await;
    assert!(told.starts_with("HTTP/1.1 200 ") && told.contains("connection: close"), "{told}");
    // Half a head is somebody who is asking.
    let mut halfway = TcpStream::connect(server.data).await.unwrap();
    let (half, rest) = PING.split_at(20);
    halfway.write_all(half.as_bytes()).await.unwrap();
    let mut answered = 0;
    while let Ok(mut stream) = TcpStream::connect(server.data).await {
        stream.write_all(PING.as_bytes()).await.unwrap();
        let told = answer(&mut stream).await;
        assert!(told.starts_with("HTTP/1.1 200 "), "{told}");
        answered += 1;
    }
    assert!(answered > 0);
    // Phase two: the door is closed, and what was begun is finished.
    halfway.write_all(rest.as_bytes()).await.unwrap();
    assert!(answer(&mut halfway).await.starts_with("HTTP/1.1 200 "));
    assert!(!server.done.is_finished());
    desk.gate.add_permits(1);
    let told = answer(&mut under_way).await;
    assert!(told.starts_with("HTTP/1.1 200 ") && told.contains("tributary-audit: 42"), "{told}");
    server.done.await.unwrap();
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_no_more() {
    let limits = Limits { connections_per_address: 2, ..Limits::default() };
    let desk = FakeDesk::new(Say::Record);
    let server = start_with(&desk, Settings { limits, ..settings() }).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(server.data).await.unwrap();
        stream.write_all(PING.as_bytes()).await.unwrap();
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200 "));
        held.push(stream);
    }
    assert_eq!(raw(server.data, PING).await, "", "the third is closed");
    let metrics = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let page = raw(server.admin, metrics).await;
    assert!(page.contains("tributary_shed_total{reason=\"connections\"} 1"), "{page}");
    assert!(page.contains("tributary_connections{listener=\"data\"} 2"), "{page}");
    drop(held.pop());
    while !raw(server.data, PING.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"))
        .await
        .starts_with("HTTP/1.1 200 ")
    {}
}

#[tokio::test]
async fn the_last_request_of_a_connection_says_so() {
    let limits = Limits { requests_per_connection: 3, ..Limits::default() };
    let server = start_with(&FakeDesk::new(Say::Record), Settings { limits, ..settings() }).await;
    let answers = raw(server.data, PING.repeat(5)).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
    assert_eq!(answers.matches("connection: close").count(), 1, "{answers}");
}

#[tokio::test]
async fn a_caller_who_leaves_gives_its_place_back() {
    let limits = Limits { in_flight: 1, ..Limits::default() };
    let desk = FakeDesk::new(Say::Gated);
    let server = start_with(&desk, Settings { limits, ..settings() }).await;
    let mut first = TcpStream::connect(server.data).await.unwrap();
    first.write_all(record().as_bytes()).await.unwrap();
    while desk.asked.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let closing = record().replacen("\r\n", "\r\nConnection: close\r\n", 1);
    let refused = raw(server.data, &closing).await;
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("retry-after: "), "{refused}");
    assert!(refused.contains("OperationOutcome") && refused.contains("throttled"), "{refused}");
    assert_eq!(desk.asked.lock().unwrap().len(), 1, "nobody was asked for it");
    drop(first);
    desk.gate.add_permits(1_000);
    while !raw(server.data, &closing).await.starts_with("HTTP/1.1 200 ") {}
    drop(Arc::clone(&desk));
}
