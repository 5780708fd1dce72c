//! Many callers at once: what they may take from each other, from sources and from this machine.

use std::time::{Duration, Instant};

use mock_providers::Fault;
use tokio::task::JoinSet;
use tributary_tests::bundle::Merged;
use tributary_tests::{GEORGE, http, parameters};

use crate::answer::missing;
use crate::callers::{asking, begun};
use crate::row::{Played, Row};
use crate::scene::{FHIR, RECORD, Scene, Setting, TIMEOUT_MS, eventually, healthy, sources};

/// The rows of this family.
pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::own("P5 hung", "two of five hang", || Box::pin(isolated(Fault::HangBeforeHead))).alone(),
        Row::own("P5 dripping", "two of five drip", || {
            Box::pin(isolated(Fault::SlowDrip { bytes_per_second: 20 }))
        })
        .alone(),
        Row::own("P5 flooding", "two of five flood", || Box::pin(isolated(Fault::EndlessChunks))).alone(),
        Row::own("P5 places", "more at once than a source may have", || Box::pin(places())).alone(),
        Row::own("L10 thousand", "a thousand callers leave at any moment", || Box::pin(thousand_leave()))
            .alone(),
        Row::own("L20", "more bodies than there is memory for", || Box::pin(memory())).alone(),
        Row::own("L15", "ten times what there is room for", || Box::pin(overload())).alone(),
    ]
}

/// Two sources misbehave, and the others' parts are whole, every time, in time.
async fn isolated(fault: Fault) -> Played {
    const ROUNDS: usize = 12;
    let setting = Setting { gp_keys: "max_body_bytes = 2097152".to_owned(), ..Setting::default() };
    let scene = Scene::set(sources().await, setting).await;
    let healthy = healthy().await;
    for id in ["gp", "specialist"] {
        scene.provider(id).set_fault(fault.clone());
    }
    for _ in 0..ROUNDS {
        let answered = scene.asks(&[]).await;
        let reply = &answered.reply;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let merged = Merged::of(reply.json());
        let statuses = merged.statuses();
        for id in ["gp", "specialist"] {
            assert!(["timeout", "invalid", "shed"].contains(&statuses[id].as_str()), "{statuses:?}");
        }
        assert_eq!((statuses["acute-a"].as_str(), statuses["walkin"].as_str()), ("ok", "ok"));
        let lost = missing(&healthy.merged, &merged, "gp");
        let lost: Vec<&String> = lost.iter().filter(|lost| !lost.starts_with("specialist")).collect();
        assert!(lost.is_empty(), "{lost:?}");
        // What both may take at most is their own time; beyond that are the bound of the promise, two records on
        // disk, and what the machine owes.
        let most = Duration::from_millis(TIMEOUT_MS + 50 + 250) + healthy.took + answered.grace;
        assert!(reply.took <= most, "{:?} of {most:?}", reply.took);
    }
    Played::Held
}

/// However many ask, a source has no more requests at once than its entry allows.
async fn places() -> Played {
    const MOST: u64 = 4;
    const CALLERS: usize = 48;
    let setting = Setting { source_keys: Some("timeout_ms = 2500\nmax_in_flight = 4"), ..Setting::default() };
    let scene = Scene::set(sources().await, setting).await;
    for provider in scene.federation.providers() {
        provider.set_delay(Duration::from_millis(80));
    }
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let address = scene.broker.data;
        callers.spawn(async move { http::post(address, RECORD, FHIR, &parameters(GEORGE, &[]), &[]).await });
    }
    for reply in callers.join_all().await {
        assert!([200, 503, 504].contains(&reply.status), "{} {}", reply.status, reply.body);
    }
    let most = |id: &str| scene.provider(id).most_open_count();
    let found: Vec<(&str, u64)> =
        scene.federation.providers().iter().map(|one| (one.id.as_str(), most(&one.id))).collect();
    assert!(found.iter().all(|(_, most)| (1..=MOST).contains(most)), "{found:?}");
    Played::Held
}

