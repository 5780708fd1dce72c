use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::Instant;
use tower::ServiceExt as _;
use tributary_broker::Delivery;

use super::bench::{FakeDesk, Say, edge, parameters, settings};
use crate::layers;
use crate::listener::{Answering, Talk, converse};
use crate::settings::Limits;

/// A connection in memory, so that a paused clock rules it.
fn connect(desk: &Arc<FakeDesk>, room: usize) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(room);
    let onion = layers::onion(&edge(desk, settings()));
    let answer: Answering = Arc::new(move |request| {
        let onion = onion.clone();
        Box::pin(async move { onion.oneshot(request).await.unwrap() })
    });
    let talk = Talk { limits: Limits::default(), answer, standing: Arc::default() };
    tokio::spawn(converse(theirs, talk));
    ours
}

/// Seconds until the server closes, after `bytes` were sent.
async fn closes_after(bytes: &str) -> (u64, String) {
    let mut stream = connect(&FakeDesk::new(Say::Record), 64 << 10);
    let began = Instant::now();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    (began.elapsed().as_secs(), answer)
}

#[tokio::test(start_paused = true)]
async fn silence_and_half_a_head_end_after_five_seconds() {
    for bytes in ["", "P", "GET /_ping HTTP/1.1\r\nHost:"] {
        assert_eq!(closes_after(bytes).await, (5, String::new()), "{bytes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stalled_body_is_answered_after_five_seconds() {
    let head = "POST /fhir/R4/Patient/$record HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{";
    let (seconds, answer) = closes_after(head).await;
    assert_eq!(seconds, 5);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_resting_connection_is_kept_for_a_minute() {
    let ping = "GET /_ping HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let (seconds, answer) = closes_after(&ping.repeat(3)).await;
    assert_eq!(seconds, 60);
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 3, "pipelined requests are served in order");
    let (seconds, _) = closes_after(&format!("{ping}GET /")).await;
    assert!(seconds <= 60);
}

#[test]
fn a_scraper_does_not_keep_a_place_on_the_admin_listener() {
    let usual = Limits::default();
    let admin = crate::serve::admin_limits(&usual);
    assert_eq!((admin.keep_alive_idle, admin.connections), (Duration::from_secs(5), 32));
    assert_eq!(
        Limits { keep_alive_idle: usual.keep_alive_idle, connections: usual.connections, ..admin },
        usual
    );
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_does_not_read_is_cut_off_and_the_delivery_noted() {
    let body = Bytes::from(vec![b' '; 1 << 20]);
    let desk = FakeDesk::with_body(Say::Record, body);
    let mut stream = connect(&desk, 1 << 10);
    let parameters = parameters("");
    let head =
        "POST /fhir/R4/Patient/$record HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let request = format!("{head}Content-Length: {}\r\n\r\n{parameters}", parameters.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(11)).await;
    let delivered = desk.delivered.lock().unwrap();
    let (_, bytes, delivery) = delivered.first().unwrap();
    assert_eq!(*delivery, Delivery::Aborted);
    assert!(*bytes <= 128 << 10, "{bytes}: no more than the connection's buffer was handed over");
}
