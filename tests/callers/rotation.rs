//! Certificates, authorities and lists change while callers are served.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tributary_tests::tls::Authority;

use crate::pki::{Callers, Shown, Wants};
use crate::scene::{Line, Plan, Scene, show};

/// Asks for health over and over, and opens a new connection after every fifth answer; counts the answers and what
/// failed.
async fn load(
    ours: Arc<Authority>,
    address: std::net::SocketAddr,
    shown: Shown,
    counts: Arc<(AtomicBool, AtomicU64, AtomicU64)>,
) {
    let (is_over, answers, failures) = &*counts;
    while !is_over.load(Ordering::Acquire) {
        let Ok(mut line) = Line::open(&ours, address, Some(&shown)).await else {
            failures.fetch_add(1, Ordering::AcqRel);
            continue;
        };
        for _ in 0..5 {
            let is_well = line.ask("/_ping", &[]).await.is_ok_and(|answer| answer.status == 200);
            (if is_well { answers } else { failures }).fetch_add(1, Ordering::AcqRel);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_exchanged_under_load_and_nobody_notices() {
    let mut scene = Scene::set(&Plan::default()).await;
    let (file, dir, address) = (scene.file(), scene.dir.path().to_owned(), scene.running.data_addr());
    let ours = Arc::new(std::mem::take(&mut scene.ours));
    let counts = Arc::new((AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0)));
    let shown = scene.usual();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        callers.spawn(load(Arc::clone(&ours), address, shown.clone(), Arc::clone(&counts)));
    }
    let next = Callers::new();
    let write = |name: &str, text: String| std::fs::write(dir.join(name), text).unwrap();
    let mut stands = Line::open(&ours, address, Some(&shown)).await.unwrap();
    let answered = |at_least: u64| {
        let counts = Arc::clone(&counts);
        async move {
            while counts.1.load(Ordering::Acquire) < at_least {
                tokio::task::yield_now().await;
            }
        }
    };
    for round in 1..=6 {
        // A certificate of ours, the next authority of callers, its list, and a list that is newer.
        show(&ours, &dir);
        write("callers.pem", format!("{}{}", scene.callers.pem(), next.pem()));
        write(
            "callers-crl.pem",
            format!("{}{}", scene.callers.list(&[99], 86_400 * round), next.list(&[], 86_400)),
        );
        scene.running.reload(&file).await.unwrap();
        let now = counts.1.load(Ordering::Acquire);
        answered(now + 20).await;
    }
    counts.0.store(true, Ordering::Release);
    callers.join_all().await;
    assert_eq!(counts.2.load(Ordering::Acquire), 0, "of {} answers", counts.1.load(Ordering::Acquire));
    assert_eq!(stands.ask("/_ping", &[]).await.unwrap().status, 200, "who was there stays");
    let of_next = next.issue(&Wants::default());
    let mut line = Line::open(&ours, address, Some(&of_next)).await.unwrap();
    assert_eq!(line.ask("/_ping", &[]).await.unwrap().status, 200, "the next authority is believed");

    // Now the caller is called back: nobody new comes in with that certificate.
    write("callers-crl.pem", format!("{}{}", scene.callers.list(&[7, 99], 86_400), next.list(&[], 86_400)));
    scene.running.reload(&file).await.unwrap();
    let again = match Line::open(&ours, address, Some(&shown)).await {
        Ok(mut line) => line.ask("/_ping", &[]).await.is_ok(),
        Err(_refused) => false,
    };
    assert!(!again, "called back");
    // What cannot be read changes nothing.
    write("callers-crl.pem", "nothing".to_owned());
    let mistakes = scene.running.reload(&file).await.unwrap_err();
    assert!(mistakes.iter().all(|mistake| mistake.path.ends_with("client_crl_file")), "{mistakes:?}");
    let mut line = Line::open(&ours, address, Some(&of_next)).await.unwrap();
    assert_eq!(line.ask("/_ping", &[]).await.unwrap().status, 200);
}

#[tokio::test]
async fn no_session_is_resumed_past_a_list() {
    let scene = Scene::set(&Plan::default()).await;
    let mut line = scene.connect(Some(&scene.usual())).await.unwrap();
    assert_eq!(line.ask("/_ping", &[]).await.unwrap().status, 200);
    assert_eq!(line.tickets(), 0, "a session that is taken up again is not held against what was revoked");
}
