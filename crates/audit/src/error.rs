//! What can go wrong with the log, by who must act.

use std::io;

/// Why a record is not durable, or a log cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The storage did not take the record. The effect it describes must not happen; a later try may work.
    #[error("audit storage unavailable: {0}")]
    AuditUnavailable(io::ErrorKind),
    /// The trail was closed.
    #[error("audit trail is closed")]
    Closed,
    /// The record is longer than a record may be. Ours to fix: nothing of it was written.
    #[error("audit record of {bytes} bytes is too long")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Another process holds the directory.
    #[error("audit directory is in use by another process")]
    InUse,
    /// Other users may enter the directory, and it is not ours to close.
    #[error("audit directory is open to other users (mode {mode:o}) and cannot be closed to them")]
    Exposed {
        /// Its permissions.
        mode: u32,
    },
    /// A record that is not the torn end of a crash is damaged. A person must look, with the verifier.
    #[error("audit log is damaged in segment {segment} at byte {offset}")]
    Damaged {
        /// Number of the segment file.
        segment: u32,
        /// Where in the file.
        offset: u64,
    },
}

impl From<io::Error> for AuditError {
    fn from(error: io::Error) -> Self {
        Self::AuditUnavailable(error.kind())
    }
}
