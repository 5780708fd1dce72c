//! What a crash leaves is mended; what it does not leave is refused.

use std::fs::{self, File};
use std::io::Write as _;
use std::sync::Arc;

use tributary_audit::{AuditError, Kind, Settings, Trail, Verdict, verify};
use tributary_model::SystemClock;

use crate::samples::{SMALL, block_on, boundaries, log_files, open, segments, write_files, write_log};

#[test]
fn end_torn_at_any_byte_is_cut_off_and_told() {
    let files = log_files(Settings::default(), 2);
    let (name, content) = &files[0];
    let places = boundaries(content);
    let last = places[places.len() - 2];
    for length in last..content.len() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(name), &content[..length]).unwrap();
        let torn = verify(dir.path());
        let residue = (length - last) as u64;
        assert_eq!((torn.verdict(), torn.residue_bytes), (Verdict::Ok, residue));

        block_on(open(dir.path(), SMALL).close()).unwrap();
        let mended = verify(dir.path());
        assert_eq!((mended.verdict(), mended.residue_bytes), (Verdict::Ok, 0), "{length}");
        // The segment, the start, the stop, and what was recovered.
        assert_eq!(mended.records, torn.records + 3 + u64::from(residue > 0));
    }
}

#[test]
fn zeros_of_a_power_cut_are_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    block_on(write_log(dir.path(), Settings::default(), 1));
    let path = &segments(dir.path())[0];
    let mut file = File::options().append(true).open(path).unwrap();
    file.write_all(&[0; 700]).unwrap();
    assert_eq!(verify(dir.path()).residue_bytes, 700);
    block_on(open(dir.path(), SMALL).close()).unwrap();
    assert_eq!(verify(dir.path()).residue_bytes, 0);
}

/// A block that did not arrive reads as zeros: the file has its length, the end of the record is missing.
#[test]
fn a_torn_record_with_zeros_behind_it_is_cut_off() {
    let files = log_files(Settings::default(), 2);
    let (name, content) = &files[0];
    let places = boundaries(content);
    let last = places[places.len() - 2];
    for written in [0, 2, 8, 9, 60, content.len() - last - 8] {
        for beyond in [0, 500] {
            let dir = tempfile::tempdir().unwrap();
            let mut torn = content.clone();
            torn[last + written..].fill(0);
            torn.resize(content.len() + beyond, 0);
            fs::write(dir.path().join(name), &torn).unwrap();
            let report = verify(dir.path());
            let residue = (torn.len() - last) as u64;
            assert_eq!(
                (report.verdict(), report.residue_bytes),
                (Verdict::Ok, residue),
                "{written} {beyond}"
            );
            block_on(open(dir.path(), SMALL).close()).unwrap();
            assert_eq!(verify(dir.path()).verdict(), Verdict::Ok);
        }
    }
}

#[test]
fn segment_without_a_first_record_is_removed() {
    for beginning in [&b""[..], &[9, 1], &[200, 1, 0, 0, 7, 7, 7, 7, b'{', b'"']] {
        let dir = tempfile::tempdir().unwrap();
        block_on(write_log(dir.path(), SMALL, 8));
        let next = segments(dir.path()).len() + 1;
        fs::write(dir.path().join(format!("{next:08}.log")), beginning).unwrap();
        let report = verify(dir.path());
        assert_eq!((report.verdict(), report.residue_bytes), (Verdict::Ok, beginning.len() as u64));
        block_on(open(dir.path(), SMALL).close()).unwrap();
        assert_eq!(verify(dir.path()).verdict(), Verdict::Ok);
    }
}

#[test]
fn damaged_log_is_not_opened() {
    let mut files = log_files(Settings::default(), 2);
    let places = boundaries(&files[0].1);
    for place in [places[2] + 30, places[places.len() - 2] + 30] {
        let dir = tempfile::tempdir().unwrap();
        files[0].1[place] ^= 1;
        write_files(dir.path(), &files);
        files[0].1[place] ^= 1;
        let refused = Trail::open(dir.path(), SMALL, Arc::new(SystemClock)).unwrap_err();
        assert!(matches!(refused, AuditError::Damaged { segment: 1, .. }), "{refused:?}");
    }
}

#[test]
fn intents_without_an_end_are_closed() {
    let dir = tempfile::tempdir().unwrap();
    let trail = open(dir.path(), SMALL);
    block_on(async {
        trail.record(crate::samples::intent()).await.unwrap();
        let second = trail.record(crate::samples::intent()).await.unwrap();
        trail.record(crate::samples::disclosure(second)).await.unwrap();
        trail.close().await.unwrap();
    });
    assert_eq!(verify(dir.path()).open_intents, 1);
    block_on(open(dir.path(), SMALL).close()).unwrap();
    let report = verify(dir.path());
    assert_eq!((report.open_intents, report.strays), (0, 0));
    assert_eq!(report.by_kind.get(&Kind::ClosedUnknown), Some(&1));
    // Once closed, an intent is not closed again.
    block_on(open(dir.path(), SMALL).close()).unwrap();
    assert_eq!(verify(dir.path()).by_kind.get(&Kind::ClosedUnknown), Some(&1));
}

#[test]
fn intent_is_closed_though_many_segments_follow() {
    let dir = tempfile::tempdir().unwrap();
    let trail = open(dir.path(), SMALL);
    block_on(async {
        trail.record(crate::samples::intent()).await.unwrap();
        for _ in 0..30 {
            let receipt = trail.record(crate::samples::intent()).await.unwrap();
            trail.record(crate::samples::disclosure(receipt)).await.unwrap();
        }
        trail.close().await.unwrap();
    });
    assert!(segments(dir.path()).len() > 4);
    block_on(open(dir.path(), SMALL).close()).unwrap();
    let report = verify(dir.path());
    assert_eq!((report.open_intents, report.strays), (0, 0));
    assert_eq!(report.by_kind.get(&Kind::ClosedUnknown), Some(&1));
}
