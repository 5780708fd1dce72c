//! The binary as it is packaged, a process that runs it, and the tools that are asked about it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use tributary_tests::http;

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A file of the repository.
pub(crate) fn text(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Where things are built: this test runs from its `debug/deps`.
fn target() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_path_buf()
}

/// The folder of what this suite builds.
pub(crate) fn workshop() -> PathBuf {
    target().join("package")
}

/// Builds the binary without the demo, as it is packaged but without optimisation, once; gives its place. What was
/// compiled for the other suites is used again, and their binary stays as it is.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let built = Command::new(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                "--locked",
                "-p",
                "tributary",
                "--no-default-features",
                "--target-dir",
            ])
            .arg(workshop())
            .arg("--config")
            .arg(format!("build.build-dir=\"{}\"", target().display()))
            .current_dir(repository())
            .status();
        assert!(built.unwrap().success(), "the binary does not build");
        // Where cargo-deb looks for a release, and as slim as one.
        let release = workshop().join("release");
        std::fs::create_dir_all(&release).unwrap();
        let slim = release.join("tributary");
        let debug = workshop().join("debug/tributary");
        // Another name, so that no process that still runs is written to.
        let fresh = release.join("tributary.new");
        did(Command::new("strip").arg("-o").arg(&fresh).arg(debug));
        std::fs::rename(&fresh, &slim).unwrap();
        slim
    })
}

/// Whether a program is there; says what is not looked at otherwise.
pub(crate) fn is_there(program: &str, package: &str) -> bool {
    let found = found(program).is_some();
    if !found {
        println!("NOT RUN: there is no {program} here; {package}");
    }
    found
}

/// Where a program is, on the path or where `tests/run` puts it.
pub(crate) fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = [target().join("tools/bin"), target().join("tools/deploy/bin"), PathBuf::from("/usr/sbin")];
    let mut folders = own.into_iter().chain(std::env::split_paths(&path));
    folders.find_map(|folder| Some(folder.join(program)).filter(|file| file.is_file()))
}

/// Whether this runs as root; says what is not looked at otherwise.
pub(crate) fn is_root() -> bool {
    let is_root = did(Command::new("id").arg("-u")) == "0\n";
    if !is_root {
        println!("NOT RUN: this needs root");
    }
    is_root
}

/// Runs a command that must succeed; gives what it printed.
pub(crate) fn did(command: &mut Command) -> String {
    let (output, said) = ran(command);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a command; gives how it ended, and all that it printed.
pub(crate) fn ran(command: &mut Command) -> (Output, String) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [output.stdout.clone(), output.stderr.clone()].concat();
    (output, String::from_utf8_lossy(&said).into_owned())
}

/// A process with its log. Killed when dropped.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts it; its log goes to this file.
    pub(crate) fn start(command: &mut Command, log: PathBuf) -> Self {
        let out = std::fs::File::create(&log).unwrap();
        let child =
            command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out).spawn().unwrap();
        Self { child, log }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until its log says so: what answers at an address may be somebody else.
    pub(crate) async fn says(&mut self, words: &str) {
        while !self.log().contains(words) {
            assert!(!self.has_ended(), "it ended: {}", self.log());
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Waits until this path answers so; fails when the process ends before.
    pub(crate) async fn until(&mut self, address: &str, path: &str, status: u16) -> http::Reply {
        loop {
            let reply = http::get(address.parse().unwrap(), path).await;
            if reply.status == status {
                return reply;
            }
            assert!(!self.has_ended(), "it ended: {}", self.log());
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// A file of the process as the system shows it.
    pub(crate) fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.pid()))
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        did(Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]));
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A set of capabilities without any, as the system writes it.
pub(crate) const NO_RIGHT: &str = "0000000000000000";

/// What a process that is shut in looks like from outside: nobody in particular, without rights, not dumpable.
pub(crate) fn is_nobody(process: &Running, user: u32, bounding: &str) {
    use std::os::unix::fs::MetadataExt as _;
    let status = std::fs::read_to_string(process.proc("status")).unwrap();
    let line = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let user_text = user.to_string();
    assert_eq!(line("Uid:"), vec![user_text.clone(); 4], "{status}");
    assert_eq!(line("Gid:"), vec![user_text; 4], "{status}");
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(line(set), [NO_RIGHT], "{set} {status}");
    }
    assert_eq!(line("CapBnd:"), [bounding], "{status}");
    assert_eq!(line("NoNewPrivs:"), ["1"]);
    assert_eq!(line("Seccomp:"), ["2"]);
    // The files of a process that cannot be dumped belong to root.
    assert_eq!(std::fs::metadata(process.proc("environ")).unwrap().uid(), 0, "it can be dumped");
    let limits = std::fs::read_to_string(process.proc("limits")).unwrap();
    let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().take(2).collect::<Vec<_>>(), ["0", "0"]);
}

/// The walls of the sandbox stand, as the process itself tells.
pub(crate) fn is_shut_in(metrics: &str) {
    for wall in ["files", "system-calls"] {
        let line = format!("tributary_sandbox{{wall=\"{wall}\"}} 1");
        assert!(metrics.lines().any(|found| found == line), "{line}: {metrics}");
    }
}
