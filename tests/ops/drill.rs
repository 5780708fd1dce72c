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

use crate::prometheus::Prometheus;
use crate::scene::{Scene, text};

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
    let unmoved = |_: &Path, usual: String| format!("{usual}\n[signals]\nrepeat_views_per_day = 1000\n");
    let scene = Scene::set(plan, unmoved).await;
    let rules = ["recording", "alerts"].map(shortened);
    let Some(prometheus) = Prometheus::start(scene.broker.admin, &rules).await else { return };
    let asking = Asking::begin(scene.broker.data);
    prometheus
        .until("there are rates", async || {
            prometheus.query("job:record_incomplete:ratio_rate5m").await.is_ok_and(|found| !found.is_empty())
        })
        .await;
    let at_first = firing(&prometheus).await;
    let ours: Vec<_> =
        at_first.iter().filter(|name| !["TributarySandboxDown"].contains(&name.as_str())).collect();
    assert_eq!(ours, [""; 0], "nothing is broken");

    println!("a source answers about somebody else, once");
    scene
        .federation
        .provider("acute-a")
        .unwrap()
        .set_fault(mock_providers::FaultRule::once(Fault::WrongPatient));
    wait(&prometheus, &["TributaryQuarantine"], true).await;
    wait(&prometheus, &["TributaryQuarantine"], false).await;

    println!("a configuration with a mistake");
    scene.reload(|text| format!("zz = 1\n{text}")).await;
    wait(&prometheus, &["TributaryConfigurationRejected"], true).await;
    scene.reload(|text| text.replacen("zz = 1\n", "", 1)).await;
    wait(&prometheus, &["TributaryConfigurationRejected"], false).await;

    failing_sources(&scene, &prometheus).await;
    slow_sources(&scene, &prometheus).await;

    println!("the broker is frozen");
    drop(asking);
    scene.broker.signal("STOP");
    wait(&prometheus, &["TributaryDown"], true).await;
    scene.broker.signal("CONT");
    wait(&prometheus, &["TributaryDown"], false).await;
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
