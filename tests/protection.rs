//! The process as the system sees it: not dumped, not read by others of its user, and not started where that cannot
//! be had.

#![expect(clippy::expect_used, clippy::string_slice, reason = "a test may stop where it stands")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use tributary_tests::process::{Process, run};
use tributary_tests::{Plan, configuration, federation, http};

async fn serve(more: &str) -> (tempfile::TempDir, Process) {
    let plan = Plan::default();
    let federation = federation(&plan).await;
    let dir = tempfile::tempdir().expect("a directory");
    let text = configuration(federation.source_facts(), &plan, &dir.path().join("audit"));
    let process = Process::serve(dir.path(), &format!("{text}{more}"));
    (dir, process)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_crash_leaves_no_dump_and_nobody_reads_the_memory() {
    let (_dir, broker) = serve("").await;
    let of = |file: &str| format!("/proc/{}/{file}", broker.pid());
    let limits = fs::read_to_string(of("limits")).expect("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{core}");
    // Of every thread: the switch is not shared by those that ran before.
    for thread in fs::read_dir(of("task")).expect("threads") {
        let status = fs::read_to_string(thread.expect("a thread").path().join("status")).expect("status");
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    }
    let log = broker.log_text();
    assert!(log.contains("memory is not locked") || log.contains("memory is locked"), "{log}");
}

/// The files of a process that cannot be dumped belong to root, whoever runs it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_process_cannot_be_dumped() {
    use std::os::unix::process::CommandExt as _;

    const NOBODY: u32 = 65_534;
    let dir = tempfile::Builder::new().prefix("tributary-protection-").tempdir().expect("a directory");
    let binary = dir.path().join("tributary");
    fs::copy(tributary_tests::process::binary(), &binary).expect("copied");
    let is_root = fs::metadata("/proc/self").expect("own files").uid() == 0;
    if !is_root {
        println!("NOT RUN: only root can start a process as another user");
        return;
    }
    open_to_all(dir.path());
    let mut demo = std::process::Command::new(&binary)
        .args(["demo"])
        .uid(NOBODY)
        .gid(NOBODY)
        .env("TMPDIR", dir.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("starts");
    // Its first word comes long after it protected itself.
    let mut first = [0; 1];
    std::io::Read::read_exact(demo.stdout.as_mut().expect("piped"), &mut first).expect("it says something");
    let environ = fs::metadata(format!("/proc/{}/environ", demo.id())).expect("it runs");
    let status = fs::read_to_string(format!("/proc/{}/status", demo.id())).expect("it runs");
    demo.kill().expect("killed");
    demo.wait().expect("reaped");
    assert!(status.contains(&format!("Uid:\t{NOBODY}")), "{status}");
    assert_eq!(environ.uid(), 0, "its files are its own: it can be dumped");
}

#[cfg(target_os = "linux")]
fn open_to_all(dir: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o777)).expect("opened");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn memory_is_locked_where_that_is_wished() {
    let (_dir, broker) = serve("[process]\nlock_memory = true\naccept_unprotected = true\n").await;
    let log = broker.log_text();
    if log.contains("memory is not locked, as the configuration accepts") {
        println!("NOT RUN: memory may not be locked here");
        return;
    }
    let status = fs::read_to_string(format!("/proc/{}/status", broker.pid())).expect("status");
    let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")).expect("a figure");
    assert!(!locked.trim().starts_with("0 "), "{locked}");
    assert!(log.contains("\"message\":\"memory is locked\""), "{log}");
}

/// Without the right to lock memory and without leave to do without.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_broker_that_cannot_lock_its_memory_does_not_start() {
    let dir = tempfile::tempdir().expect("a directory");
    let plan = Plan::default();
    let federation = federation(&plan).await;
    let text = configuration(federation.source_facts(), &plan, &dir.path().join("audit"));
    let config = dir.path().join("tributary.toml");
    fs::write(&config, format!("{text}[process]\nlock_memory = true\n")).expect("written");
    let binary = tributary_tests::process::binary();
    let script = format!(
        "ulimit -l 64; exec setpriv --bounding-set -ipc_lock --inh-caps -ipc_lock -- {} serve --config {}",
        binary.display(),
        config.display()
    );
    if std::process::Command::new("setpriv").arg("--version").output().is_err() {
        println!("NOT RUN: setpriv is not installed");
        return;
    }
    let output = std::process::Command::new("bash").args(["-c", &script]).output().expect("bash");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("LimitMEMLOCK=infinity"), "{said}");
}

#[test]
fn a_short_command_is_protected_too_and_does_its_work() {
    let (code, out, error) = run(&["--version"]);
    assert_eq!((code, error.as_str()), (0, ""), "{out}");
}

