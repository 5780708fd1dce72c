//! A receipt means that the record is there.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tributary_audit::{AuditError, AuditObserver, Kind, Settings, Trail, Verdict, verify, verify_up_to};
use tributary_model::SystemClock;

use crate::samples::{SMALL, block_on, copy_segments, disclosure, intent, open, segments, write_log};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_get_distinct_numbers_without_gaps() {
    let dir = tempfile::tempdir().unwrap();
    let trail = open(dir.path(), Settings::default());
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..256 {
        let trail = trail.clone();
        writers.spawn(async move {
            let receipt = trail.record(intent()).await.unwrap();
            [receipt.seq, trail.record(disclosure(receipt)).await.unwrap().seq]
        });
    }
    let seqs: BTreeSet<u64> = writers.join_all().await.into_iter().flatten().collect();
    trail.close().await.unwrap();
    // The segment and the start come first, the stop last.
    assert_eq!(seqs, (3..3 + 512).collect());

    let report = verify(dir.path());
    assert_eq!((report.verdict(), report.records), (Verdict::Ok, 515));
    assert_eq!((report.disclosures(), report.open_intents, report.strays), (256, 0, 0));
}

/// A copy of the directory taken after a receipt stands for the disk after a crash at that moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_records_are_in_every_later_copy() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { segment_bytes: 256 << 10, ..SMALL };
    let trail = open(dir.path(), settings);
    let acknowledged = Arc::new(AtomicU64::new(0));
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (trail, acknowledged) = (trail.clone(), Arc::clone(&acknowledged));
        writers.spawn(async move {
            for _ in 0..100 {
                let receipt = trail.record(intent()).await.unwrap();
                let receipt = trail.record(disclosure(receipt)).await.unwrap();
                acknowledged.fetch_max(receipt.seq, Ordering::SeqCst);
            }
        });
    }
    let mut copies = 0_u32;
    while !writers.is_empty() {
        let copy = tempfile::tempdir().unwrap();
        let before = acknowledged.load(Ordering::SeqCst);
        copy_segments(dir.path(), copy.path());
        let report = verify_up_to(copy.path(), before);
        assert_eq!(report.verdict(), Verdict::Ok, "{report:?} of {before}");
        // What a crash leaves can be opened, and is whole again.
        let reopened = open(copy.path(), settings);
        reopened.close().await.unwrap();
        let report = verify_up_to(copy.path(), before);
        assert_eq!((report.verdict(), report.residue_bytes), (Verdict::Ok, 0));
        assert_eq!(report.open_intents, 0);
        copies += 1;
        while writers.try_join_next().is_some() {}
    }
    assert!(copies > 1);
    trail.close().await.unwrap();
    assert_eq!(verify(dir.path()).verdict(), Verdict::Ok);
}

#[test]
fn full_segments_are_followed_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    block_on(write_log(dir.path(), SMALL, 20));
    assert!(segments(dir.path()).len() > 3);
    let report = verify(dir.path());
    assert_eq!((report.verdict(), report.disclosures()), (Verdict::Ok, 20));
}

#[test]
fn second_opener_is_refused_until_the_first_closes() {
    let dir = tempfile::tempdir().unwrap();
    let trail = open(dir.path(), SMALL);
    let second = || Trail::open(dir.path(), SMALL, Arc::new(SystemClock));
    assert_eq!(second().unwrap_err(), AuditError::InUse);
    let straggler = trail.clone();
    block_on(async {
        trail.close().await.unwrap();
        assert_eq!(straggler.record(intent()).await, Err(AuditError::Closed));
    });
    assert!(second().is_ok());
}

#[test]
fn record_over_the_limit_is_refused_alone() {
    let dir = tempfile::tempdir().unwrap();
    let trail = open(dir.path(), SMALL);
    let tributary_audit::Event::Intent(mut long) = intent() else { unreachable!() };
    long.expected = vec![long.expected[0].clone(); 200_000];
    block_on(async {
        let refused = trail.record(tributary_audit::Event::Intent(long)).await;
        assert!(matches!(refused, Err(AuditError::TooLarge { .. })), "{refused:?}");
        assert_eq!(trail.record(intent()).await.unwrap().seq, 3);
    });
}

#[derive(Default)]
struct Counts {
    appended: AtomicU64,
    failed: AtomicU64,
}

impl AuditObserver for Counts {
    fn waiting(&self, _records: usize) {}

    fn checkpointed(&self, _size: u64) {}

    fn checkpoint_failed(&self) {}

    fn appended(&self, kind: Kind, _after: Duration) {
        assert_eq!(kind, Kind::Intent);
        self.appended.fetch_add(1, Ordering::SeqCst);
    }

    fn failed(&self, _kind: Kind) {
        self.failed.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn observer_hears_of_every_record() {
    let dir = tempfile::tempdir().unwrap();
    let trail = open(dir.path(), SMALL);
    let counts = Arc::new(Counts::default());
    trail.observe(Arc::<Counts>::clone(&counts));
    let straggler = trail.clone();
    block_on(async {
        trail.record(intent()).await.unwrap();
        trail.close().await.unwrap();
        straggler.record(intent()).await.unwrap_err();
    });
    assert_eq!(counts.appended.load(Ordering::SeqCst), 1);
    assert_eq!(counts.failed.load(Ordering::SeqCst), 1);
}

#[test]
fn payload_is_one_object_with_the_catalogued_fields() {
    let dir = tempfile::tempdir().unwrap();
    block_on(write_log(dir.path(), Settings::default(), 1));
    let content = fs::read(&segments(dir.path())[0]).unwrap();
    let text = String::from_utf8_lossy(&content);
    for field in [
        r#""kind":"intent","seq":3,"prev":""#,
        r#""kind":"disclosure","seq":4,"prev":""#,
        r#""corr":3,"user":{"id":"u-17","name":"Ann O'Brien \"Zoë\"","role":"ambulance","org":"RX9","assurance":"demo"}"#,
        r#""patient":{"nhs":"9990000107"}"#,
        r#""why":{"purpose":"directcare","rule":"ambulance-direct-care","relationship":"unknown","break_glass":"not-asked"}"#,
        r#""sources":[{"source":"gp-a99901","status":"timeout","class":"no_head","bytes":0,"elapsed_ms":3000"#,
        r#""outcome":{"http":504,"completeness":"none","bytes":512,"discrepancies":["allergy-conflict"]},"made_by":{"build":""#,
        r#""phase":"stop","build":""#,
    ] {
        assert!(text.contains(field), "{field} in {text}");
    }
}
