//! A witness of logs (C2SP tlog-witness): it remembers the last checkpoint of each, and signs the next one only if
//! the log grew into it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tributary_model::Clock;

use crate::chain::Digest;
use crate::checkpoint::Checkpoint;
use crate::error::AuditError;
use crate::note::{MAX_NOTE, Note, SigningKey, VerifyingKey};
use crate::segment;
use crate::tree::{is_consistent, tiles};

/// Hashes of a proof: twice the height of a tree that holds every record there can be.
const MOST_HASHES: usize = 63;
/// The longest request: a proof, and a note.
const MAX_REQUEST: usize = MAX_NOTE + MOST_HASHES * 45 + 32;

/// What a witness answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WitnessAnswer {
    /// It signed: the lines of its cosignatures.
    Cosigned(String),
    /// The request cannot be read.
    Malformed,
    /// None of the keys known for this log has signed.
    UnknownKey,
    /// No log of this name is known.
    UnknownLog,
    /// The last checkpoint that was cosigned is of so many records; or it is of as many as this one, and another.
    Conflict(u64),
    /// The proof does not show that the log only grew.
    Inconsistent,
    /// What was seen could not be made durable, so nothing was signed.
    Unavailable,
}

impl WitnessAnswer {
    /// The HTTP status that says so.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Cosigned(_) => 200,
            Self::Malformed => 400,
            Self::UnknownKey => 403,
            Self::UnknownLog => 404,
            Self::Conflict(_) => 409,
            Self::Inconsistent => 422,
            Self::Unavailable => 503,
        }
    }

    /// Media type and body.
    pub fn body(&self) -> (&'static str, String) {
        match self {
            Self::Cosigned(lines) => ("text/plain; charset=utf-8", lines.clone()),
            Self::Conflict(size) => ("text/x.tlog.size", format!("{size}\n")),
            Self::Malformed
            | Self::UnknownKey
            | Self::UnknownLog
            | Self::Inconsistent
            | Self::Unavailable => ("text/plain; charset=utf-8", String::new()),
        }
    }
}

/// A witness. It holds its folder for itself alone.
pub struct Witness {
    dir: PathBuf,
    key: SigningKey,
    logs: Vec<VerifyingKey>,
    clock: Arc<dyn Clock>,
    /// What was cosigned last, by origin. Held from the look at it until the next one is durable.
    seen: Mutex<BTreeMap<String, Checkpoint>>,
    _lock: File,
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Witness").field("logs", &self.logs).finish_non_exhaustive()
    }
}

impl Witness {
    /// The longest request that is read.
    pub const MAX_REQUEST: usize = MAX_REQUEST;

    /// Opens a folder, which is made if it does not exist, and reads what was seen before. What cannot be read is
    /// a reason not to open: who forgot what it signed could sign a fork.
    pub fn open(
        dir: &Path,
        key: SigningKey,
        logs: Vec<VerifyingKey>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AuditError> {
        segment::make_dir(dir)?;
        segment::close_to_others(dir)?;
        let lock = segment::lock(dir)?.ok_or(AuditError::InUse)?;
        let mut seen = BTreeMap::new();
        for log in &logs {
            match fs::read_to_string(place(dir, log.name())) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                text => {
                    let last = Checkpoint::of_note(&text?).filter(|last| last.origin == log.name());
                    seen.insert(log.name().to_owned(), last.ok_or(AuditError::TreeDamaged)?);
                }
            }
        }
        Ok(Self { dir: dir.to_owned(), key, logs, clock, seen: Mutex::new(seen), _lock: lock })
    }

    /// Answers a request to `add-checkpoint`. Blocks for a sync if it signs.
    pub fn add_checkpoint(&self, request: &[u8]) -> WitnessAnswer {
        let Some(request) = std::str::from_utf8(request).ok().and_then(Request::parse) else {
            return WitnessAnswer::Malformed;
        };
        let Request { old, path, note, checkpoint } = request;
        let mut keys = self.logs.iter().filter(|key| key.name() == checkpoint.origin).peekable();
        if keys.peek().is_none() {
            return WitnessAnswer::UnknownLog;
        }
        let is_theirs = |key: &VerifyingKey| {
            note.signatures.iter().any(|signature| key.verify(note.text, signature).is_some())
        };
        if !keys.any(is_theirs) {
            return WitnessAnswer::UnknownKey;
        }
        if old > checkpoint.size {
            return WitnessAnswer::Malformed;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let last =
            seen.get(&checkpoint.origin).map_or_else(|| (0, Digest::of(b"")), |last| (last.size, last.root));
        let is_other = last.0 == checkpoint.size && last.1 != checkpoint.root;
        if old != last.0 || is_other {
            return WitnessAnswer::Conflict(last.0);
        }
        if !is_consistent(last, (checkpoint.size, checkpoint.root), &path) {
            return WitnessAnswer::Inconsistent;
        }
        let now = u64::try_from(self.clock.now().as_second()).unwrap_or_default();
        let line = self.key.line(note.text, now);
        let own: String = note.signatures.iter().map(|signature| signature.line).collect();
        let kept = format!("{}\n{own}{line}", note.text);
        if tiles::put(&place(&self.dir, &checkpoint.origin), kept.as_bytes()).is_err() {
            return WitnessAnswer::Unavailable;
        }
        seen.insert(checkpoint.origin.clone(), checkpoint);
        WitnessAnswer::Cosigned(line)
    }
}

/// Where the last checkpoint of a log is kept: its name may hold anything.
fn place(dir: &Path, origin: &str) -> PathBuf {
    dir.join(format!("{}.checkpoint", Digest::of(origin.as_bytes())))
}

struct Request<'a> {
    old: u64,
    path: Vec<Digest>,
    note: Note<'a>,
    checkpoint: Checkpoint,
}

impl<'a> Request<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (head, note) = text.split_once("\n\n").filter(|_| text.len() <= MAX_REQUEST)?;
        let mut lines = head.split('\n');
        let number = lines.next()?.strip_prefix("old ")?;
        let old: u64 = number.parse().ok()?;
        let hash = |line: &str| Some(Digest::from_bytes(STANDARD.decode(line).ok()?.try_into().ok()?));
        let path: Vec<_> = lines.map(hash).collect::<Option<_>>()?;
        let note = Note::parse(note)?;
        let checkpoint = Checkpoint::of_text(note.text)?;
        let is_plain = old.to_string() == number && path.len() <= MOST_HASHES;
        is_plain.then_some(Self { old, path, note, checkpoint })
    }
}