/// Everybody who leaves is let go: no ask runs on, nothing is kept.
async fn thousand_leave() -> Played {
    const CALLERS: u64 = 1_000;
    const AT_ONCE: usize = 50;
    let scene = Scene::usual().await;
    // Once round before the first look: pools and threads are there from here on.
    for _ in 0..20 {
        scene.record(&[]).await;
    }
    let before = scene.broker.held();
    for provider in scene.federation.providers() {
        provider.set_delay(Duration::from_millis(40));
    }
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        if callers.len() >= AT_ONCE {
            callers.join_next().await;
        }
        let address = scene.broker.data;
        let whole = asking();
        callers.spawn(async move {
            // From before the last byte of the request until after the first of the answer.
            let stay = Duration::from_millis(number * 7_919 % 120);
            let part = if number % 10 == 0 { whole.len() / 2 } else { whole.len() };
            let stream = begun(address, &whole[..part]).await;
            tokio::time::sleep(stay).await;
            drop(stream);
        });
    }
    while callers.join_next().await.is_some() {}
    eventually("every source is left alone", || scene.open() == 0).await;
    let began = Instant::now();
    loop {
        let metrics = scene.metrics().await;
        let busy = metrics.sum("tributary_source_inflight", &[])
            + metrics.sum("tributary_requests_in_flight", &[])
            + metrics.sum("tributary_source_waiting", &[]);
        if busy < 0.5 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{busy} in flight");
    }
    scene.federation.reset().unwrap();
    assert_eq!(scene.record(&[]).await.header("Tributary-Completeness"), Some("complete"));
    let pid = scene.broker.pid();
    // Idle connections to five sources are kept, eight each at most.
    eventually("files are closed", || scene.broker.held().files <= before.files + 48).await;
    let grown = scene.broker.held().resident_kib.saturating_sub(before.resident_kib) >> 10;
    assert!(grown <= 64, "process {pid} keeps {grown} MiB more");
    scene.verify();
    Played::Held
}

/// Some are served whole, the others are turned away at once and told when to come again; then all is as before.
async fn overload() -> Played {
    const PLACES: usize = 16;
    const CALLERS: usize = 160;
    let setting = Setting { server_keys: "max_in_flight = 16", ..Setting::default() };
    let scene = Scene::set(sources().await, setting).await;
    let healthy = healthy().await;
    for provider in scene.federation.providers() {
        provider.set_delay(Duration::from_millis(200));
    }
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let address = scene.broker.data;
        callers.spawn(async move {
            let headers = [("Tributary-Deadline-Ms", "3000")];
            http::post(address, RECORD, FHIR, &parameters(GEORGE, &[]), &headers).await
        });
    }
    let (mut served, mut refused) = (0, 0);
    for reply in callers.join_all().await {
        match reply.status {
            200 => {
                served += 1;
                let merged = Merged::of(reply.json());
                assert_eq!(merged.statuses().len(), 5);
                assert!(reply.took < Duration::from_secs(4), "{:?}", reply.took);
            }
            429 | 503 => {
                refused += 1;
                assert_eq!(reply.json()["resourceType"], "OperationOutcome");
                let after: u64 = reply.header("Retry-After").unwrap().parse().unwrap();
                assert!((1..=5).contains(&after), "Retry-After: {after}");
            }
            other => panic!("{other}: {}", reply.body),
        }
    }
    assert!(served >= PLACES && refused > 0, "{served} served, {refused} refused");
    scene.federation.reset().unwrap();
    let answered = scene.asks(&[]).await;
    assert_eq!(answered.reply.header("Tributary-Completeness"), Some("complete"));
    assert_eq!(missing(&healthy.merged, &Merged::of(answered.reply.json()), ""), Vec::<String>::new());
    Played::Held
}

/// What is held for requests stays below the budget: who finds no memory is told to come again, and nothing breaks.
async fn memory() -> Played {
    const BUDGET_MIB: u64 = 32;
    const BUDGET_TABLE: &str = "[limits]\nmemory_bytes = 33554432\n";
    const CALLERS: usize = 10;
    let setting =
        Setting { source_keys: Some("timeout_ms = 20000"), tables: BUDGET_TABLE, ..Setting::default() };
    let scene = Scene::set(sources().await, setting).await;
    scene.record(&[]).await;
    let before = scene.broker.held();
    scene.gp().set_fault(Fault::HugeBody { megabytes: 6 });
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let address = scene.broker.data;
        callers.spawn(async move {
            let headers = [("Tributary-Deadline-Ms", "25000")];
            http::post(address, RECORD, FHIR, &parameters(GEORGE, &[]), &headers).await
        });
    }
    let mut shed = 0;
    for reply in callers.join_all().await {
        match reply.status {
            200 => shed += usize::from(Merged::of(reply.json()).statuses()["gp"] == "shed"),
            503 => {
                shed += 1;
                assert!(reply.header("Retry-After").is_some());
            }
            other => panic!("{other}"),
        }
    }
    assert!(shed > 0, "nobody was turned away");
    let grown = scene.broker.held().peak_kib.saturating_sub(before.resident_kib) >> 10;
    // A fifth more, and what an allocator keeps of what was freed.
    assert!(grown <= BUDGET_MIB + BUDGET_MIB / 5 + 32, "{grown} MiB");
    scene.gp().clear_fault().unwrap();
    assert_eq!(scene.record(&[]).await.header("Tributary-Completeness"), Some("complete"));
    // A reply that nobody waits for any more may be read still, on a busy machine.
    let began = Instant::now();
    loop {
        let taken = scene.metrics().await.sum("tributary_memory_taken_bytes", &[]);
        if taken < 1.0 {
            return Played::Held;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{taken} bytes are not given back");
    }
}
