//! The product's binary as a process of its own: to be killed, starved and listened to.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Builds the binary once, and tells where it is.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "-p", "tributary"])
            .current_dir(&root)
            .status();
        assert!(built.expect("cargo runs").success(), "the binary does not build");
        // This test runs from target/debug/deps; the binary lies one folder up.
        let own = std::env::current_exe().expect("own path");
        let debug = own.ancestors().nth(2).expect("target folder").to_path_buf();
        debug.join("tributary")
    })
}

/// What a process holds and how it fared.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// Memory that is in RAM now.
    pub resident_kib: u64,
    /// The most there ever was of it.
    pub peak_kib: u64,
    /// Open files, sockets among them.
    pub files: usize,
    /// Time on a processor, its living threads together.
    pub ran: Duration,
    /// Time that its living threads were ready and found no processor free.
    pub waited: Duration,
}

fn kib(status: &str, key: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// A broker in a process of its own. Killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
    /// Where records are asked for.
    pub data: SocketAddr,
    /// Where metrics are.
    pub admin: SocketAddr,
}

impl Process {
    /// Starts `tributary serve` with this configuration; its log goes to a file in `dir`.
    pub fn serve(dir: &Path, configuration: &str) -> Self {
        Self::serve_under(&[], dir, configuration)
    }

    /// Starts `tributary demo`; its log and its audit log go to files in `dir`.
    pub fn demo(dir: &Path) -> Self {
        let log = dir.join("log.txt");
        let out = std::fs::File::create(&log).expect("log file");
        let child = Command::new(binary())
            .args(["demo", "--audit-dir"])
            .arg(dir.join("audit"))
            .stdin(Stdio::null())
            .stdout(out.try_clone().expect("log file"))
            .stderr(out)
            .spawn()
            .expect("the binary starts");
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut process = Self { child, log, data: nowhere, admin: nowhere };
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            let text = process.log_text();
            let after = |word: &str| text.split_once(word).and_then(|(_, rest)| address(rest));
            if let (Some(data), Some(admin)) = (after("Open http://"), after("metrics   http://")) {
                (process.data, process.admin) = (data, admin);
                return process;
            }
            pause();
        }
        panic!("the demo prints no addresses: {}", process.log_text());
    }

    /// The same below another command, which must become the broker in the end (`exec`).
    pub fn serve_under(command: &[&str], dir: &Path, configuration: &str) -> Self {
        let config = dir.join("tributary.toml");
        std::fs::write(&config, configuration).expect("configuration written");
        let log = dir.join("log.txt");
        let out = std::fs::File::create(&log).expect("log file");
        let own = binary().to_string_lossy();
        let mut words = command.iter().copied().chain([&*own, "serve", "--config"]);
        let child = Command::new(words.next().unwrap_or_default())
            .args(words)
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(out.try_clone().expect("log file"))
            .stderr(out)
            .spawn()
            .expect("the binary starts");
        let mut process = Self {
            child,
            log,
            data: SocketAddr::from(([127, 0, 0, 1], 0)),
            admin: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        (process.data, process.admin) = process.addresses();
        process
    }

    /// Both addresses, as the process prints them.
    fn addresses(&mut self) -> (SocketAddr, SocketAddr) {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            // `http://` or `https://`.
            let found: Vec<SocketAddr> = self.log_text().split("://").skip(1).filter_map(address).collect();
            if let [data, admin, ..] = found.as_slice() {
                return (*data, *admin);
            }
            assert!(
                self.child.try_wait().expect("status").is_none(),
                "the broker ended: {}",
                self.log_text()
            );
            pause();
        }
        panic!("the broker prints no addresses: {}", self.log_text());
    }

    /// All it has written so far.
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name: `STOP`, `HUP`, …
    pub fn signal(&self, name: &str) {
        let (name, pid) = (format!("-{name}"), self.pid().to_string());
        let sent = Command::new("kill").args([&name, &pid]).status();
        assert!(sent.expect("kill runs").success(), "{name} to {pid}");
    }

    /// What it holds and how it fared, as the system tells it.
    pub fn held(&self) -> Held {
        let folder = PathBuf::from(format!("/proc/{}", self.pid()));
        let status = std::fs::read_to_string(folder.join("status")).unwrap_or_default();
        let files = std::fs::read_dir(folder.join("fd")).map_or(0, Iterator::count);
        let tasks = std::fs::read_dir(folder.join("task")).into_iter().flatten().flatten();
        let schedules: Vec<[Duration; 2]> = tasks
            .filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok())
            .map(|line| {
                let mut nanos = line.split(' ').map(|number| number.trim().parse().unwrap_or(0));
                std::array::from_fn(|_| Duration::from_nanos(nanos.next().unwrap_or(0)))
            })
            .collect();
        Held {
            resident_kib: kib(&status, "VmRSS:"),
            peak_kib: kib(&status, "VmHWM:"),
            files,
            ran: schedules.iter().map(|[ran, _]| *ran).sum(),
            waited: schedules.iter().map(|[_, waited]| *waited).sum(),
        }
    }

    /// Asks it to read its configuration again.
    pub fn hang_up(&self) {
        self.signal("HUP");
    }

    /// Kills it without warning.
    pub fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("reaped");
    }

    /// Asks it to end; gives its exit code.
    pub fn terminate(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.child.wait().expect("reaped").code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn address(text: &str) -> Option<SocketAddr> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':')).unwrap_or(text.len());
    text[..end].parse().ok()
}

#[expect(clippy::disallowed_methods, reason = "waits for another process, outside any runtime")]
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

/// Runs the binary to its end; gives exit code, standard output and standard error.
pub fn run(arguments: &[&str]) -> (i32, String, String) {
    let output =
        Command::new(binary()).args(arguments).stdin(Stdio::null()).output().expect("the binary runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}
