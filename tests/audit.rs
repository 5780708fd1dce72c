//! Nothing is disclosed that is not on record, whatever happens to the process, the disk or the log.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it stands")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use tributary_tests::process::{Process, run};
use tributary_tests::{GEORGE, Plan, Stage, configuration, federation, http, parameters};

/// Sequence ids of the disclosures in a log, read from the files by hand.
fn disclosures(dir: &Path) -> BTreeSet<String> {
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut found = BTreeSet::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|ext| ext == "log")) {
        let bytes = std::fs::read(file).unwrap();
        let mut at = 0;
        while let Some(head) = bytes.get(at..at + 8) {
            let length = u32::from_le_bytes(head[..4].try_into().unwrap()) as usize;
            let Some(payload) = bytes.get(at + 8..at + 8 + length).filter(|payload| !payload.is_empty())
            else {
                break;
            };
            let record: serde_json::Value = serde_json::from_slice(payload).unwrap();
            if record["kind"] == "disclosure" {
                found.insert(format!("local-{}", record["seq"]));
            }
            at += 8 + length;
        }
    }
    found
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

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_process_loses_no_disclosure_that_was_received() {
    let plan = Plan::default();
    let federation = federation(&plan).await;
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("audit");
    let text = configuration(federation.source_facts(), &plan, &log);
    let received = Arc::new(Mutex::new(BTreeSet::new()));
    for round in 0..3_u64 {
        let mut broker = Process::serve(dir.path(), &text);
        let address = broker.data;
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let received = Arc::clone(&received);
            callers.spawn(call(address, received));
        }
        tokio::time::sleep(Duration::from_millis(250 + 400 * round)).await;
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
    let text = configuration(federation.source_facts(), &plan, &small.0.join("audit"));
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
    small.fill();
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

/// A file system of half a megabyte.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(dir: &Path) -> Option<Self> {
        let place = dir.join("small");
        std::fs::create_dir(&place).ok()?;
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=512k", "tmpfs"])
            .arg(&place)
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(place))
    }

    fn fill(&self) {
        // The last block is written by halves until not one byte more fits.
        for size in [1 << 19, 1 << 16, 1 << 14, 1 << 12, 1 << 9, 1 << 6, 1] {
            for name in 0..2_000 {
                let file = self.0.join(format!("fill-{size}-{name}"));
                if std::fs::write(&file, vec![b'x'; size]).is_err() {
                    break;
                }
                if size < 1 << 12 && name > 64 {
                    break;
                }
            }
        }
    }

    fn empty(&self) {
        for entry in std::fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with("fill-")) {
                std::fs::remove_file(entry).unwrap();
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(std::process::Command::new("umount").arg("-l").arg(&self.0).status());
    }
}
