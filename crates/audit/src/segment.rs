//! Segment files: their names, how they are made, and the seam through which a test can break them.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::AuditError;

/// Records tell who asked about whom: only the broker's own user reads them.
const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_DIR: u32 = 0o700;
const OTHERS: u32 = 0o077;
/// A directory where everybody may put files, like `/tmp`: never ours to close.
const SHARED: u32 = 0o1000;

/// Makes and removes segment files. Handed in, so that a test can fill the disk.
pub trait Files: Send {
    /// Makes a segment file, durable in its directory. It is an error if it exists.
    fn create(&mut self, number: u32) -> io::Result<Box<dyn SegmentFile>>;

    /// Removes a segment file that holds no durable record.
    fn remove(&mut self, number: u32) -> io::Result<()>;
}

/// One segment file, open for appending.
pub trait SegmentFile: Send {
    /// Appends bytes and makes them durable. After an error the file is never appended to again: what the
    /// system keeps of unsynced pages is not known then, and a second sync may lie.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file back to a length.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

/// How a segment ended, as its successor's first record tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Previous {
    /// Its number.
    pub(crate) segment: u32,
    /// Its durable length. What lies beyond does not belong to the log.
    pub(crate) bytes: u64,
    /// Whether anything may lie beyond.
    pub(crate) state: EndState,
}

/// Whether a file may be longer than its durable length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EndState {
    /// It ends there.
    Whole,
    /// A write or sync failed; records in doubt may follow, which were written again elsewhere.
    Suspect,
}

/// Segment files in a directory.
#[derive(Debug)]
pub(crate) struct Disk {
    dir: PathBuf,
}

impl Disk {
    pub(crate) fn new(dir: &Path) -> Self {
        let dir = dir.to_owned();
        Self { dir }
    }
}

impl Files for Disk {
    fn create(&mut self, number: u32) -> io::Result<Box<dyn SegmentFile>> {
        let file = private().create_new(true).open(path(&self.dir, number))?;
        sync_dir(&self.dir)?;
        Ok(Box::new(OnDisk(file)))
    }

    fn remove(&mut self, number: u32) -> io::Result<()> {
        fs::remove_file(path(&self.dir, number))
    }
}

struct OnDisk(File);

impl SegmentFile for OnDisk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)?;
        self.0.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }
}

/// How files of the log are made: for writing, and for nobody else.
pub(crate) fn private() -> fs::OpenOptions {
    let mut options = File::options();
    options.write(true).mode(PRIVATE_FILE);
    options
}

/// Where a segment lies.
pub(crate) fn path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:08}.log"))
}

/// The numbers of the segments in a directory, ascending.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        numbers.extend(entry?.file_name().to_str().and_then(number_of));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn number_of(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".log")?;
    let fits = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| digits.parse().ok()).flatten()
}

/// Makes a directory that survives a power cut: every new level is made durable in the one above.
pub fn make_dir(dir: &Path) -> io::Result<()> {
    let missing: Vec<_> = dir.ancestors().take_while(|level| !level.exists()).collect();
    fs::DirBuilder::new().recursive(true).mode(PRIVATE_DIR).create(dir)?;
    for level in missing {
        // A relative path ends in an empty one, which stands for the current directory.
        let above = level.parent().filter(|above| !above.as_os_str().is_empty());
        sync_dir(above.unwrap_or_else(|| Path::new(".")))?;
    }
    Ok(())
}

/// Closes a directory to other users; an error if it is open to them and not ours to close.
pub(crate) fn close_to_others(dir: &Path) -> Result<(), AuditError> {
    let mode = fs::metadata(dir)?.mode();
    if mode & OTHERS == 0 {
        return Ok(());
    }
    let closed =
        mode & SHARED == 0 && fs::set_permissions(dir, fs::Permissions::from_mode(PRIVATE_DIR)).is_ok();
    if closed { Ok(()) } else { Err(AuditError::Exposed { mode: mode & 0o7777 }) }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Takes the directory for this process; `None` if another holds it. The lock lives as long as the file.
pub(crate) fn lock(dir: &Path) -> io::Result<Option<File>> {
    let file = private().create(true).truncate(false).open(dir.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_eight_digits_name_a_segment() {
        assert_eq!(number_of("00000012.log"), Some(12));
        for other in ["lock", "1.log", "0000001a.log", "+0000001.log", "00000001.log~"] {
            assert_eq!(number_of(other), None, "{other}");
        }
    }
}
