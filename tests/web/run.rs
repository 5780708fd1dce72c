//! Runs what looks at pages in a browser.

#![expect(clippy::print_stdout, reason = "whoever runs the tests must hear what was not looked at")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How the runner marks a test of what is known and not held yet.
const OPEN: &str = concat!(" # TO", "DO ");

/// What a browser needs: Node.js, Chromium, and the libraries that `tests/run` installs.
pub(crate) fn browser() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let has_library = root.join("target/tools/web/node_modules/playwright-core").is_dir();
    let has_node = Command::new("node").arg("--version").stdout(Stdio::null()).status().is_ok();
    let places = ["/usr/bin/chromium", "/usr/bin/chromium-browser"];
    let found = places.iter().map(PathBuf::from).find(|path| path.exists());
    found.filter(|_| has_library && has_node)
}

/// Runs one file of `tests/web` with these settings, and tells what became of each of its tests.
#[track_caller]
pub(crate) fn runs(file: &str, settings: &[(&str, &str)], log: impl FnOnce() -> String) {
    let Some(chromium) = browser() else { return };
    let output = Command::new("node")
        .args(["--test", "--test-reporter=tap", "--test-concurrency=1"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("web").join(file))
        .envs(settings.iter().copied())
        .env("CHROMIUM", chromium)
        .env("GROWS", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut passed = 0;
    for line in told.lines().map(str::trim_start) {
        let Some((verdict, name)) = line.split_once(" - ") else { continue };
        if let Some((name, why)) = name.split_once(OPEN) {
            let still = if verdict.starts_with("not ok") { "OPEN" } else { "OPEN NO MORE" };
            println!("{still}: {name}: {why}");
            continue;
        }
        match (verdict.starts_with("ok "), verdict.starts_with("not ok "), name.split_once(" # SKIP ")) {
            (true, _, Some((name, why))) => println!("NOT RUN: {name}: {why}"),
            (true, _, None) => {
                passed += 1;
                println!("{file}: {name}");
            }
            (_, true, _) => println!("{file}: FAILED: {name}"),
            _ => {}
        }
    }
    for remark in told.lines().filter_map(|line| line.trim_start().strip_prefix("# the ")) {
        println!("{file}: the {remark}");
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{errors}\n{}", log());
    assert!(passed > 0 || told.contains(" # SKIP "), "no test ran: {told}\n{errors}");
}
