//! What stands between caller and GP system: the real broker, and `HAProxy` if the machine has it.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::cores::Cores;
use crate::request::{ASID, ROOT};
use crate::{Done, pause};

/// Longest wait for a server to be there.
const START: Duration = Duration::from_secs(20);

/// A server in a process of its own. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    /// Processor time it has used since its start, its threads that ended included.
    pub(crate) fn cpu(&self) -> Done<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name in brackets may hold blanks. Behind it, user and system time are the 12th and 13th field.
        let (_, fields) = stat.rsplit_once(')').ok_or("no process status")?;
        let ticks: Vec<u64> =
            fields.split_whitespace().skip(11).take(2).flat_map(str::parse::<u64>).collect();
        // The kernel tells them in hundredths of a second, on every platform we know.
        Ok(Duration::from_millis(ticks.iter().sum::<u64>() * 10))
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
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        Ok(line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default())
    }

    fn spawn(mut command: Command, log: &Path) -> Done<Child> {
        let out = File::create(log)?;
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        Ok(command.spawn()?)
    }
}

/// How the broker is set up, where that is not the same for every run.
#[derive(Debug)]
pub(crate) struct Setup {
    /// The product's binary.
    pub(crate) binary: PathBuf,
    /// Its log level.
    pub(crate) log: String,
    /// Where configuration, logs and the audit log are kept.
    pub(crate) dir: PathBuf,
    /// The audit log's folder, if it is to lie elsewhere.
    pub(crate) audit: Option<PathBuf>,
}

/// Starts the broker before this GP system.
pub(crate) fn broker(setup: &Setup, cores: &Cores, source: SocketAddr) -> Done<Server> {
    let audit = setup.audit.clone().unwrap_or_else(|| setup.dir.join("audit"));
    let config = setup.dir.join("tributary.toml");
    fs::write(
        &config,
        format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n\
             [log]\nlevel = \"{}\"\n[audit]\ndir = \"{}\"\n[demo]\ninsecure = true\n\
             [[source]]\nid = \"gp\"\nkind = \"gp\"\nprotocol = \"gpconnect-structured\"\nods = \"A99901\"\n\
             asid = \"{ASID}\"\nbase_url = \"http://{source}{ROOT}\"\n",
            setup.log,
            audit.display(),
        ),
    )?;
    let mut command = cores.server(&setup.binary);
    command.args(["serve", "--config"]).arg(&config);
    let log = setup.dir.join("broker.log");
    let child = Server::spawn(command, &log)?;
    let mut server = Server { child, address: source };
    let began = Instant::now();
    while began.elapsed() < START && server.child.try_wait()?.is_none() {
        // It prints where it listens.
        let text = fs::read_to_string(&log)?;
        let address = text.lines().find_map(|line| line.trim().strip_prefix("records  http://"));
        if let Some(address) = address.and_then(|address| address.trim().parse().ok()) {
            server.address = address;
            return Ok(server);
        }
        pause(Duration::from_millis(10));
    }
    Err(format!("the broker does not start: {}", fs::read_to_string(&log)?).into())
}

/// What `HAProxy` calls itself; `None` if the machine has none.
pub(crate) fn haproxy_version() -> Option<String> {
    let said = Command::new("haproxy").arg("-v").output().ok()?;
    String::from_utf8_lossy(&said.stdout).lines().next().map(str::to_owned)
}

/// Starts `HAProxy` before this GP system: one thread, HTTP mode, connections kept, no log.
pub(crate) fn haproxy(dir: &Path, cores: &Cores, source: SocketAddr) -> Done<Server> {
    // HAProxy cannot choose a port by itself: a free one is sought for it.
    let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
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
    let mut command = cores.server(Path::new("haproxy"));
    command.arg("-db").arg("-f").arg(&config);
    let log = dir.join("haproxy.log");
    let mut server = Server { child: Server::spawn(command, &log)?, address };
    let began = Instant::now();
    while began.elapsed() < START && server.child.try_wait()?.is_none() {
        if TcpStream::connect(address).is_ok() {
            return Ok(server);
        }
        pause(Duration::from_millis(10));
    }
    Err(format!("HAProxy does not start: {}", fs::read_to_string(&log)?).into())
}
