//! What a log left behind, read when it is opened again.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::chain::{Digest, Link};
use crate::error::AuditError;
use crate::event::Kind;
use crate::keeper::Later;
use crate::record::Head;
use crate::scan::{Pieces, Walk, follows};
use crate::segment::{self, EndState, Previous};

/// How much of the log is looked through for intents without an end: two segments, and more while these are
/// small. A request lives for seconds; so many records take minutes even on a busy node.
const LOOK_BACK: usize = 2;
const LOOK_BACK_BYTES: u64 = 32 << 20;

/// Where to go on.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// The chain's end.
    pub(crate) link: Link,
    /// The last segment.
    pub(crate) previous: Option<Previous>,
    /// Bytes cut off.
    pub(crate) cut: u64,
    /// Intents without an end.
    pub(crate) open: BTreeSet<u64>,
}

/// Intents that no later record ended.
#[derive(Debug, Default)]
pub(crate) struct OpenIntents {
    pub(crate) open: BTreeSet<u64>,
    /// Records that end an intent which is not open.
    pub(crate) strays: u64,
}

impl OpenIntents {
    pub(crate) fn note(&mut self, kind: Kind, seq: u64, corr: Option<u64>) {
        match kind {
            Kind::Intent => {
                self.open.insert(seq);
            }
            Kind::Disclosure | Kind::Denied | Kind::ClosedUnknown => {
                if let Some(intent) = corr
                    && !self.open.remove(&intent)
                {
                    self.strays += 1;
                }
            }
            Kind::Trace
            | Kind::Launch
            | Kind::Delivery
            | Kind::Security
            | Kind::BreakGlass
            | Kind::Anomaly
            | Kind::AuditRead
            | Kind::PeerCheckpoint
            | Kind::Config
            | Kind::Lifecycle => {}
        }
    }
}

/// The last records of a log that is kept elsewhere: what has to be known to go on with it.
#[derive(Debug, Default)]
pub struct LogTail {
    link: Option<Link>,
    intents: OpenIntents,
    /// Numbers and hashes, for the tree.
    leaves: Vec<(u64, Digest)>,
}

impl LogTail {
    /// Reads the next record. Refused is what is no record, or does not follow from the one before.
    pub fn note(&mut self, payload: &[u8]) -> Result<(), AuditError> {
        let head = Head::parse(payload).filter(|head| follows(self.link, head));
        let next = self.link.map_or(0, |link| link.seq);
        let head = head.ok_or(AuditError::BrokenChain { seq: next })?;
        if let Some(kind) = Kind::from_code(head.kind) {
            self.intents.note(kind, head.seq, head.corr);
        }
        let next = Link { seq: head.seq, prev: Digest::ZERO }.after(payload);
        self.leaves.push((head.seq, next.prev));
        self.link = Some(next);
        Ok(())
    }

    /// Tells what keeps the tree of its records.
    pub(crate) fn tell(&self, later: &mut Later) {
        for (seq, leaf) in &self.leaves {
            later.note(*seq, *leaf);
        }
    }

    /// Where the next record goes.
    pub fn link(&self) -> Link {
        self.link.unwrap_or(Link::FIRST)
    }
}

impl From<LogTail> for Recovered {
    fn from(tail: LogTail) -> Self {
        Self { link: tail.link(), previous: None, cut: 0, open: tail.intents.open }
    }
}

/// Reads the end of the log and cuts off what a crash left unfinished; tells `later` of the records there.
/// Refuses a damaged log.
pub(crate) fn recover(dir: &Path, later: &mut Later) -> Result<Recovered, AuditError> {
    let found = last_pieces(dir)?;
    let mut cut = 0;
    for (number, length) in found.unborn {
        fs::remove_file(segment::path(dir, number))?;
        segment::sync_dir(dir)?;
        cut += length;
    }
    let starts_at_first = found.pieces.first().is_none_or(|piece| piece.number == 1);
    let mut link = starts_at_first.then_some(Link::FIRST);
    let mut intents = OpenIntents::default();
    let mut previous = None;
    for piece in &found.pieces {
        let walk = piece.walk(&mut link, &mut |head, leaf| {
            later.note(head.seq, leaf);
            if let Some(kind) = Kind::from_code(head.kind) {
                intents.note(kind, head.seq, head.corr);
            }
        })?;
        cut += settle(dir, piece.number, &walk)?;
        previous = Some(Previous { segment: piece.number, bytes: walk.end, state: EndState::Whole });
    }
    Ok(Recovered { link: link.unwrap_or(Link::FIRST), previous, cut, open: intents.open })
}

fn last_pieces(dir: &Path) -> io::Result<Pieces> {
    let numbers = segment::list(dir)?;
    let mut count = LOOK_BACK;
    loop {
        let from = numbers.len().saturating_sub(count);
        let found = Pieces::survey(dir, numbers.get(from..).unwrap_or_default())?;
        let bytes: u64 = found.pieces.iter().map(|piece| piece.length).sum();
        let is_enough = found.pieces.len() >= LOOK_BACK && bytes >= LOOK_BACK_BYTES;
        if is_enough || from == 0 {
            return Ok(found);
        }
        count *= 2;
    }
}

/// Cuts the unfinished end off a segment, or refuses.
fn settle(dir: &Path, number: u32, walk: &Walk) -> Result<u64, AuditError> {
    if let Some(problem) = walk.problem {
        return Err(AuditError::Damaged { segment: problem.segment, offset: problem.offset });
    }
    if walk.residue > 0 {
        cut_file(&segment::path(dir, number), walk.end)?;
    }
    Ok(walk.residue)
}

fn cut_file(path: &Path, length: u64) -> io::Result<()> {
    let file = File::options().write(true).open(path)?;
    file.set_len(length)?;
    file.sync_all()
}
