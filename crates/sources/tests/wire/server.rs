//! A server that answers with exactly the bytes, pauses and broken connections it is told to.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Seen {
    /// A header by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

/// One thing to do with a connection.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Write these bytes.
    Send(Vec<u8>),
    /// Do nothing for a while.
    Pause(Duration),
    /// Do nothing more, for ever.
    Hang,
    /// Break the connection.
    Reset,
}

/// A whole answer.
pub(crate) fn answer(status: u16, content_type: &str, body: impl AsRef<[u8]>) -> Vec<Step> {
    let body = body.as_ref();
    let mut bytes = head(status, content_type, body.len() as u64, "");
    bytes.extend_from_slice(body);
    vec![Step::Send(bytes)]
}

/// A whole answer in FHIR JSON.
pub(crate) fn fhir(status: u16, body: impl AsRef<[u8]>) -> Vec<Step> {
    answer(status, "application/fhir+json;charset=utf-8", body)
}

/// The head of an answer; `more` are further header lines, each with its line end.
pub(crate) fn head(status: u16, content_type: &str, length: u64, more: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n"
    )
    .into_bytes()
}

type Script = dyn Fn(usize, &Seen) -> Vec<Step> + Send + Sync;

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    there: Arc<There>,
}

/// How many requests are being served, and how many were at once at most.
#[derive(Debug, Default)]
struct There {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Server {
    /// Starts a server that asks `script` what to do with each request and its number.
    pub(crate) async fn start(script: impl Fn(usize, &Seen) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, notes): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&seen));
        let there = Arc::new(There::default());
        let counted = Arc::clone(&there);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&notes), Arc::clone(&counted)));
            }
        });
        Self { address, seen, there }
    }

    /// The service root of a source here.
    pub(crate) fn base(&self) -> String {
        format!("http://{}/fhir", self.address)
    }

    /// How many requests it had at once, at most: from when each was read until its answer was about to end.
    pub(crate) fn most_at_once(&self) -> usize {
        self.there.most.load(Ordering::SeqCst)
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, script: Arc<Script>, notes: Arc<Mutex<Vec<Seen>>>, there: Arc<There>) {
    let Some(request) = read(&mut stream).await else {
        return;
    };
    let number = {
        let mut notes = notes.lock().unwrap();
        notes.push(request.clone());
        notes.len() - 1
    };
    there.most.fetch_max(there.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
    let mut steps = script(number, &request).into_iter().peekable();
    while let Some(step) = steps.next() {
        if steps.peek().is_none() {
            there.now.fetch_sub(1, Ordering::SeqCst);
        }
        match step {
            Step::Send(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Step::Pause(length) => tokio::time::sleep(length).await,
            Step::Hang => std::future::pending().await,
            Step::Reset => {
                stream.set_zero_linger().unwrap();
                return;
            }
        }
    }
    let _gone = stream.shutdown().await;
}

/// Reads one request.
pub(crate) async fn read(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).ok()?;
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut seen = Seen { method, target, headers, body: String::new() };
    let length: usize = seen.header("content-length").parse().unwrap_or(0);
    while bytes.len() < head_end + 4 + length {
        stream.read_buf(&mut bytes).await.ok()?;
    }
    seen.body = String::from_utf8(bytes[head_end + 4..].to_vec()).ok()?;
    Some(seen)
}
