//! The hashes of the tree in files, in the layout of C2SP tlog-tiles: a tile is 256 hashes wide and eight levels
//! high.
//!
//! They tell nothing of the records, since every record is salted. Whoever is to watch the log may have them.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use super::{Edge, Whole};
use crate::chain::Digest;
use crate::segment;
use crate::shelf::Shelf;

/// Hashes of a full tile.
pub(crate) const WIDTH: u64 = 256;
/// Levels of the tree in one tile.
const TILE_HEIGHT: u32 = 8;
/// Eight levels of tiles hold 2^64 leaves.
pub(crate) const LEVELS: u32 = 8;
const HASH: usize = 32;

/// One tile: its level, its place, and how many hashes it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    /// 0 holds the hashes of records, each further one the roots of the tiles below. There are eight.
    pub level: u32,
    /// Its place among those of its level.
    pub index: u64,
    /// 1 to 256.
    pub width: u64,
}

impl Tile {
    /// The full tile at a place of a level.
    pub const fn full_at(level: u32, index: u64) -> Self {
        Self { level, index, width: WIDTH }
    }

    /// Whether nothing can be added to it.
    pub const fn is_full(&self) -> bool {
        self.width == WIDTH
    }

    /// The tiles at the right edge of a tree: one for each level that is not full there.
    pub(crate) fn edge(size: u64) -> impl Iterator<Item = Self> {
        (0..LEVELS).filter_map(move |level| {
            let hashes = size >> (level * TILE_HEIGHT);
            let width = hashes % WIDTH;
            (width > 0).then_some(Self { level, index: hashes / WIDTH, width })
        })
    }

    /// Full tiles of a level in a tree.
    pub(crate) const fn full(size: u64, level: u32) -> u64 {
        (size >> (level * TILE_HEIGHT)) / WIDTH
    }

    /// Where it lies below the folder of the tree.
    pub(crate) fn path(self) -> String {
        let mut groups = vec![format!("{:03}", self.index % 1000)];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(format!("x{:03}", rest % 1000));
            rest /= 1000;
        }
        groups.reverse();
        let place = groups.join("/");
        let part = if self.width < WIDTH { format!(".p/{}", self.width) } else { String::new() };
        format!("tile/{}/{place}{part}", self.level)
    }

    /// Reads the path back; `None` for anything that is no tile.
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        let (level, place) = path.strip_prefix("tile/")?.split_once('/')?;
        let (place, width) = match place.split_once(".p/") {
            Some((place, width)) => (place, width.parse().ok()?),
            None => (place, WIDTH),
        };
        let digits: String = place.split('/').map(|group| group.trim_start_matches('x')).collect();
        let tile = Self { level: level.parse().ok()?, index: digits.parse().ok()?, width };
        (tile.path() == path).then_some(tile)
    }
}

/// The tiles of one tree. What is unfinished is in memory; the rest is read where it is kept.
#[derive(Debug)]
pub(crate) struct Tiles {
    edge: Edge,
    /// The unfinished tile of each level.
    rows: Vec<Vec<Digest>>,
    /// Full tiles that are not kept yet.
    full: Vec<(Tile, Vec<Digest>)>,
    /// Leaves whose tiles are kept.
    saved: u64,
}

impl Tiles {
    /// Of an empty tree.
    pub(crate) fn empty() -> Self {
        let rows = vec![Vec::new(); LEVELS as usize];
        Self { edge: Edge::default(), rows, full: Vec::new(), saved: 0 }
    }

    /// Of a tree of so many leaves, from what is kept of it; an error if that is not there or not whole. Where only
    /// full tiles are kept, the tree ends with the last of them: the records after it are to be read again.
    pub(crate) fn load(keep: &mut dyn Shelf, size: u64) -> io::Result<Self> {
        let mut tiles = Self { saved: size, ..Self::empty() };
        for tile in Tile::edge(size) {
            let is_missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
            let row = match keep.tile(tile) {
                Err(error) if is_missing(&error) && tile.level == 0 => {
                    tiles.saved -= tile.width;
                    Vec::new()
                }
                Err(error) if is_missing(&error) => from_below(keep, tile)?,
                row => row?,
            };
            if let Some(place) = tiles.rows.get_mut(tile.level as usize) {
                *place = row;
            }
        }
        tiles.edge = Edge::gather(tiles.saved, |height, index| tiles.subtree(keep, height, index))?;
        Ok(tiles)
    }

