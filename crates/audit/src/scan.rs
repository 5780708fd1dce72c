//! Reads segments in order: the common ground of recovery and verification.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use crate::chain::{Digest, Link};
use crate::crc32c::{crc32c, prefix_with};
use crate::record::{FRAME_HEAD, Head, MAX_RECORD};
use crate::segment::{self, EndState, Previous};
use crate::verify::{Flaw, Problem};

const READ_AHEAD: usize = 1 << 18;
/// A power cut can leave zeros where a record was to be. No record holds a zero byte, and one altered byte
/// makes one zero at most, so a run of them within a frame is no single altered byte.
const ZEROS: usize = 8;
/// Zeros beyond the one frame that may be unfinished: what was not written in the last block of a file. We
/// never make a file longer than what is written to it, so more zeros are records that somebody wiped.
const BLOCK: usize = 4 << 10;
/// The longest end that a crash can leave.
const LONGEST_RESIDUE: usize = FRAME_HEAD + MAX_RECORD + BLOCK;
/// How every payload begins.
const BEGINNING: &[u8] = b"{\"v\":1,\"kind\":\"";

/// One segment file and what its successor says of it.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) number: u32,
    path: PathBuf,
    pub(crate) length: u64,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// Nothing follows: its end may be torn.
    Last,
    /// The successor tells how it ended, or cannot be read.
    Followed(Option<Previous>),
}

/// Segments, and the empty end of the log where a crash left any.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    pub(crate) pieces: Vec<Piece>,
    /// Last segments without even a first record, with their lengths: a crash came between making the file and
    /// its first sync.
    pub(crate) unborn: Vec<(u32, u64)>,
}

/// What a walk through one segment came to.
#[derive(Debug)]
pub(crate) struct Walk {
    /// Just after the last good record.
    pub(crate) end: u64,
    /// Bytes of an unfinished record after that.
    pub(crate) residue: u64,
    /// Bytes a failed write left after the durable end.
    pub(crate) superseded: u64,
    /// What is wrong.
    pub(crate) problem: Option<Problem>,
}

impl Pieces {
    /// Looks at the given segments, which must be ascending and end with the last of the log.
    pub(crate) fn survey(dir: &Path, numbers: &[u32]) -> io::Result<Self> {
        let mut found = Self::default();
        let mut place = Place::Last;
        for number in numbers.iter().rev().copied() {
            let path = segment::path(dir, number);
            let mut frames = Frames::open(&path, None)?;
            let length = frames.end;
            let first = match frames.step()? {
                Step::Record { head, .. } => Some(head.previous),
                Step::End | Step::Bad => None,
            };
            let is_last = matches!(place, Place::Last);
            if is_last && first.is_none() && matches!(frames.tail()?, Tail::Clean | Tail::Residue) {
                found.unborn.push((number, length));
                continue;
            }
            found.pieces.push(Piece { number, path, length, place });
            place = Place::Followed(first.flatten());
        }
        found.pieces.reverse();
        Ok(found)
    }
}

