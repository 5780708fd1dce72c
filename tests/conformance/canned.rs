//! A server that says what it is told to say: proxies and providers that speak another way than the mock.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What is said to a request for a path that ends so: status, media type, body. Where the body says `{here}`, it
/// says the address of the server.
pub(crate) type Says = (&'static str, u16, &'static str, String);

/// The server.
#[derive(Debug)]
pub(crate) struct Canned {
    pub(crate) address: SocketAddr,
    asked: Arc<AtomicU64>,
}

impl Canned {
    /// Starts it; the first line that fits is said.
    pub(crate) async fn start(says: Vec<Says>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::new(AtomicU64::new(0)));
        let here = format!("http://{address}");
        let says = says
            .into_iter()
            .map(|(path, status, media, body)| (path, status, media, body.replace("{here}", &here)));
        let (says, count) = (Arc::new(says.collect::<Vec<Says>>()), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let says = Arc::clone(&says);
                tokio::spawn(async move { answer(stream, &says).await });
            }
        });
        Self { address, asked }
    }

    /// How many connections came; each carries one request.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// The roots of a practice that is served here.
    pub(crate) fn roots(&self) -> [String; 3] {
        let root = |name: &str| format!("http://{}/B82617/STU3/1/gpconnect{name}/fhir", self.address);
        ["/structured", "/documents", ""].map(root)
    }
}

async fn answer(mut stream: TcpStream, says: &[Says]) {
    let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
    while !is_whole(&read) {
        match stream.read(&mut buffer).await {
            Ok(length) if length > 0 => read.extend_from_slice(&buffer[..length]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&read).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default();
    let (_, status, media, body) = says.iter().find(|says| path.ends_with(says.0)).unwrap();
    let head = format!(
        "HTTP/1.1 {status} Said\r\nContent-Type: {media}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    if stream.write_all(head.as_bytes()).await.is_ok() && stream.write_all(body.as_bytes()).await.is_ok() {
        // The other side may have left.
        drop(stream.shutdown().await);
    }
}

/// Whether a whole request was read.
fn is_whole(read: &[u8]) -> bool {
    let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    read.len() >= end + 4 + length.unwrap_or(0)
}
