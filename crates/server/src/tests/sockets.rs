use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::bench::{FakeDesk, Say, edge, parameters, settings};
use crate::front::Front;
use crate::serve::{Listeners, serve};
use crate::settings::Settings;

pub(super) struct Server {
    pub(super) data: SocketAddr,
    pub(super) admin: SocketAddr,
    pub(super) front: Front,
    pub(super) stop: oneshot::Sender<()>,
    pub(super) done: JoinHandle<()>,
}

pub(super) async fn start(desk: &Arc<FakeDesk>) -> Server {
    start_with(desk, settings()).await
}

pub(super) async fn start_with(desk: &Arc<FakeDesk>, settings: Settings) -> Server {
    let bind = || TcpListener::bind(("127.0.0.1", 0));
    let (data, admin) = (bind().await.unwrap(), bind().await.unwrap());
    let listeners = Listeners { data, admin, gpconnect: None, launch: None };
    let (data, admin) = (listeners.data.local_addr().unwrap(), listeners.admin.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel();
    let front = Front::of(edge(desk, settings));
    let done = tokio::spawn(serve(listeners, front.clone(), async { drop(stopped.await) }));
    Server { data, admin, front, stop, done }
}

/// Sends raw bytes and reads until the server closes.
pub(super) async fn raw(address: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A caller who is refused before it has said all may find nobody listening.
    drop(stream.write_all(bytes.as_ref()).await);
    let mut answer = Vec::new();
    // A reset after the answer is as good as a close.
    drop(stream.read_to_end(&mut answer).await);
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn raw_requests_get_what_they_deserve() {
    let server = start(&FakeDesk::new(Say::Record)).await;
    let fields = "x: y\r\n".repeat(65);
    let long = "y".repeat(17 << 10);
    let body = parameters("");
    let length = body.len();
    let cases = [
        ("GET /_ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_owned(), "200", "pass"),
        ("GET /_ping HTTP/1.1\r\n\r\n".to_owned(), "400", "OperationOutcome"),
        ("GET /_ping HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n".to_owned(), "400", "OperationOutcome"),
        ("GET /_ping HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(), "421", "OperationOutcome"),
        ("GET /_ping HTTP/1.1\r\nHost: a/b\r\n\r\n".to_owned(), "400", "OperationOutcome"),
        ("GET http://b/_ping HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), "400", "OperationOutcome"),
        ("GET http://localhost/_ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_owned(), "200", "pass"),
        ("TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), "405", "allow: GET, POST"),
        ("CONNECT localhost:1 HTTP/1.1\r\nHost: localhost:1\r\n\r\n".to_owned(), "405", "OperationOutcome"),
        ("GET /_ping HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx".to_owned(), "400", "OperationOutcome"),
        (format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(2_049)), "414", "OperationOutcome"),
        (format!("GET / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"), "431", ""),
        (format!("GET / HTTP/1.1\r\nHost: localhost\r\nx: {long}\r\n\r\n"), "431", ""),
        ("POST /record HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(), "400", "OperationOutcome"),
        ("POST /record HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned(), "400", "OperationOutcome"),
        (
            format!("POST /fhir/R4/Patient/$record HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"),
            "200",
            "tributary-audit: 42",
        ),
    ];
    for (bytes, status, word) in cases {
        let answer = raw(server.data, &bytes).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{bytes}\n->\n{answer}");
        assert!(answer.contains(word), "{bytes}\n->\n{answer}");
    }
}

#[tokio::test]
async fn another_protocol_is_not_guessed() {
    let server = start(&FakeDesk::new(Say::Record)).await;
    for other in ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\u{16}\u{3}\u{1}\0"] {
        let answer = raw(server.data, other).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("OperationOutcome"), "{answer}");
    }
}

#[tokio::test]
async fn the_admin_listener_has_no_way_to_a_record() {
    let desk = FakeDesk::new(Say::Record);
    let server = start(&desk).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    for (path, status, word) in [
        ("/metrics", "200", "tributary_build_info"),
        ("/health/live", "200", "live"),
        ("/health/ready", "200", "ready"),
        ("/sources", "200", "\"inFlight\":2"),
        ("/sources", "200", "\"breaker\":\"shut\",\"limit\":5,\"used\":4,\"waiting\":3"),
        ("/", "404", "OperationOutcome"),
        ("/fhir/R4/Patient/$record", "404", "OperationOutcome"),
    ] {
        let answer = raw(server.admin, &get(path)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
        assert!(answer.contains(word), "{path}: {answer}");
    }
    let rebound = "GET /sources HTTP/1.1\r\nHost: evil.example:9464\r\n\r\n";
    let answer = raw(server.admin, rebound).await;
    assert!(answer.starts_with("HTTP/1.1 421 ") && answer.contains("OperationOutcome"), "{answer}");
    let post = "POST /record HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert!(raw(server.admin, post).await.starts_with("HTTP/1.1 405 "));
    assert!(desk.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_caller_who_hangs_up_ends_the_request() {
    let desk = FakeDesk::new(Say::Never);
    let server = start(&desk).await;
    let body = parameters("");
    let mut stream = TcpStream::connect(server.data).await.unwrap();
    let head =
        "POST /fhir/R4/Patient/$record HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    while desk.asked.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(stream);
    let gone = "code=\"499\"";
    while !raw(server.admin, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await
        .contains(gone)
    {}
}

#[tokio::test]
async fn a_swap_is_for_what_comes_after_it() {
    let (before, after) = (FakeDesk::new(Say::Never), FakeDesk::new(Say::Record));
    let server = start(&before).await;
    let body = parameters("");
    let request = format!(
        "POST /fhir/R4/Patient/$record HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    // On a connection from before the swap, as one with a request at work.
    let mut resting = TcpStream::connect(server.data).await.unwrap();
    let mut asking = TcpStream::connect(server.data).await.unwrap();
    asking.write_all(request.as_bytes()).await.unwrap();
    while before.asked.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let next = Settings { config: "0123456789ab".to_owned(), ..settings() };
    server.front.swap_desk(Arc::<FakeDesk>::clone(&after), next);
    resting.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    resting.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("tributary-config: 0123456789ab\r\n"), "{answer}");
    assert_eq!((before.asked.lock().unwrap().len(), after.asked.lock().unwrap().len()), (1, 1));
    // What was at work is held by the request alone, and goes with it; the drain is one for both.
    assert_eq!(Arc::strong_count(&before), 2, "the test's own, and the request's");
    drop(asking);
    while Arc::strong_count(&before) > 1 {
        tokio::task::yield_now().await;
    }
    server.stop.send(()).unwrap();
    server.done.await.unwrap();
    assert!(!server.front.edge().is_ready());
}

#[tokio::test]
async fn drain_lets_the_last_answer_out_and_then_ends() {
    let desk = FakeDesk::new(Say::Record);
    let server = start(&desk).await;
    let resting = TcpStream::connect(server.data).await.unwrap();
    server.stop.send(()).unwrap();
    server.done.await.unwrap();
    assert!(TcpStream::connect(server.data).await.is_err());
    drop(resting);
}
