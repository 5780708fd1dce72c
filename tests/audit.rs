//! Nothing is disclosed that is not on record, whatever happens to the process, the disk or the log.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use tributary_tests::audit::records;
use tributary_tests::disk::{Powered, SmallDisk};
use tributary_tests::process::{Process, run};
use tributary_tests::{GEORGE, Plan, Stage, configuration, federation, http, parameters};

/// Sequence ids of the disclosures in a log.
fn disclosures(dir: &Path) -> BTreeSet<String> {
    let of_disclosure = |record: &&serde_json::Value| record["kind"] == "disclosure";
    records(dir).iter().filter(of_disclosure).map(|record| format!("local-{}", record["seq"])).collect()
}

/// Asks again and again; notes the number of every disclosure whose answer came through.
async fn call(address: SocketAddr, received: Arc<Mutex<BTreeSet<String>>>) {
    let body = parameters(GEORGE, &[]);
    for _ in 0..25 {
        let path = "/fhir/R4/Patient/$record";
        let reply = http::post(address, path, "application/fhir+json", &body, &[]).await;
        if let Some(id) = reply.header("Tributary-Audit") {
            received.lock().unwrap().insert(id.to_owned());
        }
    }
}

/// How often a test cuts: a few times, or as often as the whole campaign says.
fn cycles(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().and_then(|count| count.parse().ok()).unwrap_or(usual)
}

/// `TRIBUTARY_AUDIT_KILLS=1000` for the whole campaign, with `cargo test --release`: each start reads 32 MiB of the log,
/// for which a broker that is not optimised takes longer than it is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn killing_the_process_loses_no_disclosure_that_was_received() {
    let plan = Plan::default();
    let federation = federation(&plan).await;
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("audit");
    let text = configuration(federation.source_facts(), &plan, &log);
    let received = Arc::new(Mutex::new(BTreeSet::new()));
    for round in 0..cycles("TRIBUTARY_AUDIT_KILLS", 3) {
        let mut broker = Process::serve(dir.path(), &text);
        let address = broker.data;
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let received = Arc::clone(&received);
            callers.spawn(call(address, received));
        }
        tokio::time::sleep(Duration::from_millis(250 + 400 * (round % 3))).await;
        broker.kill();
        while callers.join_next().await.is_some() {}
    }
    let received = received.lock().unwrap().clone();
    assert!(received.len() > 20, "only {} answers came through", received.len());
    let on_record = disclosures(&log);
    let lost: Vec<&String> = received.difference(&on_record).collect();
    assert!(lost.is_empty(), "lost {lost:?}");
    let (code, out, error) = run(&["audit", "verify", log.to_str().unwrap()]);
    assert_eq!(code, 0, "{out}{error}");
}

#[tokio::test]
async fn one_flipped_byte_is_found() {
    let stage = Stage::set(Plan::default()).await;
    stage.record(GEORGE, &[]).await;
    let Stage { running, audit, .. } = stage;
    running.stop().await.unwrap();
    let log = audit.path().join("log");
    assert_eq!(run(&["audit", "verify", log.to_str().unwrap()]).0, 0);
    let segment = std::fs::read_dir(&log)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|ext| ext == "log"));
    let segment = segment.unwrap();
    let whole = std::fs::read(&segment).unwrap();
    for place in [9, whole.len() / 3, whole.len() / 2, whole.len() - 40] {
        let mut flipped = whole.clone();
        flipped[place] ^= 1;
        std::fs::write(&segment, &flipped).unwrap();
        let (code, out, _) = run(&["audit", "verify", log.to_str().unwrap()]);
        assert_eq!(code, 2, "byte {place}: {out}");
    }
}

