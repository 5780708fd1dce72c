//! The fault drill: things are broken on purpose, the alerts that are meant to fire do, and are quiet again when it is
//! whole. The rules are those of `deploy/prometheus` with shorter windows; `deploy/prometheus/README.md` has a run.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mock_providers::Fault;
use tributary_model::{Clock as _, SystemClock};
use tributary_tests::{GEORGE, Plan, http, parameters};

use crate::pictures::{HANGING, Moment, Panels};
use crate::prometheus::Prometheus;
use crate::scene::{Scene, handed_on, text, value};

/// Windows of the rules, and how long they are in the drill.
const SHORTER: &[(&str, &str)] = &[
    ("1m", "8s"),
    ("2m", "8s"),
    ("5m", "8s"),
    ("10m", "8s"),
    ("15m", "10s"),
    ("30m", "10s"),
    ("1h", "12s"),
    ("6h", "12s"),
    ("1d", "60s"),
    ("3d", "15s"),
];
/// Between two asks of one caller.
const PACE: Duration = Duration::from_millis(500);

/// The rules with shorter windows.
fn shortened(file: &str) -> (&'static str, String) {
    let mut rules = text(&format!("deploy/prometheus/{file}.yml"));
    for (window, shorter) in SHORTER {
        rules = rules.replace(&format!("[{window}]"), &format!("[{shorter}]"));
        rules = rules.replace(&format!("offset {window}"), &format!("offset {shorter}"));
        rules = rules.replace(&format!("for: {window}\n"), "for: 1s\n");
    }
    let name = if file == "alerts" { "alerts.yml" } else { "recording.yml" };
    (name, rules)
}

/// Somebody who asks for one record after another until told to stop.
struct Asking(Arc<AtomicBool>);

