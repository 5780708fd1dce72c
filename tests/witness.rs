//! The broker and a witness, each in a process of its own.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::path::Path;
use std::process::Command;

use tributary_tests::process::{Process, run};
use tributary_tests::witness::{WitnessProcess, keygen};
use tributary_tests::{GEORGE, Plan, configuration, federation, http, parameters};

async fn ask(broker: &Process) -> u16 {
    let body = parameters(GEORGE, &[]);
    http::post(broker.data, "/fhir/R4/Patient/$record", "application/fhir+json", &body, &[]).await.status
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_stands_between_a_log_and_its_administrator() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, plan) = (dir.path(), Plan::default());
    let log_key = keygen(&dir.join("log.key"), "example.test/audit/a", &[]);
    let witness_key = keygen(&dir.join("witness.key"), "w.example.test", &["--witness"]);
    let federation = federation(&plan).await;
    let log = dir.join("audit");
    let witness = WitnessProcess::start(dir, "127.0.0.1:0", &log_key);
    let (url, address) = (witness.url.clone(), witness.url.trim_start_matches("http://").to_owned());
    let audit = format!("[audit]\nkey_file = {:?}\nwitness_interval_secs = 1\n", dir.join("log.key"));
    let entry = format!("[[audit.witness]]\nurl = \"{url}\"\nkey = \"{witness_key}\"\n");
    let text = configuration(federation.source_facts(), &plan, &log).replace("[audit]\n", &audit);
    let text = format!("{text}\n{entry}");

    let broker = Process::serve(dir, &text);
    assert_eq!(ask(&broker).await, 200);
    drop(broker);
    copy(&log, &dir.join("backup"));
    let broker = Process::serve(dir, &text);
    assert_eq!(ask(&broker).await, 200);
    let metrics = http::get(broker.admin, "/metrics").await.body;
    assert!(metrics.contains("tributary_audit_witness_answers_total{outcome=\"cosigned\"}"), "{metrics}");
    drop(broker);
    let verify = ["audit", "verify", log.to_str().unwrap(), "--key", &log_key, "--witness-key", &witness_key];
    let (code, out, error) = run(&verify);
    assert_eq!(code, 0, "{out}{error}");

    // The older state put back, with everything that belongs to it.
    std::fs::rename(&log, dir.join("newer")).unwrap();
    copy(&dir.join("backup"), &log);
    std::fs::write(dir.join("again.toml"), &text).unwrap();
    let serve = ["serve", "--config", dir.join("again.toml").to_str().unwrap()].map(str::to_owned);
    let refused = || run(&serve.each_ref().map(String::as_str));
    let (code, _, told) = refused();
    assert!(code == 1 && told.contains("checkpoint behind witness"), "{code} {told}");
    // Or everything wiped.
    std::fs::remove_dir_all(&log).unwrap();
    let (code, _, told) = refused();
    assert!(code == 1 && told.contains("checkpoint behind witness"), "{code} {told}");
    std::fs::remove_dir_all(&log).ok();

    // With the newer state and without the witness the broker starts, and goes on for as long as it may.
    std::fs::rename(dir.join("newer"), &log).unwrap();
    drop(witness);
    let broker = Process::serve(dir, &text);
    assert_eq!(ask(&broker).await, 200);
    drop(broker);
    let strict = text.replace("[audit]\n", "[audit]\nwitness_warn_secs = 1\nwitness_refuse_secs = 4\n");
    let broker = Process::serve(dir, &strict);
    assert!(becomes(&broker, 503).await, "too long without a cosignature");
    let _witness = WitnessProcess::start(dir, &address, &log_key);
    assert!(becomes(&broker, 200).await, "the witness is back");
}

/// Asks until this status comes, for a while.
async fn becomes(broker: &Process, wanted: u16) -> bool {
    for _ in 0..150 {
        if ask(broker).await == wanted {
            return true;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    false
}