/// The walls of the sandbox, as `/metrics` tells them.
async fn walls(broker: &Process) -> Vec<String> {
    let metrics = http::get(broker.admin, "/metrics").await.body;
    let stands = |line: &str| line.strip_suffix(" 1").map(ToOwned::to_owned);
    metrics.lines().filter_map(|line| stands(line.strip_prefix("tributary_sandbox{wall=\"")?)).collect()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn every_thread_is_shut_in_and_operators_are_told() {
    let (_dir, broker) = serve("").await;
    for thread in fs::read_dir(format!("/proc/{}/task", broker.pid())).expect("threads") {
        let status = fs::read_to_string(thread.expect("a thread").path().join("status")).expect("status");
        assert!(status.contains("Seccomp:\t2"), "{status}");
    }
    let found = walls(&broker).await;
    let ready = http::get(broker.admin, "/health/ready").await.body;
    let told = format!("ready\nsandbox: {}\n", found.join(" ").replace("\"}", ""));
    let is_told_in_full = found.iter().all(|wall| ready.contains(wall.trim_end_matches("\"}")));
    assert!(is_told_in_full && ready.len() == told.len(), "{ready} {told}");
    for wall in ["files\"}", "system-calls\"}"] {
        assert!(found.iter().any(|one| one == wall), "{found:?}");
    }
    let (_dir, open) = serve("[process]\nsandbox = \"off\"\n").await;
    assert_eq!(walls(&open).await, [""; 0]);
    assert_eq!(http::get(open.admin, "/health/ready").await.body, "ready\nsandbox: none\n");
    let status = fs::read_to_string(format!("/proc/{}/status", open.pid())).expect("status");
    assert!(status.contains("Seccomp:\t0"), "{status}");
}

/// A link in a folder that is read leads to one that is not. Gives whether the reload took effect, and the log.
async fn follows_a_link_out(process: &str) -> (bool, String) {
    let (dir, broker) = serve(process).await;
    let outside = tempfile::tempdir().expect("a directory");
    let key = outside.path().join("link.key");
    fs::write(&key, [7; 32]).expect("written");
    private(&key);
    std::os::unix::fs::symlink(&key, dir.path().join("link.key")).expect("linked");
    let config = dir.path().join("tributary.toml");
    let text = fs::read_to_string(&config).expect("a configuration");
    let next = text.replacen("[server]\n", "[server]\nlink_key_file = \"link.key\"\n", 1);
    fs::write(&config, next).expect("written");
    broker.hang_up();
    let count = async |outcome: &str| {
        let metrics = http::get(broker.admin, "/metrics").await.body;
        metrics.contains(&format!("tributary_config_reloads_total{{outcome=\"{outcome}\"}} 1"))
    };
    loop {
        if count("applied").await {
            return (true, broker.log_text());
        }
        if count("rejected").await {
            return (false, broker.log_text());
        }
    }
}

fn private(file: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("closed");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_process_that_is_shut_in_reads_nothing_outside() {
    let (is_applied, log) = follows_a_link_out("").await;
    assert!(!is_applied, "{log}");
    assert!(log.contains("server.link_key_file") && log.contains("permission denied"), "{log}");
    assert!(log.contains("is in a folder that this process may not read"), "{log}");
    // It was the sandbox.
    let (is_applied, log) = follows_a_link_out("[process]\nsandbox = \"off\"\n").await;
    assert!(is_applied, "{log}");
}

/// Secrets are named by the configuration, as files: nothing else that a process is given may hold one.
#[test]
fn no_secret_comes_by_environment_or_command_line() {
    let product = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates");
    let mut folders = vec![std::path::PathBuf::from(product)];
    let mut read = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            let is_code = entry.extension().is_some_and(|end| end == "rs");
            if entry.is_dir() && entry.file_name().is_none_or(|name| name != "tests" && name != "benches") {
                folders.push(entry);
            } else if is_code && entry.file_name().is_none_or(|name| name != "tests.rs") {
                let text = fs::read_to_string(&entry).expect("text");
                let variables =
                    text.match_indices("env::var").map(|(at, _)| text[at..].lines().next().expect("a line"));
                read.extend(variables.map(ToOwned::to_owned));
            }
        }
    }
    read.sort();
    let known = [
        // Whether to colour, what the terminal can, how many threads, and in which folder credentials are.
        "env::var_os(\"NO_COLOR\").is_some_and(|value| !value.is_empty());",
        "env::var_os(\"TERM\").is_some_and(|term| term != \"dumb\")",
        "env::var_os(\"TOKIO_WORKER_THREADS\").is_none() {",
        "env::var_os(DIRECTORY).map(PathBuf::from);",
    ];
    assert_eq!(
        read, known,
        "a variable is read: if it can hold a secret, name a file in the configuration instead"
    );
    let (_, help, _) = run(&["serve", "--help"]);
    let options: Vec<_> = help.lines().filter_map(|line| line.trim().strip_prefix("--")).collect();
    let names: Vec<_> = options.iter().filter_map(|option| option.split([' ', '=']).next()).collect();
    assert_eq!(names, ["config", "insecure-demo"], "{help}");
}

/// The service unit that we ship: what it must say, and what systemd says of it where that is installed.
#[test]
fn the_service_unit_is_sound() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let unit = fs::read_to_string(format!("{root}/deploy/systemd/tributary.service")).expect("the unit");
    for line in [
        "ProtectSystem=strict",
        "PrivateTmp=yes",
        "MemoryDenyWriteExecute=yes",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
        "SystemCallArchitectures=native",
        "LimitCORE=0",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "ExecStart=/usr/bin/tributary serve --config /etc/tributary/tributary.toml",
        "ExecReload=/bin/kill -HUP $MAINPID",
    ] {
        assert!(unit.lines().any(|found| found == line), "{line} is missing");
    }
    assert!(!unit.contains("Environment"), "a secret could stand there");
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("tributary.service");
    let binary = tributary_tests::process::binary().display().to_string();
    fs::write(&file, unit.replace("/usr/bin/tributary", &binary)).expect("written");
    let analyze = |words: &[&str]| {
        let output = std::process::Command::new("systemd-analyze").args(words).arg(&file).output().ok()?;
        let text = [output.stdout, output.stderr].concat();
        Some((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
    };
    let Some((is_sound, said)) = analyze(&["verify"]) else {
        println!("NOT RUN: systemd-analyze is not installed");
        return;
    };
    assert!(is_sound && said.trim().is_empty(), "{said}");
    // Below 20 of 100, as this version of systemd counts.
    let (is_below, said) = analyze(&["security", "--offline=true", "--threshold=20"]).expect("it ran before");
    assert!(is_below, "{said}");
}
