//! Callers whose connections stay open.

use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tributary_tests::tls::Authority;

/// What a caller speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speech {
    Plain,
    Tls,
    TlsHttp2,
}

/// An open connection to the broker.
pub(crate) struct Caller {
    line: Line,
    host: SocketAddr,
    authority: Arc<Authority>,
}

enum Line {
    Http1(Box<dyn Stream>),
    Http2(SendRequest<Full<Bytes>>),
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A request: method, path, headers, body.
pub(crate) type Request = (&'static str, String, Vec<(String, String)>, String);

/// An answer, as it came.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Caller {
    pub(crate) async fn connect(host: SocketAddr, speech: Speech, authority: &Arc<Authority>) -> Self {
        let line = match speech {
            Speech::Plain => Line::Http1(Box::new(TcpStream::connect(host).await.unwrap())),
            Speech::Tls => Line::Http1(Box::new(authority.connect(host, &["http/1.1"], None).await.unwrap())),
            Speech::TlsHttp2 => Line::Http2(streams(host, authority).await),
        };
        Self { line, host, authority: Arc::clone(authority) }
    }

    /// Whether whoever is asked has not closed the connection.
    pub(crate) async fn is_open(&mut self) -> bool {
        match &mut self.line {
            Line::Http1(stream) => {
                let more = async { stream.read(&mut [0]).await };
                tokio::time::timeout(std::time::Duration::from_millis(1), more).await.is_err()
            }
            Line::Http2(asking) => !asking.is_closed(),
        }
    }

    fn text(&self, (method, path, headers, body): &Request) -> String {
        let headers: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n{}\r\n{body}",
            self.host,
            body.len(),
            headers.concat()
        )
    }

    fn request(&self, (method, path, headers, body): &Request) -> http::Request<Full<Bytes>> {
        let builder = http::Request::builder().method(*method).uri(format!("https://{}{path}", self.host));
        let builder = headers.iter().fold(builder, |builder, (name, value)| builder.header(name, value));
        builder.body(Full::new(Bytes::from(body.clone()))).unwrap()
    }

    /// Asks, and reads the answer to its end. The connection stays open.
    pub(crate) async fn ask(&mut self, request: &Request) -> Answer {
        let (text, asked) = (self.text(request), self.request(request));
        match &mut self.line {
            Line::Http1(stream) => ask_by_hand(stream, &text).await,
            Line::Http2(asking) => {
                // One that rested was told to go.
                if asking.ready().await.is_err() {
                    *asking = streams(self.host, &self.authority).await;
                }
                whole(asking.send_request(asked).await.unwrap()).await
            }
        }
    }

    /// Asks, reads the beginning of the answer, and goes away.
    pub(crate) async fn leave_in_the_middle(mut self, request: &Request) {
        let (text, asked) = (self.text(request), self.request(request));
        match &mut self.line {
            Line::Http1(stream) => {
                stream.write_all(text.as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
                let mut beginning = [0; 700];
                drop(stream.read(&mut beginning).await);
            }
            Line::Http2(asking) => {
                asking.ready().await.unwrap();
                let mut response = asking.send_request(asked).await.unwrap();
                drop(response.body_mut().frame().await);
            }
        }
    }
}

async fn streams(host: SocketAddr, authority: &Authority) -> SendRequest<Full<Bytes>> {
    let stream = TokioIo::new(authority.connect(host, &["h2"], None).await.unwrap());
    let (asking, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    asking
}

async fn whole(response: http::Response<Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    let fields: Vec<String> = head
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answer { status: head.status.as_u16(), head: fields.concat(), body }
}

async fn ask_by_hand(stream: &mut Box<dyn Stream>, text: &str) -> Answer {
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let mut read = Vec::new();
    let end = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "closed without an answer");
    };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    let length = head.to_ascii_lowercase();
    let length = length.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let length: usize = length.unwrap_or_else(|| panic!("no length: {head}"));
    while read.len() < end + length {
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "closed in the middle");
    }
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Answer { status, head, body: read.split_off(end) }
}
