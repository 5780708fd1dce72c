//! Where the tree of a log and its checkpoints are kept: the seam behind which other stores stand.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::chain::Digest;
use crate::checkpoint::Checkpoint;
use crate::history::History;
use crate::scan;
use crate::tree::tiles::{self, Tile};

/// The folder beside the segments. It tells nothing of the records and may be given to whoever watches.
pub(crate) const FOLDER: &str = "tree";
/// The newest checkpoint, where C2SP tlog-tiles has it.
pub(crate) const NEWEST: &str = "checkpoint";

/// Keeps the tiles and the checkpoints of one log. Every method blocks; one thread at a time calls.
pub trait Shelf: Send + fmt::Debug {
    /// The last checkpoints that were kept, own and cosigned ones, as notes, the oldest first: those of four hours at
    /// least. `InvalidData` where something else than a crash was at work.
    fn notes(&mut self) -> io::Result<Vec<String>>;

    /// Keeps one more, durably.
    fn keep(&mut self, note: &str) -> io::Result<()>;

    /// Keeps tiles with their hashes, durably. One that is not full need not be kept.
    fn put(&mut self, tiles: &[(Tile, Vec<Digest>)]) -> io::Result<()>;

    /// The hashes of a tile, from it or from one of the same place that has more; `NotFound` if neither is kept.
    fn tile(&mut self, tile: Tile) -> io::Result<Vec<Digest>>;

    /// A way to read every record again. It stands apart from the shelf, which keeps meanwhile what is made of them.
    fn replay(&self) -> Replay;
}

/// Hands over the hash of every record, from the first one on; fails at the first one that does not follow.
pub type Replay = Box<dyn FnOnce(&mut dyn FnMut(Digest)) -> io::Result<()>>;

/// In the folder `tree` beside segments.
#[derive(Debug)]
pub(crate) struct DirectoryShelf {
    dir: PathBuf,
    folder: PathBuf,
    history: Option<History>,
}

impl DirectoryShelf {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), folder: dir.join(FOLDER), history: None }
    }
}

impl Shelf for DirectoryShelf {
    fn notes(&mut self) -> io::Result<Vec<String>> {
        let (history, entries) = History::open(&self.folder)?;
        self.history = Some(history);
        let newest = match fs::read_to_string(self.folder.join(NEWEST)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            text => Some(Checkpoint::of_note(&text?).ok_or(io::ErrorKind::InvalidData)?),
        };
        let longest = entries.iter().map(|entry| entry.checkpoint.size).max().unwrap_or_default();
        // It is put in its place after the entry, never before.
        if newest.is_some_and(|newest| newest.size > longest) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(entries.into_iter().map(|entry| entry.note).collect())
    }

    /// The newest checkpoint is always the last entry: so a history that lost its end shows.
    fn keep(&mut self, note: &str) -> io::Result<()> {
        let mut history = match self.history.take() {
            Some(history) => history,
            None => History::open(&self.folder)?.0,
        };
        let kept = history.append(note);
        self.history = Some(history);
        kept?;
        tiles::put(&self.folder.join(NEWEST), note.as_bytes())
    }

    fn put(&mut self, tiles: &[(Tile, Vec<Digest>)]) -> io::Result<()> {
        for (tile, hashes) in tiles {
            tiles::write(&self.folder, *tile, hashes)?;
        }
        for (tile, _) in tiles.iter().filter(|(tile, _)| tile.is_full()) {
            // Parts of a tile that is whole: what cannot be removed does no harm.
            let part = self.folder.join(Tile { width: 1, ..*tile }.path());
            drop(part.parent().map(fs::remove_dir_all));
        }
        Ok(())
    }

    fn tile(&mut self, tile: Tile) -> io::Result<Vec<Digest>> {
        tiles::read_at_least(&self.folder, tile)
    }

    fn replay(&self) -> Replay {
        let dir = self.dir.clone();
        Box::new(move |visit| scan::replay(&dir, visit))
    }
}
