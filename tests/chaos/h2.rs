//! HTTP/2 by hand, over TLS: frames that no library would send (RFC 9113).

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tributary_tests::tls::{Authority, Issued, Validity};

use crate::callers::asking;
use crate::row::{Played, Row};
use crate::scene::{Scene, Setting, sources};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM_AND_HEADERS: u8 = 5;
const ENHANCE_YOUR_CALM: u8 = 11;
/// How long an attack may go on before it is sent away.
const PATIENCE: Duration = Duration::from_secs(8);
/// Time on a processor that an attack may cost an unoptimised broker.
const MOST_WORK: Duration = Duration::from_secs(3);

/// The rows of this family.
pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::own("L13", "ten thousand streams opened and reset", || Box::pin(attacked(rapid_resets())))
            .alone(),
        Row::own("L13 continuation", "a head in frames without end", || Box::pin(attacked(endless_head())))
            .alone(),
        Row::own("L13 pings", "fifty thousand pings", || Box::pin(attacked(pings()))).alone(),
    ]
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Fields of a GET, from the static table (RFC 7541, appendix A): method, scheme, path, authority.
const HEAD: &[u8] = &[0x82, 0x87, 0x84, 0x41, 0x09, b'l', b'o', b'c', b'a', b'l', b'h', b'o', b's', b't'];

fn greeting() -> Vec<u8> {
    [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()
}

fn rapid_resets() -> Vec<u8> {
    let mut bytes = greeting();
    for number in 0..10_000 {
        let stream = number * 2 + 1;
        bytes.extend(frame(HEADERS, END_STREAM_AND_HEADERS, stream, HEAD));
        bytes.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    bytes
}

fn endless_head() -> Vec<u8> {
    let mut bytes = greeting();
    bytes.extend(frame(HEADERS, 1, 1, HEAD));
    // A field of the caller's own, never indexed, over and over.
    let field = [&[0x10, 1, b'x', 0x7F, 0x81, 0x07][..], &[b'y'; 1_024]].concat();
    for _ in 0..20_000 {
        bytes.extend(frame(CONTINUATION, 0, 1, &field));
    }
    bytes
}

fn pings() -> Vec<u8> {
    let mut bytes = greeting();
    for number in 0_u64..50_000 {
        bytes.extend(frame(PING, 0, 0, &number.to_be_bytes()));
    }
    bytes
}

/// A caller over TLS, who speaks what it names.
async fn caller(scene: &Scene, authority: &Authority, spoken: &[u8]) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![spoken.to_vec()];
    let stream = TcpStream::connect(scene.broker.data).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

/// Asks for George over HTTP/1.1, and gives the head of the answer.
async fn ordinary(scene: &Scene, authority: &Authority) -> String {
    let mut stream = caller(scene, authority, b"http/1.1").await;
    let request = String::from_utf8(asking()).unwrap();
    let request = request.replacen("Host: localhost\r\n", "Host: localhost\r\nConnection: close\r\n", 1);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    drop(timeout(PATIENCE, stream.read_to_end(&mut read)).await);
    let text = String::from_utf8_lossy(&read).into_owned();
    text.split("\r\n\r\n").next().unwrap_or_default().to_ascii_lowercase()
}

/// Frames in a flow of bytes: kind and payload.
fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let Some(head) = bytes.get(..9) {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let payload = bytes.get(9..9 + length).unwrap_or_default();
        frames.push((head[3], payload.to_vec()));
        bytes = bytes.get(9 + length..).unwrap_or_default();
    }
    frames
}

/// The attacker is sent away and told why; others are served as ever; it costs little.
async fn attacked(attack: Vec<u8>) -> Played {
    let authority = Authority::new();
    let Issued { certificate, key } = authority.issue("localhost", 1, Validity::Present);
    let dir = tempfile::tempdir().unwrap();
    let mut table = "[server.tls]\n".to_owned();
    for (name, text) in [("cert_file", certificate), ("key_file", key)] {
        table += &crate::tls::file(dir.path(), name, &text);
    }
    let scene = Scene::set(sources().await, Setting { server_tables: table, ..Setting::default() }).await;
    assert!(ordinary(&scene, &authority).await.starts_with("http/1.1 200"), "before the attack");
    let ran = scene.broker.held().ran;
    let stream = caller(&scene, &authority, b"h2").await;
    let (mut reading, mut writing) = tokio::io::split(stream);
    let began = Instant::now();
    let sending = tokio::spawn(async move {
        // It breaks when the other side has had enough.
        drop(writing.write_all(&attack).await);
        writing
    });
    let mut read = Vec::new();
    let ended = timeout(PATIENCE, reading.read_to_end(&mut read)).await;
    let took = began.elapsed();
    sending.abort();
    assert!(ended.is_ok(), "still welcome after {took:?}");
    let worked = scene.broker.held().ran.saturating_sub(ran);
    assert!(worked <= MOST_WORK, "{worked:?} of work");
    let reasons: Vec<u8> = frames(&read)
        .into_iter()
        .filter(|(kind, _)| *kind == GOAWAY)
        .filter_map(|(_, payload)| payload.get(7).copied())
        .collect();
    // A connection that breaks takes what it was told with it; whoever is told, is told this.
    let is_calm = reasons.last().is_none_or(|code| *code == ENHANCE_YOUR_CALM);
    assert!(is_calm, "sent away with {reasons:?}");
    assert!(ordinary(&scene, &authority).await.starts_with("http/1.1 200"), "after the attack");
    Played::Held
}
