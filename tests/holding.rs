//! What a request holds while its sources think: every byte is counted as it is taken from the system.
//!
//! A source may take seconds, and everybody who waits for it waits at once. So this is what a slow afternoon costs; it
//! grows unseen with every future that is not boxed and every buffer that is made in advance.

#![expect(clippy::expect_used, clippy::panic, reason = "a test may stop where it stands")]

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tributary::{Running, Settings};
use tributary_guard::Counting;
use tributary_tests::parameters;

#[global_allocator]
static MEMORY: Counting = Counting::system();

/// Requests that wait together; before them so many have begun, so that what is made once is there.
const WAITING: usize = 24;
const BEFORE: usize = 2;
/// Longest wait for all of them to have asked.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sources, and most kB of a request that waits for them: what was measured and a twentieth. Without optimisation
/// futures are larger than in what is shipped.
const MOST_KB: &[(usize, usize)] = &[(3, 208), (10, 540)];

/// A source that hears everybody out and never answers.
async fn silent(asked: Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a socket");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let asked = Arc::clone(&asked);
            tokio::spawn(async move {
                let mut room = [0; 64];
                if stream.read(&mut room).await.is_ok_and(|size| size > 0) {
                    asked.fetch_add(1, Ordering::Relaxed);
                }
                while stream.read(&mut room).await.is_ok_and(|size| size > 0) {}
            });
        }
    });
    address
}

/// A broker before so many silent sources.
async fn broker(sources: usize, asked: &Arc<AtomicUsize>, audit: &std::path::Path) -> Running {
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\nlame_duck_secs = 0\ndrain_secs = 1\nmax_behind_ms = 10000\n\
         [audit]\ndir = \"{}\"\n[demo]\ninsecure = true\n",
        audit.display()
    );
    for at in 0..sources {
        let address = silent(Arc::clone(asked)).await;
        write!(
            text,
            "[[source]]\nid = \"s{at}\"\nkind = \"acute\"\nprotocol = \"fhir-r4\"\nsections = [\"results\"]\n\
             base_url = \"http://{address}/fhir/R4\"\ntimeout_ms = 28000\nmax_in_flight = 256\n"
        )
        .expect("text");
    }
    let settings = Settings::parse(&text).unwrap_or_else(|mistakes| panic!("{mistakes:?}\n{text}"));
    Running::start(settings).await.expect("the broker starts")
}

/// Numbers whose check digit is right, each another patient's: who asks about the same one shares an ask.
fn numbers() -> impl Iterator<Item = String> {
    (999_000_100_u32..).filter_map(|digits| {
        let sum: u32 = (2..=10_u32).map(|weight| weight * (digits / 10_u32.pow(weight - 2) % 10)).sum();
        match 11 - sum % 11 {
            10 => None,
            check => Some(format!("{digits}{}", check % 11)),
        }
    })
}

/// Asks, and returns once `all` requests have reached their sources.
async fn ask(
    broker: &Running,
    patients: impl Iterator<Item = String>,
    asked: &AtomicUsize,
    all: usize,
) -> Vec<TcpStream> {
    let mut waiting = Vec::with_capacity(WAITING);
    for patient in patients {
        let body = parameters(&patient, &[]);
        let message = format!(
            "POST /fhir/R4/Patient/$record HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/fhir+json\r\n\
             Tributary-Deadline-Ms: 30000\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(broker.data_addr()).await.expect("the broker listens");
        stream.write_all(message.as_bytes()).await.expect("sent");
        waiting.push(stream);
    }
    let began = Instant::now();
    while asked.load(Ordering::Relaxed) < all {
        assert!(began.elapsed() < PATIENCE, "{} of {all} asked", asked.load(Ordering::Relaxed));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    waiting
}

/// Once what is made beside the first requests is there: the authorities that the machine believes.
async fn settled() -> usize {
    let began = Instant::now();
    let (mut before, mut alike) = (MEMORY.count().live_bytes, 0);
    while alike < 3 {
        assert!(began.elapsed() < PATIENCE, "what lives changes without end");
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = MEMORY.count().live_bytes;
        alike = if now.abs_diff(before) < 4_000 { alike + 1 } else { 0 };
        before = now;
    }
    before
}

/// Bytes that live because of each request that waits for so many sources.
async fn held(sources: usize) -> usize {
    let asked = Arc::<AtomicUsize>::default();
    let dir = tempfile::tempdir().expect("a directory");
    let broker = broker(sources, &asked, &dir.path().join("audit")).await;
    let mut patients = numbers();
    let first = ask(&broker, patients.by_ref().take(BEFORE), &asked, BEFORE * sources).await;
    let before = settled().await;
    let waiting = ask(&broker, patients.take(WAITING), &asked, (BEFORE + WAITING) * sources).await;
    let held = MEMORY.count().live_bytes.saturating_sub(before) / WAITING;
    drop((first, waiting));
    held
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_request_holds_no_more_than_it_did() {
    let mut too_much = Vec::new();
    for (sources, most_kb) in MOST_KB {
        let bytes = held(*sources).await;
        println!("a request that waits for {sources} sources holds {} kB", bytes / 1_000);
        if bytes > most_kb * 1_000 {
            too_much.push((sources, bytes));
        }
    }
    assert!(too_much.is_empty(), "sources and bytes: {too_much:?}; no more than {MOST_KB:?} kB were");
}
