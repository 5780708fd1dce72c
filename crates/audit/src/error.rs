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
    /// Too few witnesses have cosigned for too long: nothing may be disclosed. Other records are taken.
    #[error("no witness has cosigned the audit log for too long")]
    Unwitnessed,
    /// A witness has seen another log under this name: nothing may be disclosed. A person must look.
    #[error("a witness has seen another audit log under the same name")]
    Contradicted,
    /// A witness answered, and not with a cosignature of this checkpoint.
    #[error("the answer of the witness holds no cosignature of this checkpoint by its key")]
    NoCosignature,
    /// The log has fewer records than a checkpoint says. A person must look, with the verifier.
    #[error("audit log has {records} records, and a checkpoint of {signed}")]
    Shortened {
        /// Records according to the checkpoint.
        signed: u64,
        /// Records that are there.
        records: u64,
    },
    /// The records are not those that a checkpoint was made of. A person must look, with the verifier.
    #[error("the first {signed} records of the audit log are not those of its checkpoint")]
    Rewritten {
        /// Records according to the checkpoint.
        signed: u64,
    },
    /// The checkpoints are damaged beyond what a crash leaves. A person must look, with the verifier.
    #[error("the checkpoints of the audit log are damaged")]
    TreeDamaged,
    /// A record that is not the torn end of a crash is damaged. A person must look, with the verifier.
    #[error("audit log is damaged in segment {segment} at byte {offset}")]
    Damaged {
        /// Number of the segment file.
        segment: u32,
        /// Where in the file.
        offset: u64,
    },
    /// A record of a log that is kept elsewhere does not follow from the one before. A person must look.
    #[error("audit log is damaged at record {seq}")]
    BrokenChain {
        /// The number that was to come.
        seq: u64,
    },
}

impl From<io::Error> for AuditError {
    fn from(error: io::Error) -> Self {
        Self::AuditUnavailable(error.kind())
    }
}
