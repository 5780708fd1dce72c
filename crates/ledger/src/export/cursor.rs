//! How far an export got: durable, and bound to the log that it is about.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tributary_audit::Link;

/// Events tell who asked about whom.
pub(super) const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_DIR: u32 = 0o700;

/// The last record that was handed on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// Its number; 0 before the first.
    pub(super) seq: u64,
    /// Its leaf hash, by which the log is known again.
    leaf: String,
}

impl Cursor {
    /// At this record.
    pub(super) fn at(seq: u64, payload: &[u8]) -> Self {
        Self { seq, leaf: leaf(payload) }
    }

    /// Whether this is the record it stands at.
    pub(super) fn is_at(&self, payload: &[u8]) -> bool {
        self.leaf == leaf(payload)
    }

    /// Reads it. A file that cannot be read is no reason to hand everything on again.
    pub(super) fn load(file: &Path) -> io::Result<Self> {
        match fs::read(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            bytes => serde_json::from_slice(&bytes?)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }

    /// Makes it durable: after a crash it is this one or the one before.
    pub(super) fn save(&self, file: &Path) -> io::Result<()> {
        let bytes = serde_json::to_vec(self)?;
        let next = file.with_extension("next");
        let mut open = private().write(true).create(true).truncate(true).open(&next)?;
        open.write_all(&bytes)?;
        open.sync_all()?;
        fs::rename(&next, file)?;
        File::open(file.parent().unwrap_or_else(|| Path::new(".")))?.sync_all()
    }
}

fn leaf(payload: &[u8]) -> String {
    Link::FIRST.after(payload).prev.to_string()
}

/// A file that only we can read.
pub(super) fn private() -> fs::OpenOptions {
    let mut options = File::options();
    options.mode(PRIVATE_FILE);
    options
}

/// Makes a folder that only we can enter.
pub(super) fn make_private_dir(dir: &Path) -> io::Result<PathBuf> {
    fs::DirBuilder::new().recursive(true).mode(PRIVATE_DIR).create(dir)?;
    Ok(dir.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spoilt_cursor_is_an_error_and_none_is_the_beginning() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("cursor");
        assert_eq!(Cursor::load(&file).unwrap(), Cursor::default());
        let cursor = Cursor::at(7, b"{}");
        cursor.save(&file).unwrap();
        assert_eq!(Cursor::load(&file).unwrap(), cursor);
        assert!(cursor.is_at(b"{}") && !cursor.is_at(b"{ }"));
        fs::write(&file, "{\"seq\":").unwrap();
        assert_eq!(Cursor::load(&file).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
