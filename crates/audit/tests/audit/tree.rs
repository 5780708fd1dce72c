//! The tree grows with the log, and every checkpoint holds for the records it was made of.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tributary_audit::{AuditError, Checkpoint, KeyKind, Notary, SigningKey, Trail, verify};
use tributary_model::SystemClock;

use crate::samples::{SMALL, block_on, disclosure, intent, segments};

const ORIGIN: &str = "example.test/audit/a";

fn key(dir: &Path) -> SigningKey {
    let file = dir.join("key");
    let text = fs::read_to_string(&file).unwrap_or_else(|_| {
        let text = SigningKey::generate(ORIGIN, KeyKind::Log).unwrap().secret_text();
        fs::write(&file, &text).unwrap();
        text
    });
    SigningKey::parse(&text).unwrap()
}

fn open_signed(dir: &Path) -> Result<Trail, AuditError> {
    let notary = Notary { key: Some(key(dir)), ..Notary::default() };
    Trail::open_signed(&dir.join("log"), SMALL, Arc::new(SystemClock), notary)
}

fn write_signed(dir: &Path, pairs: usize) {
    let trail = open_signed(dir).unwrap();
    block_on(async {
        for _ in 0..pairs {
            let receipt = trail.record(intent()).await.unwrap();
            trail.record(disclosure(receipt)).await.unwrap();
        }
        trail.close().await.unwrap();
    });
}

fn newest(dir: &Path) -> Checkpoint {
    let note = fs::read_to_string(dir.join("log/tree/checkpoint")).unwrap();
    Checkpoint::of_note(&note).unwrap()
}

#[test]
fn closing_leaves_a_checkpoint_of_every_record() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        write_signed(dir.path(), 40);
        let (report, newest) = (verify(&dir.path().join("log")), newest(dir.path()));
        assert_eq!((newest.origin.as_str(), newest.size), (ORIGIN, report.last_seq));
    }
}

#[test]
fn a_lost_tree_is_built_again_from_the_records() {
    let dir = tempfile::tempdir().unwrap();
    write_signed(dir.path(), 150);
    let before = newest(dir.path());
    fs::remove_dir_all(dir.path().join("log/tree/tile")).unwrap();
    write_signed(dir.path(), 1);
    assert!(dir.path().join("log/tree/tile/0/000").exists());
    fs::remove_dir_all(dir.path().join("log/tree")).unwrap();
    write_signed(dir.path(), 1);
    assert!(newest(dir.path()).size > before.size);
    assert!(dir.path().join("log/tree/tile/0/000").exists());
}

#[test]
fn a_log_shorter_than_its_checkpoint_does_not_open() {
    let dir = tempfile::tempdir().unwrap();
    write_signed(dir.path(), 20);
    let last = segments(&dir.path().join("log")).pop().unwrap();
    fs::remove_file(last).unwrap();
    let refused = open_signed(dir.path()).unwrap_err();
    assert!(matches!(refused, AuditError::Shortened { .. }), "{refused:?}");
}

#[test]
fn other_records_than_those_of_the_checkpoint_do_not_open() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_signed(dir.path(), 20);
    write_signed(other.path(), 20);
    for segment in segments(&dir.path().join("log")) {
        let name = segment.file_name().unwrap();
        fs::copy(other.path().join("log").join(name), &segment).unwrap();
    }
    fs::remove_dir_all(dir.path().join("log/tree/tile")).unwrap();
    let refused = open_signed(dir.path()).unwrap_err();
    assert!(matches!(refused, AuditError::Rewritten { .. }), "{refused:?}");
}

#[test]
fn without_a_key_checkpoints_are_kept_unsigned() {
    let dir = tempfile::tempdir().unwrap();
    block_on(crate::samples::write_log(dir.path(), SMALL, 3));
    let note = fs::read_to_string(dir.path().join("tree/checkpoint")).unwrap();
    assert_eq!(Checkpoint::of_note(&note).unwrap().size, verify(dir.path()).last_seq);
    assert!(note.ends_with("\n\n"), "{note}");
}
