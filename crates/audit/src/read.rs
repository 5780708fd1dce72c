//! Reads the records of a directory in order, as fast as the disk gives them, while it may be written to.
//!
//! Checksums and numbers are looked at, the chain is not: that is the verifier's.

use std::io;
use std::path::{Path, PathBuf};

use crate::scan::{Begun, Frames, Raw};
use crate::segment;

/// What stands between the kind and the number in every payload.
const SEQ: &[u8] = b"\",\"seq\":";

/// The records of a log in a directory.
#[derive(Debug)]
pub struct Records {
    dir: PathBuf,
    /// The segment that is read, and its place.
    at: Option<(u32, u64)>,
    /// The number that comes next, once one was read.
    next: Option<u64>,
}

impl Records {
    /// Begins at the first record of the log.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let first = segment::list(dir)?.first().copied();
        Ok(Self { dir: dir.to_owned(), at: first.map(|number| (number, 0)), next: None })
    }

    /// Begins at the record with this number, or at the first if it is lower. It is an error if there are records,
    /// and this one and the one before it are not among them.
    pub fn open_at(dir: &Path, seq: u64) -> io::Result<Self> {
        let mut place = None;
        for number in segment::list(dir)?.into_iter().rev() {
            let mut frames = Frames::open(&segment::path(dir, number), None)?;
            place = Some((number, 0));
            if let Raw::Payload(payload) = frames.raw()?
                && seq_of(payload).is_some_and(|first| first <= seq)
            {
                break;
            }
        }
        Ok(Self { dir: dir.to_owned(), at: place, next: None })
    }

    /// Hands every record up to the number `last` to `visit`, and stops where the log ends for now; a later call
    /// goes on from there. What was written and not made durable is told from what is by `last` alone: give
    /// [`crate::Trail::durable`] where the log is open, and `u64::MAX` where it is not.
    ///
    /// `InvalidData` tells of a record that cannot be read, or of one that is missing.
    pub fn read(&mut self, last: u64, visit: &mut dyn FnMut(u64, &[u8])) -> io::Result<()> {
        loop {
            let Some((number, offset)) = self.at.or_else(|| Self::open(&self.dir).ok()?.at) else {
                return Ok(());
            };
            // Asked before it is read: what was durable before that is in this segment, or told by the next.
            let told = self.told_by(number + 1);
            // If that is damaged, what stands here is read first.
            let limit = match told {
                Ok(Begun::Tells(told)) => told.filter(|told| told.segment == number).map(|told| told.bytes),
                Ok(Begun::NotYet) | Err(_) => None,
            };
            let mut frames = Frames::open(&segment::path(&self.dir, number), limit)?;
            frames.go_to(offset)?;
            let through = self.segment(&mut frames, last, visit)?;
            self.at = Some((number, frames.offset()));
            match (through, told?) {
                (Through::Torn, Begun::NotYet) if frames.is_damaged()? => {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                (Through::Enough, _) | (Through::Clean | Through::Torn, Begun::NotYet) => return Ok(()),
                (Through::Clean, Begun::Tells(_)) => self.at = Some((number + 1, 0)),
                (Through::Torn, Begun::Tells(_)) => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }

    fn segment(
        &mut self,
        frames: &mut Frames,
        last: u64,
        visit: &mut dyn FnMut(u64, &[u8]),
    ) -> io::Result<Through> {
        loop {
            let before = frames.offset();
            let payload = match frames.raw()? {
                Raw::Payload(payload) => payload,
                Raw::End => return Ok(Through::Clean),
                Raw::Bad => {
                    frames.go_to(before)?;
                    return Ok(Through::Torn);
                }
            };
            let seq = seq_of(payload).filter(|seq| self.next.is_none_or(|next| next == *seq));
            let seq = seq.ok_or(io::ErrorKind::InvalidData)?;
            if seq > last {
                frames.go_to(before)?;
                return Ok(Through::Enough);
            }
            self.next = Some(seq + 1);
            visit(seq, payload);
        }
    }

    /// What a segment tells of the one before; one that is not there, or was just begun, tells nothing yet.
    fn told_by(&self, number: u32) -> io::Result<Begun> {
        let mut frames = match Frames::open(&segment::path(&self.dir, number), None) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Segments are made one after the other.
                let numbers = segment::list(&self.dir)?;
                let is_missing = !numbers.contains(&number) && numbers.iter().any(|later| *later > number);
                return if is_missing { Err(io::ErrorKind::InvalidData.into()) } else { Ok(Begun::NotYet) };
            }
            frames => frames?,
        };
        match frames.first()? {
            Begun::NotYet if frames.is_damaged()? => Err(io::ErrorKind::InvalidData.into()),
            begun @ (Begun::NotYet | Begun::Tells(_)) => Ok(begun),
        }
    }
}

/// How a segment ended.
enum Through {
    /// After its last record.
    Clean,
    /// In the middle of one.
    Torn,
    /// Before a record that was not asked for.
    Enough,
}

/// The number of a record, without reading all of it.
fn seq_of(payload: &[u8]) -> Option<u64> {
    let from = payload.windows(SEQ.len()).take(64).position(|window| window == SEQ)? + SEQ.len();
    let digits = payload.get(from..)?.iter().take_while(|byte| byte.is_ascii_digit());
    digits.copied().try_fold(0_u64, |seq, digit| seq.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}
