//! Reads a whole log and says whether it is what was written. It needs no lock and no running broker.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::chain::{Digest, Link};
use crate::event::Kind;
use crate::note::VerifyingKey;
use crate::recover::OpenIntents;
use crate::scan::{Piece, Pieces, Walk};
use crate::segment;
use crate::standing::WitnessPolicy;

mod tree;

use tree::TreeCheck;

/// Segments read at once: each may take tens of megabytes for what is found in it.
const MOST_THREADS: usize = 8;

/// What is wrong at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Bytes that are no record, or a record whose checksum does not fit.
    Frame,
    /// A record that does not follow from the one before it.
    Chain,
    /// Records that must have existed are not there; those before are as they were.
    Missing,
    /// A tile of the tree holds other hashes than the records have.
    Tile,
    /// A checkpoint that is none, or of another log than this one.
    Checkpoint,
    /// A signature by a key that is known, and wrong.
    Signature,
    /// Too few witnesses have cosigned, or too long ago.
    Unwitnessed,
}

/// One fault: where the log stops being what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub flaw: Flaw,
    /// Number of the segment file; 0 where it is about the tree.
    pub segment: u32,
    /// Where in the file.
    pub offset: u64,
    /// Sequence number of the first record in doubt, if it can be told.
    pub seq: Option<u64>,
}

/// The verdict, worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Everything is as written.
    Ok,
    /// Everything is as written, and too few witnesses say so.
    Unwitnessed,
    /// The end of the log, or of a segment, or a whole segment is missing.
    Truncated,
    /// Something was altered.
    Tampered,
    /// A file could not be read, or there is no log.
    Unreadable,
}

impl Verdict {
    /// The code of `tributary audit verify`.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Tampered => 2,
            Self::Truncated => 3,
            Self::Unwitnessed => 4,
            Self::Unreadable => 5,
        }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Report {
    /// Segments looked at.
    pub segments: u64,
    /// Good records.
    pub records: u64,
    /// Good records by kind.
    pub by_kind: BTreeMap<Kind, u64>,
    /// Sequence number of the last good record; 0 if there is none.
    pub last_seq: u64,
    /// The first fault of each segment that has one.
    pub problems: Vec<Problem>,
    /// Checkpoints, cosigned ones counted again.
    pub checkpoints: u64,
    /// Those signed by one of the keys asked for.
    pub signed_checkpoints: u64,
    /// The longest of these.
    pub signed_size: u64,
    /// Those cosigned by one of the witnesses asked for.
    pub cosigned_checkpoints: u64,
    /// How many records as many witnesses as are needed have cosigned.
    pub cosigned_size: Option<u64>,
    /// Files of the tree.
    pub tiles: u64,
    /// Why a file could not be read; `NotFound` also where there is no segment with a record.
    pub unreadable: Option<io::ErrorKind>,
    /// Bytes of an unfinished record at the very end: what a crash leaves. Opening the log cuts them off.
    pub residue_bytes: u64,
    /// Bytes after the durable end of segments whose write or sync failed: written again elsewhere.
    pub superseded_bytes: u64,
    /// Intents without an end: in flight, or to be closed when the log is opened again.
    pub open_intents: u64,
    /// Records that end an intent which is not open.
    pub strays: u64,
    /// How often the wall clock went back from one record to the next.
    pub clock_steps_back: u64,
}

impl Report {
    /// Good disclosure records.
    pub fn disclosures(&self) -> u64 {
        self.by_kind.get(&Kind::Disclosure).copied().unwrap_or(0)
    }

    /// The worst of what was found.
    pub fn verdict(&self) -> Verdict {
        if self.unreadable.is_some() {
            return Verdict::Unreadable;
        }
        let of_problem = |problem: &Problem| match problem.flaw {
            Flaw::Frame | Flaw::Chain | Flaw::Tile | Flaw::Checkpoint | Flaw::Signature => Verdict::Tampered,
            Flaw::Missing => Verdict::Truncated,
            Flaw::Unwitnessed => Verdict::Unwitnessed,
        };
        let worst = self.problems.iter().map(of_problem).max();
        worst.unwrap_or(Verdict::Ok)
    }
}

