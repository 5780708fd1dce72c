//! The process as the system sees it: not dumped, not read by others of its user, and not started where that cannot
//! be had.

#![expect(clippy::expect_used, reason = "a test may stop where it stands")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use tributary_tests::process::{Process, run};
use tributary_tests::{Plan, configuration, federation};

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
