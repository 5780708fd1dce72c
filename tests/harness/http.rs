//! HTTP/1.1 by hand: what is sent and what comes back, to the byte.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A response, read to its end.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Status code; 0 when nothing came.
    pub status: u16,
    /// Head as received.
    pub head: String,
    /// Body, unchunked.
    pub body: String,
    /// From the first byte sent to the last byte read.
    pub took: Duration,
}

impl Reply {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.head))
    }
}

/// Sends a POST.
pub async fn post(
    address: SocketAddr,
    path: &str,
    media: &str,
    body: &str,
    headers: &[(&str, &str)],
) -> Reply {
    let mut extra = vec![("Content-Type", media)];
    extra.extend_from_slice(headers);
    send(address, "POST", path, body, &extra).await
}

/// Sends a GET.
pub async fn get(address: SocketAddr, path: &str) -> Reply {
    send(address, "GET", path, "", &[]).await
}

/// Sends a request on a connection of its own.
pub async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: &str,
    headers: &[(&str, &str)],
) -> Reply {
    let length = if method == "GET" { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let headers: Vec<String> = headers.iter().map(|(key, value)| format!("{key}: {value}\r\n")).collect();
    let headers = headers.concat();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{length}{headers}\r\n{body}"
    );
    raw(address, text.as_bytes()).await
}

/// Sends these bytes, and reads until the other side closes.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> Reply {
    let began = Instant::now();
    let mut read = Vec::new();
    if let Ok(mut stream) = TcpStream::connect(address).await {
        let wrote = stream.write_all(bytes).await;
        if wrote.is_ok() {
            // A connection that breaks leaves what was read so far.
            drop(tokio::time::timeout(Duration::from_mins(1), stream.read_to_end(&mut read)).await);
        }
    }
    parse(&read, began.elapsed())
}

fn parse(read: &[u8], took: Duration) -> Reply {
    let split = read.windows(4).position(|window| window == b"\r\n\r\n");
    let (head, body) = split.map_or((&[][..], &[][..]), |at| (&read[..at], &read[at + 4..]));
    let head = String::from_utf8_lossy(head).into_owned();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { unchunked(body) } else { body.to_vec() };
    Reply { status, head, body: String::from_utf8_lossy(&body).into_owned(), took }
}

fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(line) = body.windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&body[..line])
            .ok()
            .and_then(|size| usize::from_str_radix(size.trim(), 16).ok());
        let (Some(size), start) = (size, line + 2) else { break };
        if size == 0 || body.len() < start + size + 2 {
            break;
        }
        whole.extend_from_slice(&body[start..start + size]);
        body = &body[start + size + 2..];
    }
    whole
}
