//! Pictures of the dashboards over the data of the drill: what whoever is on call would see at that moment, drawn by
//! [`pictures/take.mjs`](pictures/take.mjs) and kept below `target/web`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tributary_model::{Clock as _, SystemClock};

use crate::browser::browser;
use crate::dashboards::DASHBOARDS;
use crate::prometheus::Prometheus;

/// The source that hangs, which the dashboard about one source is shown for.
pub(crate) const HANGING: &str = "acute-a";
/// Panels that have no data while some sources are broken, and why. Each other one has.
const EMPTY: &[(&str, &str, &str)] = &[
    ("audit", "Certificates and revocation lists end in", "no TLS on loopback"),
    ("audit", "Next revocation list in", "no revocation list on loopback"),
    ("audit", "Issuers' keys fetched", "no issuer in a demo"),
    ("audit", "Proving who calls", "a demo believes everybody"),
    ("benefits", "Age of what is shown from memory", "each record of the drill is fetched afresh"),
    ("source", "Maintenance announced until", "it is announced for another source"),
];

/// A moment of the drill. Its pictures are taken when all is over: Prometheus keeps what they show, and a browser that
/// draws meanwhile would take the processors from what is drilled.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    /// What the files are called.
    name: &'static str,
    /// What is shown began then, in seconds since 1970.
    from: f64,
    /// The moment itself.
    to: f64,
}

impl Moment {
    /// This one, with the half minute before it.
    pub(crate) fn now(name: &'static str) -> Self {
        let to = SystemClock.now().as_duration().as_secs_f64();
        Self { name, from: to - 30.0, to }
    }

    /// What each panel of its pictures shows; `None` where there is nothing to draw them with.
    pub(crate) fn pictures(self, prometheus: &Prometheus, shorter: &str) -> Option<Panels> {
        let Some(chromium) = browser() else {
            println!(
                "NOT RUN: no browser here, or not its libraries, so there are no pictures of the dashboards; \
                 tests/run installs them"
            );
            return None;
        };
        let output = Command::new("node")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("ops/pictures/take.mjs"))
            .args(["--prometheus", &format!("http://{}", prometheus.address), "--name", self.name])
            .args(["--from", &self.from.to_string(), "--to", &self.to.to_string()])
            .args(["--scrape", "1", "--shorter", shorter, "--var", &format!("source={HANGING}")])
            .env("CHROMIUM", chromium)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the pictures were not taken: {errors}");
        let panels: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        let files: BTreeSet<PathBuf> = panels.iter().map(|panel| text(panel, "file").into()).collect();
        assert_eq!(files.len(), DASHBOARDS.len());
        for file in files {
            let picture = std::fs::read(&file).unwrap();
            assert!(picture.starts_with(b"\x89PNG") && picture.len() > 20_000, "{}", file.display());
            println!("       {}", file.canonicalize().unwrap().display());
        }
        Some(Panels(panels))
    }
}

/// What the panels of all dashboards show at one moment.
pub(crate) struct Panels(Vec<Value>);

impl Panels {
    /// Panels have data, but for those that cannot; their series have names, and their values are numbers.
    pub(crate) fn have_data(&self) {
        let named = |panel: &Value| (text(panel, "dashboard"), text(panel, "title"));
        let empty: BTreeSet<_> = self.0.iter().filter(|panel| panel["empty"] == true).map(named).collect();
        let excused: BTreeSet<_> =
            EMPTY.iter().map(|(file, title, _)| ((*file).to_owned(), (*title).to_owned())).collect();
        assert_eq!(empty, excused, "panels without data (left) are those that cannot have any (right)");
        let wrong: Vec<_> = self
            .0
            .iter()
            .flat_map(|panel| panel["wrong"].as_array().unwrap())
            .map(Value::to_string)
            .collect();
        assert_eq!(wrong, [""; 0]);
    }

    /// The lines of a table of the dashboard for whoever is on call: each cell's text by its column.
    pub(crate) fn lines(&self, title: &str) -> Vec<BTreeMap<String, String>> {
        let is_it = |panel: &&Value| panel["dashboard"] == "overview" && panel["title"] == title;
        let panel = self.0.iter().find(is_it).unwrap_or_else(|| panic!("no panel {title}"));
        let mut lines: Vec<BTreeMap<_, _>> = Vec::new();
        for cell in panel["says"].as_array().unwrap() {
            let name = text(cell, "name");
            if lines.last().is_none_or(|line| line.contains_key(&name)) {
                lines.push(BTreeMap::new());
            }
            lines.last_mut().unwrap().insert(name, text(cell, "text"));
        }
        lines
    }

    /// The texts on red of the dashboard for whoever is on call, with their panels. Alerts are looked at by themselves.
    pub(crate) fn red(&self) -> Vec<String> {
        let overview = self
            .0
            .iter()
            .filter(|panel| panel["dashboard"] == "overview" && !text(panel, "title").starts_with("Alerts"));
        let said = overview.flat_map(|panel| {
            let red = panel["says"].as_array().unwrap().iter().filter(|one| one["colour"] == "red");
            red.map(|one| format!("{}: {}", text(panel, "title"), text(one, "text")))
        });
        said.collect()
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap().to_owned()
}
