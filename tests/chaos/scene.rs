//! Five sources, and a broker in a process of its own in front of them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mock_providers::{Federation, ProviderHandle};
use serde_json::Value;
use tokio::sync::OnceCell;
use tributary_tests::bundle::Merged;
use tributary_tests::process::{Process, run};
use tributary_tests::{GEORGE, Plan, Reply, audit, configuration, federation, http, parameters};

/// The sources that are expected. The last knows no George: it answers, and has nothing.
pub(crate) const SOURCES: [&str; 5] = ["gp", "acute-a", "specialist", "walkin", "community"];
/// The deadline of every request, unless a row has its own.
pub(crate) const DEADLINE_MS: &str = "3000";
/// How long a source may take, unless a row says otherwise.
pub(crate) const TIMEOUT_MS: u64 = 1_200;
/// Where a record is asked for.
pub(crate) const RECORD: &str = "/fhir/R4/Patient/$record";
/// Its media type.
pub(crate) const FHIR: &str = "application/fhir+json";

/// How a scene differs from the usual one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setting {
    /// Stands in for `http://address` in the GP's service root.
    pub(crate) gp_origin: Option<String>,
    /// Further keys of the GP.
    pub(crate) gp_keys: String,
    /// Further tables of the GP.
    pub(crate) gp_tables: String,
    /// Keys of every source, instead of the usual timeout.
    pub(crate) source_keys: Option<&'static str>,
    /// Further keys of `[server]`.
    pub(crate) server_keys: &'static str,
    /// Further keys of `[audit]`.
    pub(crate) audit_keys: String,
    /// Tables below `[server]`.
    pub(crate) server_tables: String,
    /// Further tables.
    pub(crate) tables: &'static str,
    /// The command that becomes the broker.
    pub(crate) under: Vec<String>,
    /// Where the audit log is kept; absent: beside everything else.
    pub(crate) audit: Option<PathBuf>,
}

/// Everything that runs.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) federation: Federation,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) broker: Process,
    audit: PathBuf,
}

/// An answer, and the time it may have lost for want of a processor.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) reply: Reply,
    /// What the machine owes: see [`Scene::asks`].
    pub(crate) grace: Duration,
}

/// Five sources without delays.
pub(crate) async fn sources() -> Federation {
    federation(&Plan::default()).await
}

impl Scene {
    /// The usual scene.
    pub(crate) async fn usual() -> Self {
        Self::set(sources().await, Setting::default()).await
    }

    /// Starts a broker in front of these sources.
    pub(crate) async fn set(federation: Federation, setting: Setting) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let audit = setting.audit.clone().unwrap_or_else(|| dir.path().join("audit"));
        let text = text(&federation, &setting, &audit);
        let place = dir.path().to_owned();
        let broker = tokio::task::spawn_blocking(move || {
            let under: Vec<&str> = setting.under.iter().map(String::as_str).collect();
            Process::serve_under(&under, &place, &text)
        });
        Self { federation, dir, broker: broker.await.unwrap(), audit }
    }

    pub(crate) fn provider(&self, id: &str) -> &ProviderHandle {
        self.federation.provider(id).unwrap()
    }

    pub(crate) fn gp(&self) -> &ProviderHandle {
        self.provider("gp")
    }

    /// Requests that reached any source.
    pub(crate) fn asked(&self) -> u64 {
        self.federation.providers().iter().map(ProviderHandle::ask_count).sum()
    }

    /// Requests that sources are working on.
    pub(crate) fn open(&self) -> u64 {
        self.federation.providers().iter().map(ProviderHandle::open_count).sum()
    }

    /// Asks for George. The grace of the answer is what the machine owes, by its own account: how long threads
    /// of the broker stood ready without a processor, and how late the timers of this process were, where the
    /// sources run.
    pub(crate) async fn asks(&self, headers: &[(&str, &str)]) -> Answered {
        const TICK: Duration = Duration::from_millis(5);
        // Timers of the runtime have a millisecond's grain.
        const GRAIN: Duration = Duration::from_millis(2);
        let before = self.broker.held();
        let mut late = Duration::ZERO;
        let mut asked = std::pin::pin!(self.record(headers));
        let reply = loop {
            let began = Instant::now();
            tokio::select! {
                reply = &mut asked => break reply,
                () = tokio::time::sleep(TICK) => late += began.elapsed().saturating_sub(TICK + GRAIN),
            }
        };
        let after = self.broker.held();
        Answered { reply, grace: late + after.waited.saturating_sub(before.waited) }
    }

    /// Asks for George; the deadline is the usual one unless the headers have another.
    pub(crate) async fn record(&self, headers: &[(&str, &str)]) -> Reply {
        let mut all = vec![("Tributary-Deadline-Ms", DEADLINE_MS)];
        all.retain(|(name, _)| headers.iter().all(|(other, _)| other != name));
        all.extend_from_slice(headers);
        http::post(self.broker.data, RECORD, FHIR, &parameters(GEORGE, &[]), &all).await
    }

    /// The metrics as they are now.
    pub(crate) async fn metrics(&self) -> Metrics {
        Metrics(http::get(self.broker.admin, "/metrics").await.body)
    }

    /// The audit log as it is now.
    pub(crate) fn records(&self) -> Vec<Value> {
        audit::records(&self.audit)
    }

    /// The bytes of the audit log as it is now.
    pub(crate) fn audit_bytes(&self) -> Vec<u8> {
        audit::segments(&self.audit).concat()
    }

    /// Where the audit log is.
    pub(crate) fn audit_dir(&self) -> &Path {
        &self.audit
    }

    /// Whether the audit log is whole, by the product's own verifier.
    pub(crate) fn verify(&self) {
        let (code, out, error) = run(&["audit", "verify", &self.audit.to_string_lossy()]);
        assert_eq!(code, 0, "{out}{error}");
    }
}

