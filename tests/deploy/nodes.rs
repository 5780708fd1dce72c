//! Two nodes behind a balancer, as `deploy/two-nodes` has them: one is killed, one is taken out, and requests go on.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::task::JoinSet;
use tributary_tests::postgres::{Postgres, exported, in_database, made};
use tributary_tests::process::Process;
use tributary_tests::{GEORGE, Plan, configuration, federation, http, parameters};

use crate::product::{Running, found, is_there, text};

/// Who asks at the same time.
const CALLERS: usize = 6;
/// Answers between one event and the next.
const BETWEEN: usize = 150;

/// Ports that nobody's outgoing connections are given.
fn ports<const COUNT: usize>() -> [SocketAddr; COUNT] {
    let first = 24_000 + u16::try_from(std::process::id() % 4_000).unwrap();
    let free = (first..32_000).filter_map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
    let all: Vec<TcpListener> = free.take(COUNT).collect();
    std::array::from_fn(|place| all[place].local_addr().unwrap())
}

/// Starts `HAProxy` with a file of ours in which only addresses were changed.
fn haproxy(dir: &Path, file: &str, places: &[(&str, String)]) -> Running {
    let mut config = text(&format!("deploy/two-nodes/{file}.cfg"));
    for (place, instead) in places {
        assert!(config.contains(place), "{file}: {place}");
        config = config.replace(place, instead);
    }
    assert!(!config.contains("10.0.0."), "an address was left: {config}");
    let at = dir.join(format!("{file}.cfg"));
    std::fs::write(&at, config).unwrap();
    let mut command = Command::new(found("haproxy").unwrap());
    Running::start(command.arg("-db").arg("-f").arg(&at), at.with_extension("log"))
}

/// What callers saw.
#[derive(Default)]
struct Seen {
    disclosed: Mutex<BTreeSet<String>>,
    failed: Mutex<Vec<String>>,
    is_over: AtomicBool,
}

impl Seen {
    fn answered(&self) -> usize {
        self.disclosed.lock().unwrap().len()
    }

    fn failed(&self) -> Vec<String> {
        self.failed.lock().unwrap().clone()
    }

    /// Waits for so many more answers, with one at least of each of these nodes.
    async fn more(&self, nodes: &[&str]) {
        let before = self.disclosed.lock().unwrap().clone();
        loop {
            let now = self.disclosed.lock().unwrap().clone();
            let new: Vec<&String> = now.difference(&before).collect();
            let has = |node: &&str| new.iter().any(|id| id.starts_with(&format!("{node}-")));
            if new.len() >= BETWEEN && nodes.iter().all(has) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

async fn call(to: SocketAddr, seen: Arc<Seen>) {
    let body = parameters(GEORGE, &["flags"]);
    let path = "/fhir/R4/Patient/$record";
    while !seen.is_over.load(Ordering::Relaxed) {
        let reply = http::post(to, path, "application/fhir+json", &body, &[]).await;
        match reply.header("Tributary-Audit") {
            Some(id) if reply.status == 200 => drop(seen.disclosed.lock().unwrap().insert(id.to_owned())),
            _ => seen.failed.lock().unwrap().push(format!("{} {}", reply.status, reply.body)),
        }
    }
}

/// A node: its folder, its configuration, its broker, and its watch.
struct Node {
    dir: PathBuf,
    text: String,
    broker: Option<Process>,
    _watch: Running,
}

impl Node {
    fn start(
        dir: &Path,
        name: &str,
        base: &str,
        postgres: &Postgres,
        [data, admin, watch]: [SocketAddr; 3],
    ) -> Self {
        let dir = dir.join(name);
        std::fs::create_dir(&dir).unwrap();
        let text = in_database(base, postgres, name)
            .replacen("admin_listen = \"127.0.0.1:0\"", &format!("admin_listen = \"{admin}\""), 1)
            .replacen("listen = \"127.0.0.1:0\"", &format!("listen = \"{data}\""), 1)
            .replacen("lame_duck_secs = 0", "lame_duck_secs = 2", 1);
        let places = [("10.0.0.11:9465", watch.to_string()), ("127.0.0.1:9464", admin.to_string())];
        let watch = haproxy(&dir, "watch", &places);
        let mut node = Self { dir, text, broker: None, _watch: watch };
        node.begin();
        node
    }

    fn begin(&mut self) {
        self.broker = Some(Process::serve(&self.dir, &self.text));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_killed_and_one_taken_out_and_requests_go_on() {
    if !is_there("haproxy", "install Debian's haproxy package") {
        return;
    }
    let Some(postgres) = Postgres::start() else { return };
    let plan = Plan { expected: vec!["specialist"], ..Plan::default() };
    let federation = federation(&plan).await;
    let dir = tempfile::tempdir().unwrap();
    let base = configuration(federation.source_facts(), &plan, &dir.path().join("audit"));
    let config = made(dir.path(), &in_database(&base, &postgres, "init"));
    let [front, north, north_admin, north_watch, south, south_admin, south_watch] = ports();
    let mut nodes =
        [("north", [north, north_admin, north_watch]), ("south", [south, south_admin, south_watch])]
            .map(|(name, places)| Node::start(dir.path(), name, &base, &postgres, places));
    // Here the nodes share a machine, and cannot have the same port for their watches.
    let places = [
        ("10.0.0.10:8443", front.to_string()),
        ("10.0.0.11:8443", format!("{north} port {}", north_watch.port())),
        ("10.0.0.12:8443", format!("{south} port {}", south_watch.port())),
    ];
    let mut balancer = haproxy(dir.path(), "balancer", &places);
    balancer.until(&front.to_string(), "/_ping", 200).await;

    let seen = Arc::new(Seen::default());
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        callers.spawn(call(front, Arc::clone(&seen)));
    }
    seen.more(&["north", "south"]).await;
    assert_eq!(seen.failed(), [""; 0], "nothing has happened yet");
    nodes[0].broker.as_mut().unwrap().kill();
    seen.more(&["south"]).await;
    let broken = seen.failed();
    assert!(broken.len() <= CALLERS, "more broke than were under way: {broken:?}");

    nodes[0].begin();
    // Both answer again: the balancer has found it.
    seen.more(&["north", "south"]).await;
    let mut leaving = nodes[1].broker.take().unwrap();
    let code = tokio::task::spawn_blocking(move || leaving.terminate()).await.unwrap();
    assert_eq!(code, Some(0));
    seen.more(&["north"]).await;
    assert_eq!(seen.failed(), broken, "a node that is taken out loses no request");
    seen.is_over.store(true, Ordering::Relaxed);
    while let Some(done) = callers.join_next().await {
        done.unwrap();
    }
    assert_eq!(nodes[0].broker.as_mut().unwrap().terminate(), Some(0));
    let mut on_record = exported(&config, dir.path(), "north");
    on_record.append(&mut exported(&config, dir.path(), "south"));
    let disclosed = seen.disclosed.lock().unwrap().clone();
    let unrecorded: Vec<&String> = disclosed.difference(&on_record).collect();
    assert!(unrecorded.is_empty(), "{unrecorded:?}");
    println!("{} disclosed, {} on record, {} broken", seen.answered(), on_record.len(), broken.len());
}
