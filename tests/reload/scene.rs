//! A broker in a process of its own, its configurations by number, and callers who never stop asking.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mock_providers::{Federation, SourceFacts};
use tokio::task::JoinSet;
use tributary_tests::process::Process;
use tributary_tests::{GEORGE, Plan, Reply, federation, http, parameters, sha256};

/// Longest that anything here is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A broker, and where its configuration is.
pub(crate) struct Scene {
    pub(crate) federation: Federation,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) broker: Process,
}

impl Scene {
    /// Sets one with the first configuration.
    pub(crate) async fn set() -> Self {
        let federation = federation(&Plan::default()).await;
        let dir = tempfile::tempdir().unwrap();
        let text = configuration(&federation, 0);
        let place = dir.path().to_owned();
        let broker = tokio::task::spawn_blocking(move || Process::serve(&place, &text)).await.unwrap();
        Self { federation, dir, broker }
    }

    /// The configuration with this number.
    pub(crate) fn text(&self, number: u32) -> String {
        configuration(&self.federation, number)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir.path().join("tributary.toml")
    }

    /// Puts another text in the place of the configuration, in one step, and asks for it to be read.
    pub(crate) fn ask_for(&self, text: &str) {
        let beside = self.dir.path().join("next.toml");
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(&beside, self.config()).unwrap();
        self.broker.hang_up();
    }

    /// The same, and waits until it is in force, or refused.
    pub(crate) async fn reload(&self, text: &str) -> Outcome {
        let before = self.counts().await;
        self.ask_for(text);
        self.outcome_after(before).await
    }

    /// What became of the one that was asked for since these were the counts.
    pub(crate) async fn outcome_after(&self, before: Counts) -> Outcome {
        let began = Instant::now();
        loop {
            let now = self.counts().await;
            if now != before {
                let is_one_more = (before.applied + 1, before.rejected) == (now.applied, now.rejected);
                return if is_one_more { Outcome::Applied } else { Outcome::Rejected };
            }
            assert!(began.elapsed() < PATIENCE, "nothing became of a reload: {}", self.broker.log_text());
            tokio::time::sleep(Duration::from_millis(4)).await;
        }
    }

    pub(crate) async fn counts(&self) -> Counts {
        let metrics = http::get(self.broker.admin, "/metrics").await.body;
        let count = |outcome: &str| {
            let name = format!("tributary_config_reloads_total{{outcome=\"{outcome}\"}} ");
            let line = metrics.lines().find_map(|line| line.strip_prefix(name.as_str()));
            line.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{name} is not there"))
        };
        Counts { applied: count("applied"), rejected: count("rejected") }
    }

    pub(crate) async fn record(&self) -> Reply {
        ask(self.broker.data).await
    }

    /// Ends it, and its log is sound.
    pub(crate) async fn end(self) {
        let Self { federation, dir, mut broker } = self;
        let (code, broker) = tokio::task::spawn_blocking(move || (broker.terminate(), broker)).await.unwrap();
        assert_eq!(code, Some(0), "{}", broker.log_text());
        log_is_sound(&dir.path().join("audit"));
        drop(federation);
    }
}

#[track_caller]
pub(crate) fn log_is_sound(log: &Path) {
    let (code, out, error) = tributary_tests::process::run(&["audit", "verify", &log.to_string_lossy()]);
    assert_eq!(code, 0, "{out}{error}");
}

/// Configurations that were read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) applied: u32,
    pub(crate) rejected: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Applied,
    Rejected,
}

/// The name of a configuration, as answers have it.
pub(crate) fn name(text: &str) -> String {
    sha256(text).chars().take(12).collect()
}

/// The two hospitals, small, under names that hold the number.
pub(crate) fn configuration(federation: &Federation, number: u32) -> String {
    let maps = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/maps");
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\nmax_behind_ms = 1000\n[log]\nlevel = \"warn\"\nformat = \"json\"\n\
         [audit]\ndir = \"audit\"\n[maps]\ndir = \"{}\"\n[demo]\ninsecure = true\n",
        maps.display(),
    );
    for facts in federation.source_facts() {
        if ["acute-a", "specialist"].contains(&facts.id) {
            text.push_str(&source(facts, number));
        }
    }
    text
}

