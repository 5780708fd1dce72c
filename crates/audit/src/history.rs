//! The file of checkpoints: one after the other, own and cosigned ones in the order in which they became durable.
//!
//! An entry is a note as it is given to others, and a line with the note's checksum, by which a torn end is told
//! from an altered one without any key.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::checkpoint::Checkpoint;
use crate::crc32c::crc32c;
use crate::note::MAX_NOTE;
use crate::segment;

/// The file's name in the folder of the tree.
pub(crate) const NAME: &str = "checkpoints";
/// How far back is looked at the start: four hours of a checkpoint a second are half of it.
const LOOK_BACK: u64 = 8 << 20;
/// How the line of the checksum begins. No line of a note does.
const MARK: &str = "= ";

/// One step through the file.
#[derive(Debug)]
pub(crate) enum Step {
    /// A whole entry.
    Entry(Entry),
    /// The end, perhaps with the beginning of an entry whose writing was cut short.
    End,
    /// Something that is no entry.
    Bad,
}

/// A checkpoint and the note it stands in.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) note: String,
}

/// Reads entries one after the other.
#[derive(Debug)]
pub(crate) struct Entries<R> {
    input: R,
    offset: u64,
}

impl Entries<BufReader<File>> {
    /// From the beginning; none of a log that never had any.
    pub(crate) fn open(folder: &Path) -> io::Result<Option<Self>> {
        match File::open(folder.join(NAME)) {
            Ok(file) => Ok(Some(Self { input: BufReader::new(file), offset: 0 })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl<R: BufRead> Entries<R> {
    /// The next entry. After anything else there is none.
    pub(crate) fn step(&mut self) -> io::Result<Step> {
        let mut bytes = Vec::new();
        loop {
            let line = bytes.len();
            let room = (MAX_NOTE + MARK.len() + 16).saturating_sub(line);
            let read = (&mut self.input).take(room as u64).read_until(b'\n', &mut bytes)?;
            if room == 0 {
                return Ok(Step::Bad);
            }
            if read == 0 || !bytes.ends_with(b"\n") {
                // A line without its end is the end of the file, or longer than any of ours.
                let is_end = read < room;
                return Ok(if is_end { Step::End } else { Step::Bad });
            }
            if bytes.get(line..).is_some_and(|line| line.starts_with(MARK.as_bytes())) {
                self.offset += bytes.len() as u64;
                return Ok(entry(&bytes, line).map_or(Step::Bad, Step::Entry));
            }
        }
    }
}

fn entry(bytes: &[u8], note: usize) -> Option<Entry> {
    let (note, mark) = bytes.split_at_checked(note)?;
    if mark != seal(note).as_bytes() {
        return None;
    }
    let note = String::from_utf8(note.to_vec()).ok()?;
    // A note without signatures is what a log without a key keeps.
    let checkpoint = Checkpoint::of_note(&note)?;
    Some(Entry { checkpoint, note })
}

/// A note with its checksum: an entry, as it is kept.
pub fn sealed(note: &str) -> String {
    format!("{note}{}", seal(note.as_bytes()))
}

/// The note of an entry; `None` for what is none, or was altered.
pub fn unsealed(bytes: &[u8]) -> Option<String> {
    entry(bytes, parted(bytes).0.len()).map(|entry| entry.note)
}

/// An entry as note and last line, whatever they hold.
pub(crate) fn parted(bytes: &[u8]) -> (&[u8], &[u8]) {
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let line = body.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
    bytes.split_at(line)
}

fn seal(note: &[u8]) -> String {
    format!("{MARK}{:08x}\n", crc32c(note))
}

/// The file, open for appending.
#[derive(Debug)]
pub(crate) struct History {
    folder: PathBuf,
    file: Option<File>,
    length: u64,
}

impl History {
    /// Opens the file, whose unfinished end the next entry replaces; gives the last entries, oldest first. Fails with
    /// `InvalidData` where something else than a crash was at work.
    pub(crate) fn open(folder: &Path) -> io::Result<(Self, Vec<Entry>)> {
        let mut history = Self { folder: folder.to_owned(), file: None, length: 0 };
        let Some(mut all) = Entries::open(folder)? else { return Ok((history, Vec::new())) };
        let length = all.input.get_ref().metadata()?.len();
        all.skip_to(length.saturating_sub(LOOK_BACK))?;
        let mut entries = Vec::new();
        loop {
            match all.step()? {
                Step::Entry(entry) => entries.push(entry),
                Step::End => break,
                Step::Bad => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
        history.length = all.offset;
        Ok((history, entries))
    }

    /// Appends one note, durably.
    pub(crate) fn append(&mut self, note: &str) -> io::Result<()> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.file()?,
        };
        let bytes = sealed(note);
        file.write_all(bytes.as_bytes())?;
        file.sync_data()?;
        self.length += bytes.len() as u64;
        // After a failure the file is opened and cut anew.
        self.file = Some(file);
        Ok(())
    }

    /// The file, no longer than what is known to be good.
    fn file(&self) -> io::Result<File> {
        segment::make_dir(&self.folder)?;
        let mut file = segment::private().create(true).truncate(false).open(self.folder.join(NAME))?;
        file.set_len(self.length)?;
        file.seek(SeekFrom::Start(self.length))?;
        file.sync_all()?;
        segment::sync_dir(&self.folder)?;
        Ok(file)
    }
}

impl Entries<BufReader<File>> {
    /// Goes on at the first entry that begins at or after a place.
    fn skip_to(&mut self, place: u64) -> io::Result<()> {
        if place == 0 {
            return Ok(());
        }
        self.input.seek(SeekFrom::Start(place))?;
        self.offset = place;
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = self.input.read_until(b'\n', &mut line)?;
            self.offset += read as u64;
            if read == 0 || line.starts_with(MARK.as_bytes()) {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::chain::Digest;

    fn note(size: u64) -> String {
        Checkpoint { origin: "example.test/audit/a".to_owned(), size, root: Digest::of(b"") }.note(None)
    }

    fn sizes(entries: &[Entry]) -> Vec<u64> {
        entries.iter().map(|entry| entry.checkpoint.size).collect()
    }

    #[test]
    fn a_torn_end_is_cut_off_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let (mut history, none) = History::open(dir.path()).unwrap();
        assert!(none.is_empty());
        for size in 1..=3 {
            history.append(&note(size)).unwrap();
        }
        drop(history);
        let file = dir.path().join(NAME);
        let whole = fs::read(&file).unwrap();
        let two = whole.len() / 3 * 2;
        for cut in two..whole.len() {
            fs::write(&file, &whole[..cut]).unwrap();
            let (mut history, entries) = History::open(dir.path()).unwrap();
            assert_eq!(sizes(&entries), [1, 2], "{cut}");
            history.append(&note(4)).unwrap();
            drop(history);
            assert_eq!(sizes(&History::open(dir.path()).unwrap().1), [1, 2, 4]);
        }
        for place in 0..two {
            let mut altered = whole.clone();
            altered[place] ^= 1;
            fs::write(&file, &altered).unwrap();
            assert!(History::open(dir.path()).is_err(), "{place}");
        }
    }
}
