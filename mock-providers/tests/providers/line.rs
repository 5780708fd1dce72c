//! What a bad line does to those who use it.

use std::io;
use std::time::{Duration, Instant};

use crate::support::*;
use mock_providers::{BlackHole, Line, Trouble};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than anything takes that is not held up.
const MOMENT: Duration = Duration::from_millis(300);

/// A caller who asks over a line once, and what came of it.
async fn over(line: &Line) -> (Seen, Duration) {
    let began = Instant::now();
    let mut stream = TcpStream::connect(line.address()).await.unwrap();
    stream.write_all(&asking()).await.unwrap();
    let (bytes, broken) = read_to_end(&mut stream).await;
    (seen(&bytes, broken), began.elapsed())
}

fn asking() -> Vec<u8> {
    let mut call = Call::structured(&parameters("9990000107", &[allergies(false)]));
    call.set("Connection", "close");
    call.bytes()
}

#[tokio::test]
async fn a_clear_line_changes_nothing_and_a_bad_one_no_byte() {
    let federation = quiet_federation().await;
    let line = Line::open(federation.providers()[0].address(), 1).await.unwrap();
    let (healthy, _) = over(&line).await;
    assert_eq!(healthy.status, 200);
    for (trouble, least_ms) in [
        (Trouble::Latency { ms: 80, jitter_ms: 20 }, 80),
        (Trouble::Slices { bytes: 500, pause_ms: 10 }, 10),
        (Trouble::Rate { bytes_per_second: 20_000 }, 100),
    ] {
        line.set(trouble);
        let (seen, took) = over(&line).await;
        assert_eq!((seen.status, &seen.body), (200, &healthy.body), "{trouble:?}");
        assert!(took >= Duration::from_millis(least_ms), "{trouble:?} took {took:?}");
    }
    assert_eq!(line.opened(), 4);
}

#[tokio::test]
async fn a_line_resets_and_stalls() {
    let federation = quiet_federation().await;
    let line = Line::open(federation.providers()[0].address(), 1).await.unwrap();
    line.set(Trouble::Reset { after_bytes: 700 });
    let (seen, _) = over(&line).await;
    assert_eq!(seen.broken, Some(io::ErrorKind::ConnectionReset));
    line.set(Trouble::Stall);
    assert!(timeout(MOMENT, over(&line)).await.is_err());
    line.set(Trouble::Clear);
    assert_eq!(over(&line).await.0.status, 200);
}

#[tokio::test]
async fn who_vanishes_is_there_for_new_callers_only() {
    let federation = quiet_federation().await;
    let line = Line::open(federation.providers()[0].address(), 1).await.unwrap();
    let mut old = TcpStream::connect(line.address()).await.unwrap();
    assert_eq!(over(&line).await.0.status, 200);
    line.vanish();
    old.write_all(&asking()).await.unwrap();
    // Neither an answer nor an end.
    assert!(timeout(MOMENT, old.read(&mut [0; 1])).await.is_err());
    assert_eq!(over(&line).await.0.status, 200);
}

#[tokio::test]
async fn nobody_answers_from_a_black_hole() {
    let hole = BlackHole::open().await.unwrap();
    assert!(timeout(MOMENT, TcpStream::connect(hole.address())).await.is_err());
}
