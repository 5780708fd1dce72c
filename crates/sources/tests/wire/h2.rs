//! Sources that speak HTTP/2: what they say of a stream or a connection, and what it means.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use h2::Reason;
use h2::server::SendResponse;
use http::Response;
use tokio::net::TcpListener;
use tributary_model::{FaultClass, Retry, Section, SourceFault};
use tributary_sources::{Protocol, Source, SourceEntry};

use crate::tls::Authority;
use crate::{ask, entry, source};

/// What a source does with every request.
#[derive(Clone, Copy, Debug)]
enum Does {
    Answer,
    Reset(Reason),
    GoAway(Reason),
}

/// What was seen of us.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: AtomicUsize,
}

async fn start(authority: &Authority, does: Does) -> (SocketAddr, Arc<Seen>) {
    let acceptor = authority.issue("localhost", 1).acceptor(b"h2");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Seen::default());
    let counts = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counts.connections.fetch_add(1, Ordering::Relaxed);
            let (acceptor, counts) = (acceptor.clone(), Arc::clone(&counts));
            tokio::spawn(async move {
                let stream = acceptor.accept(stream).await.unwrap();
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((_, respond))) = connection.accept().await {
                    counts.requests.fetch_add(1, Ordering::Relaxed);
                    match does {
                        Does::Answer => answer(respond),
                        Does::Reset(reason) => respond_with(respond, reason),
                        Does::GoAway(reason) => connection.abrupt_shutdown(reason),
                    }
                }
            });
        }
    });
    (address, seen)
}

fn answer(mut respond: SendResponse<bytes::Bytes>) {
    let head = Response::builder().status(404).header("content-type", "application/fhir+json");
    let mut body = respond.send_response(head.body(()).unwrap(), false).unwrap();
    let outcome = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"not-found","details":{"coding":[{"code":"PATIENT_NOT_FOUND"}]}}]}"#;
    body.send_data(outcome.into(), true).unwrap();
}

fn respond_with(mut respond: SendResponse<bytes::Bytes>, reason: Reason) {
    respond.send_reset(reason);
}

fn source_at(authority: &Authority, address: SocketAddr) -> Source {
    let root = format!("https://localhost:{}/A99901/STU3/1/gpconnect/structured/fhir", address.port());
    let tls = Some(authority.believed());
    source(SourceEntry { tls, ..entry(Protocol::GpConnectStructured, &root) })
}

async fn fault(does: Does) -> SourceFault {
    let authority = Authority::new();
    let (address, _) = start(&authority, does).await;
    ask(&source_at(&authority, address), &[Section::Allergies]).await.unwrap_err()
}

#[tokio::test]
async fn asks_share_a_connection() {
    let authority = Authority::new();
    let (address, seen) = start(&authority, Does::Answer).await;
    let source = source_at(&authority, address);
    for _ in 0..3 {
        let fault = ask(&source, &[Section::Allergies]).await.unwrap_err();
        assert_eq!(fault.class, FaultClass::NoRecord);
    }
    let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    assert_eq!((count(&seen.connections), count(&seen.requests)), (1, 3));
}

#[tokio::test]
async fn a_request_that_was_not_looked_at_may_go_elsewhere() {
    let elsewhere = SourceFault::new(FaultClass::Reset).with_retry(Retry::Elsewhere);
    assert_eq!(fault(Does::Reset(Reason::REFUSED_STREAM)).await, elsewhere);
    assert_eq!(fault(Does::GoAway(Reason::NO_ERROR)).await, elsewhere);
    assert_eq!(fault(Does::Reset(Reason::INTERNAL_ERROR)).await, elsewhere);
}

#[tokio::test]
async fn a_source_that_is_too_busy_is_not_asked_again() {
    let busy = fault(Does::Reset(Reason::ENHANCE_YOUR_CALM)).await;
    assert_eq!(busy, SourceFault::new(FaultClass::Throttled));
}
