//! A broker in a process of its own before the mock sources of the demo.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mock_providers::Federation;
use tributary_tests::process::Process;
use tributary_tests::{GEORGE, Plan, Reply, configuration, federation, http, parameters};

/// Longest that anything here is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A broker, its sources, and where its files are.
pub(crate) struct Scene {
    pub(crate) federation: Federation,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) broker: Process,
}

impl Scene {
    /// Sets one; `change` is given the usual configuration.
    pub(crate) async fn set(plan: Plan, change: impl FnOnce(&Path, String) -> String) -> Self {
        let federation = federation(&plan).await;
        let dir = tempfile::tempdir().unwrap();
        let usual = configuration(federation.source_facts(), &plan, &dir.path().join("audit"));
        let (text, place) = (change(dir.path(), usual), dir.path().to_owned());
        let broker = tokio::task::spawn_blocking(move || Process::serve(&place, &text)).await.unwrap();
        Self { federation, dir, broker }
    }

    /// The usual one.
    pub(crate) async fn usual() -> Self {
        Self::set(Plan::default(), |_, usual| usual).await
    }

    pub(crate) async fn record(&self, headers: &[(&str, &str)]) -> Reply {
        self.post("/fhir/R4/Patient/$record", headers).await
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let body = parameters(GEORGE, &[]);
        http::post(self.broker.data, path, "application/fhir+json", &body, headers).await
    }

    pub(crate) async fn metrics(&self) -> String {
        http::get(self.broker.admin, "/metrics").await.body
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir.path().join("tributary.toml")
    }

    /// Changes the configuration, and waits until it is in force or refused.
    pub(crate) async fn reload(&self, change: impl FnOnce(String) -> String) {
        let reloads = |page: &str| {
            let lines = page.lines().filter(|line| line.starts_with("tributary_config_reloads_total"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let before = reloads(&self.metrics().await);
        let text = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), change(text)).unwrap();
        self.broker.hang_up();
        let began = Instant::now();
        while reloads(&self.metrics().await) == before {
            assert!(began.elapsed() < PATIENCE, "nothing became of a reload");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The configuration with an export of the audit log, to a file.
pub(crate) fn handed_on(dir: &Path, usual: &str) -> String {
    let export =
        format!("[audit.export]\nfile = \"{0}/events\"\nstate_dir = \"{0}/state\"\n[maps]", dir.display());
    usual.replace("[maps]", &export)
}

/// The text of a file of the repository.
pub(crate) fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The value of a series of a page of metrics.
pub(crate) fn value(page: &str, series: &str) -> Option<f64> {
    page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}
