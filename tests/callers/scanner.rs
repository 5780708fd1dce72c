//! What a stranger's scanner says of the listener (testssl.sh).

use std::process::Command;

use serde_json::Value;

use crate::scene::{Plan, Scene};

/// What the scanner dislikes about the test's own certificate, and says nothing of the listener.
const KNOWN: &[&str] = &[
    // Its authority was made a moment ago, and is nobody else's.
    "cert_chain_of_trust",
    // It holds until 2099.
    "cert_validityPeriod",
    // It does not say where its own revocation is told.
    "cert_revocation",
];

fn program() -> Option<String> {
    let runs = |name: &&&str| Command::new(name).arg("--version").output().is_ok();
    ["testssl", "testssl.sh"].iter().find(runs).map(|name| (*name).to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_finds_nothing_weak() {
    let Some(program) = program() else {
        println!("NOT RUN: testssl.sh is not here, so nobody but us has looked at our TLS");
        return;
    };
    let scene = Scene::set(&Plan::default()).await;
    let found = scene.dir.path().join("found.json");
    let target = format!("localhost:{}", scene.running.data_addr().port());
    let file = found.clone();
    let scan = tokio::task::spawn_blocking(move || {
        Command::new(program)
            .args(["--quiet", "--color", "0", "--warnings", "batch", "--nodns", "min", "--ip", "127.0.0.1"])
            .args(["--protocols", "--server-defaults", "--fs", "--std", "--vulnerable", "--jsonfile"])
            .arg(&file)
            .arg(&target)
            .output()
    });
    let output = scan.await.unwrap().unwrap();
    let text = std::fs::read_to_string(&found).unwrap_or_default();
    let findings: Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text} {}", String::from_utf8_lossy(&output.stdout)));
    let findings = findings.as_array().unwrap();
    let of = |id: &str| {
        let one = findings.iter().find(|finding| finding["id"] == id);
        one.and_then(|finding| finding["finding"].as_str()).unwrap_or("nothing").to_owned()
    };
    for (id, says) in [
        ("SSLv2", "not offered"),
        ("SSLv3", "not offered"),
        ("TLS1", "not offered"),
        ("TLS1_1", "not offered"),
        ("TLS1_2", "offered"),
        ("TLS1_3", "offered"),
    ] {
        assert!(of(id).starts_with(says), "{id}: {} {findings:#?}", of(id));
    }
    let grave = findings.iter().filter(|finding| {
        let is_grave =
            ["MEDIUM", "HIGH", "CRITICAL", "FATAL"].iter().any(|grave| finding["severity"] == *grave);
        let id = finding["id"].as_str().unwrap_or_default();
        is_grave && !KNOWN.contains(&id)
    });
    let grave: Vec<_> = grave.collect();
    assert!(grave.is_empty(), "{grave:#?}");
    assert!(findings.len() > 40, "it looked: {}", findings.len());
}
