//! Servers in processes of their own: the real broker, and whatever stands in its place.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::stage::Stage;
use crate::{Done, pause};

/// Longest wait for a server to be there.
const START: Duration = Duration::from_mins(1);
/// How often it is looked for. Part of every time to ready.
const LOOK: Duration = Duration::from_millis(1);

/// A server in a process of its own. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Where a broker tells how it is.
    pub(crate) admin: SocketAddr,
    /// From the start of its process until it took connections.
    pub(crate) ready: Duration,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    /// Processor time that its present threads have used. Threads that ended are forgotten with theirs.
    pub(crate) fn cpu(&self) -> Done<Duration> {
        let mut nanos = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // A thread may end between being listed and being read.
            let told = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
            nanos += told.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok()).unwrap_or_default();
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// An error if it has ended: somebody else may have ended it, and what was measured then is void.
    pub(crate) fn lives(&mut self, name: &str) -> Done<()> {
        match self.child.try_wait()? {
            Some(status) => Err(format!("{name} ended while it was measured: {status}").into()),
            None => Ok(()),
        }
    }

    /// Most memory it ever had resident, in kB.
    pub(crate) fn peak_kb(&self) -> Done<u64> {
        self.memory("VmHWM:")
    }

    /// Memory it has resident now, in kB.
    pub(crate) fn resident_kb(&self) -> Done<u64> {
        self.memory("VmRSS:")
    }

    fn memory(&self, name: &str) -> Done<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        Ok(line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default())
    }

    /// Starts a command that will listen at this address, and waits until it does.
    pub(crate) fn listening(command: Command, log: &Path, address: SocketAddr) -> Done<Self> {
        let began = Instant::now();
        let child = spawn(command, log)?;
        let mut server = Self { child, address, admin: address, ready: Duration::ZERO };
        while began.elapsed() < START && server.child.try_wait()?.is_none() {
            if TcpStream::connect(address).is_ok() {
                server.ready = began.elapsed();
                return Ok(server);
            }
            pause(LOOK);
        }
        Err(format!("a server does not start: {}", fs::read_to_string(log)?).into())
    }
}

fn spawn(mut command: Command, log: &Path) -> Done<Child> {
    let out = File::create(log)?;
    command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
    Ok(command.spawn()?)
}

/// An address for a server that cannot choose a port by itself.
pub(crate) fn free() -> Done<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// How a broker is set up, where that is not the same for every run.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// Where configuration, log and audit log are kept.
    pub(crate) dir: PathBuf,
    /// The audit log's folder, if it is to lie elsewhere.
    pub(crate) audit: Option<PathBuf>,
    /// Lines of `[server]`.
    pub(crate) server: String,
    /// All further sections. Tables of `[demo]` come first.
    pub(crate) rest: String,
}

impl Setup {
    /// A broker for so many callers at once, before these sources.
    pub(crate) fn wide(dir: PathBuf, rest: String) -> Self {
        // What is measured is not how it refuses.
        let server = "max_in_flight = 1024\nmax_connections = 2048\nmax_behind_ms = 10000\n".to_owned();
        Self { dir, audit: None, server, rest }
    }
}

/// Starts the broker.
pub(crate) fn broker(stage: &Stage, setup: &Setup) -> Done<Server> {
    broker_by(stage, stage.cores.server(&stage.binary), setup)
}

/// Starts the broker with a command that ends in its binary.
pub(crate) fn broker_by(stage: &Stage, mut command: Command, setup: &Setup) -> Done<Server> {
    let audit = setup.audit.clone().unwrap_or_else(|| setup.dir.join("audit"));
    let config = setup.dir.join("tributary.toml");
    fs::write(
        &config,
        format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\nlame_duck_secs = 0\nmax_requests_per_connection = 100000\n\
             max_connections_per_address = 1000\n{}\
             [log]\nlevel = \"{}\"\n[audit]\ndir = \"{}\"\n[demo]\ninsecure = true\n{}",
            setup.server,
            stage.log,
            audit.display(),
            setup.rest,
        ),
    )?;
    command.args(["serve", "--config"]).arg(&config);
    let log = setup.dir.join("broker.log");
    let began = Instant::now();
    let child = spawn(command, &log)?;
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut server = Server { child, address: nowhere, admin: nowhere, ready: Duration::ZERO };
    while began.elapsed() < START && server.child.try_wait()?.is_none() {
        // It prints where it listens.
        let text = fs::read_to_string(&log)?;
        let told = |name: &str| {
            let address =
                text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix("http://"));
            address.and_then(|address| address.trim().parse().ok())
        };
        if let (Some(address), Some(admin)) = (told("records  "), told("admin    ")) {
            (server.address, server.admin) = (address, admin);
            server.ready = began.elapsed();
            return Ok(server);
        }
        pause(LOOK);
    }
    Err(format!("the broker does not start: {}", fs::read_to_string(&log)?).into())
}

/// What `HAProxy` calls itself; `None` if the machine has none.
pub(crate) fn haproxy_version() -> Option<String> {
    let said = Command::new("haproxy").arg("-v").output().ok()?;
    String::from_utf8_lossy(&said.stdout).lines().next().map(str::to_owned)
}

/// Starts `HAProxy` before this GP system: one thread, HTTP mode, connections kept, no log.
pub(crate) fn haproxy(stage: &Stage, dir: &Path, source: SocketAddr) -> Done<Server> {
    let address = free()?;
    let config = dir.join("haproxy.cfg");
    let mut file = File::create(&config)?;
    write!(
        file,
        "global\n  nbthread 1\n  maxconn 1000\n\
         defaults\n  mode http\n  timeout connect 1s\n  timeout client 30s\n  timeout server 30s\n\
         \x20 option http-keep-alive\n  http-reuse always\n\
         frontend front\n  bind {address}\n  default_backend gp\n\
         backend gp\n  server gp {source}\n"
    )?;
    let mut command = stage.cores.server(Path::new("haproxy"));
    command.arg("-db").arg("-f").arg(&config);
    Server::listening(command, &dir.join("haproxy.log"), address)
}
