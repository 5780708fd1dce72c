//! Tree, checkpoints and cosignatures of one log.

use std::io;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::chain::{Digest, Link};
use crate::checkpoint::Checkpoint;
use crate::error::AuditError;
use crate::note::{Note, Signature, SigningKey, VerifyingKey};
use crate::shelf::{DirectoryShelf, Shelf};
use crate::tree::consistency;
use crate::tree::tiles::Tiles;

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
    let notes = DirectoryShelf::new(dir).notes().map_err(damaged)?;
    Ok(longest(&notes)?.map_or(0, |(checkpoint, _)| checkpoint.size))
}

/// Notes that are none, or were altered, are damage that a person must look at.
fn damaged(error: io::Error) -> AuditError {
    if error.kind() == io::ErrorKind::InvalidData { AuditError::TreeDamaged } else { error.into() }
}

/// The longest of some checkpoints, and the last of these.
fn longest(notes: &[String]) -> Result<Option<(Checkpoint, String)>, AuditError> {
    let mut found: Option<(Checkpoint, String)> = None;
    for note in notes {
        let checkpoint = Checkpoint::of_note(note).ok_or(AuditError::TreeDamaged)?;
        if found.as_ref().is_none_or(|(longest, _)| checkpoint.size >= longest.size) {
            found = Some((checkpoint, note.clone()));
        }
    }
    Ok(found)
}

/// Whether what is kept of a tree is not there or not whole: then it is built anew.
fn is_unfit(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, NotFound, UnexpectedEof};
    matches!(error.kind(), NotFound | InvalidData | UnexpectedEof)
}

/// Where the records after what is kept led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Followed {
    /// Over the last checkpoint, or they begin after it.
    Through,
    /// To another tree than that of the checkpoint.
    Elsewhere,
}

/// The tree and its checkpoints.
#[derive(Debug)]
pub(crate) struct Book {
    shelf: Box<dyn Shelf>,
    tiles: Tiles,
    key: Option<SigningKey>,
    /// The last notes, for as long as the log is being opened.
    notes: Vec<String>,
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
    pub(crate) fn open(
        mut shelf: Box<dyn Shelf>,
        key: Option<SigningKey>,
    ) -> Result<(Self, Later), AuditError> {
        let notes = shelf.notes().map_err(damaged)?;
        let last = longest(&notes)?;
        let size = last.as_ref().map_or(0, |(checkpoint, _)| checkpoint.size);
        let tiles = match Tiles::load(&mut *shelf, size) {
            Err(error) if is_unfit(&error) => Tiles::empty(),
            tiles => tiles?,
        };
        let is_other =
            |(last, _): &(Checkpoint, String)| last.size == tiles.size() && last.root != tiles.root();
        let tiles = if last.as_ref().is_some_and(is_other) { Tiles::empty() } else { tiles };
        let later = Later { after: tiles.size(), ..Later::default() };
        Ok((Self { shelf, tiles, key, notes, last }, later))
    }

    /// Goes on to the end of the log, and holds the log against the last checkpoint.
    pub(crate) fn catch_up(&mut self, later: &Later, end: Link) -> Result<(), AuditError> {
        let (records, signed) = (end.seq - 1, self.size());
        if records < signed {
            return Err(AuditError::Shortened { signed, records });
        }
        if later.is_gapped
            || self.follow(&later.leaves) == Followed::Elsewhere
            || self.tiles.size() != records
        {
            self.rebuild()?;
        }
        let is_whole = self.tiles.size() == records;
        if is_whole { Ok(()) } else { Err(AuditError::TreeDamaged) }
    }

    /// Grows by the records after what is kept; tells whether that leads over the last checkpoint.
    fn follow(&mut self, leaves: &[Digest]) -> Followed {
        for leaf in leaves {
            self.tiles.push(*leaf);
            if self.is_other() {
                return Followed::Elsewhere;
            }
        }
        Followed::Through
    }

    /// Whether the tree, at the size of the last checkpoint, has another root.
    fn is_other(&self) -> bool {
        let last = self.last.as_ref().map(|(checkpoint, _)| checkpoint);
        last.is_some_and(|last| last.size == self.tiles.size() && last.root != self.tiles.root())
    }

    /// Builds the tree from the records alone.
    fn rebuild(&mut self) -> Result<(), AuditError> {
        self.tiles = Tiles::empty();
        let signed = self.size();
        let known = self.last.as_ref().map(|(checkpoint, _)| checkpoint.root);
        let Self { tiles, shelf, .. } = self;
        let (mut is_other, mut failure) = (false, Ok(()));
        let replay = shelf.replay();
        replay(&mut |leaf| {
            tiles.push(leaf);
            is_other |= tiles.size() == signed && known.is_some_and(|root| root != tiles.root());
            if tiles.size().is_multiple_of(SAVE_EVERY) && failure.is_ok() && !is_other {
                failure = tiles.save(&mut **shelf);
            }
        })?;
        failure?;
        if is_other { Err(AuditError::Rewritten { signed }) } else { Ok(()) }
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
        self.tiles.save(&mut *self.shelf)?;
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
        self.shelf.keep(&note)?;
        self.last = Some((checkpoint, note));
        Ok(())
    }

    /// The last checkpoint for a witness that has seen `old` records; `None` while there is none that is signed.
    pub(crate) fn submission(&mut self, old: u64) -> Result<Option<Submission>, AuditError> {
        let Some((checkpoint, note)) = self.last.as_ref().filter(|_| self.has_own_signature()) else {
            return Ok(None);
        };
        let Self { tiles, shelf, .. } = self;
        let mut subtree = |height, index| tiles.subtree(&mut **shelf, height, index);
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
        self.shelf.keep(&note)?;
        Ok(good.into_iter().map(|(place, time, _)| (place, time)).collect())
    }

    /// How old the last cosignature of each witness is, as far as it is known. Forgets what was read for it.
    pub(crate) fn cosigned(&mut self, witnesses: &[VerifyingKey], now: u64) -> Vec<(usize, Duration)> {
        let mut found = Vec::new();
        let notes = std::mem::take(&mut self.notes);
        for note in notes.iter().rev().filter(|_| !witnesses.is_empty()) {
            let Some(note) = Note::parse(note) else { continue };
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
