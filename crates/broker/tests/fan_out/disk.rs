//! The audit log's disk, which a test can hold or break, and its segment files, read by hand.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

use serde_json::Value;
use tokio::sync::watch;
use tributary_audit::{Files, SegmentFile};

/// What the disk does to a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It keeps the writer waiting.
    Holds,
    /// It refuses.
    Fails,
}

/// A disk in the hands of a test.
#[derive(Clone)]
pub(crate) struct Disk {
    dir: PathBuf,
    plan: Arc<Plan>,
    troubled: watch::Sender<usize>,
}

/// Trouble for the records of one kind.
#[derive(Default)]
struct Plan {
    trouble: Mutex<Option<(&'static str, Trouble)>>,
    changed: Condvar,
}

impl Disk {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), plan: Arc::default(), troubled: watch::Sender::default() }
    }

    /// From now on, records of this kind meet trouble.
    pub(crate) fn troubles(&self, kind: &'static str, trouble: Trouble) {
        *self.plan.trouble.lock().unwrap() = Some((kind, trouble));
    }

    /// From now on, all is well; a writer that was held goes on.
    pub(crate) fn recovers(&self) {
        *self.plan.trouble.lock().unwrap() = None;
        self.plan.changed.notify_all();
    }

    /// Returns once a write has met trouble.
    pub(crate) async fn has_troubled(&self) {
        self.troubled.subscribe().wait_for(|count| *count > 0).await.unwrap();
    }

    fn let_through(&self, bytes: &[u8]) -> io::Result<()> {
        let meets = |kind: &str| String::from_utf8_lossy(bytes).contains(&format!("\"kind\":\"{kind}\""));
        let mut trouble = self.plan.trouble.lock().unwrap();
        while let Some((_, what)) = trouble.filter(|(kind, _)| meets(kind)) {
            self.troubled.send_modify(|count| *count += 1);
            if what == Trouble::Fails {
                return Err(io::ErrorKind::StorageFull.into());
            }
            trouble = self.plan.changed.wait(trouble).unwrap();
        }
        Ok(())
    }
}

impl Files for Disk {
    fn create(&mut self, number: u32) -> io::Result<Box<dyn SegmentFile>> {
        let file = File::create_new(self.dir.join(format!("{number:08}.log")))?;
        Ok(Box::new(OnDisk { file, disk: self.clone() }))
    }

    fn remove(&mut self, number: u32) -> io::Result<()> {
        fs::remove_file(self.dir.join(format!("{number:08}.log")))
    }
}

struct OnDisk {
    file: File,
    disk: Disk,
}

impl SegmentFile for OnDisk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.disk.let_through(bytes)?;
        self.file.write_all(bytes)?;
        self.file.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }
}

/// Every record in a log: frames of u32 LE length, u32 LE CRC-32C, JSON.
pub(crate) fn records(dir: &Path) -> Vec<Value> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ext| ext == "log")).collect();
    segments.sort();
    let mut found = Vec::new();
    for segment in segments {
        let bytes = fs::read(segment).unwrap();
        let mut rest = bytes.as_slice();
        while let Some((head, after)) = rest.split_at_checked(8) {
            let length = u32::from_le_bytes(head[..4].try_into().unwrap()) as usize;
            let sum = u32::from_le_bytes(head[4..].try_into().unwrap());
            let Some((payload, after)) = after.split_at_checked(length) else { break };
            assert_eq!(sum, crc32c(payload));
            found.push(serde_json::from_slice(payload).unwrap());
            rest = after;
        }
    }
    found
}

/// CRC-32C bit by bit, as RFC 3720 defines it.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & 0_u32.wrapping_sub(crc & 1));
        }
    }
    !crc
}
