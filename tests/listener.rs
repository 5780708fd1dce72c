//! The data listener of a process of its own, as callers over TLS meet it, and as it stands when files run out.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mock_providers::Federation;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tributary_tests::process::{Process, run};
use tributary_tests::tls::{Authority, Validity};
use tributary_tests::{GEORGE, Plan, configuration, federation, http};

/// Open files that a starved broker may have: what it needs itself, and a few connections.
const FILES: &str = "--nofile=48:48";
/// More connections than that.
const CROWD: usize = 80;

struct Scene {
    _federation: Federation,
    dir: tempfile::TempDir,
    broker: Process,
}

/// A broker below another command, if any, with this added to its configuration by whoever knows its folder.
async fn scene(command: &[&str], adds: impl FnOnce(&std::path::Path) -> String) -> Scene {
    let plan = Plan::default();
    let federation = federation(&plan).await;
    let dir = tempfile::tempdir().unwrap();
    let text = configuration(federation.source_facts(), &plan, &dir.path().join("audit"));
    let text = text + &adds(dir.path());
    let broker = Process::serve_under(command, dir.path(), &text);
    Scene { _federation: federation, dir, broker }
}

async fn secured(authority: &Authority, callers: Option<&Authority>) -> Scene {
    scene(&[], |folder| authority.listener(folder, callers).unwrap()).await
}

/// Looks again and again, for at most twenty seconds.
async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < Duration::from_secs(20), "{what} did not come to be");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Asks over an open connection; the status, or why there is none.
async fn asks<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, path: &str) -> std::io::Result<u16> {
    let text = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(text.as_bytes()).await?;
    stream.flush().await?;
    let mut read = Vec::new();
    loop {
        if stream.read_buf(&mut read).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&read);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        if length.is_some_and(|length: usize| body.len() >= length) {
            return Ok(head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0));
        }
    }
}

/// The value of the gauge of our own certificate.
async fn certificate_ends(admin: SocketAddr) -> Option<String> {
    let metrics = http::get(admin, "/metrics").await.body;
    let name = "tributary_certificate_expiry_timestamp_seconds{certificate=\"server.tls\"} ";
    metrics.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
}

#[tokio::test]
async fn both_protocols_are_spoken_as_the_handshake_agrees() {
    let authority = Authority::new();
    let scene = secured(&authority, None).await;
    let url = |path: &str| format!("https://localhost{path}");
    let ask = |path| hyper::Request::get(url(path)).header("Host", "localhost").body(Empty::<Bytes>::new());

    let stream = authority.connect(scene.broker.data, &["h2", "http/1.1"], None).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut asking, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let running = tokio::spawn(connection);
    for _ in 0..3 {
        let answer = asking.send_request(ask("/fhir/R4/metadata").unwrap()).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, hyper::Version::HTTP_2));
        assert!(answer.into_body().collect().await.unwrap().to_bytes().ends_with(b"}"));
    }
    running.abort();

    let stream = authority.connect(scene.broker.data, &["http/1.1"], None).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let (mut asking, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    let running = tokio::spawn(connection);
    let answer = asking.send_request(ask("/fhir/R4/metadata").unwrap()).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, hyper::Version::HTTP_11));
    running.abort();

    assert_eq!(http::get(scene.broker.data, "/_ping").await.status, 0, "nothing is said in clear");
    // 1 January 2099.
    assert_eq!(certificate_ends(scene.broker.admin).await.as_deref(), Some("4070908800"));
}

#[tokio::test]
async fn callers_of_another_authority_are_refused() {
    let (authority, callers, others) = (Authority::new(), Authority::new(), Authority::new());
    let scene = secured(&authority, Some(&callers)).await;
    let of = |authority: &Authority| authority.issue("caller", 7, Validity::Present);
    for (shows, is_let_in) in [(None, false), (Some(of(&others)), false), (Some(of(&callers)), true)] {
        // In TLS 1.3 a caller learns of its refusal with the first answer.
        let answer = match authority.connect(scene.broker.data, &["http/1.1"], shows.as_ref()).await {
            Ok(mut stream) => asks(&mut stream, "/_ping").await,
            Err(refused) => Err(refused),
        };
        assert_eq!(answer.is_ok(), is_let_in, "{answer:?}");
    }
}

#[tokio::test]
async fn another_certificate_is_taken_while_connections_stay() {
    let (old, new) = (Authority::new(), Authority::new());
    let scene = secured(&old, None).await;
    let (data, admin) = (scene.broker.data, scene.broker.admin);
    let mut stands = old.connect(data, &["http/1.1"], None).await.unwrap();
    assert_eq!(asks(&mut stands, "/_ping").await.unwrap(), 200);
    new.listener(scene.dir.path(), None).unwrap();
    scene.broker.hang_up();
    eventually("a reload", async || {
        let metrics = http::get(admin, "/metrics").await.body;
        metrics.contains("tributary_config_reloads_total{outcome=\"applied\"} 1\n")
    })
    .await;
    assert!(old.connect(data, &["http/1.1"], None).await.is_err(), "the old one is shown still");
    let mut other = new.connect(data, &["http/1.1"], None).await.unwrap();
    assert_eq!(asks(&mut other, "/_ping").await.unwrap(), 200);
    assert_eq!(asks(&mut stands, "/_ping").await.unwrap(), 200, "who was there stays");
    assert_eq!(certificate_ends(admin).await.as_deref(), Some("4070908800"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_asked_for_over_tls() {
    let (authority, other) = (Authority::new(), Authority::new());
    let scene = secured(&authority, None).await;
    let url = format!("https://localhost:{}", scene.broker.data.port());
    for (vouches, code) in [(&authority, 0), (&other, 1)] {
        let file = scene.dir.path().join("authorities.pem");
        std::fs::write(&file, vouches.pem()).unwrap();
        let file = file.display().to_string();
        let asked = run(&["query", GEORGE, "--url", &url, "--ca-file", &file]);
        assert_eq!(asked.0, code, "{} {}", asked.1, asked.2);
    }
    let (code, _, error) = run(&["query", GEORGE, "--url", &url, "--ca-file", "/nowhere"]);
    assert!(code == 1 && error.contains("/nowhere"), "{code} {error}");
}

#[tokio::test]
async fn a_broker_without_files_serves_whom_it_has_and_recovers() {
    let scene = scene(&["prlimit", FILES], |_| String::new()).await;
    let (data, admin) = (scene.broker.data, scene.broker.admin);
    let mut caller = TcpStream::connect(data).await.unwrap();
    let mut operator = TcpStream::connect(admin).await.unwrap();
    assert_eq!(asks(&mut caller, "/_ping").await.unwrap(), 200);
    assert_eq!(asks(&mut operator, "/health/ready").await.unwrap(), 200);
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        crowd.push(TcpStream::connect(data).await.unwrap());
    }
    eventually("a broker that is not ready", async || {
        asks(&mut operator, "/health/ready").await.unwrap() == 503
    })
    .await;
    assert_eq!(asks(&mut caller, "/fhir/R4/metadata").await.unwrap(), 200, "who is connected is served");
    assert_eq!(asks(&mut operator, "/health/live").await.unwrap(), 200);
    drop(crowd);
    eventually("a broker that is ready", async || http::get(admin, "/health/ready").await.status == 200)
        .await;
    assert_eq!(http::get(data, "/fhir/R4/metadata").await.status, 200);
    let log = scene.broker.log_text();
    assert!(log.contains("connection not accepted") && !log.contains("panic"), "{log}");
}
