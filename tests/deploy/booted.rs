//! The installed unit below a systemd of its own, booted in namespaces: started, read again, killed, restarted, ended.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tributary_tests::audit;

use crate::package::package;
use crate::product::{NO_RIGHT, is_root, ran, repository};

/// Longest that anything here is waited for.
const PATIENCE: Duration = Duration::from_mins(1);
/// What may answer below the unit, asked from inside.
const ASK: &str = "exec 3<>/dev/tcp/127.0.0.1/9464; \
    printf 'GET %s HTTP/1.1\\r\\nHost: 127.0.0.1:9464\\r\\nConnection: close\\r\\n\\r\\n' \"$0\" >&3; cat <&3";

/// A machine of its own: systemd and what it started. Ends, with everything in it, when dropped.
struct Machine {
    unshare: Child,
    systemd: u32,
}

impl Machine {
    /// Boots one with the package installed; `None`, with a word, where that cannot be.
    fn boot(dir: &Path, package: &Path) -> Option<Self> {
        let said = std::fs::File::create(dir.join("boot.txt")).unwrap();
        let place = dir.join("machine");
        std::fs::create_dir(&place).unwrap();
        let spaces = ["--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup"];
        let unshare = Command::new("unshare")
            .args(spaces)
            .args(["--fork", "--kill-child=KILL", "--"])
            .arg(repository().join("tests/deploy/boot"))
            .args([place.as_path(), package])
            .stdin(Stdio::null())
            .stdout(said.try_clone().unwrap())
            .stderr(said)
            .spawn()
            .unwrap();
        let mut machine = Self { unshare, systemd: 0 };
        let began = Instant::now();
        while began.elapsed() < PATIENCE && machine.unshare.try_wait().unwrap().is_none() {
            let of = format!("/proc/{0}/task/{0}/children", machine.unshare.id());
            let child = std::fs::read_to_string(of).unwrap_or_default();
            machine.systemd = child.trim().parse().unwrap_or(0);
            let name = std::fs::read_to_string(format!("/proc/{}/comm", machine.systemd)).unwrap_or_default();
            if name.trim() == "systemd" {
                let state = machine.inside(&["systemctl", "is-system-running"]);
                if ["running", "degraded"].contains(&state.trim()) {
                    return Some(machine);
                }
            }
            pause();
        }
        let said = std::fs::read_to_string(dir.join("boot.txt")).unwrap_or_default();
        println!("NOT RUN: systemd cannot be booted here: {}", said.lines().last().unwrap_or_default());
        None
    }

    /// What a command inside prints.
    fn inside(&self, command: &[&str]) -> String {
        let systemd = self.systemd.to_string();
        ran(Command::new("nsenter").args(["-t", &systemd, "-a", "--"]).args(command)).1
    }

    fn property(&self, name: &str) -> String {
        self.inside(&["systemctl", "show", "--value", "-p", name, "tributary"]).trim().to_owned()
    }

    fn log(&self) -> String {
        self.inside(&["journalctl", "--no-pager", "-o", "cat", "-u", "tributary"])
    }

    fn ask(&self, path: &str) -> String {
        self.inside(&["bash", "-c", ASK, path])
    }

    fn until(&self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            assert!(began.elapsed() < PATIENCE, "waited in vain until {what}:\n{}", self.log());
            pause();
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // With the first process of a machine all of it ends.
        drop(self.unshare.kill());
        drop(self.unshare.wait());
    }
}

#[expect(clippy::disallowed_methods, reason = "waits for another machine, outside any runtime")]
fn pause() {
    std::thread::sleep(Duration::from_millis(100));
}

#[test]
fn systemd_starts_reloads_restarts_and_ends_the_installed_unit() {
    if !is_root() {
        return;
    }
    let Some(package) = package() else { return };
    let dir = tempfile::tempdir().unwrap();
    let Some(machine) = Machine::boot(dir.path(), package) else { return };
    assert_eq!(machine.property("ActiveState"), "inactive", "installed is not started");
    let started = machine.inside(&["systemctl", "enable", "--now", "tributary"]);
    assert_eq!(machine.property("ActiveState"), "active", "{started}\n{}", machine.log());
    machine.until("it is ready", |machine| machine.ask("/health/ready").starts_with("HTTP/1.1 200"));
    let page = machine.ask("/metrics");
    for wall in ["files", "ports", "signals", "system-calls"] {
        let line = format!("tributary_sandbox{{wall=\"{wall}\"}} 1");
        assert!(page.contains(&line), "{wall} does not stand below the unit:\n{}", machine.log());
    }

    let first = machine.property("MainPID");
    let status = machine.inside(&["cat", &format!("/proc/{first}/status")]);
    let line = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        line.split_whitespace().next().unwrap_or_default().to_owned()
    };
    let user: u32 = line("Uid:").parse().unwrap();
    assert!((61_184..=65_519).contains(&user), "the user of a unit with DynamicUser: {user}");
    assert_eq!(
        (line("CapBnd:"), line("NoNewPrivs:"), line("Seccomp:")),
        (NO_RIGHT.to_owned(), "1".into(), "2".into())
    );

    let in_force = |machine: &Machine| machine.log().matches("configuration in force").count();
    let before = in_force(&machine);
    machine.inside(&["systemctl", "reload", "tributary"]);
    machine.until("it has read its configuration again", |machine| in_force(machine) > before);
    assert_eq!(machine.property("MainPID"), first, "the same process");

    machine.inside(&["systemctl", "kill", "-s", "KILL", "tributary"]);
    machine.until("there is another process", |machine| {
        let now = machine.property("MainPID");
        now != first && now != "0" && machine.ask("/health/ready").starts_with("HTTP/1.1 200")
    });
    assert_eq!(machine.property("NRestarts"), "1");

    machine.inside(&["systemctl", "stop", "tributary"]);
    assert_eq!(
        (machine.property("ActiveState"), machine.property("Result")),
        ("inactive".into(), "success".into())
    );
    let log = format!("/proc/{}/root/var/lib/private/tributary/audit", machine.systemd);
    let records = audit::records(Path::new(&log));
    assert_eq!(
        records.last().map(|last| last["kind"].to_string()),
        Some("\"lifecycle\"".to_owned()),
        "{}",
        machine.log()
    );
}
