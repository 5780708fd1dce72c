//! Everything that leaves the house, read by FHIR implementations that are not ours.
//!
//! The broker answers for every story, every suite patient and every recording. The answers, and what the sources
//! sent for them, are written to `target/validate/`, and `tests/validate/check.py` has them read by other people's
//! validators. What those reject, and why, is in `tests/validate/README.md`.

#![cfg(test)]

#[expect(dead_code, reason = "this suite says little of what a consumer can say")]
#[path = "conformance/consumer.rs"]
mod consumer;
#[path = "validate/folder.rs"]
mod folder;
#[path = "validate/scenes.rs"]
mod scenes;

use std::path::{Path, PathBuf};
use std::process::Command;

use folder::Folder;

/// What `tests/run` installs, or word that nothing was validated.
fn tools() -> Option<(PathBuf, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (python, modules) =
        (root.join("target/tools/venv/bin/python"), root.join("target/tools/validate/node_modules"));
    let has_models = Command::new(&python).args(["-c", "import fhir.resources, jsonschema"]).output();
    let is_there = has_models.is_ok_and(|output| output.status.success()) && modules.is_dir();
    if !is_there {
        println!(
            "NOT RUN: the validators are not in target/tools, no answer was validated; tests/run installs them"
        );
    }
    is_there.then_some((python, modules))
}

/// Runs a script of `tests/validate/` over a folder: whether all was well, and what it printed.
fn runs(
    (python, modules): &(PathBuf, PathBuf),
    script: &str,
    folder: &Path,
    more: &[&str],
) -> (bool, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("validate").join(script);
    let mut command = Command::new(python);
    // `-B`: nothing is left beside the scripts.
    command.arg("-B").arg(script).arg(folder).arg("--modules").arg(modules).args(more);
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_we_put_out_is_read_by_validators_that_are_not_ours() {
    let Some(tools) = tools() else { return };
    let mut folder = Folder::new("answers");
    scenes::stories(&mut folder).await;
    scenes::national(&mut folder).await;
    scenes::without_answer(&mut folder).await;
    scenes::refusals(&mut folder).await;
    scenes::practice(&mut folder).await;
    folder.audit_events();
    let recorded = scenes::recordings(&mut folder).await;
    folder.close();
    // A line of the list that only the recordings need is not called idle without them.
    let more: &[&str] = if recorded { &["--seen", "recorded"] } else { &[] };
    let (is_clean, text) = runs(&tools, "check.py", &folder.path, more);
    println!("{text}");
    assert!(is_clean, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn conversion_makes_valid_resources_of_every_element_of_stu3() {
    let Some(tools) = tools() else { return };
    let (mut folder, made) = (Folder::new("converted"), Folder::new("generated"));
    let (is_made, text) = runs(&tools, "generate.py", &made.path, &[]);
    assert!(is_made, "{text}");
    scenes::served(&mut folder, &made.path).await;
    folder.close();
    let (is_clean, text) = runs(&tools, "check.py", &folder.path, &["--seen", "generated"]);
    println!("{text}");
    assert!(is_clean, "{text}");
}

#[test]
fn the_validators_see_what_is_broken_and_the_list_explains_no_more_than_it_says() {
    let Some(tools) = tools() else { return };
    let folder = Folder::new("broken");
    let (is_as_expected, text) = runs(&tools, "proof.py", &folder.path, &[]);
    assert!(is_as_expected, "{text}");
}
