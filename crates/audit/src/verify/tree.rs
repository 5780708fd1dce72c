//! Holds the records against their tree: tiles, checkpoints, signatures and cosignatures.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Expected, Flaw, Problem, Report};
use crate::chain::Digest;
use crate::checkpoint::Checkpoint;
use crate::history::{Entries, Entry, Step};
use crate::note::{Note, Signature, VerifyingKey};
use crate::shelf::{FOLDER, NEWEST};
use crate::tree::tiles::{self, LEVELS, Tile, WIDTH};
use crate::tree::{Edge, Whole};

/// What the files of the tree say, and how far the records bear it out.
#[derive(Debug, Default)]
pub(super) struct TreeCheck {
    folder: PathBuf,
    /// Roots that the log must have, by size.
    marks: BTreeMap<u64, BTreeSet<[u8; 32]>>,
    tiles: BTreeSet<Tile>,
    edge: Edge,
    rows: Vec<Vec<Digest>>,
    /// The last size at which log and checkpoints agreed.
    agreed: u64,
    is_over: bool,
    problems: Vec<Problem>,
    /// The longest checkpoint of each witness that is asked for.
    cosigned: Vec<Option<u64>>,
    failure: Option<io::Error>,
}

impl TreeCheck {
    /// Reads the checkpoints, before any record: what they speak of is durable then.
    pub(super) fn begin(dir: &Path, expected: &Expected, report: &mut Report) -> io::Result<Self> {
        let folder = dir.join(FOLDER);
        let mut check = Self {
            rows: vec![Vec::new(); LEVELS as usize],
            cosigned: vec![None; expected.witnesses.len()],
            ..Self::default()
        };
        let newest = match fs::read_to_string(folder.join(NEWEST)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Some(String::new()),
            text => Some(text?),
        };
        let is_found = check.read_history(&folder, newest.as_deref(), expected, report)?;
        for note in &expected.checkpoints {
            match Checkpoint::of_note(note) {
                Some(checkpoint) => check.mark(&checkpoint),
                None => check.fault(Flaw::Checkpoint, None),
            }
        }
        if let Some(newest) = newest.filter(|_| !is_found) {
            // An end that is missing, or a file that nobody wrote so.
            let lost = Checkpoint::of_note(&newest).is_some();
            check.fault(if lost { Flaw::Missing } else { Flaw::Checkpoint }, None);
        }
        if !expected.keys.is_empty() && report.signed_checkpoints == 0 {
            check.fault(Flaw::Missing, None);
        }
        check.tiles = tiles::list(&folder)?;
        report.tiles = check.tiles.len() as u64;
        check.folder = folder;
        check.demand_tiles();
        Ok(check)
    }

    /// Whether the newest checkpoint is among the entries; true as well where neither is there.
    fn read_history(
        &mut self,
        folder: &Path,
        newest: Option<&str>,
        expected: &Expected,
        report: &mut Report,
    ) -> io::Result<bool> {
        let Some(mut entries) = Entries::open(folder)? else { return Ok(newest.is_none()) };
        let mut is_found = false;
        loop {
            match entries.step()? {
                Step::Entry(entry) => {
                    is_found |= newest == Some(entry.note.as_str());
                    report.checkpoints += 1;
                    self.mark(&entry.checkpoint);
                    self.signatures(&entry, expected, report);
                }
                Step::Bad => {
                    self.fault(Flaw::Checkpoint, None);
                    return Ok(true);
                }
                Step::End => break,
            }
        }
        if newest.is_none() && report.checkpoints > 1 {
            self.fault(Flaw::Missing, None);
        }
        Ok(is_found)
    }