    pub(crate) const fn size(&self) -> u64 {
        self.edge.size()
    }

    pub(crate) fn root(&self) -> Digest {
        self.edge.root()
    }

    /// Grows by one leaf.
    pub(crate) fn push(&mut self, leaf: Digest) {
        let Self { edge, rows, full, .. } = self;
        edge.push(leaf, &mut |whole| note(rows, full, whole));
    }

    /// The root of the whole subtree of 2^height leaves at an index.
    pub(crate) fn subtree(&self, keep: &mut dyn Shelf, height: u32, index: u64) -> io::Result<Digest> {
        let level = (height / TILE_HEIGHT).min(LEVELS - 1);
        let within = height - level * TILE_HEIGHT;
        let first = index << within;
        let (tile, from) = (first / WIDTH, first % WIDTH);
        let width = from + (1 << within);
        let hashes = self.hashes(keep, Tile { level, index: tile, width })?;
        let part = usize::try_from(from).ok().and_then(|from| hashes.get(from..)).unwrap_or_default();
        root_of(part).ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
    }

    /// The first hashes of a tile, from memory or from where it is kept.
    fn hashes(&self, keep: &mut dyn Shelf, tile: Tile) -> io::Result<Vec<Digest>> {
        let waiting = self.full.iter().find(|(one, _)| (one.level, one.index) == (tile.level, tile.index));
        let is_edge = tile.index == Tile::full(self.size().max(self.saved), tile.level);
        let row = self.rows.get(tile.level as usize).filter(|_| is_edge);
        let width = usize::try_from(tile.width).unwrap_or(usize::MAX);
        match waiting.map(|(_, hashes)| hashes).or(row).and_then(|hashes| hashes.get(..width)) {
            Some(hashes) => Ok(hashes.to_vec()),
            None => keep.tile(tile),
        }
    }

    /// Keeps what is new, durably. What could not be kept is tried again at the next call.
    pub(crate) fn save(&mut self, keep: &mut dyn Shelf) -> io::Result<()> {
        let mut new = self.full.clone();
        for tile in Tile::edge(self.size()) {
            let is_new = Tile::edge(self.saved).all(|saved| saved != tile);
            let row = self.rows.get(tile.level as usize).filter(|_| is_new);
            new.extend(row.map(|row| (tile, row.clone())));
        }
        keep.put(&new)?;
        self.saved = self.size();
        self.full.clear();
        Ok(())
    }
}

/// The hashes of a tile: the roots of the full tiles below it.
fn from_below(keep: &mut dyn Shelf, tile: Tile) -> io::Result<Vec<Digest>> {
    let first = tile.index * WIDTH;
    let mut root = |index| {
        let hashes = keep.tile(Tile::full_at(tile.level.saturating_sub(1), index))?;
        root_of(&hashes).ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
    };
    (first..first + tile.width).map(&mut root).collect()
}

/// The level of tiles that holds roots of subtrees of this height, if one does.
pub(crate) fn level_of(height: u32) -> Option<u32> {
    height.is_multiple_of(TILE_HEIGHT).then_some(height / TILE_HEIGHT)
}

fn note(rows: &mut [Vec<Digest>], full: &mut Vec<(Tile, Vec<Digest>)>, whole: Whole) {
    let Some(level) = level_of(whole.height) else { return };
    let Some(row) = rows.get_mut(level as usize) else { return };
    row.push(whole.hash);
    if row.len() as u64 == WIDTH {
        let tile = Tile { level, index: whole.index / WIDTH, width: WIDTH };
        full.push((tile, std::mem::take(row)));
    }
}

/// The root over a power of two of hashes; `None` of none at all.
fn root_of(hashes: &[Digest]) -> Option<Digest> {
    match hashes {
        [] => None,
        [one] => Some(*one),
        hashes => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            Some(Digest::of_node(&root_of(left)?, &root_of(right)?))
        }
    }
}

/// Puts the file of a tile in its place.
pub(crate) fn write(folder: &Path, tile: Tile, hashes: &[Digest]) -> io::Result<()> {
    let bytes: Vec<u8> = hashes.iter().flat_map(|hash| *hash.bytes()).collect();
    put(&folder.join(tile.path()), &bytes)
}