impl Asking {
    fn begin(data: SocketAddr) -> Self {
        let goes_on = Arc::new(AtomicBool::new(true));
        let told = Arc::clone(&goes_on);
        tokio::spawn(async move {
            while told.load(Ordering::Relaxed) {
                let body = parameters(GEORGE, &[]);
                let path = "/fhir/R4/Patient/$record";
                // Each has a fetch of its own, or later ones would wait only for the rest of an earlier one.
                let fresh = [("Cache-Control", "no-cache")];
                tokio::spawn(
                    async move { http::post(data, path, "application/fhir+json", &body, &fresh).await },
                );
                tokio::time::sleep(PACE).await;
            }
        });
        Self(goes_on)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// The alerts that fire now, each with its source.
async fn firing(prometheus: &Prometheus) -> BTreeSet<String> {
    let series = prometheus.query("ALERTS{alertstate=\"firing\"}").await.unwrap();
    let name = |labels: &serde_json::Value| labels["alertname"].as_str().unwrap().to_owned();
    series.iter().map(|one| name(&one["metric"])).collect()
}

/// Waits until all of these fire, or none of them; tells how long it took.
async fn wait(prometheus: &Prometheus, alerts: &[&str], wanted: bool) {
    let began = Instant::now();
    let what = format!("{alerts:?} {}", if wanted { "fire" } else { "are quiet" });
    prometheus
        .until(&what, async || {
            let now = firing(prometheus).await;
            alerts.iter().all(|alert| now.contains(*alert) == wanted)
        })
        .await;
    println!("{:>4.0} s until {what}", began.elapsed().as_secs_f64());
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_fire_when_things_break_and_are_quiet_when_they_are_whole() {
    let plan = Plan { source_keys: "timeout_ms = 7000", ..Plan::default() };
    // One patient is asked about again and again here, which is out of the ordinary, and not what is drilled.
    let unmoved = |dir: &Path, usual: String| {
        format!("{}\n[signals]\nrepeat_views_per_day = 1000\n", handed_on(dir, &usual))
    };
    let scene = Scene::set(plan, unmoved).await;
    let rules = ["recording", "alerts"].map(shortened);
    let Some(prometheus) = Prometheus::start(scene.broker.admin, &rules).await else { return };
    let asking = Asking::begin(scene.broker.data);
    let rates = "job:record_incomplete:ratio_rate5m and job:http_errors:ratio_rate5m \
                 and job:record_slow:ratio_rate5m and on (job) source:source_failures:ratio_rate2m \
                 and on (job) section:record_section_known:ratio_rate5m";
    prometheus.until("there are rates", holds(&prometheus, rates)).await;
    let at_first = firing(&prometheus).await;
    let ours: Vec<_> =
        at_first.iter().filter(|name| !["TributarySandboxDown"].contains(&name.as_str())).collect();
    assert_eq!(ours, [""; 0], "nothing is broken");
    let well = Moment::now("well");

    println!("a source answers about somebody else, once");
    somebody_else(&scene, &prometheus, "acute-a").await;
    wait(&prometheus, &["TributaryQuarantine"], true).await;
    wait(&prometheus, &["TributaryQuarantine"], false).await;

    println!("a configuration with a mistake");
    scene.reload(|text| format!("zz = 1\n{text}")).await;
    wait(&prometheus, &["TributaryConfigurationRejected"], true).await;
    scene.reload(|text| text.replacen("zz = 1\n", "", 1)).await;
    wait(&prometheus, &["TributaryConfigurationRejected"], false).await;

    some_sources(&scene, &prometheus).await;
    let hurt = Moment::now("hurt");
    announce(&scene, Announced::Nothing).await;
    failing_sources(&scene, &prometheus).await;
    slow_sources(&scene, &prometheus).await;

    println!("the broker is frozen");
    drop(asking);
    scene.broker.signal("STOP");
    wait(&prometheus, &["TributaryDown"], true).await;
    scene.broker.signal("CONT");
    wait(&prometheus, &["TributaryDown"], false).await;
    println!("pictures of the dashboards");
    let Some(panels) = well.pictures(&prometheus, &shorter()) else { return };
    assert_eq!(panels.red(), [""; 0], "nothing is broken");
    let Some(panels) = hurt.pictures(&prometheus, &shorter()) else { return };
    panels.have_data();
    which_source_hurts(&panels);
}

/// The first table says which source hurts, and how; beside it stands what fires.
fn which_source_hurts(hurt: &Panels) {
    let lacked = hurt.lines("Sources that readers lack, worst first");
    let of = |source: &str| {
        lacked.iter().find(|line| line["Source"] == source).unwrap_or_else(|| panic!("{source}: {lacked:?}"))
    };
    assert!(of(HANGING)["Why"].ends_with("(no_head)"), "{lacked:?}");
    assert!(of("walkin")["Why"].ends_with("(http_5xx)"), "{lacked:?}");
    assert_ne!(of("walkin")["Breaker"], "asked", "{lacked:?}");
    let worst: BTreeSet<_> = lacked.iter().take(2).map(|line| line["Source"].as_str()).collect();
    assert_eq!(worst, BTreeSet::from([HANGING, "walkin"]), "{lacked:?}");
    let fires = hurt.lines("Alerts that fire");
    assert_eq!(fires[0]["Severity"], "page", "{fires:?}");
    let somebody_else =
        fires.iter().any(|line| line["Alert"] == "TributaryQuarantine" && line["Source"] == "specialist");
    assert!(somebody_else, "{fires:?}");
    let on_red = hurt.red();
    for title in ["Records whole: ", "Perhaps another patient: "] {
        assert!(on_red.iter().any(|text| text.starts_with(title)), "{title}{on_red:?}");
    }
}

/// One source hangs, one refuses, one answers about somebody else; maintenance is announced for one more.
async fn some_sources(scene: &Scene, prometheus: &Prometheus) {
    println!("one source hangs, one refuses, one answers about somebody else");
    let source = |id: &str| scene.federation.provider(id).unwrap();
    source(HANGING).set_fault(Fault::HangBeforeHead);
    source("walkin").set_fault(Fault::status(500));
    announce(scene, Announced::OfCommunity).await;
    let hurt = ["TributarySourceFailing", "TributaryBreakerOpen", "TributaryRecordsIncomplete"];
    wait(prometheus, &hurt, true).await;
    let is_shut = format!("tributary_source_breaker_state{{source=\"{HANGING}\"}} == 2");
    prometheus.until("the breaker of the source that hangs is shut", holds(prometheus, &is_shut)).await;
    // Somebody who takes what is kept, as most do.
    let (data, body) = (scene.broker.data, parameters(GEORGE, &[]));
    tokio::spawn(async move {
        http::post(data, "/fhir/R4/Patient/$record", "application/fhir+json", &body, &[]).await
    });
    let looked = "sum(rate(tributary_cache_lookups_total[8s])) > 0";
    prometheus.until("the look for what is kept is counted", holds(prometheus, looked)).await;
    somebody_else(scene, prometheus, "specialist").await;
    wait(prometheus, &["TributaryQuarantine"], true).await;
}

/// Whether an expression gives anything now.
fn holds(prometheus: &Prometheus, expression: &str) -> impl AsyncFnMut() -> bool {
    async move || prometheus.query(expression).await.is_ok_and(|found| !found.is_empty())
}

/// A source answers about somebody else, until that is counted. A look-up is several requests, and the answer to one
/// that finds nothing is about nobody: one such fault alone may have no effect, and three effects switch a source off.
async fn somebody_else(scene: &Scene, prometheus: &Prometheus, source: &str) {
    let provider = scene.federation.provider(source).unwrap();
    let counted = async || {
        let series = format!("tributary_quarantined_total{{reason=\"identity_number\",source=\"{source}\"}}");
        value(&scene.metrics().await, &series)
    };
    let before = counted().await;
    let mut again_from = Instant::now();
    prometheus
        .until("an answer is held back", async || {
            if counted().await != before {
                return true;
            }
            if provider.faults().is_empty() && Instant::now() >= again_from {
                provider.set_fault(mock_providers::FaultRule::once(Fault::WrongPatient));
                again_from = Instant::now() + Duration::from_secs(3);
            }
            false
        })
        .await;
    provider.clear_fault().unwrap();
}

/// What maintenance the configuration announces.
#[derive(Clone, Copy)]
enum Announced {
    Nothing,
    OfCommunity,
}

async fn announce(scene: &Scene, announced: Announced) {
    let line = "maintenance = { from = \"2020-01-01T00:00:00Z\", until = \"2100-01-01T00:00:00Z\" }\n";
    let at = "id = \"community\"\n";
    let with = format!("{at}{line}");
    scene
        .reload(|text| match announced {
            Announced::OfCommunity => text.replacen(at, &with, 1),
            Announced::Nothing => text.replacen(&with, at, 1),
        })
        .await;
}

/// The shorter windows, as the pictures are told them.
fn shorter() -> String {
    let pairs: Vec<_> = SHORTER.iter().map(|(window, shorter)| format!("{window}={shorter}")).collect();
    pairs.join(",")
}

async fn failing_sources(scene: &Scene, prometheus: &Prometheus) {
    let set_all = |fault: Option<Fault>| {
        for provider in scene.federation.providers() {
            provider.clear_fault().unwrap();
            if let Some(fault) = &fault {
                provider.set_fault(fault.clone());
            }
        }
    };
    println!("every source fails");
    set_all(Some(Fault::status(500)));
    let all = [
        "TributarySourceFailing",
        "TributaryBreakerOpen",
        "TributaryRecordsIncomplete",
        "TributaryCompletenessBurnsFast",
        "TributaryCompletenessBurns",
        "TributaryCompletenessBurnsSlowly",
        "TributaryAvailabilityBurnsFast",
        "TributaryAvailabilityBurns",
        "TributaryAvailabilityBurnsSlowly",
    ];
    wait(prometheus, &all, true).await;
    println!("maintenance is announced for all of them");
    let now = SystemClock.now();
    let announced =
        format!("\nmaintenance = {{ from = \"{now}\", until = \"2100-01-01T00:00:00Z\" }}\ntimeout_ms");
    scene.reload(|text| text.replace("\ntimeout_ms", &announced)).await;
    wait(prometheus, &["TributarySourceFailing", "TributaryBreakerOpen"], false).await;
    println!("every source answers");
    set_all(None);
    wait(prometheus, &all, false).await;
}

async fn slow_sources(scene: &Scene, prometheus: &Prometheus) {
    println!("a source takes five and a half seconds");
    let gp = scene.federation.provider("gp").unwrap();
    gp.set_delay(Duration::from_millis(5500));
    wait(prometheus, &["TributaryLatencyBurnsFast", "TributaryLatencyBurns"], true).await;
    gp.set_delay(Duration::ZERO);
    println!("and none again");
    wait(prometheus, &["TributaryLatencyBurnsFast", "TributaryLatencyBurns"], false).await;
}
