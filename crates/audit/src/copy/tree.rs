//! Writes the tree of a log that is kept elsewhere beside a copy of its records. Tiles and checkpoints are taken as they
//! are kept; parts of a tile that is not full yet are made of the records, and the checkpoints vouch for them.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use crate::chain::Digest;
use crate::checkpoint::Checkpoint;
use crate::history;
use crate::segment;
use crate::shelf::{FOLDER, NEWEST};
use crate::tree::tiles::{self, LEVELS, Tile};
use crate::tree::{Edge, Whole};

/// A copy of a tree. First come its entries, then its tiles, then the records. Nothing is judged here.
#[derive(Debug)]
pub struct TreeCopy {
    folder: PathBuf,
    history: BufWriter<File>,
    newest: Option<Vec<u8>>,
    /// Sizes of its checkpoints.
    sizes: BTreeSet<u64>,
    edge: Edge,
    /// The unfinished tile of each level.
    rows: Vec<Vec<Digest>>,
}

impl TreeCopy {
    /// Begins a copy in the directory that gets the records.
    pub fn begin(dir: &Path) -> io::Result<Self> {
        let folder = dir.join(FOLDER);
        segment::make_dir(&folder)?;
        let history = segment::private().create_new(true).open(folder.join(history::NAME))?;
        Ok(Self {
            folder,
            history: BufWriter::new(history),
            newest: None,
            sizes: BTreeSet::new(),
            edge: Edge::default(),
            rows: vec![Vec::new(); LEVELS as usize],
        })
    }

    /// Adds the next entry of the checkpoints, byte for byte.
    pub fn entry(&mut self, entry: &[u8]) -> io::Result<()> {
        self.history.write_all(entry)?;
        let (note, _seal) = history::parted(entry);
        let checkpoint = std::str::from_utf8(note).ok().and_then(Checkpoint::of_note);
        self.sizes.extend(checkpoint.map(|checkpoint| checkpoint.size));
        self.newest = Some(note.to_vec());
        Ok(())
    }

    /// Adds a full tile, byte for byte.
    pub fn tile(&mut self, level: u32, index: u64, hashes: &[u8]) -> io::Result<()> {
        let path = self.folder.join(Tile::full_at(level, index).path());
        segment::make_dir(path.parent().unwrap_or(&self.folder))?;
        fs::write(path, hashes)
    }

    /// Follows the next record.
    pub fn record(&mut self, payload: &[u8]) -> io::Result<()> {
        let Self { edge, rows, .. } = self;
        edge.push(Digest::of_leaf(payload), &mut |whole| grow(rows, whole));
        let (size, longest) = (self.edge.size(), self.sizes.last().copied().unwrap_or_default());
        if !self.sizes.contains(&size) {
            return Ok(());
        }
        // What is full by the time of the last checkpoint is kept as such, or missing.
        let is_part = |tile: &Tile| tile.index == Tile::full(longest, tile.level);
        for tile in Tile::edge(size).filter(is_part) {
            if let Some(row) = self.rows.get(tile.level as usize) {
                tiles::write(&self.folder, tile, row)?;
            }
        }
        Ok(())
    }

    /// Makes the copy durable.
    pub fn finish(mut self) -> io::Result<()> {
        self.history.flush()?;
        self.history.get_ref().sync_all()?;
        let Some(newest) = self.newest else {
            // A log without a tree has none in its copy either.
            return fs::remove_dir_all(&self.folder);
        };
        tiles::put(&self.folder.join(NEWEST), &newest)
    }
}

fn grow(rows: &mut [Vec<Digest>], whole: Whole) {
    let Some(level) = tiles::level_of(whole.height) else { return };
    if let Some(row) = rows.get_mut(level as usize) {
        row.push(whole.hash);
        if row.len() as u64 == tiles::WIDTH {
            row.clear();
        }
    }
}