/// Puts a file in its place, whole and durable, or not at all.
pub(crate) fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    segment::make_dir(folder)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = folder.join(name);
    let mut file: File = segment::private().create(true).truncate(true).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    segment::sync_dir(folder)
}

/// The hashes of a tile, from its file or from one of the same tile that has more.
pub(crate) fn read_at_least(folder: &Path, tile: Tile) -> io::Result<Vec<Digest>> {
    let parts = (tile.width..=WIDTH).map(|width| Tile { width, ..tile });
    for part in parts {
        match read(folder, part) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Ok(mut hashes) => {
                hashes.truncate(usize::try_from(tile.width).unwrap_or(usize::MAX));
                return Ok(hashes);
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

/// The hashes of one tile file, which must be of the length that its name says.
pub(crate) fn read(folder: &Path, tile: Tile) -> io::Result<Vec<Digest>> {
    let bytes = fs::read(folder.join(tile.path()))?;
    let (hashes, rest) = bytes.as_chunks::<HASH>();
    if !rest.is_empty() || hashes.len() as u64 != tile.width {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(hashes.iter().copied().map(Digest::from_bytes).collect())
}

/// Every tile that has a file.
pub(crate) fn list(folder: &Path) -> io::Result<BTreeSet<Tile>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.join("tile")];
    while let Some(one) = folders.pop() {
        let entries = match fs::read_dir(&one) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                let path = entry.path();
                let name = path.strip_prefix(folder).ok().and_then(Path::to_str);
                found.extend(name.and_then(Tile::of_path));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{by_definition, leaves};
    use super::*;
    use crate::shelf::{DirectoryShelf, FOLDER};

    #[test]
    fn paths_are_those_of_the_specification() {
        let at = |index, width| Tile { level: 3, index, width };
        for (tile, path) in [
            (at(0, 256), "tile/3/000"),
            (at(1_234_067, 256), "tile/3/x001/x234/067"),
            (at(273, 112), "tile/3/273.p/112"),
            (at(1000, 1), "tile/3/x001/000.p/1"),
        ] {
            assert_eq!(tile.path(), path);
            assert_eq!(Tile::of_path(path), Some(tile));
        }
        for other in ["tile/3/0", "tile/3/000.p/256", "tile/3/000.new", "tile/03/000", "checkpoint"] {
            assert_eq!(Tile::of_path(other), None, "{other}");
        }
        // The example of the specification: a tree of 70,000.
        let widths: Vec<_> = Tile::edge(70_000).map(|tile| (tile.level, tile.index, tile.width)).collect();
        assert_eq!(widths, [(0, 273, 112), (1, 1, 17), (2, 0, 1)]);
    }

    #[test]
    fn a_tree_is_the_same_from_its_files() {
        let dir = tempfile::tempdir().unwrap();
        let leaves = leaves(70_000);
        let mut shelf = DirectoryShelf::new(dir.path());
        let folder = dir.path().join(FOLDER);
        let mut tiles = Tiles::empty();
        for (count, leaf) in leaves.iter().enumerate() {
            tiles.push(*leaf);
            if [1, 255, 256, 257, 600, 65_535, 65_536, 69_999].contains(&(count + 1)) {
                tiles.save(&mut shelf).unwrap();
                let size = tiles.size();
                let again = Tiles::load(&mut shelf, size).unwrap();
                assert_eq!(again.root(), by_definition(&leaves[..=count]));
                assert_eq!(
                    (again.edge.clone(), again.rows.clone()),
                    (tiles.edge.clone(), tiles.rows.clone())
                );
                let places = [(0, 0), (0, size - 1), (3, 0), (8, 0), (9, 0)];
                for (height, index) in
                    places.into_iter().filter(|(height, index)| (index + 1) << height <= size)
                {
                    let from = usize::try_from(index << height).unwrap();
                    let whole = by_definition(&leaves[from..from + (1_usize << height)]);
                    assert_eq!(again.subtree(&mut shelf, height, index).unwrap(), whole);
                    assert_eq!(tiles.subtree(&mut shelf, height, index).unwrap(), whole);
                }
            }
        }
        // Parts go once the tile is full.
        assert!(
            list(&folder)
                .unwrap()
                .iter()
                .all(|tile| { tile.width == WIDTH || tile.index == Tile::full(70_000, tile.level) })
        );
    }
}
