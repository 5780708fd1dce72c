//! A disk that fails.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tributary_audit::{AuditError, Files, SegmentFile, Settings, Trail, Verdict, verify};
use tributary_model::SystemClock;

use crate::samples::{SMALL, block_on, copy_segments, intent, open, segments};

/// What the disk does next, and how often its files were used.
#[derive(Debug, Default)]
struct Plan {
    /// Appends that fail before the disk works again.
    failures: u64,
    /// How many bytes a failing append still writes.
    written: usize,
    /// Whether cutting a file fails too.
    cut_fails: bool,
    /// Whether making a file fails while appends do.
    create_fails: bool,
}

struct Faulty {
    dir: PathBuf,
    plan: Arc<Mutex<Plan>>,
    after_failure: Arc<AtomicU64>,
}

struct FaultyFile {
    file: File,
    plan: Arc<Mutex<Plan>>,
    failed: bool,
    after_failure: Arc<AtomicU64>,
}

impl Files for Faulty {
    fn create(&mut self, number: u32) -> io::Result<Box<dyn SegmentFile>> {
        let mut plan = self.plan.lock().unwrap();
        if plan.create_fails && plan.failures > 0 {
            plan.failures -= 1;
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        Ok(Box::new(FaultyFile {
            file: File::create_new(self.dir.join(format!("{number:08}.log")))?,
            plan: Arc::clone(&self.plan),
            failed: false,
            after_failure: Arc::clone(&self.after_failure),
        }))
    }

    fn remove(&mut self, number: u32) -> io::Result<()> {
        fs::remove_file(self.dir.join(format!("{number:08}.log")))
    }
}

impl SegmentFile for FaultyFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.after_failure.fetch_add(u64::from(self.failed), Ordering::SeqCst);
        let mut plan = self.plan.lock().unwrap();
        if plan.failures == 0 {
            return self.file.write_all(bytes);
        }
        plan.failures -= 1;
        self.failed = true;
        self.file.write_all(&bytes[..plan.written.min(bytes.len())])?;
        Err(io::ErrorKind::StorageFull.into())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        if self.plan.lock().unwrap().cut_fails {
            return Err(io::ErrorKind::Other.into());
        }
        self.file.set_len(length)
    }
}

#[track_caller]
fn check(plan: Plan, expected: &[Result<u64, io::ErrorKind>]) {
    let dir = tempfile::tempdir().unwrap();
    let shared = Arc::new(Mutex::new(Plan::default()));
    let after_failure = Arc::new(AtomicU64::new(0));
    let files = Faulty {
        dir: dir.path().to_owned(),
        plan: Arc::clone(&shared),
        after_failure: Arc::clone(&after_failure),
    };
    let trail =
        Trail::open_on(Box::new(files), dir.path(), Settings::default(), Arc::new(SystemClock)).unwrap();
    block_on(async {
        assert_eq!(trail.record(intent()).await.unwrap().seq, 3);
        *shared.lock().unwrap() = plan;
        for expected in expected {
            let found = trail.record(intent()).await.map(|receipt| receipt.seq);
            assert_eq!(found, expected.map_err(AuditError::AuditUnavailable));
            crash_now(dir.path());
        }
        trail.close().await.unwrap();
    });
    let report = verify(dir.path());
    assert_eq!((report.verdict(), report.residue_bytes), (Verdict::Ok, 0), "{report:?}");
    assert_eq!(after_failure.load(Ordering::SeqCst), 0, "a failed file was used again");
}

/// Whatever state the fault left, a crash at this moment leaves a log that can be opened.
#[track_caller]
fn crash_now(dir: &Path) {
    let copy = tempfile::tempdir().unwrap();
    copy_segments(dir, copy.path());
    assert_eq!(verify(copy.path()).verdict(), Verdict::Ok);
    block_on_new(copy.path());
    assert_eq!(verify(copy.path()).verdict(), Verdict::Ok);
}

fn block_on_new(dir: &Path) {
    let dir = dir.to_owned();
    let opened = std::thread::spawn(move || block_on(open(&dir, SMALL).close()));
    opened.join().unwrap().unwrap();
}

const FULL: Result<u64, io::ErrorKind> = Err(io::ErrorKind::StorageFull);

#[test]
fn one_failure_moves_the_record_to_a_fresh_segment() {
    for (written, cut_fails) in
        [(0, false), (100, false), (100, true), (usize::MAX, false), (usize::MAX, true)]
    {
        let plan = Plan { failures: 1, written, cut_fails, create_fails: false };
        // The fresh segment's first record takes number 4.
        check(plan, &[Ok(5), Ok(6)]);
    }
}

#[test]
fn full_disk_refuses_until_space_returns() {
    for (written, cut_fails) in [(0, false), (100, true), (usize::MAX, true)] {
        let plan = Plan { failures: 4, written, cut_fails, create_fails: false };
        check(plan, &[FULL, FULL, FULL, Ok(5), Ok(6)]);
    }
}

#[test]
fn read_only_disk_refuses_until_it_is_writable() {
    let plan = Plan { failures: 3, written: 0, cut_fails: false, create_fails: true };
    let read_only = Err(io::ErrorKind::ReadOnlyFilesystem);
    check(plan, &[read_only, read_only, Ok(5)]);
}

#[test]
fn lost_directory_refuses_and_its_return_serves() {
    let top = tempfile::tempdir().unwrap();
    let dir = top.path().join("audit");
    let settings = Settings { segment_bytes: 1, ..SMALL };
    let trail = open(&dir, settings);
    block_on(async {
        assert!(trail.record(intent()).await.is_ok());
        fs::rename(&dir, top.path().join("away")).unwrap();
        File::create(&dir).unwrap().write_all(b"not a directory").unwrap();
        let refused = trail.record(intent()).await;
        assert!(matches!(refused, Err(AuditError::AuditUnavailable(_))), "{refused:?}");
        fs::remove_file(&dir).unwrap();
        fs::rename(top.path().join("away"), &dir).unwrap();
        assert!(trail.record(intent()).await.is_ok());
        trail.close().await.unwrap();
    });
    assert!(segments(&dir).len() >= 3);
    assert_eq!(verify(&dir).verdict(), Verdict::Ok);
}

#[test]
fn directory_that_is_a_file_cannot_be_opened() {
    let top = tempfile::tempdir().unwrap();
    let dir = top.path().join("audit");
    fs::write(&dir, b"").unwrap();
    let refused = Trail::open(&dir, SMALL, Arc::new(SystemClock)).unwrap_err();
    assert!(matches!(refused, AuditError::AuditUnavailable(_)), "{refused:?}");
}
