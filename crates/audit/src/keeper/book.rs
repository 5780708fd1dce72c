//! Tree, checkpoints and cosignatures of one log, in the folder `tree` beside its segments.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::chain::{Digest, Link};
use crate::checkpoint::Checkpoint;
use crate::error::AuditError;
use crate::history::{Entry, History};
use crate::note::{Note, Signature, SigningKey, VerifyingKey};
use crate::scan;
use crate::tree::consistency;
use crate::tree::tiles::{self, Tiles};

/// The folder beside the segments. It tells nothing of the records and may be given to whoever watches.
pub(crate) const FOLDER: &str = "tree";
/// The newest checkpoint, where C2SP tlog-tiles has it.
pub(crate) const NEWEST: &str = "checkpoint";
/// Names a log that has no key, and so no name.
const NAMELESS: &str = "unsigned";
/// While a tree is built anew, it is saved after so many leaves.
const SAVE_EVERY: u64 = 1 << 16;

/// A checkpoint on its way to a witness.
#[derive(Clone, Debug)]
pub struct Submission {
    /// What is to be cosigned.
    pub checkpoint: Checkpoint,
    /// The body of the request: old size, proof, checkpoint.
    pub body: String,
    note: String,
}

/// A request by which a witness tells how long it has seen a log, before that log is opened: a checkpoint of
/// nothing, which every log has grown from.
pub fn probe(key: &SigningKey) -> String {
    let nothing = Checkpoint { origin: key.public().name().to_owned(), size: 0, root: Digest::of(b"") };
    format!("old 0\n\n{}", nothing.note(Some(key)))
}

/// How many records the checkpoints in a directory speak of. Changes nothing, and needs no lock.
pub fn kept_size(dir: &Path) -> Result<u64, AuditError> {
    Ok(Book::open(dir, None)?.0.size())
}

/// The tree and its checkpoints.
#[derive(Debug)]
pub(crate) struct Book {
    folder: PathBuf,
    tiles: Tiles,
    history: History,
    key: Option<SigningKey>,
    /// The last entries, for as long as the log is being opened.
    entries: Vec<Entry>,
    last: Option<(Checkpoint, String)>,
}

/// The hashes of the records after a checkpoint, as recovery comes across them.
#[derive(Debug, Default)]
pub(crate) struct Later {
    after: u64,
    leaves: Vec<Digest>,
    is_gapped: bool,
}

impl Later {
    pub(crate) fn note(&mut self, seq: u64, leaf: Digest) {
        if seq <= self.after {
            return;
        }
        self.is_gapped |= seq != self.after + self.leaves.len() as u64 + 1;
        if !self.is_gapped {
            self.leaves.push(leaf);
        }
    }
}

impl Book {
    /// Opens what there is, as far as it can be read without the records.
    pub(crate) fn open(dir: &Path, key: Option<SigningKey>) -> Result<(Self, Later), AuditError> {
        let folder = dir.join(FOLDER);
        let damaged = |error: io::Error| {
            let is_damage = error.kind() == io::ErrorKind::InvalidData;
            if is_damage { AuditError::TreeDamaged } else { error.into() }
        };
        let (history, entries) = History::open(&folder).map_err(damaged)?;
        let longest = entries.iter().max_by_key(|entry| entry.checkpoint.size);
        let last = longest.map(|entry| (entry.checkpoint.clone(), entry.note.clone()));
        let size = last.as_ref().map_or(0, |(checkpoint, _)| checkpoint.size);
        let newest = match fs::read_to_string(folder.join(NEWEST)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            text => Some(Checkpoint::of_note(&text?).ok_or(AuditError::TreeDamaged)?),
        };
        // It is put in its place after the entry, never before.
        if newest.is_some_and(|newest| newest.size > size) {
            return Err(AuditError::TreeDamaged);
        }
        let tiles = Tiles::load(&folder, size).ok();
        let fits = |tiles: &Tiles| last.as_ref().is_none_or(|(last, _)| last.root == tiles.root());
        let tiles = tiles.filter(fits).unwrap_or_else(|| Tiles::empty(&folder));
        let later = Later { after: tiles.size(), ..Later::default() };
        Ok((Self { folder, tiles, history, key, entries, last }, later))
    }

    /// Goes on to the end of the log, and holds the log against the last checkpoint.
    pub(crate) fn catch_up(&mut self, dir: &Path, later: &Later, end: Link) -> Result<(), AuditError> {
        let (records, signed) = (end.seq - 1, self.size());
        if records < signed {
            return Err(AuditError::Shortened { signed, records });
        }
        if self.tiles.size() < signed || later.is_gapped {
            self.rebuild(dir)?;
        } else {
            self.grow(&later.leaves);
        }
        let is_whole = self.tiles.size() == records;
        if is_whole { Ok(()) } else { Err(AuditError::TreeDamaged) }
    }

    /// Builds the tree from the records alone.
    fn rebuild(&mut self, dir: &Path) -> Result<(), AuditError> {
        let Self { tiles, last, folder, .. } = self;
        *tiles = Tiles::empty(folder);
        let known = last.as_ref().map(|(checkpoint, _)| (checkpoint.size, checkpoint.root));
        let mut is_other = false;
        let mut failure = Ok(());
        scan::replay(dir, &mut |leaf| {
            tiles.push(leaf);
            is_other |= known.is_some_and(|(size, root)| size == tiles.size() && root != tiles.root());
            if tiles.size().is_multiple_of(SAVE_EVERY) && failure.is_ok() && !is_other {
                failure = tiles.save();
            }
        })?;
        failure?;
        match known {
            Some((size, _)) if is_other => Err(AuditError::Rewritten { signed: size }),
            Some(_) | None => Ok(()),
        }
    }

