//! Whatever is changed after it was written is found.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use tributary_audit::{AuditError, Flaw, Settings, Trail, Verdict, verify, verify_up_to};
use tributary_model::SystemClock;

use crate::samples::{SMALL, boundaries, log_files, write_files};

type Log = Vec<(String, Vec<u8>)>;

#[test]
fn every_flipped_byte_is_found() {
    let settings = Settings { segment_bytes: 2048, ..SMALL };
    let files = log_files(settings, 2);
    assert!(files.len() > 1);
    let dir = tempfile::tempdir().unwrap();
    write_files(dir.path(), &files);
    for (name, content) in &files {
        let places = boundaries(content);
        let mut altered = content.clone();
        for place in 0..content.len() {
            for mask in [0x01, 0xFF] {
                altered[place] ^= mask;
                fs::write(dir.path().join(name), &altered).unwrap();
                altered[place] ^= mask;
                let report = verify(dir.path());
                assert_eq!(report.verdict(), Verdict::Tampered, "{name} {place} {mask}");
                let first = report.problems[0];
                let frame = places.iter().rfind(|start| **start <= place).unwrap();
                assert_eq!(first.offset, *frame as u64, "{name} {place} {mask}");
            }
        }
        fs::write(dir.path().join(name), content).unwrap();
    }
    assert_eq!(verify(dir.path()).verdict(), Verdict::Ok);
}

#[test]
fn resealed_record_breaks_the_chain() {
    let mut files = log_files(Settings::default(), 3);
    let places = boundaries(&files[0].1);
    let (from, to) = (places[3] + 8, places[4]);
    let content = &mut files[0].1;
    let at = content[from..to].windows(4).position(|word| word == b"u-17").unwrap() + from;
    content[at] = b'x';
    let sum = crc32c_slow(&content[from..to]);
    content[from - 4..from].copy_from_slice(&sum.to_le_bytes());
    let report = verify_written(&files);
    assert_eq!(report.problems[0].flaw, Flaw::Chain);
    assert_eq!(report.problems[0].seq, Some(5));
}

/// Whatever is done to the end, an earlier change stays a change: it is told, and opening cuts nothing off.
#[track_caller]
fn is_found(change: impl FnOnce(&mut Vec<u8>, &[usize])) {
    let mut files = log_files(Settings::default(), 8);
    let places = boundaries(&files[0].1);
    change(&mut files[0].1, &places);
    let dir = tempfile::tempdir().unwrap();
    write_files(dir.path(), &files);
    assert_eq!(verify(dir.path()).verdict(), Verdict::Tampered);
    let refused = Trail::open(dir.path(), SMALL, Arc::new(SystemClock)).unwrap_err();
    assert!(matches!(refused, AuditError::Damaged { segment: 1, .. }), "{refused:?}");
    assert_eq!(fs::read(dir.path().join(&files[0].0)).unwrap(), files[0].1);
}

#[test]
fn an_edit_is_not_excused_by_zeros_at_the_end() {
    for zeros in [1, 8, 100, 700, 3000] {
        is_found(|content, places| {
            content[places[2] + 100] ^= 1;
            let length = content.len();
            content[length - zeros..].fill(0);
        });
    }
}

#[test]
fn an_edit_is_not_excused_by_a_torn_end() {
    for cut in [1, 8, 100, 700] {
        is_found(|content, places| {
            content[places[2] + 100] ^= 1;
            content.truncate(content.len() - cut);
        });
    }
}

#[test]
fn a_length_beyond_the_end_excuses_nothing() {
    is_found(|content, places| content[places[2] + 2] = 0x0F);
    is_found(|content, places| {
        content[places[2] + 2] = 0x0F;
        content[places[2] + 100] ^= 1;
    });
}

#[test]
fn wiped_records_are_found() {
    // 8 intents and 8 disclosures, with the segment and the start before them and the stop after.
    is_found(|content, places| content[places[6]..].fill(0));
    is_found(|content, places| content[places[6]..places[18]].fill(0));
    is_found(|content, places| content[places[6] + 60..].fill(0));
    is_found(|content, places| content[places[1]..].fill(0));
}

/// Written a second time from the definition, bit by bit.
fn crc32c_slow(bytes: &[u8]) -> u32 {
    let shift = |crc: u32, _| (crc >> 1) ^ (0x82F6_3B78 & (crc & 1).wrapping_neg());
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), shift))
}

