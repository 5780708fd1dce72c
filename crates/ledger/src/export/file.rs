//! Events in a file, one a line (NDJSON).

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use super::AuditEvent;
use super::cursor::{make_private_dir, private};

/// A file that grows.
#[derive(Debug)]
pub struct EventFile {
    file: File,
}

impl EventFile {
    /// Opens it at its end; it is made if there is none, for its owner alone.
    pub fn open(path: &Path) -> io::Result<Self> {
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            make_private_dir(dir)?;
        }
        Ok(Self { file: private().append(true).create(true).open(path)? })
    }

    /// Adds an event.
    pub fn add(&mut self, event: &AuditEvent) -> io::Result<()> {
        self.file.write_all(format!("{}\n", event.json).as_bytes())
    }

    /// Makes everything that was added durable.
    pub fn settle(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}
