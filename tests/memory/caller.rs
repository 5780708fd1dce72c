//! Callers whose connections stay open.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An open connection to the broker.
pub(crate) struct Caller {
    stream: TcpStream,
    host: SocketAddr,
}

/// A request: method, path, headers, body.
pub(crate) type Request = (&'static str, String, Vec<(String, String)>, String);

/// An answer, as it came.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Caller {
    pub(crate) async fn connect(host: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(host).await.unwrap(), host }
    }

    async fn send(&mut self, (method, path, headers, body): &Request) {
        let headers: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let headers = headers.concat();
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            self.host,
            body.len()
        );
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// Asks, and reads the answer to its end. The connection stays open.
    pub(crate) async fn ask(&mut self, request: &Request) -> Answer {
        self.send(request).await;
        let mut read = Vec::new();
        let end = loop {
            if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            assert_ne!(self.stream.read_buf(&mut read).await.unwrap(), 0, "closed without an answer");
        };
        let head = String::from_utf8_lossy(&read[..end]).into_owned();
        let length = head.to_ascii_lowercase();
        let length =
            length.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let length: usize = length.unwrap_or_else(|| panic!("no length: {head}"));
        while read.len() < end + length {
            assert_ne!(self.stream.read_buf(&mut read).await.unwrap(), 0, "closed in the middle");
        }
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        Answer { status, head, body: read.split_off(end) }
    }

    /// Asks, reads the beginning of the answer, and goes away.
    pub(crate) async fn leave_in_the_middle(mut self, request: &Request) {
        self.send(request).await;
        let mut beginning = [0; 700];
        drop(self.stream.read(&mut beginning).await);
    }
}