#[test]
fn missing_segments_and_ends_are_truncation() {
    let files = log_files(SMALL, 12);
    assert!(files.len() > 3);
    for gone in 0..files.len() - 1 {
        let mut left = files.clone();
        left.remove(gone);
        assert_eq!(verify_written(&left).verdict(), Verdict::Truncated, "{gone}");
    }
    let dir = tempfile::tempdir().unwrap();
    write_files(dir.path(), &files[..files.len() - 1]);
    let report = verify(dir.path());
    assert_eq!(report.verdict(), Verdict::Ok, "the end alone cannot tell");
    let known = report.last_seq + 1;
    assert_eq!(verify_up_to(dir.path(), known).verdict(), Verdict::Truncated);
    assert_eq!(verify_up_to(dir.path(), report.last_seq).verdict(), Verdict::Ok);
}

#[test]
fn bytes_after_a_whole_segment_are_found() {
    let mut files = log_files(SMALL, 8);
    files[0].1.push(b'x');
    assert_eq!(verify_written(&files).verdict(), Verdict::Tampered);
}

#[test]
fn absent_directory_is_unreadable() {
    let report = verify(Path::new("/nonexistent/audit"));
    assert_eq!(report.verdict().exit_code(), 5);
}

#[test]
fn a_directory_without_a_log_proves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(verify(dir.path()).verdict().exit_code(), 5);
    assert_eq!(verify_up_to(dir.path(), 7).verdict().exit_code(), 5);
    fs::write(dir.path().join("00000001.log"), [0; 100]).unwrap();
    assert_eq!(verify(dir.path()).verdict().exit_code(), 5);
}

fn verify_written(files: &Log) -> tributary_audit::Report {
    let dir = tempfile::tempdir().unwrap();
    write_files(dir.path(), files);
    verify(dir.path())
}

#[derive(Clone, Debug)]
enum Change {
    Flip(prop::sample::Index, prop::sample::Index, u8),
    Delete(prop::sample::Index, prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index, prop::sample::Index),
    Cut(prop::sample::Index, prop::sample::Index),
    Exchange(prop::sample::Index, prop::sample::Index),
}

fn any_change() -> impl Strategy<Value = Change> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        (index(), index(), 1..=u8::MAX).prop_map(|(file, place, mask)| Change::Flip(file, place, mask)),
        (index(), index()).prop_map(|(file, frame)| Change::Delete(file, frame)),
        (index(), index(), index()).prop_map(|(file, one, other)| Change::Swap(file, one, other)),
        (index(), index()).prop_map(|(file, place)| Change::Cut(file, place)),
        (index(), index()).prop_map(|(one, other)| Change::Exchange(one, other)),
    ]
}

/// Makes the change; `false` if it leaves the log as it was, or is a clean cut of its very end.
fn apply(change: &Change, files: &mut Log) -> bool {
    match change {
        Change::Flip(file, place, mask) => {
            let content = &mut file.get_mut(files).1;
            let place = place.index(content.len());
            content[place] ^= mask;
            true
        }
        Change::Delete(file, frame) => {
            let file = file.index(files.len());
            let is_last = file + 1 == files.len();
            let content = &mut files[file].1;
            let places = boundaries(content);
            let frame = frame.index(places.len() - 1);
            content.drain(places[frame]..places[frame + 1]);
            !(is_last && frame + 2 == places.len())
        }
        Change::Swap(file, one, other) => {
            let content = &mut file.get_mut(files).1;
            let places = boundaries(content);
            let mut frames: Vec<_> =
                places.windows(2).map(|pair| content[pair[0]..pair[1]].to_vec()).collect();
            let (one, other) = (one.index(frames.len()), other.index(frames.len()));
            frames.swap(one, other);
            *content = frames.concat();
            one != other
        }
        Change::Cut(file, place) => {
            let file = file.index(files.len() - 1);
            let content = &mut files[file].1;
            content.truncate(place.index(content.len()));
            true
        }
        Change::Exchange(one, other) => {
            let (one, other) = (one.index(files.len()), other.index(files.len()));
            let content = std::mem::take(&mut files[one].1);
            let content = std::mem::replace(&mut files[other].1, content);
            files[one].1 = content;
            one != other
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn single_changes_are_found(change in any_change()) {
        static LOG: std::sync::LazyLock<Log> = std::sync::LazyLock::new(|| log_files(SMALL, 8));
        let mut files = LOG.clone();
        prop_assume!(apply(&change, &mut files));
        let report = verify_written(&files);
        prop_assert_ne!(report.verdict(), Verdict::Ok);
        prop_assert!(!report.problems.is_empty());
    }
}
