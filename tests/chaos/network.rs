//! The network between the broker and a source.

use std::net::SocketAddr;
use std::time::Duration;

use mock_providers::{BlackHole, Fault, Line, Trouble};
use tributary_tests::bundle::Merged;

use crate::answer::{Expected, Preparing, StandIn, Wrong, fault, missing};
use crate::row::{Played, Row};
use crate::scene::{Scene, Setting, TIMEOUT_MS, healthy, sources};

/// The rows of this family.
pub(crate) fn rows() -> Vec<Row> {
    let behind = |prepare, expected| Expected { wrong: Wrong::Behind(prepare), ..expected };
    let refused = fault(Fault::Refuse, "unavailable", "connect");
    let unanswered = Expected {
        // More than it takes to connect.
        setting: Setting { source_keys: Some("timeout_ms = 2500"), ..Setting::default() },
        by_ms: 1_000,
        ..fault(Fault::Refuse, "unavailable", "connect_timeout")
    };
    let thin = Expected { class: None, by_ms: TIMEOUT_MS, ..fault(Fault::Refuse, "ok", "") };
    vec![
        Row::source("N06", "connections are refused", Expected { retried: None, ..refused }),
        Row::source("N07", "nobody answers who connects", behind(black_hole, unanswered)),
        Row::own("N08", "the other side vanishes from an open connection", || Box::pin(half_open())),
        Row::source("N09", "reset in the middle of the body", fault(Fault::Reset, "unavailable", "reset")),
        Row::source(
            "N10",
            "closed before the length that was told",
            fault(Fault::ShortBody, "invalid", "truncated"),
        ),
        Row::source("N12", "a line of 64 kbit/s", behind(thin_line, thin.clone())),
        Row::source("N11", "a line that shakes and cuts", behind(shaky_line, thin)),
        Row::own("N13", "three of five are cut off", || Box::pin(partition())),
        Row::own("N14", "all are cut off", || Box::pin(nobody())),
        Row::own("N15", "there for a second, gone for a second", || Box::pin(flapping())),
    ]
}

fn black_hole(_target: SocketAddr) -> Preparing {
    Box::pin(async {
        let hole = BlackHole::open().await.map_err(|_| "this system queues connections without end")?;
        let origin = format!("http://{}", hole.address());
        Ok(StandIn { origin, tables: String::new(), under: Vec::new(), kept: Box::new(hole) })
    })
}

fn thin_line(target: SocketAddr) -> Preparing {
    Box::pin(bad_line(target, Trouble::Rate { bytes_per_second: 8_000 }))
}

fn shaky_line(target: SocketAddr) -> Preparing {
    Box::pin(bad_line(target, Trouble::Latency { ms: 40, jitter_ms: 60 }))
}

async fn bad_line(target: SocketAddr, trouble: Trouble) -> Result<StandIn, &'static str> {
    let line = Line::open(target, 7).await.unwrap();
    line.set(trouble);
    let origin = format!("http://{}", line.address());
    Ok(StandIn { origin, tables: String::new(), under: Vec::new(), kept: Box::new(line) })
}

/// The connection that was kept alive is dead. It costs one answer at most, and is not used again.
async fn half_open() -> Played {
    let federation = sources().await;
    let line = Line::open(federation.providers()[0].address(), 1).await.unwrap();
    let origin = format!("http://{}", line.address());
    let scene = Scene::set(federation, Setting { gp_origin: Some(origin), ..Setting::default() }).await;
    let statuses = async || Merged::of(scene.record(&[]).await.json()).statuses();
    assert_eq!(statuses().await["gp"], "ok");
    let opened = line.opened();
    line.vanish();
    let status = statuses().await["gp"].clone();
    assert!(["timeout", "ok"].contains(&status.as_str()), "{status}");
    assert_eq!(statuses().await["gp"], "ok", "a dead connection is used again");
    assert!(line.opened() > opened);
    Played::Held
}

async fn partition() -> Played {
    const CUT: [&str; 3] = ["gp", "acute-a", "specialist"];
    let scene = Scene::usual().await;
    for id in CUT {
        scene.provider(id).set_fault(Fault::HangBeforeHead);
    }
    scene.provider("acute-a").set_fault(Fault::Refuse);
    let answered = scene.asks(&[]).await;
    let reply = &answered.reply;
    assert_eq!(reply.status, 200);
    let merged = Merged::of(reply.json());
    let statuses = merged.statuses();
    let found: Vec<&str> = CUT.iter().map(|id| statuses[*id].as_str()).collect();
    assert_eq!(found, ["timeout", "unavailable", "timeout"]);
    assert_eq!((merged.tag(), reply.header("Tributary-Sources")), ("partial", Some("2/5")));
    let all = missing(&healthy().await.merged, &merged, "gp");
    let lost: Vec<&String> = all.iter().filter(|lost| lost.starts_with("walkin")).collect();
    assert!(lost.is_empty(), "{lost:?}");
    let most = Duration::from_millis(TIMEOUT_MS + 300) + healthy().await.took + answered.grace;
    assert!(reply.took <= most, "{:?} of {most:?}", reply.took);
    Played::Held
}

async fn nobody() -> Played {
    for (fault, status, code) in
        [(Fault::Refuse, 502, "unavailable"), (Fault::HangBeforeHead, 504, "timeout")]
    {
        let scene = Scene::usual().await;
        for provider in scene.federation.providers() {
            provider.set_fault(fault.clone());
        }
        let reply = scene.record(&[]).await;
        assert_eq!(reply.status, status, "{}", reply.body);
        let outcome = reply.json();
        assert_eq!(outcome["resourceType"], "OperationOutcome");
        assert_eq!(outcome["issue"].as_array().map(Vec::len), Some(5));
        let records = scene.records();
        let disclosure = records.iter().find(|record| record["kind"] == "disclosure").unwrap();
        assert_eq!(disclosure["outcome"]["http"], status);
        let sources = disclosure["sources"].as_array().unwrap();
        assert!(sources.len() == 5 && sources.iter().all(|source| source["status"] == code));
    }
    Played::Held
}

/// Up and down by turns, and asked all the while. The breaker does not dance along.
async fn flapping() -> Played {
    const TURNS: u32 = 6;
    let scene = Scene::usual().await;
    let mut states = Vec::new();
    for turn in 0..TURNS {
        let gp = scene.gp();
        if turn % 2 == 0 {
            gp.set_fault(Fault::Refuse);
        } else {
            gp.clear_fault().unwrap();
        }
        let until = tokio::time::Instant::now() + Duration::from_secs(1);
        while tokio::time::Instant::now() < until {
            let reply = scene.record(&[]).await;
            assert_eq!(reply.status, 200, "{}", reply.body);
            let metrics = scene.metrics().await;
            states.push(metrics.sum("tributary_source_breaker_state", &[("source", "gp")]).round());
        }
    }
    // On the way from shut to passing it probes, which may be seen or not.
    states.retain(|state| (*state - 1.0).abs() > 0.5);
    states.dedup();
    // Six seconds: two transitions at most, and the one they began with.
    assert!(states.len() <= 3, "{states:?}");
    scene.gp().clear_fault().unwrap();
    assert!(scene.gp().most_open_count() <= 2, "one ask is two requests; a probe is one ask");
    Played::Held
}