impl Piece {
    /// Reads every record, checks frame and chain, and hands each good one to `visit`. Stops at the first
    /// fault. `link` is `None` where the chain is taken up from what the first record says.
    pub(crate) fn walk(
        &self,
        link: &mut Option<Link>,
        visit: &mut dyn FnMut(&Head<'_>, Digest),
    ) -> io::Result<Walk> {
        self.walk_whole(link, &mut |head, leaf, _payload| visit(head, leaf))
    }

    /// The same, with what is stored of each.
    pub(crate) fn walk_whole(
        &self,
        link: &mut Option<Link>,
        visit: &mut dyn FnMut(&Head<'_>, Digest, &[u8]),
    ) -> io::Result<Walk> {
        let told = match self.place {
            Place::Followed(told) => told.filter(|told| told.segment == self.number),
            Place::Last => None,
        };
        let limit = told.map_or(self.length, |told| told.bytes.min(self.length));
        let mut frames = Frames::open(&self.path, Some(limit))?;
        loop {
            let offset = frames.offset;
            match frames.step()? {
                Step::Record { head, payload } => {
                    if !follows(*link, &head) {
                        let problem = self.problem(Flaw::Chain, Some(head.seq), offset);
                        return Ok(Walk::new(offset, Some(problem)));
                    }
                    let leaf = Digest::of_leaf(payload);
                    *link = Some(Link { seq: head.seq + 1, prev: leaf });
                    visit(&head, leaf, payload);
                }
                Step::End => return Ok(self.ended(offset, told, *link)),
                Step::Bad => {
                    let tail = frames.tail()?;
                    return Ok(self.broke(offset, tail, *link));
                }
            }
        }
    }

    fn ended(&self, offset: u64, told: Option<Previous>, link: Option<Link>) -> Walk {
        let is_short = told.is_some_and(|told| offset < told.bytes);
        let has_more = told.is_some_and(|told| self.length > told.bytes);
        let may_have_more = told.is_some_and(|told| told.state == EndState::Suspect);
        let seq = link.map(|link| link.seq);
        if is_short {
            return Walk::new(offset, Some(self.problem(Flaw::Missing, seq, offset)));
        }
        if has_more && !may_have_more {
            return Walk::new(offset, Some(self.problem(Flaw::Frame, seq, offset)));
        }
        let mut walk = Walk::new(offset, None);
        walk.superseded = self.length - offset;
        walk
    }

    fn broke(&self, offset: u64, tail: Tail, link: Option<Link>) -> Walk {
        let seq = link.map(|link| link.seq);
        let is_torn = matches!(tail, Tail::Residue);
        match self.place {
            Place::Last if is_torn => {
                let mut walk = Walk::new(offset, None);
                walk.residue = self.length - offset;
                walk
            }
            Place::Followed(Some(told)) if is_torn && told.bytes > self.length => {
                Walk::new(offset, Some(self.problem(Flaw::Missing, seq, offset)))
            }
            Place::Last | Place::Followed(_) => {
                Walk::new(offset, Some(self.problem(Flaw::Frame, seq, offset)))
            }
        }
    }

    const fn problem(&self, flaw: Flaw, seq: Option<u64>, offset: u64) -> Problem {
        Problem { flaw, segment: self.number, offset, seq }
    }
}

impl Walk {
    pub(crate) const fn new(end: u64, problem: Option<Problem>) -> Self {
        Self { end, residue: 0, superseded: 0, problem }
    }
}

/// Reads the hash of every record of a log that opened well. Fails with `InvalidData` at the first fault.
pub(crate) fn replay(dir: &Path, visit: &mut dyn FnMut(Digest)) -> io::Result<()> {
    let found = Pieces::survey(dir, &segment::list(dir)?)?;
    let mut link = Some(Link::FIRST);
    for piece in &found.pieces {
        let walk = piece.walk(&mut link, &mut |_, leaf| visit(leaf))?;
        if walk.problem.is_some() {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(())
}

/// Whether a record is the next one of a chain.
pub(crate) fn follows(link: Option<Link>, head: &Head<'_>) -> bool {
    link.is_none_or(|link| head.seq == link.seq && link.prev.is_hex(head.prev))
}

/// What stands where no record could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    /// Nothing.
    Clean,
    /// The beginning of a record whose writing was cut short.
    Residue,
    /// Something that a crash does not leave.
    Damage,
}

pub(crate) enum Step<'a> {
    Record { head: Head<'a>, payload: &'a [u8] },
    End,
    Bad,
}

/// What stands at one place of a file, with its checksum looked at and nothing else.
pub(crate) enum Raw<'a> {
    Payload(&'a [u8]),
    End,
    Bad,
}

/// Whether a segment has begun.
pub(crate) enum Begun {
    /// There is no whole record in it.
    NotYet,
    /// Its first record is there, and may tell how the segment before ended.
    Tells(Option<Previous>),
}

/// The frames of one file up to a limit.
pub(crate) struct Frames {
    input: BufReader<File>,
    offset: u64,
    end: u64,
    payload: Vec<u8>,
}

impl Frames {
    /// The place after what was read.
    pub(crate) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Goes on at this place, where a frame begins.
    pub(crate) fn go_to(&mut self, offset: u64) -> io::Result<()> {
        self.input.seek(SeekFrom::Start(offset))?;
        self.offset = offset;
        Ok(())
    }

    /// Whether this segment has a record yet, and what its first tells of the segment before.
    pub(crate) fn first(&mut self) -> io::Result<Begun> {
        Ok(match self.step()? {
            Step::Record { head, .. } => Begun::Tells(head.previous),
            Step::End | Step::Bad => Begun::NotYet,
        })
    }

    /// Whether what stands here is no unfinished end of a crash, or of a record that is being written.
    pub(crate) fn is_damaged(&mut self) -> io::Result<bool> {
        Ok(self.tail()? == Tail::Damage)
    }

    pub(crate) fn open(path: &Path, limit: Option<u64>) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self {
            input: BufReader::with_capacity(READ_AHEAD, file),
            offset: 0,
            end: limit.map_or(length, |limit| limit.min(length)),
            payload: Vec::new(),
        })
    }

