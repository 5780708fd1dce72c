//! Nodes that are restarted one after the other behind a balancer.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mock_providers::Federation;
use tributary_tests::process::Process;
use tributary_tests::{Plan, Reply, federation, http};

use crate::scene::{Callers, eventually, log_is_sound, name};

/// So many restarts; `TRIBUTARY_RESTARTS` asks for another number.
const RESTARTS: usize = 20;
/// The balancer looks this often whether a node is ready.
const LOOKS: Duration = Duration::from_millis(100);
/// After so many starts the log is put away: what a start reads of it again takes seconds without optimisation.
const LOG_LASTS: usize = 11;
/// A node that ends says so for this long before it closes its door: ten looks.
const LAME_DUCK_SECS: u32 = 1;

/// One node, behind the balancer.
struct Node {
    dir: tempfile::TempDir,
    text: String,
    data: SocketAddr,
    admin: SocketAddr,
    is_ready: Arc<AtomicBool>,
    starts: usize,
    process: Option<Process>,
}

/// Ports that nobody's outgoing connections are given.
fn ports() -> [SocketAddr; 2] {
    let first = 20_000 + u16::try_from(std::process::id() % 4_000).unwrap() * 2;
    let free = (first..32_000).filter_map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
    let both: Vec<TcpListener> = free.take(2).collect();
    [0, 1].map(|place| both[place].local_addr().unwrap())
}

impl Node {
    async fn start(federation: &Federation, number: u32, [data, admin]: [SocketAddr; 2]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = crate::scene::configuration(federation, number);
        let text = text.replacen("listen = \"127.0.0.1:0\"", &format!("listen = \"{data}\""), 1);
        let text = text.replacen("admin_listen = \"127.0.0.1:0\"", &format!("admin_listen = \"{admin}\""), 1);
        let text = text.replacen("[server]\n", &format!("[server]\nlame_duck_secs = {LAME_DUCK_SECS}\n"), 1);
        let is_ready = Arc::<AtomicBool>::default();
        tokio::spawn(look(admin, Arc::clone(&is_ready)));
        let mut node = Self { dir, text, data, admin, is_ready, starts: 0, process: None };
        node.begin().await;
        node
    }

    async fn begin(&mut self) {
        if self.starts > 0 && self.starts.is_multiple_of(LOG_LASTS) {
            let archive = self.dir.path().join(format!("audit-{}", self.starts));
            std::fs::rename(self.dir.path().join("audit"), archive).unwrap();
        }
        self.starts += 1;
        let (dir, text) = (self.dir.path().to_owned(), self.text.clone());
        let process = tokio::task::spawn_blocking(move || Process::serve(&dir, &text)).await.unwrap();
        assert_eq!((process.data, process.admin), (self.data, self.admin));
        self.process = Some(process);
        eventually("a ready node", async || self.is_ready.load(Ordering::Relaxed)).await;
    }

    async fn end(&mut self) {
        let mut process = self.process.take().unwrap();
        let ended = tokio::task::spawn_blocking(move || (process.terminate(), process.log_text()));
        let (code, log) = ended.await.unwrap();
        assert_eq!(code, Some(0), "{log}");
    }

    /// Its audit log, and those that were put away.
    fn logs(&self) -> Vec<PathBuf> {
        let all = std::fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let is_log = |path: &PathBuf| path.is_dir() && path.to_string_lossy().contains("/audit");
        all.filter(is_log).collect()
    }
}

/// Looks whether a node is ready, as a balancer does.
async fn look(admin: SocketAddr, is_ready: Arc<AtomicBool>) {
    let mut turn = tokio::time::interval(LOOKS);
    // As long as there is somebody to tell.
    while Arc::strong_count(&is_ready) > 1 {
        turn.tick().await;
        let reply = http::get(admin, "/health/ready").await;
        is_ready.store(reply.status == 200, Ordering::Relaxed);
    }
}

/// The nodes that are ready, in turn.
fn in_turn(nodes: &[Node]) -> impl Fn() -> SocketAddr + Clone + Send + 'static {
    let all: Vec<_> = nodes.iter().map(|node| (node.data, Arc::clone(&node.is_ready))).collect();
    let turn = Arc::new(AtomicUsize::new(0));
    move || {
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        let ready = |place: &usize| all[*place % all.len()].1.load(Ordering::Relaxed);
        // One at least is; a caller who finds none ready fails, as it must.
        let place = (turn..turn + all.len()).find(ready).unwrap_or(turn);
        all[place % all.len()].0
    }
}

fn is_record(reply: &Reply) -> Result<(), String> {
    if reply.status == 200 && reply.body.ends_with('}') {
        return Ok(());
    }
    Err(format!("status {} after {:?}: {} {}", reply.status, reply.took, reply.head, reply.body))
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_restarted_one_after_the_other_lose_no_request() {
    let restarts = std::env::var("TRIBUTARY_RESTARTS").ok().and_then(|text| text.parse().ok());
    let restarts = restarts.unwrap_or(RESTARTS);
    let federation = federation(&Plan::default()).await;
    let mut nodes = [Node::start(&federation, 1, ports()).await, Node::start(&federation, 2, ports()).await];
    let names = nodes.each_ref().map(|node| name(&node.text));
    let callers = Callers::begin(in_turn(&nodes), move |reply| {
        // Two configurations at once, and each answer of one of them.
        let said = reply.header("Tributary-Config").unwrap_or_default();
        is_record(reply).and_then(|()| {
            let place = names.iter().position(|name| name == said).ok_or_else(|| reply.head.clone())?;
            let numbers = crate::scene::numbers(&reply.body);
            let is_whole = numbers.iter().all(|number| usize::try_from(*number).unwrap() == place + 1);
            if is_whole { Ok(()) } else { Err(format!("{said}: {numbers:?}")) }
        })
    });
    let began = std::time::Instant::now();
    for restart in 0..restarts {
        let node = &mut nodes[restart % 2];
        node.end().await;
        eventually("a look at a node that is gone", async || !node.is_ready.load(Ordering::Relaxed)).await;
        node.begin().await;
    }
    let took = began.elapsed();
    let tally = callers.end().await;
    let (answered, failed) = (tally.answered, tally.failed.len());
    println!("{restarts} restarts, {answered} requests in {took:?}: {failed} failed");
    assert!(tally.failed.is_empty(), "{failed} failed, first {:#?}", tally.failed.first());
    assert!(answered > restarts * 20, "{answered}");
    for node in &mut nodes {
        node.end().await;
        for log in node.logs() {
            log_is_sound(&log);
        }
    }
}
