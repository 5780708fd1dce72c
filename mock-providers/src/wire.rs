//! A small HTTP/1.1: enough to serve real clients, and to misbehave byte by byte.
//!
//! A library server would refuse to send most of the faults of [`crate::Fault`], so the bytes are ours.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// No request head is longer than this.
const MAX_HEAD: usize = 64 * 1024;
/// No request body is longer than this.
const MAX_BODY: usize = 8 * 1024 * 1024;
/// How long the chunks of a chunked body are.
const CHUNK: usize = 8 * 1024;

/// One request as it was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query as they were sent.
    pub(crate) target: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The first header of that name, whatever its case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether the body is an HTML form.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        let is_form = self
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        if is_form { pairs(&self.body) } else { Vec::new() }
    }

    /// The same request as if it named another patient.
    pub(crate) fn about_another(&self, number: &str, other: &str) -> Self {
        if number.is_empty() {
            return self.clone();
        }
        let text = String::from_utf8_lossy(&self.body).replace(number, other);
        let query = self.query.iter().map(|(key, value)| (key.clone(), value.replace(number, other)));
        Self {
            target: self.target.replace(number, other),
            path: self.path.replace(number, other),
            query: query.collect(),
            body: text.into_bytes(),
            ..self.clone()
        }
    }

    fn wants_close(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Framing {
    /// By its length.
    #[default]
    Length,
    /// By an empty chunk.
    Chunked,
}

/// One reply, complete and well formed.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) framing: Framing,
}

impl Reply {
    /// A reply of FHIR JSON; such a reply is never cached.
    pub(crate) fn fhir(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::typed(status, "application/fhir+json;charset=utf-8", body)
    }

    /// A reply of another media type.
    pub(crate) fn typed(status: u16, media: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![
            ("Content-Type".to_owned(), media.to_owned()),
            ("Cache-Control".to_owned(), "no-store".to_owned()),
        ];
        Self { status, headers, body: body.into(), framing: Framing::Length }
    }

    /// The same reply with one more header.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The status line and headers, announcing a body of `length` bytes.
    pub(crate) fn head(&self, length: usize) -> Vec<u8> {
        let announced = (self.status != 204).then(|| ("Content-Length", length.to_string()));
        self.head_with(announced)
    }

    /// The same head over a body of another length than there is.
    pub(crate) fn head_announcing(&self, bytes: u64) -> Vec<u8> {
        self.head_with(Some(("Content-Length", bytes.to_string())))
    }

    /// The same head over a body in chunks.
    pub(crate) fn chunked_head(&self) -> Vec<u8> {
        self.head_with(Some(("Transfer-Encoding", "chunked".to_owned())))
    }

    fn head_with(&self, last: Option<(&str, String)>) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            head.push_str(&format_header(name, value));
        }
        if let Some((name, value)) = last {
            head.push_str(&format_header(name, &value));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    fn bytes(&self) -> Vec<u8> {
        match self.framing {
            Framing::Length => [self.head(self.body.len()), self.body.clone()].concat(),
            Framing::Chunked => {
                let mut bytes = self.chunked_head();
                for chunk in self.body.chunks(CHUNK) {
                    bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    bytes.extend_from_slice(chunk);
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
                bytes
            }
        }
    }
}

fn format_header(name: &str, value: &str) -> String {
    format!("{name}: {value}\r\n")
}

/// A connection: bytes read ahead, and whether it may serve another request.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    ahead: Vec<u8>,
    keep: Keep,
}

/// Whether a connection serves another request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// It does.
    Alive,
    /// It ends after this one.
    Close,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, ahead: Vec::new(), keep: Keep::Alive }
    }

    pub(crate) fn keep(&self) -> Keep {
        self.keep
    }

    /// The next request, or `None` when the peer has closed the connection.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Request>> {
        let Some(end) = self.head_end().await? else {
            return Ok(None);
        };
        let rest = self.ahead.split_off(end + 4);
        let head = std::mem::replace(&mut self.ahead, rest);
        let mut request = parse_head(&head).ok_or_else(|| invalid("request head"))?;
        if request.header("expect").is_some() {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        request.body = self.body(&request).await?;
        if request.wants_close() {
            self.keep = Keep::Close;
        }
        Ok(Some(request))
    }

    /// Sends a whole reply.
    pub(crate) async fn send(&mut self, reply: &Reply) -> io::Result<()> {
        self.write(&reply.bytes()).await
    }

    /// Sends these bytes.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Comes back when the peer has closed its side; never while it may still ask.
    pub(crate) async fn abandoned(&self) {
        if !matches!(self.stream.peek(&mut [0_u8; 1]).await, Ok(0) | Err(_)) {
            // It sent the next request ahead.
            std::future::pending::<()>().await;
        }
    }

    /// Waits until the peer gives up.
    pub(crate) async fn until_closed(&mut self) {
        let mut bin = [0_u8; 1024];
        while self.stream.read(&mut bin).await.is_ok_and(|count| count > 0) {}
    }

    async fn head_end(&mut self) -> io::Result<Option<usize>> {
        loop {
            if let Some(end) = find(&self.ahead, b"\r\n\r\n") {
                return Ok(Some(end));
            }
            if self.ahead.len() > MAX_HEAD {
                return Err(invalid("request head too long"));
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    async fn body(&mut self, request: &Request) -> io::Result<Vec<u8>> {
        let chunked = request
            .header("transfer-encoding")
            .is_some_and(|value| value.to_ascii_lowercase().contains("chunked"));
        if chunked {
            return self.chunks().await;
        }
        let length: usize = request
            .header("content-length")
            .map_or(Ok(0), str::parse)
            .map_err(|_| invalid("content length"))?;
        self.take(length).await
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line().await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| invalid("chunk size"))?;
            if size == 0 {
                while !self.line().await?.is_empty() {}
                return Ok(body);
            }
            if body.len() + size > MAX_BODY {
                return Err(invalid("request body too long"));
            }
            body.extend(self.take(size).await?);
            self.line().await?;
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = find(&self.ahead, b"\r\n") {
                let rest = self.ahead.split_off(end + 2);
                let line = std::mem::replace(&mut self.ahead, rest);
                let text = line.strip_suffix(b"\r\n").unwrap_or_default();
                return Ok(String::from_utf8_lossy(text).into_owned());
            }
            if self.ahead.len() > MAX_HEAD || !self.fill().await? {
                return Err(invalid("chunk line"));
            }
        }
    }

    async fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        if length > MAX_BODY {
            return Err(invalid("request body too long"));
        }
        while self.ahead.len() < length {
            if !self.fill().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let rest = self.ahead.split_off(length);
        Ok(std::mem::replace(&mut self.ahead, rest))
    }

    async fn fill(&mut self) -> io::Result<bool> {
        Ok(self.stream.read_buf(&mut self.ahead).await? > 0)
    }
}

fn parse_head(head: &[u8]) -> Option<Request> {
    let head = std::str::from_utf8(head).ok()?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let method = first.next()?.to_owned();
    let target = first.next()?;
    first.next().filter(|version| version.starts_with("HTTP/1."))?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    Some(Request {
        method,
        target: target.to_owned(),
        path: percent_decoded(path),
        query: pairs(query.as_bytes()),
        headers,
        body: Vec::new(),
    })
}

/// Only the escapes a FHIR path can hold matter here: `$` is often sent as `%24`.
fn percent_decoded(path: &str) -> String {
    path.replace("%24", "$").replace("%2D", "-").replace("%2d", "-")
}

fn pairs(encoded: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(encoded).into_owned().collect()
}

/// Where `needle` begins in `hay`.
pub(crate) fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        206 => "Partial Content",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}