    /// The next record. After `Bad` only [`Frames::tail`] makes sense.
    pub(crate) fn step(&mut self) -> io::Result<Step<'_>> {
        let before = self.offset;
        match self.raw()? {
            Raw::Payload(_) => {}
            Raw::End => return Ok(Step::End),
            Raw::Bad => return Ok(Step::Bad),
        }
        let Some(head) = Head::parse(&self.payload) else {
            self.offset = before;
            return Ok(Step::Bad);
        };
        Ok(Step::Record { head, payload: &self.payload })
    }

    /// The next payload whose checksum fits. After `Bad` the place is where the frame began, and the file is not
    /// there.
    pub(crate) fn raw(&mut self) -> io::Result<Raw<'_>> {
        let left = self.end.saturating_sub(self.offset);
        if left == 0 {
            return Ok(Raw::End);
        }
        if left < FRAME_HEAD as u64 {
            return Ok(Raw::Bad);
        }
        let (length, sum) = self.frame_head()?;
        if length > MAX_RECORD || (FRAME_HEAD + length) as u64 > left {
            return Ok(Raw::Bad);
        }
        self.payload.resize(length, 0);
        self.input.read_exact(&mut self.payload)?;
        if crc32c(&self.payload) != sum {
            return Ok(Raw::Bad);
        }
        self.offset += (FRAME_HEAD + length) as u64;
        Ok(Raw::Payload(&self.payload))
    }

    fn frame_head(&mut self) -> io::Result<(usize, u32)> {
        let mut length = [0; 4];
        let mut sum = [0; 4];
        self.input.read_exact(&mut length)?;
        self.input.read_exact(&mut sum)?;
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        Ok((length, u32::from_le_bytes(sum)))
    }

    /// Tells the torn end of a crash from a record that was altered.
    fn tail(&mut self) -> io::Result<Tail> {
        let left = self.end - self.offset;
        if left == 0 {
            return Ok(Tail::Clean);
        }
        if left > LONGEST_RESIDUE as u64 {
            return Ok(Tail::Damage);
        }
        self.input.seek(SeekFrom::Start(self.offset))?;
        let mut rest = Vec::new();
        (&mut self.input).take(left).read_to_end(&mut rest)?;
        Ok(if is_residue(&rest) { Tail::Residue } else { Tail::Damage })
    }
}

/// Whether a crash can have left this: the beginning of one frame, then nothing, or zeros where nothing
/// arrived. Nothing may follow it: every frame has a zero in its head, as no length needs four bytes, and no
/// payload has one, so a frame further on, good or bad, shows as a zero between bytes that were written.
fn is_residue(rest: &[u8]) -> bool {
    let written = rest.iter().rposition(|byte| *byte != 0).map_or(0, |place| place + 1);
    let Some((head, payload)) = rest.split_first_chunk::<FRAME_HEAD>() else { return true };
    let [l0, l1, l2, l3, s0, s1, s2, s3] = *head;
    let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
    let claimed = if written == 0 { 0 } else { FRAME_HEAD.saturating_add(length) };
    if length > MAX_RECORD || rest.len() - written.min(rest.len()) > BLOCK + claimed.saturating_sub(written) {
        return false;
    }
    let begun = payload.get(..written.saturating_sub(FRAME_HEAD)).unwrap_or_default();
    let is_ours = begun.iter().zip(BEGINNING).all(|(found, ours)| found == ours);
    let is_one = !begun.contains(&0);
    let is_cut_short = rest.len() < claimed || written == 0 || written + ZEROS <= claimed;
    // An altered length makes a frame look cut short; then the whole record is still there, and its checksum
    // with it.
    let is_whole_within = prefix_with(begun, u32::from_le_bytes([s0, s1, s2, s3]), b'}').is_some();
    is_ours && is_one && is_cut_short && !is_whole_within
}
