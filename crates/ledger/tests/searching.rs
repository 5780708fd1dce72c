//! Searching a directory: over segments, while it is written to, and with parts missing.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tributary_audit::{AuditRead, AuditReadKind, Event, Records, Settings, Trail};
use tributary_ledger::{Query, in_directory};
use tributary_model::{NhsNumber, SystemClock};

const SMALL: Settings = Settings { segment_bytes: 4096, queue_records: 64, batch_records: 8 };

fn number(text: &str) -> NhsNumber {
    NhsNumber::parse(text).unwrap()
}

fn event(patient: &str) -> Event {
    Event::AuditRead(AuditRead {
        what: AuditReadKind::Search,
        reader: "u-17".to_owned(),
        organisation: None,
        request: None,
        patient: Some(number(patient)),
        query: None,
        records: None,
        case: Some("IG-1".to_owned()),
        question: None,
    })
}

fn found(dir: &Path, patient: &str) -> (usize, usize) {
    let query = Query { patient: Some(number(patient)), ..Query::default() };
    let found = in_directory(dir, &query).unwrap();
    (found.hits.len(), found.gaps.len())
}

#[tokio::test]
async fn a_log_is_searched_while_it_is_written_to_and_a_missing_segment_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let trail = Trail::open(dir.path(), SMALL, Arc::new(SystemClock)).unwrap();
    for place in 0..60 {
        let patient = if place % 3 == 0 { "9990000107" } else { "9990000115" };
        trail.record(event(patient)).await.unwrap();
        assert_eq!(found(dir.path(), "9990000107"), (place / 3 + 1, 0));
    }
    trail.close().await.unwrap();
    assert_eq!((found(dir.path(), "9990000107"), found(dir.path(), "9990000115")), ((20, 0), (40, 0)));
    let segments = fs::read_dir(dir.path()).unwrap().count();
    assert!(segments > 5, "{segments}");
    fs::remove_file(dir.path().join("00000003.log")).unwrap();
    let (hits, gaps) = found(dir.path(), "9990000107");
    assert!(hits < 20 && gaps == 1, "{hits} {gaps}");
    fs::remove_file(dir.path().join("00000001.log")).unwrap();
    assert_eq!(found(dir.path(), "9990000107").1, 2, "the beginning and the middle");
}

#[tokio::test]
async fn a_damaged_record_is_never_passed_over_in_silence() {
    let dir = tempfile::tempdir().unwrap();
    let trail = Trail::open(dir.path(), SMALL, Arc::new(SystemClock)).unwrap();
    for _ in 0..30 {
        trail.record(event("9990000107")).await.unwrap();
    }
    trail.close().await.unwrap();
    let path = dir.path().join("00000002.log");
    let whole = fs::read(&path).unwrap();
    for place in (0..whole.len()).step_by(97) {
        let mut bytes = whole.clone();
        if let Some(byte) = bytes.get_mut(place) {
            *byte ^= 1;
        }
        fs::write(&path, &bytes).unwrap();
        assert_eq!(found(dir.path(), "9990000107").1, 1, "byte {place}");
    }
}

#[tokio::test]
async fn a_follower_goes_no_further_than_what_is_durable_and_takes_up_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let trail = Trail::open(dir.path(), SMALL, Arc::new(SystemClock)).unwrap();
    let mut durable = trail.durable();
    let (mut reader, mut seen) = (Records::open(dir.path()).unwrap(), Vec::new());
    for _ in 0..40 {
        let receipt = trail.record(event("9990000107")).await.unwrap();
        assert_eq!(*durable.borrow_and_update(), receipt.seq);
        reader.read(receipt.seq, &mut |seq, _| seen.push(seq)).unwrap();
        assert_eq!(seen.last(), Some(&receipt.seq));
    }
    assert_eq!(seen, (1..=seen.len() as u64).collect::<Vec<_>>());
    let mut later = Vec::new();
    Records::open_at(dir.path(), 17).unwrap().read(20, &mut |seq, _| later.push(seq)).unwrap();
    later.retain(|seq| *seq >= 17);
    assert_eq!(later, [17, 18, 19, 20]);
    trail.close().await.unwrap();
}