    fn signatures(&mut self, entry: &Entry, expected: &Expected, report: &mut Report) {
        let Some(note) = Note::parse(&entry.note) else { return };
        let mut is_signed = false;
        let mut is_cosigned = false;
        for one in &note.signatures {
            let log = expected.keys.iter().find(|key| key.is_named(one));
            if let Some(key) = log {
                is_signed |=
                    self.verified(key, &note, one).is_some() && key.name() == entry.checkpoint.origin;
            }
            let witness = expected.witnesses.iter().position(|key| key.is_named(one));
            let key = witness.and_then(|place| expected.witnesses.get(place));
            if let Some((place, key)) = witness.zip(key)
                && self.verified(key, &note, one).is_some()
                && let Some(size) = self.cosigned.get_mut(place)
            {
                *size = (*size).max(Some(entry.checkpoint.size));
                is_cosigned = true;
            }
        }
        report.signed_checkpoints += u64::from(is_signed);
        report.cosigned_checkpoints += u64::from(is_cosigned);
        if is_signed {
            report.signed_size = report.signed_size.max(entry.checkpoint.size);
        }
    }

    fn verified(&mut self, key: &VerifyingKey, note: &Note<'_>, signature: &Signature<'_>) -> Option<u64> {
        let time = key.verify(note.text, signature);
        if time.is_none() {
            self.fault(Flaw::Signature, None);
        }
        time
    }

    fn mark(&mut self, checkpoint: &Checkpoint) {
        self.marks.entry(checkpoint.size).or_default().insert(*checkpoint.root.bytes());
    }

    fn fault(&mut self, flaw: Flaw, seq: Option<u64>) {
        self.problems.push(Problem { flaw, segment: 0, offset: 0, seq });
    }

    /// Every checkpoint has its tiles: full ones, and those at its edge until they are full.
    fn demand_tiles(&mut self) {
        let Some(longest) = self.marks.keys().next_back().copied() else {
            if !self.tiles.is_empty() {
                self.fault(Flaw::Missing, None);
            }
            return;
        };
        let full = (0..LEVELS).flat_map(|level| {
            (0..Tile::full(longest, level)).map(move |index| Tile { level, index, width: WIDTH })
        });
        let mut lost = full.clone().find(|tile| !self.tiles.contains(tile));
        for size in self.marks.keys() {
            let has = |tile: &Tile| {
                self.tiles.contains(tile) || self.tiles.contains(&Tile { width: WIDTH, ..*tile })
            };
            lost = lost.or_else(|| Tile::edge(*size).find(|tile| !has(tile)));
        }
        if let Some(tile) = lost {
            self.fault(Flaw::Missing, Some(first_seq(tile)));
        }
    }

    /// One more good record.
    pub(super) fn grow(&mut self, leaf: Digest) {
        if self.is_over {
            return;
        }
        let Self { edge, rows, .. } = self;
        let mut completed = Vec::new();
        edge.push(leaf, &mut |whole| note(rows, &mut completed, whole));
        for (tile, row) in completed {
            self.compare(tile, &row);
        }
        let size = self.edge.size();
        if let Some(roots) = self.marks.get(&size) {
            let root = self.edge.root();
            if roots.len() == 1 && roots.contains(root.bytes()) {
                self.agreed = size;
            } else {
                self.fault(Flaw::Checkpoint, Some(self.agreed + 1));
                self.is_over = true;
            }
        }
    }

    /// The records end here, or cannot be followed any further.
    pub(super) fn broken(&mut self) {
        self.is_over = true;
    }