/// Verifies the log in a directory.
///
/// A cut exactly between two records at the very end cannot be told from a log that was never longer; where
/// the number of a later record is known (every answer carries one), [`verify_up_to`] finds it.
pub fn verify(dir: &Path) -> Report {
    verify_up_to(dir, 0)
}

/// Verifies the log in a directory, which must hold the record with sequence number `seq`.
pub fn verify_up_to(dir: &Path, seq: u64) -> Report {
    verify_against(dir, &Expected { head: seq, ..Expected::default() })
}

/// What is known of a log besides its files.
#[derive(Clone, Debug)]
pub struct Expected {
    /// A record that must be there.
    pub head: u64,
    /// Keys of the log. With any, at least one checkpoint must be signed, and every signature by them be right.
    pub keys: Vec<VerifyingKey>,
    /// Keys of witnesses.
    pub witnesses: Vec<VerifyingKey>,
    /// How many of the witnesses must have cosigned.
    pub needed: usize,
    /// For how long the log may go on after what they cosigned.
    pub unwitnessed_for: Duration,
    /// Checkpoints that others kept: notes, as a witness has them. The log must be what they say, or have grown
    /// from it.
    pub checkpoints: Vec<String>,
}

impl Default for Expected {
    fn default() -> Self {
        Self {
            head: 0,
            keys: Vec::new(),
            witnesses: Vec::new(),
            needed: 1,
            unwitnessed_for: WitnessPolicy::default().refuse_after,
            checkpoints: Vec::new(),
        }
    }
}

/// Verifies the log in a directory against what is known of it.
pub fn verify_against(dir: &Path, expected: &Expected) -> Report {
    let mut report = Report::default();
    let verifier = match TreeCheck::begin(dir, expected, &mut report) {
        Ok(tree) => Verifier::new(report, tree, expected),
        Err(error) => {
            report.unreadable = Some(error.kind());
            return report;
        }
    };
    verifier.run(dir, expected)
}

struct Verifier {
    report: Report,
    tree: TreeCheck,
    counts: [u64; Kind::ALL.len()],
    intents: OpenIntents,
    last_at: String,
    /// When the first record after what was cosigned was written.
    first_uncosigned: (u64, String),
    end: (u32, u64),
}

/// One record, as far as it is looked at once its frame is good.
struct Fact {
    leaf: Digest,
    kind: Kind,
    corr: Option<u64>,
}

/// What one segment holds, read without knowing what stands before it.
struct Read {
    walk: Walk,
    first: Option<(u64, String)>,
    last: Option<Link>,
    facts: Vec<Fact>,
    times: (String, String),
    clock_steps_back: u64,
    uncosigned_at: Option<String>,
}

impl Read {
    fn of(piece: &Piece, uncosigned: u64) -> io::Result<Self> {
        let (mut link, mut facts, mut first) = (None, Vec::new(), None);
        let (mut from, mut to, mut steps, mut at) = (String::new(), String::new(), 0, None);
        let walk = piece.walk(&mut link, &mut |head, leaf| {
            if first.is_none() {
                first = Some((head.seq, head.prev.to_owned()));
                from.push_str(head.at);
            }
            steps += u64::from(head.at < to.as_str());
            to.clear();
            to.push_str(head.at);
            if head.seq == uncosigned {
                at = Some(head.at.to_owned());
            }
            let kind = Kind::from_code(head.kind).unwrap_or(Kind::Lifecycle);
            facts.push(Fact { leaf, kind, corr: head.corr });
        })?;
        let times = (from, to);
        Ok(Self { walk, first, last: link, facts, times, clock_steps_back: steps, uncosigned_at: at })
    }
}

impl Verifier {
    fn new(report: Report, tree: TreeCheck, expected: &Expected) -> Self {
        let uncosigned = tree.cosigned_size(expected).map_or(0, |size| size + 1);
        Self {
            report,
            tree,
            counts: [0; Kind::ALL.len()],
            intents: OpenIntents::default(),
            last_at: String::new(),
            first_uncosigned: (uncosigned, String::new()),
            end: (0, 0),
        }
    }