#[tokio::test]
async fn without_a_log_nothing_clinical_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let Some(small) = SmallDisk::mount(dir.path()) else {
        println!("NOT RUN: no small file system can be mounted here");
        return;
    };
    let plan = Plan::default();
    let federation = federation(&plan).await;
    let text = configuration(federation.source_facts(), &plan, &small.path().join("audit"));
    let broker = Process::serve(dir.path(), &text);
    let ask = || async {
        http::post(
            broker.data,
            "/fhir/R4/Patient/$record",
            "application/fhir+json",
            &parameters(GEORGE, &[]),
            &[],
        )
        .await
    };
    assert_eq!(ask().await.status, 200);
    // A checkpoint that takes the place of the one before leaves a little room: until there is none, records find it.
    for _ in 0..50 {
        small.fill();
        if ask().await.status == 503 {
            break;
        }
    }
    let asked: u64 = federation.providers().iter().map(mock_providers::ProviderHandle::ask_count).sum();
    for _ in 0..3 {
        let reply = ask().await;
        assert_eq!(reply.status, 503, "{}", reply.body);
        assert_eq!(reply.json()["resourceType"], "OperationOutcome");
        assert!(reply.header("Retry-After").is_some());
        assert!(!reply.body.contains("resuscitation"));
    }
    let asked_since: u64 = federation.providers().iter().map(mock_providers::ProviderHandle::ask_count).sum();
    assert_eq!(asked, asked_since, "a source was asked without an intent on record");
    assert_eq!(http::get(broker.admin, "/health/ready").await.status, 503);
    small.empty();
    assert_eq!(ask().await.status, 200, "the log recovers when there is room again");
}

/// `TRIBUTARY_AUDIT_POWER_CUTS=100` for the whole campaign.
#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_loses_no_disclosure_that_was_received() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Powered::mount(dir.path()) else {
        println!(
            "NOT RUN: no file system in a file can be mounted and frozen here (it takes root and loop devices)"
        );
        return;
    };
    let plan = Plan::default();
    let federation = federation(&plan).await;
    let (_, key, _) =
        run(&["audit", "keygen", "--origin", "a.test/audit/a", dir.path().join("key").to_str().unwrap()]);
    let log = disk.path().join("audit");
    let text = configuration(federation.source_facts(), &plan, &log)
        .replace("[audit]\n", &format!("[audit]\nkey_file = {:?}\n", dir.path().join("key")));
    let received = Arc::new(Mutex::new(BTreeSet::new()));
    let mut broker = Process::serve(dir.path(), &text);
    let mut cuts = 0;
    let wanted = cycles("TRIBUTARY_AUDIT_POWER_CUTS", 5);
    let address = broker.data;
    // Nobody calls while a copy is looked at: a hundred cuts would fill the small disk.
    let (open, gate) = tokio::sync::watch::channel(true);
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (received, mut gate) = (Arc::clone(&received), gate.clone());
        callers.spawn(async move {
            while gate.wait_for(|is_open| *is_open).await.is_ok() {
                call(address, Arc::clone(&received)).await;
            }
        });
    }
    for cut in 0..wanted {
        let before = received.lock().unwrap().len();
        open.send_replace(true);
        // More answers have to come through before each cut, and then it comes at any moment.
        let began = tokio::time::Instant::now();
        while received.lock().unwrap().len() < before + 5 {
            assert!(began.elapsed() < Duration::from_mins(1), "cut {cut}: no answer comes through any more");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(7 * (cut % 23))).await;
        // Whatever a caller has by now must be on the disk that the power leaves behind.
        let had = received.lock().unwrap().clone();
        let copy = dir.path().join(format!("cut-{cut}.img"));
        disk.cut(&copy);
        open.send_replace(false);
        let after = Powered::remount(dir.path(), &copy).expect("the copy can be mounted");
        let left = after.path().join("audit");
        let (code, out, error) = run(&["audit", "verify", left.to_str().unwrap(), "--key", key.trim()]);
        assert_eq!(code, 0, "cut {cut}: {out}{error}");
        let lost: Vec<_> = had.difference(&disclosures(&left)).cloned().collect();
        assert!(lost.is_empty(), "cut {cut}: lost {lost:?} of {}", had.len());
        drop(after);
        std::fs::remove_file(copy).unwrap();
        cuts += 1;
    }
    callers.abort_all();
    while callers.join_next().await.is_some() {}
    broker.kill();
    let received = received.lock().unwrap().len();
    assert!(received > 20, "only {received} answers came through");
    println!("{cuts} power cuts, {received} answers");
}
