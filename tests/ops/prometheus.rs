//! A real Prometheus that scrapes a live broker, with the rules of `deploy/prometheus`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mock_providers::Fault;
use serde_json::Value;
use tributary_tests::{Plan, http};

use crate::dashboards::{self, DASHBOARDS};
use crate::rules;
use crate::scene::{PATIENCE, Scene, handed_on, text};

/// Expressions of dashboards that have no data when all is well, or before a broker of a demo, and why.
const EMPTY_WHEN_WELL: &[(&str, &str)] = &[
    ("tributary_source_maintenance_until_timestamp_seconds", "no maintenance is announced"),
    ("tributary_crl_next_update_timestamp_seconds", "no revocation list on loopback"),
    ("tributary_jwks_fetched_timestamp_seconds", "no issuer in a demo"),
    ("tributary_certificate_expiry_timestamp_seconds", "no TLS on loopback"),
    ("tributary_logins_total", "a demo believes everybody"),
    ("(ALERTS{", "no alert fires so soon"),
    ("last_answer_timestamp_seconds > 0) and on (source)", "the source that readers lack never answered"),
    ("tributary_sandbox", "the tests run with walls where the machine has them"),
];

/// A program beside another on the path, or where the tests unpack it.
pub(crate) fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools");
    let unpacked = [root.join("prometheus/usr/bin"), root.join("bin")];
    std::env::split_paths(&path).chain(unpacked).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// A Prometheus in a process of its own. Killed when dropped.
pub(crate) struct Prometheus {
    child: Child,
    pub(crate) address: SocketAddr,
    dir: tempfile::TempDir,
}

impl Prometheus {
    /// Starts one that scrapes `target` every second with these rules; `None` where there is none on the machine.
    pub(crate) async fn start(target: SocketAddr, rules: &[(&str, String)]) -> Option<Self> {
        let Some(program) = tool("prometheus") else {
            println!("NOT RUN: prometheus is not installed");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in rules {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let names: Vec<_> = rules.iter().map(|(name, _)| *name).collect();
        let config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [{}]\n\
             scrape_configs:\n  - job_name: tributary\n    static_configs: [{{ targets: ['{target}'] }}]\n",
            names.join(", ")
        );
        let file = dir.path().join("prometheus.yml");
        std::fs::write(&file, config).unwrap();
        let address = {
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            free.local_addr().unwrap()
        };
        let log = std::fs::File::create(dir.path().join("log.txt")).unwrap();
        let child = Command::new(program)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .args(["--web.enable-lifecycle", "--log.level=warn"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let prometheus = Self { child, address, dir };
        prometheus.until("it is there", async || http::get(address, "/-/ready").await.status == 200).await;
        Some(prometheus)
    }

    pub(crate) async fn until(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
        let began = Instant::now();
        while !is_so().await {
            let log = std::fs::read_to_string(self.dir.path().join("log.txt")).unwrap_or_default();
            assert!(began.elapsed() < PATIENCE, "waited in vain until {what}: {log}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The series that an expression gives now.
    pub(crate) async fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let form = format!("query={}", encoded(expression));
        let media = "application/x-www-form-urlencoded";
        let reply = http::post(self.address, "/api/v1/query", media, &form, &[]).await;
        let answer = reply.json();
        match (&answer["status"], &answer["data"]["resultType"]) {
            (Value::String(status), Value::String(kind)) if status == "success" && kind == "vector" => {
                Ok(answer["data"]["result"].as_array().cloned().unwrap_or_default())
            }
            _ => Err(answer.to_string()),
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |all, byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' => all + &char::from(byte).to_string(),
        _ => all + &format!("%{byte:02X}"),
    })
}

/// An expression about all sources, where the dashboard has one chosen.
fn filled(expression: &str) -> String {
    expression.replace("=\"$source\"", "=~\".+\"")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_expression_has_data_from_a_live_broker() {
    // Replies may be kept, so that the cache has hits; the export has a file to go to; one source fails.
    let plan = Plan { source_keys: "timeout_ms = 1000\ncache_ttl_secs = 60", ..Plan::default() };
    let scene = Scene::set(plan, |dir, usual| handed_on(dir, &usual)).await;
    let files = ["recording.yml", "alerts.yml"];
    let rules_text = files.map(|file| (file, text(&format!("deploy/prometheus/{file}"))));
    let Some(prometheus) = Prometheus::start(scene.broker.admin, &rules_text).await else { return };
    let rules = rules::read(&prometheus_rules(&prometheus).await);
    assert!(rules.len() > 50, "{}", rules.len());
    scene.federation.provider("walkin").unwrap().set_fault(Fault::status(500));
    let mut wanting: Vec<String> = Vec::new();
    let mut asked = 0;
    let began = Instant::now();
    // Rates need two scrapes with something between them.
    for _ in 0..400 {
        scene.record(&[]).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        asked += 1;
        if asked < 6 {
            continue;
        }
        wanting = without_data(&prometheus, &rules).await;
        if wanting.is_empty() || began.elapsed() > PATIENCE {
            break;
        }
    }
    assert_eq!(wanting, [""; 0]);
}

/// The rules as Prometheus has read them.
async fn prometheus_rules(prometheus: &Prometheus) -> Value {
    http::get(prometheus.address, "/api/v1/rules").await.json()
}

/// What gives no data: panels, recording rules, and what alerts look at.
async fn without_data(prometheus: &Prometheus, rules: &[rules::Rule]) -> Vec<String> {
    let mut wanting = Vec::new();
    let panels = DASHBOARDS.iter().flat_map(|file| dashboards::expressions(file));
    let panels = panels.map(|(panel, expression)| (panel, filled(&expression)));
    let recorded =
        rules.iter().filter(|rule| !rule.is_alert).map(|rule| (rule.name.clone(), rule.query.clone()));
    // An alert has no data when all is well; what it looks at has.
    let looked_at = rules.iter().filter(|rule| rule.is_alert).flat_map(|rule| {
        rules::selectors(&rule.query).into_iter().map(|selector| (rule.name.clone(), selector))
    });
    for (name, expression) in panels.chain(recorded).chain(looked_at) {
        let found = prometheus.query(&expression).await;
        let is_excused = EMPTY_WHEN_WELL.iter().any(|(metric, _)| expression.contains(metric))
            || expression.contains("source:source_maintenance:on")
            || name == "source:source_maintenance:on";
        match found {
            Ok(series) if series.is_empty() && !is_excused => wanting.push(format!("{name}: {expression}")),
            Ok(_) => {}
            Err(error) => wanting.push(format!("{name}: {expression}: {error}")),
        }
    }
    wanting
}
