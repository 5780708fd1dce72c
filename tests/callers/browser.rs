//! Launches in a real browser, from a system that the test plays, at the real binary.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tributary_tests::process::Process;
use tributary_tests::{GEORGE, Plan as Sources, federation, parameters};

use crate::forms::form_token;
use crate::pki::Wants;
use crate::run;
use crate::scene::{Folder, Line, Plan, claims, signed};

/// A port that is free now.
fn port() -> u16 {
    let first = 26_000 + u16::try_from(std::process::id() % 1_000).unwrap();
    (first..u16::MAX).find(|port| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).unwrap()
}

/// The system that sends its user to us: it has a certificate and a key, and gives a test what a page of its own would
/// hold.
struct System {
    folder: Folder,
    broker: SocketAddr,
    pages: String,
}

impl System {
    /// An address that opens George's page.
    async fn offered(&self) -> String {
        let shown = self.folder.callers.issue(&Wants::default());
        let mut line = Line::open(&self.folder.ours, self.broker, Some(&shown)).await.unwrap();
        let header = serde_json::json!({"alg": "RS512", "typ": "JWT", "kid": "rs512"}).to_string();
        let token = signed(&self.folder.signer, "RS512", &header, &claims(&shown).to_string());
        let bearer = format!("Bearer {token}");
        let answer =
            line.post("/launch", &[("Authorization", &bearer)], &parameters(GEORGE, &[])).await.unwrap();
        let told: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        told["address"].as_str().unwrap().to_owned()
    }

    /// Answers `/address` and `/form`, each time anew.
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = [0; 2_048];
            let count = stream.read(&mut bytes).await.unwrap_or(0);
            let asked = String::from_utf8_lossy(&bytes[..count]).into_owned();
            let told = if asked.starts_with("GET /form") {
                form_token(&self.folder.signer, &self.folder.callers.issue(&Wants::default()), &self.pages)
            } else {
                self.offered().await
            };
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{told}",
                told.len()
            );
            let _gone = stream.write_all(answer.as_bytes()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_opened_in_a_browser_and_leaves_nothing_there() {
    if run::browser().is_none() {
        println!(
            "NOT RUN: no browser here, or not its libraries, so launch.mjs looked at no page; tests/run installs them"
        );
        return;
    }
    let sources = federation(&Sources::default()).await;
    let pages = format!("https://localhost:{}", port());
    let mut more = format!(
        "[viewer]\nframe_ancestors = [\"https://epr.example.test\"]\n[server.launch]\nlisten = \"127.0.0.1:{}\"\n\
         public_base_url = \"{pages}\"\n[server.launch.tls]\ncert_file = \"server.pem\"\nkey_file = \"server.key\"\n",
        pages.rsplit(':').next().unwrap()
    );
    for facts in sources.source_facts().iter().filter(|facts| ["acute-a", "specialist"].contains(&facts.id)) {
        write!(
            more,
            "[[source]]\nid = \"{}\"\nname = \"{}\"\nkind = \"{}\"\nprotocol = \"{}\"\nods = \"{}\"\nbase_url = \"{}\"\n",
            facts.id, facts.name, facts.kind, facts.protocol, facts.ods, facts.base_url
        )
        .unwrap();
    }
    let change =
        |text: String| text.replace("\"cis2\", \"gpconnect\"]", "\"cis2\", \"gpconnect\", \"launch\"]");
    let folder = Folder::of(&Plan { more, change, ..Plan::default() });
    let text = std::fs::read_to_string(folder.file()).unwrap();
    let dir = folder.dir.path().to_owned();
    let broker = tokio::task::block_in_place(|| Process::serve(&dir, &text));
    let system = Arc::new(System { folder, broker: broker.data, pages: pages.clone() });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(Arc::clone(&system).serve(listener));
    let settings = [("TRIBUTARY_PAGES", pages.as_str()), ("TRIBUTARY_SYSTEM", &address)];
    tokio::task::block_in_place(|| run::runs("launch.mjs", &settings, || broker.log_text()));
    serving.abort();
    let log = broker.log_text();
    for secret in [GEORGE, "999 000 0107", "ASHWORTH", "eyJ"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
    let addresses = log.matches("/launch/").count();
    assert_eq!(
        addresses,
        log.matches("/launch/{visit}").count(),
        "addresses are told by their pattern: {log}"
    );
    let records = tributary_tests::audit::records(&dir.join("audit"));
    let count = |kind: &str| records.iter().filter(|record| record["kind"] == kind).count();
    assert!(count("launch") >= 4 && count("disclosure") >= 4, "{} {}", count("launch"), count("disclosure"));
}
