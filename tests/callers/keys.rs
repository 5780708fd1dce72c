//! Keys of issuers that are fetched.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tributary::{Running, Settings};
use tributary_tests::http;
use tributary_tests::tls::{Authority, Front, Validity};

use crate::scene::{Folder, Line, Plan, Scene};

async fn serve(mut stream: TcpStream, document: Arc<Mutex<String>>) {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let document = document.lock().unwrap().clone();
    drop(stream.write_all(document.as_bytes()).await);
}

/// A server in clear that gives whatever is set.
async fn serves(document: Arc<Mutex<String>>) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&document)));
        }
    });
    address
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// What the server of keys gives.
type Document = fn(&Folder) -> String;

/// A broker that fetches the keys of its caller from a server that gives this.
async fn fetching(document: impl FnOnce(&Folder) -> String) -> (Scene, Front) {
    let folder = Folder::of(&Plan::default());
    let keys = Authority::new();
    std::fs::write(folder.dir.path().join("keys-ca.pem"), keys.pem()).unwrap();
    let clear = serves(Arc::new(Mutex::new(document(&folder)))).await;
    let issued = keys.issue("localhost", 1, Validity::Present);
    let front = Front::start(clear, &issued, None).await.unwrap();
    let text = std::fs::read_to_string(folder.file()).unwrap();
    let url = format!(
        "jwks_url = \"https://localhost:{}/keys\"\n[issuer.tls]\nca_file = \"keys-ca.pem\"\n",
        front.address().port()
    );
    let text =
        text.replace("jwks_file = \"epr.json\"\n", &url) + "[identity]\njwks_hosts = [\"localhost\"]\n";
    std::fs::write(folder.file(), text).unwrap();
    let settings = Settings::load(&folder.file()).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    assert_eq!(settings.obstacles(), []);
    let running = Running::start(settings).await.unwrap();
    let Folder { dir, ours, callers, signer } = folder;
    (Scene { running, dir, ours, callers, signer }, front)
}

#[tokio::test]
async fn keys_are_fetched_before_anybody_needs_them() {
    let (mut scene, _front) = fetching(|folder| answer("200 OK", &folder.signer.set().to_string())).await;
    let shown = scene.usual();
    let mut line = scene.connect(Some(&shown)).await.unwrap();
    let token = scene.bearer(&shown);
    assert_eq!(line.ask("/sources", &[("Authorization", &token)]).await.unwrap().status, 200);
    let metrics = http::get(scene.running.admin_addr(), "/metrics").await.body;
    assert!(metrics.contains("tributary_jwks_fetched_timestamp_seconds{issuer=\"epr\"} 1"), "{metrics}");
    // A reload keeps them: nobody waits for keys that are there.
    let file = scene.file();
    scene.running.reload(&file).await.unwrap();
    let token = scene.bearer(&shown);
    let mut line = Line::open(&scene.ours, scene.running.data_addr(), Some(&shown)).await.unwrap();
    assert_eq!(line.ask("/sources", &[("Authorization", &token)]).await.unwrap().status, 200);
}

#[tokio::test]
async fn without_keys_nobody_is_judged_and_nobody_waits() {
    let large = |_: &Folder| answer("200 OK", &json!({"keys": [], "x": "x".repeat(300 << 10)}).to_string());
    let moved = |_: &Folder| {
        "HTTP/1.1 302 Found\r\nLocation: https://localhost/keys\r\nContent-Length: 0\r\n\r\n".to_owned()
    };
    let broken = |_: &Folder| answer("500 Oh", "{}");
    let silent = |_: &Folder| String::new();
    let rows: [(&str, Document); 4] =
        [("large", large), ("moved", moved), ("broken", broken), ("silent", silent)];
    for (name, document) in rows {
        let (scene, _front) = fetching(document).await;
        let shown = scene.usual();
        let mut line = scene.connect(Some(&shown)).await.unwrap();
        let token = scene.bearer(&shown);
        let began = Instant::now();
        let answer = line.ask("/sources", &[("Authorization", &token)]).await.unwrap();
        assert_eq!(answer.status, 503, "{name}");
        assert!(answer.head.to_ascii_lowercase().contains("retry-after: 30"), "{}", answer.head);
        // Half a second, and what a busy machine owes.
        assert!(began.elapsed() < Duration::from_secs(3), "{name}: {:?}", began.elapsed());
    }
}
