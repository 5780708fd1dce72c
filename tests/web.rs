//! The pages in a browser: Debian's Chromium over the real `tributary demo`. [What it looks at](web/README.md).

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]
#![expect(clippy::print_stdout, reason = "whoever runs the tests must hear what was not looked at")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use tributary_tests::process::Process;

/// How the runner marks a test of what is known and not held yet.
const OPEN: &str = concat!(" # TO", "DO ");

/// One at a time: pages are judged by what they do within seconds, and a browser takes a whole processor.
static TURN: Mutex<()> = Mutex::new(());

/// What a browser needs: Node.js, Chromium, and the libraries that `tests/run` installs.
fn browser() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let has_library = root.join("target/tools/web/node_modules/playwright-core").is_dir();
    let has_node = Command::new("node").arg("--version").stdout(Stdio::null()).status().is_ok();
    let places = ["/usr/bin/chromium", "/usr/bin/chromium-browser"];
    let found = places.iter().map(PathBuf::from).find(|path| path.exists());
    found.filter(|_| has_library && has_node)
}

/// Runs one file of `tests/web` against a demo of its own, and tells what became of each of its tests.
#[track_caller]
fn plays(file: &str) {
    let Some(chromium) = browser() else {
        println!(
            "NOT RUN: no browser here, or not its libraries, so {file} looked at no page; tests/run installs them"
        );
        return;
    };
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let demo = Process::demo(dir.path());
    let output = Command::new("node")
        .args(["--test", "--test-reporter=tap", "--test-concurrency=1"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("web").join(file))
        .env("TRIBUTARY_DEMO", format!("http://{}", demo.data))
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
    assert!(output.status.success(), "{told}\n{errors}\n{}", demo.log_text());
    assert!(passed > 0 || told.contains(" # SKIP "), "no test ran: {told}\n{errors}");
}

#[test]
fn the_stories_are_read_in_every_role() {
    plays("stories.mjs");
}

#[test]
fn nothing_of_a_patient_stays_in_the_browser() {
    plays("privacy.mjs");
}

#[test]
fn nobody_is_kept_out_of_a_page() {
    plays("access.mjs");
}

#[test]
fn a_newcomer_finds_the_way() {
    plays("tour.mjs");
}

#[test]
fn pages_grow_while_sources_answer() {
    plays("growing.mjs");
}
