//! Reads a whole log and says whether it is what was written. It needs no lock and no running broker.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::chain::Link;
use crate::event::Kind;
use crate::recover::OpenIntents;
use crate::scan::{Piece, Pieces};
use crate::segment;

/// What is wrong at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Bytes that are no record, or a record whose checksum does not fit.
    Frame,
    /// A record that does not follow from the one before it.
    Chain,
    /// Records that must have existed are not there; those before are as they were.
    Missing,
}

/// One fault: where the log stops being what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub flaw: Flaw,
    /// Number of the segment file.
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
            Flaw::Frame | Flaw::Chain => Verdict::Tampered,
            Flaw::Missing => Verdict::Truncated,
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
    let mut verifier = Verifier::default();
    if let Err(error) = verifier.read(dir) {
        verifier.report.unreadable = Some(error.kind());
    }
    verifier.finish(seq)
}

#[derive(Default)]
struct Verifier {
    report: Report,
    counts: [u64; Kind::ALL.len()],
    intents: OpenIntents,
    last_at: String,
    end: (u32, u64),
}

impl Verifier {
    fn read(&mut self, dir: &Path) -> io::Result<()> {
        let found = Pieces::survey(dir, &segment::list(dir)?)?;
        self.report.residue_bytes = found.unborn.iter().map(|(_, length)| length).sum();
        let mut link = Some(Link::FIRST);
        let mut number = 1;
        for piece in &found.pieces {
            if piece.number != number {
                self.report.problems.push(Problem {
                    flaw: Flaw::Missing,
                    segment: number,
                    offset: 0,
                    seq: link.map(|link| link.seq),
                });
                link = None;
            }
            self.segment(piece, &mut link)?;
            number = piece.number.saturating_add(1);
        }
        Ok(())
    }

    fn segment(&mut self, piece: &Piece, link: &mut Option<Link>) -> io::Result<()> {
        let Self { report, counts, intents, last_at, .. } = self;
        let walk = piece.walk(link, &mut |head| {
            report.records += 1;
            report.last_seq = head.seq;
            report.clock_steps_back += u64::from(head.at < last_at.as_str());
            last_at.clear();
            last_at.push_str(head.at);
            if let Some(kind) = Kind::from_code(head.kind) {
                if let Some(count) = counts.get_mut(kind as usize) {
                    *count += 1;
                }
                intents.note(kind, head);
            }
        })?;
        report.segments += 1;
        report.residue_bytes += walk.residue;
        report.superseded_bytes += walk.superseded;
        if let Some(problem) = walk.problem {
            report.problems.push(problem);
            // The rest of this segment cannot be trusted; the next one is judged by itself.
            *link = None;
        }
        self.end = (piece.number, walk.end);
        Ok(())
    }

    fn finish(mut self, seq: u64) -> Report {
        let mut report = self.report;
        // A wrong or emptied directory proves nothing.
        if report.segments == 0 && report.unreadable.is_none() {
            report.unreadable = Some(io::ErrorKind::NotFound);
        }
        if report.last_seq < seq && report.unreadable.is_none() {
            report.problems.push(Problem {
                flaw: Flaw::Missing,
                segment: self.end.0,
                offset: self.end.1,
                seq: Some(report.last_seq + 1),
            });
        }
        report.open_intents = self.intents.open.len() as u64;
        report.strays = self.intents.strays;
        for (kind, count) in Kind::ALL.iter().zip(&mut self.counts) {
            if *count > 0 {
                report.by_kind.insert(*kind, *count);
            }
        }
        report
    }
}
