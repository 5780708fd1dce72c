//! Events and logs that the tests are made of.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tributary_audit::{
    Access, BreakGlass, Digest, Disclosure, Event, Intent, Interaction, Outcome, Proof, Receipt, Settings,
    SourceEntry, Trail,
};
use tributary_model::requester::Assurance;
use tributary_model::{
    Completeness, FaultClass, NhsNumber, OdsCode, Purpose, RequestId, Requester, Role, SectionSet, SourceId,
    SourceStatus, SystemClock, TraceId,
};

pub(crate) const SMALL: Settings = Settings { segment_bytes: 4096, queue_records: 4096, batch_records: 1024 };

pub(crate) fn open(dir: &Path, settings: Settings) -> Trail {
    Trail::open(dir, settings, Arc::new(SystemClock)).unwrap()
}

pub(crate) fn access() -> Arc<Access> {
    Arc::new(Access {
        request: RequestId::random(),
        requester: Arc::new(Requester {
            user_id: "u-17".to_owned(),
            family: "O'Brien \"Zoë\"".to_owned(),
            given: "Ann".to_owned(),
            role: Role::Ambulance,
            organisation: OdsCode::parse("RX9").unwrap(),
            organisation_name: "Ambulance".to_owned(),
            asid: None,
            spine: tributary_model::SpineIds::default(),
            assurance: Assurance::Demo,
            proof: None,
            priority: tributary_model::Priority::Interactive,
        }),
        proof: Proof::default(),
        patient: Some(NhsNumber::parse("9990000107").unwrap()),
        purpose: Purpose::DirectCare,
        relationship: tributary_model::Relationship::Unknown,
        break_glass: BreakGlass::NotAsked,
        interaction: Interaction::Record,
        sections: SectionSet::all(),
        asked_as: None,
        policy: None,
    })
}

pub(crate) fn intent() -> Event {
    Event::Intent(Intent {
        access: access(),
        rule: "ambulance-direct-care".into(),
        expected: vec![SourceId::parse("gp-a99901").unwrap()],
    })
}

pub(crate) fn disclosure(intent: Receipt) -> Event {
    Event::Disclosure(Disclosure {
        access: access(),
        intent,
        rule: "ambulance-direct-care".into(),
        found: None,
        sources: vec![SourceEntry {
            source: SourceId::parse("gp-a99901").unwrap(),
            status: SourceStatus::Timeout,
            fault: Some(FaultClass::NoHead),
            http: None,
            spine: None,
            bytes: 0,
            elapsed_ms: 3000,
            fetch_id: Some(TraceId::random()),
            digest: Some(Digest::of(b"body")),
            content: None,
            attempts: 2,
        }],
        outcome: Outcome {
            http: 504,
            completeness: Completeness::None,
            bundle_digest: None,
            bytes: 512,
            discrepancies: vec!["allergy-conflict"],
            made: None,
        },
        config: Digest::of(b"[server]"),
    })
}

/// Writes `pairs` intents with their disclosures and closes the log.
pub(crate) async fn write_log(dir: &Path, settings: Settings, pairs: usize) {
    let trail = open(dir, settings);
    for _ in 0..pairs {
        let receipt = trail.record(intent()).await.unwrap();
        trail.record(disclosure(receipt)).await.unwrap();
    }
    trail.close().await.unwrap();
}

/// A log of several segments in memory: file name and content.
pub(crate) fn log_files(settings: Settings, pairs: usize) -> Vec<(String, Vec<u8>)> {
    let dir = tempfile::tempdir().unwrap();
    block_on(write_log(dir.path(), settings, pairs));
    segments(dir.path())
        .into_iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        })
        .collect()
}

pub(crate) fn segments(dir: &Path) -> Vec<PathBuf> {
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|ext| ext == "log");
    let mut paths: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).filter(is_segment).collect();
    paths.sort();
    paths
}

pub(crate) fn copy_segments(from: &Path, to: &Path) {
    for path in segments(from) {
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

pub(crate) fn write_files(dir: &Path, files: &[(String, Vec<u8>)]) {
    for (name, content) in files {
        fs::write(dir.join(name), content).unwrap();
    }
}

/// Where each frame begins, and the end.
pub(crate) fn boundaries(content: &[u8]) -> Vec<usize> {
    let mut places = vec![0];
    let mut at = 0;
    while at < content.len() {
        let length = u32::from_le_bytes(content[at..at + 4].try_into().unwrap());
        at += 8 + usize::try_from(length).unwrap();
        places.push(at);
    }
    places
}

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}
