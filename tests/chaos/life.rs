//! The process itself: frozen, stopped, configured anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mock_providers::Fault;
use tokio::task::JoinSet;
use tributary_tests::bundle::Merged;
use tributary_tests::{GEORGE, http, parameters};

use crate::answer::missing;
use crate::row::{Played, Row};
use crate::scene::{FHIR, RECORD, Scene, Setting, eventually, healthy, sources};

/// The rows of this family.
pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::own("K01", "told to read a configuration that is wrong", || Box::pin(bad_reload())),
        Row::own("K06", "told to end under load", || Box::pin(ended_under_load())).alone(),
        Row::own("K07", "told to end while a source hangs", || Box::pin(ended_while_waiting())),
        Row::own("L23", "frozen beyond the deadline of a request", || Box::pin(frozen())).alone(),
    ]
}

/// What is wrong is refused whole, and the old configuration stands.
async fn bad_reload() -> Played {
    let scene = Scene::usual().await;
    let file = scene.dir.path().join("tributary.toml");
    let good = std::fs::read_to_string(&file).unwrap();
    let bad = [
        "[server\n".to_owned(),
        format!("{good}\n[surplus]\nkey = 1\n"),
        good.replacen("protocol = \"gpconnect-structured\"", "protocol = \"telex\"", 1),
        good.replacen("id = \"gp\"\n", "id = \"gp\"\nlink = 1\n", 1),
        format!("{good}\n[maps]\ndir = \"/nowhere\"\n"),
        good.split("[[source]]").next().unwrap_or_default().to_owned(),
    ];
    let mut refused = 0.0;
    for text in &bad {
        std::fs::write(&file, text).unwrap();
        scene.broker.hang_up();
        refused += 1.0;
        let began = Instant::now();
        while scene.metrics().await.sum("tributary_config_reloads_total", &[("outcome", "rejected")])
            < refused
        {
            assert!(began.elapsed() < Duration::from_secs(5), "not refused: {text}");
        }
        let reply = scene.record(&[]).await;
        assert_eq!(reply.header("Tributary-Completeness"), Some("complete"), "{}", reply.body);
    }
    let records = scene.records();
    let changes = records.iter().filter(|record| record["config"]["change"] == "refused");
    assert_eq!(changes.count(), bad.len(), "each refusal is on record");
    std::fs::write(&file, &good).unwrap();
    scene.broker.hang_up();
    let began = Instant::now();
    while scene.metrics().await.sum("tributary_config_reloads_total", &[("outcome", "applied")]) < 1.0 {
        assert!(began.elapsed() < Duration::from_secs(5), "a good one is not taken");
    }
    assert_eq!(scene.record(&[]).await.header("Tributary-Completeness"), Some("complete"));
    Played::Held
}

/// Who was let in is answered whole; who comes later is not let in. Nobody gets half an answer.
async fn ended_under_load() -> Played {
    const CALLERS: usize = 16;
    let scene = Scene::usual().await;
    let healthy = healthy().await;
    scene.gp().set_delay(Duration::from_millis(300));
    let address = scene.broker.data;
    let ending = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let ending = Arc::clone(&ending);
        callers.spawn(async move {
            let mut replies = Vec::new();
            while !ending.load(Ordering::Relaxed) || replies.is_empty() {
                let reply = http::post(address, RECORD, FHIR, &parameters(GEORGE, &[]), &[]).await;
                let is_over = reply.status != 200;
                replies.push(reply);
                if is_over {
                    break;
                }
            }
            replies
        });
    }
    eventually("callers are answered", || scene.gp().ask_count() > 2 * CALLERS as u64).await;
    let mut broker = scene.broker;
    let began = Instant::now();
    let ended = tokio::task::spawn_blocking(move || broker.terminate()).await.unwrap();
    ending.store(true, Ordering::Relaxed);
    assert_eq!(ended, Some(0));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let mut answered = 0;
    for replies in callers.join_all().await {
        for reply in replies {
            match reply.status {
                // Not let in: the connection was refused, or closed before a byte of an answer.
                0 => {
                    assert!(reply.head.is_empty() && reply.body.is_empty(), "half an answer: {}", reply.head);
                }
                503 => assert_eq!(reply.json()["resourceType"], "OperationOutcome"),
                200 => {
                    answered += 1;
                    let merged = Merged::of(reply.json());
                    assert_eq!(missing(&healthy.merged, &merged, ""), Vec::<String>::new());
                }
                other => panic!("{other}: {}", reply.body),
            }
        }
    }
    assert!(answered >= CALLERS, "{answered} answers");
    Played::Held
}

/// A hung source does not hold the end up: its time is up before that of the drain.
async fn ended_while_waiting() -> Played {
    let scene =
        Scene::set(sources().await, Setting { server_keys: "drain_secs = 8", ..Setting::default() }).await;
    scene.gp().set_fault(Fault::HangBeforeHead);
    let address = scene.broker.data;
    let asking = tokio::spawn(async move {
        http::post(address, RECORD, FHIR, &parameters(GEORGE, &[]), &[("Tributary-Deadline-Ms", "3000")])
            .await
    });
    eventually("the gp is asked", || scene.gp().ask_count() > 0).await;
    let mut broker = scene.broker;
    let began = Instant::now();
    let ended = tokio::task::spawn_blocking(move || broker.terminate()).await.unwrap();
    assert_eq!(ended, Some(0));
    // Two seconds of notice to whoever spreads the load, and the source's own time.
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    let reply = asking.await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.head);
    assert_eq!(Merged::of(reply.json()).statuses()["gp"], "timeout");
    Played::Held
}

/// Thawed, it answers at once whoever's time is up, and works for nobody who is gone.
async fn frozen() -> Played {
    let scene = Scene::usual().await;
    for provider in scene.federation.providers() {
        provider.set_fault(Fault::HangBeforeHead);
    }
    let address = scene.broker.data;
    let asking = tokio::spawn(async move {
        http::post(address, RECORD, FHIR, &parameters(GEORGE, &[]), &[("Tributary-Deadline-Ms", "800")]).await
    });
    eventually("every source is asked", || scene.open() >= 5).await;
    scene.broker.signal("STOP");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let asked = scene.asked();
    scene.broker.signal("CONT");
    let thawed = Instant::now();
    let reply = asking.await.unwrap();
    // What sources there are is told only by answers on record, and no time was left to write one.
    assert!([503, 504].contains(&reply.status), "{} {}", reply.status, reply.body);
    assert_eq!(reply.json()["resourceType"], "OperationOutcome");
    assert!(thawed.elapsed() < Duration::from_millis(500), "{:?}", thawed.elapsed());
    assert_eq!(scene.asked(), asked, "work for a request whose time was up");
    scene.federation.reset().unwrap();
    let reply = scene.record(&[]).await;
    assert_eq!(reply.header("Tributary-Completeness"), Some("complete"), "{}", reply.body);
    scene.verify();
    Played::Held
}