    fn run(mut self, dir: &Path, expected: &Expected) -> Report {
        if let Err(error) = self.read(dir) {
            self.report.unreadable = Some(error.kind());
        }
        let Self { mut report, tree, counts, intents, last_at, first_uncosigned, end } = self;
        if let Err(error) = tree.end(expected, (&first_uncosigned.1, &last_at), &mut report) {
            report.unreadable = Some(error.kind());
        }
        // A wrong or emptied directory proves nothing.
        if report.segments == 0 && report.unreadable.is_none() {
            report.unreadable = Some(io::ErrorKind::NotFound);
        }
        if report.last_seq < expected.head && report.unreadable.is_none() {
            let (segment, offset) = end;
            let seq = Some(report.last_seq + 1);
            report.problems.push(Problem { flaw: Flaw::Missing, segment, offset, seq });
        }
        report.open_intents = intents.open.len() as u64;
        report.strays = intents.strays;
        let counted = Kind::ALL.iter().copied().zip(counts).filter(|(_, count)| *count > 0);
        report.by_kind = counted.collect();
        report
    }

    fn read(&mut self, dir: &Path) -> io::Result<()> {
        let found = Pieces::survey(dir, &segment::list(dir)?)?;
        self.report.residue_bytes = found.unborn.iter().map(|(_, length)| length).sum();
        let mut link = Some(Link::FIRST);
        let mut number = 1;
        let threads =
            std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(MOST_THREADS);
        let uncosigned = self.first_uncosigned.0;
        for pieces in found.pieces.chunks(threads) {
            let read = |piece| move || Read::of(piece, uncosigned);
            let results: Vec<io::Result<Read>> = std::thread::scope(|scope| {
                let running: Vec<_> = pieces.iter().map(|piece| scope.spawn(read(piece))).collect();
                let lost = |_panic| Err(io::ErrorKind::Other.into());
                running.into_iter().map(|one| one.join().unwrap_or_else(lost)).collect()
            });
            for (piece, result) in pieces.iter().zip(results) {
                if piece.number != number {
                    let seq = link.map(|link| link.seq);
                    let problem = Problem { flaw: Flaw::Missing, segment: number, offset: 0, seq };
                    self.report.problems.push(problem);
                    link = None;
                    self.tree.broken();
                }
                self.segment(piece, result?, &mut link);
                number = piece.number.saturating_add(1);
            }
        }
        Ok(())
    }

    fn segment(&mut self, piece: &Piece, read: Read, link: &mut Option<Link>) {
        let Read { mut walk, first, last, mut facts, times, clock_steps_back, uncosigned_at } = read;
        if let (Some(link), Some((seq, prev))) = (*link, &first)
            && !(link.seq == *seq && link.prev.is_hex(prev))
        {
            let problem = Problem { flaw: Flaw::Chain, segment: piece.number, offset: 0, seq: Some(*seq) };
            walk = Walk::new(0, Some(problem));
            facts.clear();
        }
        self.report.segments += 1;
        if !facts.is_empty() {
            self.report.clock_steps_back += clock_steps_back + u64::from(times.0 < self.last_at);
            self.last_at = times.1;
            self.report.last_seq = last.map_or(self.report.last_seq, |last| last.seq - 1);
        }
        self.report.records += facts.len() as u64;
        let first = first.map_or(0, |(seq, _)| seq);
        for (seq, Fact { leaf, kind, corr }) in (first..).zip(facts) {
            self.tree.grow(leaf);
            if let Some(count) = self.counts.get_mut(kind as usize) {
                *count += 1;
            }
            self.intents.note(kind, seq, corr);
        }
        if let Some(at) = uncosigned_at {
            self.first_uncosigned.1 = at;
        }
        self.report.residue_bytes += walk.residue;
        self.report.superseded_bytes += walk.superseded;
        // What a fault leaves unread is told with the number it would have had.
        *link = if walk.problem.is_some() { None } else { last.or(*link) };
        if let Some(problem) = walk.problem {
            let seq = problem.seq.or_else(|| last.map(|last| last.seq));
            self.report.problems.push(Problem { seq, ..problem });
            // The rest of this segment cannot be trusted; the next one is judged by itself.
            self.tree.broken();
        }
        self.end = (piece.number, walk.end);
    }
}
