//! Sources whose records hold canaries: each stands before a mock source and changes what that one says.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tributary_tests::http;

use crate::canary::Canaries;

/// What a source does with its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Sends them.
    Plain,
    /// Sends them compressed.
    Gzip,
    /// Sends half, then closes.
    Torn,
}

/// A source that puts canaries into the answers of a mock source.
pub(crate) struct Tainted {
    pub(crate) address: SocketAddr,
    manner: Mutex<Manner>,
    open: AtomicUsize,
    mock: SocketAddr,
    canaries: Arc<Canaries>,
    name: String,
    changes: Vec<(&'static str, String)>,
}

impl Tainted {
    pub(crate) async fn start(id: &str, mock: SocketAddr, canaries: &Arc<Canaries>) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let word = |what: &str| canaries.word(&format!("{what} of {id}"));
        let (text, code, family) = (word("text"), word("code"), word("family"));
        let data = canaries.attachment(&format!("attachment of {id}"));
        let changes = vec![
            ("\"display\": \"", format!("\"display\": \"{text} ")),
            ("\"text\": \"", format!("\"text\": \"{text} ")),
            ("\"254637007\"", format!("\"{code}\"")),
            ("\"1060971000000108\"", format!("\"{code}\"")),
            ("\"Ashworth\"", format!("\"{family}\"")),
            ("\"hash\": \"", format!("\"data\": \"{data}\", \"hash\": \"")),
            ("\"data\": \"Um", format!("\"data\": \"{data}Um")),
            ("\"data\": \"VH", format!("\"data\": \"{data}VH")),
        ];
        let tainted = Arc::new(Self {
            address: listener.local_addr().unwrap(),
            manner: Mutex::new(Manner::Plain),
            open: AtomicUsize::new(0),
            mock,
            canaries: Arc::clone(canaries),
            name: id.to_owned(),
            changes,
        });
        let source = Arc::clone(&tainted);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let source = Arc::clone(&source);
                source.open.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    source.serve(stream).await;
                    source.open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        tainted
    }

    pub(crate) fn behave(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// How many connections to it are open.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    async fn serve(&self, mut stream: TcpStream) {
        while let Some(request) = request(&mut stream).await {
            let reply = http::raw(self.mock, &request).await;
            let mut body = reply.body.clone();
            for (from, to) in &self.changes {
                body = body.replace(from, to);
            }
            let manner = *self.manner.lock().unwrap();
            let answer = self.answer(&reply, body.as_bytes(), manner);
            let torn = if manner == Manner::Torn { answer.len() / 2 } else { answer.len() };
            let sent = stream.write_all(&answer[..torn]).await;
            if sent.is_err() || manner == Manner::Torn {
                return;
            }
        }
    }

    fn answer(&self, reply: &http::Reply, body: &[u8], manner: Manner) -> Vec<u8> {
        let (packed, coding) = if manner == Manner::Gzip {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(body).unwrap();
            let packed = encoder.finish().unwrap();
            self.canaries.compressed(&format!("gzip body of {}", self.name), &packed);
            (packed, "Content-Encoding: gzip\r\n")
        } else {
            (body.to_vec(), "")
        };
        let media = reply.header("Content-Type").unwrap_or("application/fhir+json");
        let mut answer = format!(
            "HTTP/1.1 {} Mocked\r\nContent-Type: {media}\r\n{coding}Content-Length: {}\r\n\r\n",
            reply.status,
            packed.len()
        )
        .into_bytes();
        answer.extend_from_slice(&packed);
        answer
    }
}

/// The next request, as the mock source is to get it: it closes after its answer, and compresses nothing.
async fn request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut read = Vec::new();
    let end = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    let named = |line: &&str, name: &str| line.to_ascii_lowercase().starts_with(name);
    let length = head.lines().find(|line| named(line, "content-length:"));
    let length = length.and_then(|line| line[15..].trim().parse::<usize>().ok()).unwrap_or(0);
    while read.len() < end + length {
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
    let kept = head.lines().filter(|line| !line.is_empty());
    let kept = kept.filter(|line| !named(line, "accept-encoding:") && !named(line, "connection:"));
    let asked: Vec<&str> = kept.chain(["Connection: close", "\r\n"]).collect();
    let asked = asked.join("\r\n");
    Some([asked.as_bytes(), &read[end..end + length]].concat())
}
