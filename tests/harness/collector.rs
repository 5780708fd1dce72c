//! Who keeps traces: a receiver of OTLP over HTTP, which answers as it is told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What it does with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Takes it.
    Takes,
    /// Says this status.
    Says(u16),
    /// Never answers.
    Hangs,
}

/// A batch as it came.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The head of the request.
    pub head: String,
    /// Its body.
    pub body: String,
}

/// A span, with what it is part of.
#[derive(Clone, Debug)]
pub struct Span(pub Value);

/// A collector.
#[derive(Debug)]
pub struct Collector {
    /// Where it is.
    pub address: SocketAddr,
    batches: Arc<Mutex<Vec<Batch>>>,
    manner: Arc<Mutex<Manner>>,
}

impl Collector {
    /// One on a port of its own.
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (batches, manner) = (Arc::<Mutex<Vec<Batch>>>::default(), Arc::new(Mutex::new(manner)));
        let (taken, how) = (Arc::clone(&batches), Arc::clone(&manner));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&taken), Arc::clone(&how)));
            }
        });
        Self { address, batches, manner }
    }

    /// From now on it does this.
    pub fn behave(&self, manner: Manner) {
        *self.manner.lock().unwrap_or_else(PoisonError::into_inner) = manner;
    }

    /// Every batch that came, taken or not.
    pub fn batches(&self) -> Vec<Batch> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every span that came.
    pub fn spans(&self) -> Vec<Span> {
        let batches = self.batches();
        let bodies = batches.iter().map(|batch| serde_json::from_str::<Value>(&batch.body).expect("JSON"));
        let spans = bodies.flat_map(|body| {
            let scopes = list(&body, "resourceSpans").into_iter().flat_map(|one| list(&one, "scopeSpans"));
            scopes.flat_map(|scope| list(&scope, "spans")).collect::<Vec<_>>()
        });
        spans.map(Span).collect()
    }

    /// The configuration of a broker that tells it.
    pub fn section(&self, keys: &str) -> String {
        format!(
            "[telemetry.otlp]\nendpoint = \"http://{}/v1/traces\"\nlinger_ms = 50\n{keys}\n",
            self.address
        )
    }

    /// Waits until the spans that came are so, and gives them.
    pub async fn until(&self, is_so: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let waited = async {
            loop {
                let spans = self.spans();
                if is_so(&spans) {
                    return spans;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let came = tokio::time::timeout(Duration::from_secs(30), waited).await;
        came.unwrap_or_else(|_late| panic!("waited in vain; these came: {:#?}", self.spans()))
    }
}

fn list(of: &Value, key: &str) -> Vec<Value> {
    of[key].as_array().cloned().unwrap_or_default()
}

impl Span {
    /// A text of the span itself.
    pub fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_default()
    }

    /// An attribute, as a text.
    pub fn attribute(&self, name: &str) -> Option<String> {
        let found = self.0["attributes"].as_array()?.iter().find(|one| one["key"] == name)?;
        let value = &found["value"];
        value["stringValue"].as_str().or_else(|| value["intValue"].as_str()).map(str::to_owned)
    }

    /// How long it took, in nanoseconds.
    pub fn nanos(&self) -> i128 {
        let at = |key| self.text(key).parse::<i128>().expect("an instant");
        at("endTimeUnixNano") - at("startTimeUnixNano")
    }
}

/// Requests of one connection, one after the other.
async fn serve(mut stream: TcpStream, batches: Arc<Mutex<Vec<Batch>>>, manner: Arc<Mutex<Manner>>) {
    let mut read = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if !more(&mut stream, &mut read).await {
                return;
            }
        };
        let head = String::from_utf8_lossy(&read[..end]).into_owned();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        let all = end + length.unwrap_or(0);
        while read.len() < all {
            if !more(&mut stream, &mut read).await {
                return;
            }
        }
        let body = String::from_utf8_lossy(&read[end..all]).into_owned();
        read.drain(..all);
        batches.lock().unwrap_or_else(PoisonError::into_inner).push(Batch { head, body });
        let now = *manner.lock().unwrap_or_else(PoisonError::into_inner);
        let status = match now {
            Manner::Takes => 200,
            Manner::Says(status) => status,
            Manner::Hangs => std::future::pending().await,
        };
        let answer =
            format!("HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn more(stream: &mut TcpStream, read: &mut Vec<u8>) -> bool {
    let mut chunk = vec![0; 16 << 10];
    match stream.read(&mut chunk).await {
        Ok(size @ 1..) => {
            read.extend_from_slice(&chunk[..size]);
            true
        }
        Ok(0) | Err(_) => false,
    }
}