fn text(federation: &Federation, setting: &Setting, audit: &Path) -> String {
    let source_keys = setting.source_keys.unwrap_or("timeout_ms = 1200");
    let plan = Plan { expected: SOURCES.to_vec(), source_keys, ..Plan::default() };
    let mut facts = federation.source_facts().to_vec();
    if let Some(origin) = &setting.gp_origin {
        let address = federation.providers()[0].address();
        facts[0].base_url = facts[0].base_url.replacen(&format!("http://{address}"), origin, 1);
    }
    let mut text = configuration(&facts, &plan, audit);
    text = text.replacen("[server]\n", &format!("[server]\n{}\n", setting.server_keys), 1);
    text = text.replacen("[audit]\n", &format!("[audit]\n{}\n", setting.audit_keys), 1);
    text = text.replacen("[log]\n", &format!("{}\n[log]\n", setting.server_tables), 1);
    // Keys before tables, and both inside the GP's block.
    text = text.replacen("id = \"gp\"\n", &format!("id = \"gp\"\n{}\n", setting.gp_keys), 1);
    let second = text.match_indices("[[source]]").nth(1).map_or(text.len(), |(at, _)| at);
    text.insert_str(second, &format!("{}\n", setting.gp_tables));
    text.push_str(setting.tables);
    text
}

/// Metrics in their text form.
#[derive(Clone, Debug)]
pub(crate) struct Metrics(pub(crate) String);

impl Metrics {
    /// The sum of all series of this name with these labels.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
        let series = self.0.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
        let series = series.filter(|(named, _)| named.is_empty() || named.starts_with('{'));
        let fitting = series.filter(|(named, _)| labels.iter().all(|label| named.contains(label.as_str())));
        fitting.filter_map(|(_, value)| value.parse::<f64>().ok()).sum()
    }
}

/// The answer without any fault.
#[derive(Debug)]
pub(crate) struct Healthy {
    pub(crate) merged: Merged,
    pub(crate) took: Duration,
}

/// The answer without any fault, asked for once.
pub(crate) async fn healthy() -> &'static Healthy {
    static HEALTHY: OnceCell<Healthy> = OnceCell::const_new();
    HEALTHY
        .get_or_init(|| async {
            let scene = Scene::usual().await;
            let answered = scene.asks(&[]).await;
            assert_eq!(answered.reply.header("Tributary-Completeness"), Some("complete"));
            assert_eq!(answered.reply.header("Tributary-Sources"), Some("5/5"));
            Healthy { merged: Merged::of(answered.reply.json()), took: answered.reply.took }
        })
        .await
}

/// Looks again and again, for at most ten seconds.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(10), "it did not come to be: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
