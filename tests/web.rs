//! The pages in a browser: Debian's Chromium over the real `tributary demo`. [What it looks at](web/README.md).

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]
#![expect(clippy::print_stdout, reason = "whoever runs the tests must hear what was not looked at")]

use std::sync::{Mutex, PoisonError};

use tributary_tests::process::Process;

#[path = "web/run.rs"]
mod run;

/// One at a time: pages are judged by what they do within seconds, and a browser takes a whole processor.
static TURN: Mutex<()> = Mutex::new(());

/// Runs one file of `tests/web` against a demo of its own.
#[track_caller]
fn plays(file: &str) {
    if run::browser().is_none() {
        println!(
            "NOT RUN: no browser here, or not its libraries, so {file} looked at no page; tests/run installs them"
        );
        return;
    }
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let demo = Process::demo(dir.path());
    let address = format!("http://{}", demo.data);
    run::runs(file, &[("TRIBUTARY_DEMO", &address)], || demo.log_text());
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

#[test]
fn the_first_paint_waits_for_nothing_but_the_page() {
    plays("first.mjs");
}