    /// Holds every file of a tile against its hashes.
    fn compare(&mut self, tile: Tile, row: &[Digest]) {
        let files: Vec<Tile> =
            self.tiles.range(Tile { width: 1, ..tile }..=Tile { width: WIDTH, ..tile }).copied().collect();
        for file in files {
            self.tiles.remove(&file);
            let hashes = match tiles::read(&self.folder, file) {
                Ok(hashes) => hashes,
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    self.fault(Flaw::Tile, Some(first_seq(file)));
                    continue;
                }
                // On a log that is being written, parts go when their tile is full.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    self.failure.get_or_insert(error);
                    return;
                }
            };
            let differs = hashes.iter().zip(row).position(|(one, other)| one != other);
            if let Some(place) = differs {
                let leaf = (file.index * WIDTH + place as u64) << (8 * file.level);
                self.fault(Flaw::Tile, Some(leaf + 1));
            } else if hashes.len() > row.len() {
                self.fault(Flaw::Missing, Some(self.edge.size() + 1));
            }
        }
    }

    /// Tells what was found, once every record is read.
    pub(super) fn end(
        mut self,
        expected: &Expected,
        times: (&str, &str),
        report: &mut Report,
    ) -> io::Result<()> {
        if !self.is_over {
            for (level, row) in (0..).zip(std::mem::take(&mut self.rows)) {
                self.compare(Tile { level, index: Tile::full(self.edge.size(), level), width: WIDTH }, &row);
            }
            let empty = self.marks.get(&0).is_some_and(|roots| !roots.contains(Digest::of(b"").bytes()));
            if empty {
                self.fault(Flaw::Checkpoint, Some(1));
            }
            let is_short = self.marks.keys().next_back().is_some_and(|size| *size > self.edge.size());
            if is_short || !self.tiles.is_empty() {
                self.fault(Flaw::Missing, Some(self.edge.size() + 1));
            }
        }
        report.cosigned_size = self.cosigned_size(expected);
        let is_late = seconds_between(times.0, times.1) > expected.unwitnessed_for.as_secs();
        if !expected.witnesses.is_empty() && (report.cosigned_size.is_none() || is_late) {
            self.fault(Flaw::Unwitnessed, report.cosigned_size.map(|size| size + 1));
        }
        report.problems.append(&mut self.problems);
        self.failure.map_or(Ok(()), Err)
    }

    /// How much of the log as many witnesses as are needed have cosigned.
    pub(super) fn cosigned_size(&self, expected: &Expected) -> Option<u64> {
        let mut sizes: Vec<_> = self.cosigned.iter().flatten().copied().collect();
        sizes.sort_unstable();
        sizes.iter().rev().nth(expected.needed.max(1) - 1).copied()
    }
}

fn note(rows: &mut [Vec<Digest>], completed: &mut Vec<(Tile, Vec<Digest>)>, whole: Whole) {
    if !whole.height.is_multiple_of(8) {
        return;
    }
    let level = whole.height / 8;
    let Some(row) = rows.get_mut(level as usize) else { return };
    row.push(whole.hash);
    if row.len() as u64 == WIDTH {
        completed.push((Tile { level, index: whole.index / WIDTH, width: WIDTH }, std::mem::take(row)));
    }
}

/// The first record that a tile speaks of.
const fn first_seq(tile: Tile) -> u64 {
    ((tile.index * WIDTH) << (8 * tile.level)) + 1
}

/// Seconds from one time to a later one, as records tell them; 0 where either is none.
fn seconds_between(from: &str, to: &str) -> u64 {
    let (Some(from), Some(to)) = (seconds(from), seconds(to)) else { return 0 };
    to.saturating_sub(from)
}

/// Seconds since 1970 of `2026-03-10T02:10:00.000000Z`.
fn seconds(at: &str) -> Option<u64> {
    let field = |range: std::ops::Range<usize>| at.get(range)?.parse::<u64>().ok();
    let (year, month, day) = (field(0..4)?, field(5..7)?, field(8..10)?);
    let (hour, minute, second) = (field(11..13)?, field(14..16)?, field(17..19)?);
    // Days since 1970 of the civil calendar, counted in years that begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468)?;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_records_are_read() {
        assert_eq!(seconds("1970-01-01T00:00:00.000000Z"), Some(0));
        assert_eq!(seconds("2026-11-22T00:44:06.832377Z"), Some(1_795_308_246));
        assert_eq!(seconds("2024-02-29T12:00:00.000000Z"), Some(1_709_208_000));
        assert_eq!(seconds("yesterday"), None);
    }
}