    /// Records of the last checkpoint.
    pub(crate) fn size(&self) -> u64 {
        self.last.as_ref().map_or(0, |(checkpoint, _)| checkpoint.size)
    }

    pub(crate) fn grow(&mut self, leaves: &[Digest]) {
        for leaf in leaves {
            self.tiles.push(*leaf);
        }
    }

    /// Makes the tree durable and then its checkpoint; gives the size of the last one.
    pub(crate) fn checkpoint(&mut self) -> io::Result<u64> {
        let is_signed = self.key.is_none() || self.has_own_signature();
        if self.tiles.size() == self.size() && self.last.is_some() && is_signed {
            return Ok(self.size());
        }
        self.tiles.save()?;
        let origin = self.key.as_ref().map_or(NAMELESS, |key| key.public().name()).to_owned();
        let checkpoint = Checkpoint { origin, size: self.tiles.size(), root: self.tiles.root() };
        let note = checkpoint.note(self.key.as_ref());
        self.keep(checkpoint, note)?;
        Ok(self.size())
    }

    /// Whether the last checkpoint is signed by the key in use. It may be new, or there may have been none.
    fn has_own_signature(&self) -> bool {
        let Some(((last, note), key)) = self.last.as_ref().zip(self.key.as_ref()) else { return false };
        let signatures = Note::parse(note).map(|note| note.signatures).unwrap_or_default();
        last.origin == key.public().name() && signatures.iter().any(|one| key.public().is_named(one))
    }

    fn keep(&mut self, checkpoint: Checkpoint, note: String) -> io::Result<()> {
        self.append(&note)?;
        self.last = Some((checkpoint, note));
        Ok(())
    }

    /// The newest checkpoint is always the last entry: so a history that lost its end shows.
    fn append(&mut self, note: &str) -> io::Result<()> {
        self.history.append(note)?;
        tiles::put(&self.folder.join(NEWEST), note.as_bytes())
    }

    /// The last checkpoint for a witness that has seen `old` records; `None` while there is none that is signed.
    pub(crate) fn submission(&self, old: u64) -> Result<Option<Submission>, AuditError> {
        let Some((checkpoint, note)) = self.last.as_ref().filter(|_| self.has_own_signature()) else {
            return Ok(None);
        };
        let mut subtree = |height, index| self.tiles.subtree(height, index);
        let path = consistency(old, checkpoint.size, &mut subtree)?;
        let path: String = path.iter().map(|hash| STANDARD.encode(hash.bytes()) + "\n").collect();
        let note = self.own(checkpoint, note);
        let body = format!("old {old}\n{path}\n{note}");
        Ok(Some(Submission { checkpoint: checkpoint.clone(), body, note }))
    }

    /// The note with our own signature alone.
    fn own(&self, checkpoint: &Checkpoint, note: &str) -> String {
        let Some(key) = self.key.as_ref().map(SigningKey::public) else { return note.to_owned() };
        let signatures = Note::parse(note).map(|note| note.signatures).unwrap_or_default();
        let own: String = signatures.iter().filter(|one| key.is_named(one)).map(|one| one.line).collect();
        format!("{}\n{own}", checkpoint.text())
    }

    /// Keeps the cosignatures of a checkpoint; gives who of the witnesses made them, and when.
    pub(crate) fn keep_cosigned(
        &mut self,
        submission: &Submission,
        response: &str,
        witnesses: &[VerifyingKey],
    ) -> Result<Vec<(usize, u64)>, AuditError> {
        let text = submission.checkpoint.text();
        let signatures = Signature::parse_all(response).ok_or(AuditError::NoCosignature)?;
        let good: Vec<_> = signatures.iter().filter_map(|one| by(witnesses, &text, one)).collect();
        if good.is_empty() {
            return Err(AuditError::NoCosignature);
        }
        let lines: String = good.iter().map(|(_, _, line)| *line).collect();
        let note = format!("{}{lines}", submission.note);
        self.append(&note)?;
        Ok(good.into_iter().map(|(place, time, _)| (place, time)).collect())
    }

    /// How old the last cosignature of each witness is, as far as it is known. Forgets what was read for it.
    pub(crate) fn cosigned(&mut self, witnesses: &[VerifyingKey], now: u64) -> Vec<(usize, Duration)> {
        let mut found = Vec::new();
        let entries = if witnesses.is_empty() { Vec::new() } else { std::mem::take(&mut self.entries) };
        for entry in entries.iter().rev() {
            let Some(note) = Note::parse(&entry.note) else { continue };
            let times = note.signatures.iter().filter_map(|one| by(witnesses, note.text, one));
            found.extend(times.map(|(place, time, _)| (place, age(time, now))));
            if (0..witnesses.len()).all(|one| found.iter().any(|(place, _)| *place == one)) {
                break;
            }
        }
        found
    }
}

/// Which witness made a signature of this text, and when.
fn by<'a>(
    witnesses: &[VerifyingKey],
    text: &str,
    signature: &Signature<'a>,
) -> Option<(usize, u64, &'a str)> {
    let verified = |(place, key): (usize, &VerifyingKey)| Some((place, key.verify(text, signature)?));
    let (place, time) = witnesses.iter().enumerate().find_map(verified)?;
    Some((place, time, signature.line))
}

/// How long ago a time was; both in seconds since 1970. What lies ahead is now.
pub(super) const fn age(time: u64, now: u64) -> Duration {
    Duration::from_secs(now.saturating_sub(time))
}
