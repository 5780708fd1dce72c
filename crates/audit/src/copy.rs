//! Writes the exact bytes of records that are kept elsewhere as a directory of segments, which the verifier reads.

mod tree;

use std::io;
use std::path::{Path, PathBuf};

use crate::record::frame;
use crate::segment::{self, Disk, Files as _, SegmentFile};

pub use tree::TreeCopy;

/// What is gathered before it is written and made durable.
const BLOCK_BYTES: usize = 1 << 20;

/// A copy of a log, segment by segment. Nothing is judged here: the verifier judges the copy.
pub struct SegmentCopy {
    dir: PathBuf,
    segment_bytes: u64,
    number: u32,
    file: Option<Box<dyn SegmentFile>>,
    written: u64,
    frames: Vec<u8>,
}

impl SegmentCopy {
    /// Begins a copy in a directory that holds no log yet; it is made, and closed to other users.
    pub fn begin(dir: &Path, segment_bytes: u64) -> io::Result<Self> {
        segment::make_dir(dir)?;
        segment::close_to_others(dir).map_err(io::Error::other)?;
        if !segment::list(dir)?.is_empty() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(Self { dir: dir.to_owned(), segment_bytes, number: 0, file: None, written: 0, frames: Vec::new() })
    }

    /// Adds the next record.
    pub fn add(&mut self, payload: &[u8]) -> io::Result<()> {
        frame(payload, &mut self.frames);
        if self.frames.len() >= BLOCK_BYTES { self.flush() } else { Ok(()) }
    }

    /// Makes the copy durable. Without it the last records may be missing.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.frames.is_empty() {
            return Ok(());
        }
        let mut file = if let Some(file) = self.file.take() {
            file
        } else {
            self.number += 1;
            self.written = 0;
            Disk::new(&self.dir).create(self.number)?
        };
        file.append(&self.frames)?;
        self.written += self.frames.len() as u64;
        self.frames.clear();
        self.file = (self.written < self.segment_bytes).then_some(file);
        Ok(())
    }
}

impl std::fmt::Debug for SegmentCopy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SegmentCopy").field("dir", &self.dir).finish_non_exhaustive()
    }
}
