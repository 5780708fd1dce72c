//! What programs rely on: the description is sound, the broker does what it says, and what is made from it works.
//!
//! Redocly, schemathesis, Bruno and TypeScript are other people's; `tests/run` installs them below `target/tools`.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mock_providers::Federation;
use tributary_tests::process::Process;
use tributary_tests::{GEORGE, Plan, configuration, federation};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn description() -> PathBuf {
    root().join("crates/server/src/web/openapi.yaml")
}

/// A program of `tests/run`'s, or word that this was not looked at.
fn tool(path: &str, what: &str) -> Option<PathBuf> {
    let program = root().join("target/tools").join(path);
    if !program.exists() {
        println!("NOT RUN: {path} is not in target/tools, {what}; tests/run installs it");
    }
    program.exists().then_some(program)
}

/// A program of npm's.
fn node(name: &str, what: &str) -> Option<PathBuf> {
    tool(&format!("openapi/node_modules/.bin/{name}"), what)
}

/// Runs a command to its end in this folder; whether all was well, and what it printed.
fn runs(command: &mut Command, folder: &Path) -> (bool, String) {
    // Node may be one that tests/run has brought.
    let own = root().join("target/tools/bin");
    let path = format!("{}:{}", own.display(), std::env::var("PATH").unwrap_or_default());
    let output = command
        .env("PATH", path)
        .env("NO_COLOR", "1")
        .env("REDOCLY_TELEMETRY", "off")
        .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true")
        .stdin(Stdio::null())
        .current_dir(folder)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[track_caller]
fn passes(command: &mut Command, folder: &Path) {
    let (is_well, text) = runs(command, folder);
    assert!(is_well, "{text}");
}

/// The product's binary, as a demonstration: callers need no certificate, and the mock sources answer at once.
struct Demonstration {
    process: Process,
    _federation: Federation,
    _home: tempfile::TempDir,
}

impl Demonstration {
    async fn begin() -> Self {
        let plan = Plan::default();
        let federation = federation(&plan).await;
        // In memory where there is such a place: a caller who has a millisecond is refused when the disk takes longer, and
        // the disk is not what is held to the description.
        let home = tempfile::tempdir_in("/dev/shm").or_else(|_none| tempfile::tempdir()).unwrap();
        let text = configuration(federation.source_facts(), &plan, &home.path().join("log"));
        let process = Process::serve(home.path(), &text);
        Self { process, _federation: federation, _home: home }
    }

    fn url(&self) -> String {
        format!("http://{}", self.process.data)
    }
}

#[test]
fn the_description_obeys_its_linter() {
    let Some(redocly) = node("redocly", "the description was not linted") else { return };
    let here = root().join("tests/openapi");
    passes(Command::new(redocly).args(["lint", "--config", "redocly.yaml"]).arg(description()), &here);
}

#[test]
fn the_linter_sees_what_is_broken() {
    let Some(redocly) = node("redocly", "the linter was not proved") else { return };
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read_to_string(description()).unwrap();
    let broken = folder.path().join("broken.yaml");
    // An example that does not fit its schema.
    std::fs::write(&broken, whole.replacen("kind: gp\n", "kind: shop\n", 1)).unwrap();
    let config = root().join("tests/openapi/redocly.yaml");
    let mut lint = Command::new(redocly);
    let (is_well, text) = runs(lint.arg("lint").arg("--config").arg(config).arg(&broken), folder.path());
    assert!(!is_well && text.contains("example"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_does_what_its_description_says() {
    let what = "the broker was not held to its description";
    let Some(schemathesis) = tool("schemathesis/bin/schemathesis", what) else { return };
    let demonstration = Demonstration::begin().await;
    let folder = tempfile::tempdir().unwrap();
    let here = root().join("tests/openapi");
    for file in ["schemathesis.toml", "whole.py"] {
        std::fs::copy(here.join(file), folder.path().join(file)).unwrap();
    }
    let examples = std::env::var("TRIBUTARY_OPENAPI_EXAMPLES").unwrap_or_else(|_| "6".to_owned());
    let mut fuzz = Command::new(schemathesis);
    fuzz.env("PYTHONDONTWRITEBYTECODE", "1")
        .args(["--config-file", "schemathesis.toml", "run", "--no-color", "--warnings", "off", "--no-shrink"])
        .args(["--max-examples", &examples, "--url", &demonstration.url()])
        .arg(description());
    passes(&mut fuzz, folder.path());
    let log = demonstration.process.log_text();
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_of_the_collection_passes() {
    let Some(bruno) = node("bru", "no request of the collection was sent") else { return };
    let demonstration = Demonstration::begin().await;
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told.json");
    let mut run = Command::new(bruno);
    run.args(["run", "--env", "demo", "--env-var", &format!("url={}", demonstration.url())])
        .arg("--reporter-json")
        .arg(&told);
    let collection = root().join("deploy/clients/bruno");
    passes(&mut run, &collection);
    let told: serde_json::Value = serde_json::from_slice(&std::fs::read(told).unwrap()).unwrap();
    let results = told[0]["results"].as_array().unwrap();
    let files = std::fs::read_dir(collection).unwrap();
    let requests =
        files.filter(|file| file.as_ref().unwrap().path().extension() == Some("bru".as_ref())).count();
    assert_eq!(results.len(), requests, "every request was sent");
    for one in results {
        let asserted = one["assertionResults"].as_array().map_or(0, Vec::len);
        assert!(asserted > 0, "a request that nothing is asserted of: {}", one["test"]["filename"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_client_run() {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "-p", "tributary-client", "--examples"])
        .current_dir(root())
        .status();
    assert!(built.unwrap().success());
    let demonstration = Demonstration::begin().await;
    let own = std::env::current_exe().unwrap();
    let folder = own.ancestors().nth(2).unwrap().join("examples");
    // A broker that has no stream is told of in one sentence.
    let words = [("record", "On record as "), ("stream", "omplete"), ("summary", r#""type":"document""#)];
    for (example, word) in words {
        let mut program = Command::new(folder.join(example));
        let (is_well, text) = runs(program.args([&demonstration.url(), GEORGE]), &root());
        let is_told = text.contains(word) || (example == "stream" && text.contains("no stream"));
        assert!(is_well && is_told, "{example}: {text}");
    }
}

/// The folder of the types, with what compiles them.
fn types() -> PathBuf {
    root().join("deploy/clients/typescript")
}

#[test]
fn the_types_are_those_of_the_description() {
    let Some(generate) = node("openapi-typescript", "the types were not made anew") else { return };
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("tributary.ts");
    passes(Command::new(generate).arg(description()).arg("-o").arg(&made), folder.path());
    let (made, kept) = (std::fs::read_to_string(made).unwrap(), types().join("tributary.ts"));
    let is_same = made == std::fs::read_to_string(kept).unwrap();
    assert!(is_same, "deploy/clients/README.md says how to make deploy/clients/typescript/tributary.ts anew");
}

#[test]
fn a_typed_program_compiles_and_a_wrong_one_does_not() {
    let Some(compile) = node("tsc", "the typed example was not compiled") else { return };
    let folder = tempfile::tempdir().unwrap();
    for file in ["example.ts", "tributary.ts", "tsconfig.json"] {
        std::fs::copy(types().join(file), folder.path().join(file)).unwrap();
    }
    let compiled = || runs(Command::new(&compile).args(["-p", "."]), folder.path());
    let (is_well, text) = compiled();
    assert!(is_well, "{text}");
    let example = folder.path().join("example.ts");
    let wrong = std::fs::read_to_string(&example).unwrap().replace("allergyLabel", "allergiesLabel");
    std::fs::write(&example, wrong).unwrap();
    let (is_well, text) = compiled();
    assert!(!is_well && text.contains("allergiesLabel"), "{text}");
}