pub(crate) fn source(facts: &SourceFacts, number: u32) -> String {
    // Some have another name only; of some the source itself must be made anew.
    let timeout = 3_000 + number % 3;
    format!(
        "[[source]]\nid = \"{}\"\nname = \"Number {number:06}\"\nkind = \"{}\"\nprotocol = \"{}\"\nbase_url = \"{}\"\n\
         sections = [\"allergies\"]\ntimeout_ms = {timeout}\ncache_ttl_secs = 60\n",
        facts.id, facts.kind, facts.protocol, facts.base_url,
    )
}

/// The numbers that an answer names its sources by.
pub(crate) fn numbers(body: &str) -> Vec<u32> {
    let places = body.match_indices("\"Number ").map(|(at, found)| at + found.len());
    places.filter_map(|at| body.get(at..at + 6)?.parse().ok()).collect()
}

pub(crate) async fn ask(address: SocketAddr) -> Reply {
    let (path, body) = ("/fhir/R4/Patient/$record", parameters(GEORGE, &["allergies"]));
    http::post(address, path, "application/fhir+json", &body, &[]).await
}

/// Looks again and again.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "{what} did not come to be");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Names of configurations that may be seen, each with its number.
pub(crate) type Known = Arc<Mutex<BTreeMap<String, u32>>>;

/// What became of requests.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) answered: usize,
    pub(crate) failed: Vec<String>,
}

/// Callers who ask again and again until they are told to stop.
pub(crate) struct Callers {
    stop: Arc<AtomicBool>,
    all: JoinSet<Tally>,
}

/// A request of each caller begins so long after the one before it.
const PACE: Duration = Duration::from_millis(80);
/// Together: two hundred requests a second.
const CALLERS: u32 = 16;

impl Callers {
    /// Lets them ask; `to` says whom, and `look` what is wrong with an answer.
    pub(crate) fn begin<L>(to: impl Fn() -> SocketAddr + Clone + Send + 'static, look: L) -> Self
    where
        L: Fn(&Reply) -> Result<(), String> + Clone + Send + 'static,
    {
        let stop = Arc::new(AtomicBool::new(false));
        let mut all = JoinSet::new();
        for caller in 0..CALLERS {
            let first = tokio::time::Instant::now() + PACE * caller / CALLERS;
            let turn = tokio::time::interval_at(first, PACE);
            all.spawn(call(turn, Arc::clone(&stop), to.clone(), look.clone()));
        }
        Self { stop, all }
    }

    /// Lets them finish; what became of all their requests.
    pub(crate) async fn end(mut self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let mut whole = Tally::default();
        while let Some(tally) = self.all.join_next().await {
            let Tally { answered, failed } = tally.unwrap();
            whole.answered += answered;
            whole.failed.extend(failed);
        }
        whole
    }
}

/// One caller, until it is told to stop.
async fn call<L>(
    mut turn: tokio::time::Interval,
    stop: Arc<AtomicBool>,
    to: impl Fn() -> SocketAddr,
    look: L,
) -> Tally
where
    L: Fn(&Reply) -> Result<(), String>,
{
    let mut tally = Tally::default();
    while !stop.load(Ordering::Relaxed) {
        turn.tick().await;
        let reply = ask(to()).await;
        tally.answered += 1;
        tally.failed.extend(look(&reply).err());
    }
    tally
}

/// What a process holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) resident_bytes: u64,
    pub(crate) files: usize,
    pub(crate) sockets: usize,
}

impl Held {
    /// By this process now.
    pub(crate) fn by(pid: u32) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let links = open.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
        let is_socket = |link: &PathBuf| link.to_string_lossy().starts_with("socket:");
        let (sockets, files): (Vec<_>, Vec<_>) = links.partition(is_socket);
        Self { resident_bytes: kilobytes << 10, files: files.len(), sockets: sockets.len() }
    }
}
