//! Connections are kept for whoever asks next, for as many as ask at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;
use tributary_model::Section;
use tributary_sources::{Protocol, SourceEntry};

use crate::search::{bundle, kind_of, patient, statement};
use crate::server::read;
use crate::{NUMBER, ask, entry, source};

/// Asks at once: more than half of what a source is asked at once at most.
const CALLERS: usize = 20;
const ROUNDS: usize = 5;

/// Answers requests of a connection for as long as there are any, each when all callers have theirs here.
async fn serve(mut stream: TcpStream, all: Arc<Barrier>) {
    while let Some(seen) = read(&mut stream).await {
        all.wait().await;
        let resource = match kind_of(&seen) {
            "Patient" => patient("p1", NUMBER),
            kind => statement(kind, 1),
        };
        let body = bundle(&[resource], None);
        let length = body.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nContent-Length: {length}\r\n\r\n"
        );
        if stream.write_all((head + &body).as_bytes()).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn callers_who_ask_at_once_do_not_open_connections_again_and_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let opened = Arc::new(AtomicUsize::new(0));
    let (counted, all) = (Arc::clone(&opened), Arc::new(Barrier::new(CALLERS)));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream, Arc::clone(&all)));
        }
    });
    let base = format!("http://{address}/fhir");
    let source = source(SourceEntry { max_in_flight: 32, ..entry(Protocol::FhirR4, &base) });
    for _ in 0..ROUNDS {
        let asks = (0..CALLERS).map(|_| ask(&source, &[Section::Allergies]));
        for answer in join_all(asks).await {
            assert_eq!(answer.unwrap().attempts, 2);
        }
    }
    let exchanges = CALLERS * ROUNDS * 2;
    let opened = opened.load(Ordering::SeqCst);
    // One that was begun just before another became free is not given up.
    assert!(opened < 2 * CALLERS, "{opened} connections for {exchanges} exchanges, {CALLERS} at once");
}
