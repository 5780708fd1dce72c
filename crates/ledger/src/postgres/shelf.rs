//! Tree and checkpoints of a node's log, in the tables beside its records. Rows are added, never changed: only full
//! tiles are kept, and what is unfinished is made of the records again.

use std::io;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio_postgres::{Client, Row};
use tributary_audit::{Checkpoint, Digest, LogTail, Replay, Shelf, Tile, sealed, unsealed};

use super::session::{SETTLE, is_of_this_version, number, placed};
use super::{Connection, Store};
use crate::error::LedgerError;

/// How far back is looked at the start: four hours of a checkpoint a second, each cosigned, are less.
const LOOK_BACK_ENTRIES: i64 = 1 << 15;
/// Records read at once when a tree is built anew.
const PAGE_RECORDS: i64 = 4096;
/// A connection that was lost meanwhile is made anew.
const TRIES: usize = 2;
/// Bytes of a hash.
const HASH: usize = 32;

const ENTRIES: &str = "SELECT entry FROM (SELECT place, entry FROM tributary_audit.checkpoint WHERE node = $1 \
                       ORDER BY place DESC LIMIT $2) AS newest ORDER BY place";
const KEEP: &str = "INSERT INTO tributary_audit.checkpoint (node, place, entry) \
                    SELECT $1, coalesce(max(place), 0) + 1, $2 FROM tributary_audit.checkpoint WHERE node = $1";
/// A tile that is there already is the same: it was made of the same records.
const PUT: &str = "INSERT INTO tributary_audit.tile (node, level, place, hashes) \
                   SELECT $1, tile.level, tile.place, tile.hashes \
                   FROM unnest($2::integer[], $3::bigint[], $4::bytea[]) AS tile (level, place, hashes) \
                   ON CONFLICT DO NOTHING";
const TILE: &str = "SELECT hashes FROM tributary_audit.tile WHERE node = $1 AND level = $2 AND place = $3";
const RECORDS: &str = "SELECT seq, payload FROM tributary_audit.record \
                       WHERE node = $1 AND seq >= $2 ORDER BY seq LIMIT $3";

/// How many records the checkpoints of the store's node speak of. Changes nothing, and needs no lock.
pub async fn kept_size(store: &Store) -> Result<u64, LedgerError> {
    let connection = store.connect().await?;
    is_of_this_version(&connection).await?;
    let notes = notes(&connection.client, &store.node.to_string()).await?;
    let sizes = notes.iter().filter_map(|note| Checkpoint::of_note(note)).map(|checkpoint| checkpoint.size);
    Ok(sizes.max().unwrap_or_default())
}

async fn notes(client: &Client, node: &str) -> Result<Vec<String>, LedgerError> {
    let rows = client.query(ENTRIES, &[&node, &LOOK_BACK_ENTRIES]).await?;
    let read = |row: &Row| {
        let found = unsealed(row.try_get(0)?).ok_or(io::ErrorKind::InvalidData);
        Ok(found.map_err(io::Error::from)?)
    };
    rows.iter().map(read).collect()
}

/// The tables, through a connection of its own: what is kept of the tree holds no record up.
#[derive(Debug)]
pub(super) struct PostgresShelf {
    store: Store,
    node: String,
    link: Link,
}

/// A runtime and what lives in it.
#[derive(Debug)]
struct Link {
    connection: Option<Connection>,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    patience: Duration,
}

impl Link {
    fn new(patience: Duration) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { connection: None, runtime: Some(runtime), patience })
    }

    /// Does some work in the database, and once more over a new connection if the first try came to nothing.
    fn work<T>(
        &mut self,
        store: &Store,
        work: &impl AsyncFn(&Client) -> Result<T, LedgerError>,
    ) -> io::Result<T> {
        let Self { connection, runtime, patience } = self;
        let runtime = runtime.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let mut failed = io::Error::from(io::ErrorKind::NotConnected);
        for _ in 0..TRIES {
            let trying = async {
                if connection.is_none() {
                    let new = store.connect().await?;
                    new.client.batch_execute(SETTLE).await?;
                    *connection = Some(new);
                }
                let client = connection.as_ref().map(|connection| &connection.client);
                work(client.ok_or(LedgerError::Late)?).await
            };
            let tried = runtime.block_on(async { tokio::time::timeout(*patience, trying).await });
            match tried.unwrap_or(Err(LedgerError::Late)) {
                Ok(done) => return Ok(done),
                // What is kept is not as it was: asking again changes nothing.
                Err(LedgerError::File(error)) => return Err(error),
                Err(error) => failed = as_io(&error),
            }
            *connection = None;
        }
        Err(failed)
    }
}

/// A runtime may not be dropped within another one, where the last user of a log may well be.
impl Drop for Link {
    fn drop(&mut self) {
        self.connection = None;
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn as_io(error: &LedgerError) -> io::Error {
    tracing::warn!({ error.kind = %error }, "the tree of the audit log cannot be read or written");
    let is_late = matches!(error, LedgerError::Late);
    if is_late { io::ErrorKind::TimedOut.into() } else { io::ErrorKind::ConnectionAborted.into() }
}

impl PostgresShelf {
    pub(super) fn new(store: Store) -> io::Result<Self> {
        let link = Link::new(store.append_timeout)?;
        Ok(Self { node: store.node.to_string(), store, link })
    }
}

impl Shelf for PostgresShelf {
    fn notes(&mut self) -> io::Result<Vec<String>> {
        let Self { store, node, link } = self;
        link.work(store, &async |client| notes(client, node).await)
    }

    /// Kept twice where the answer to the first try was lost, which says the same.
    fn keep(&mut self, note: &str) -> io::Result<()> {
        let Self { store, node, link } = self;
        let entry = sealed(note).into_bytes();
        link.work(store, &async |client| Ok(client.execute(KEEP, &[node, &entry]).await.map(|_rows| ())?))
    }

    fn put(&mut self, tiles: &[(Tile, Vec<Digest>)]) -> io::Result<()> {
        let Self { store, node, link } = self;
        let full = || tiles.iter().filter(|(tile, _)| tile.is_full());
        let levels: Vec<i32> = full().map(|(tile, _)| level(tile)).collect();
        let places: Vec<i64> = full().map(|(tile, _)| number(tile.index)).collect();
        let bytes =
            |(_, hashes): &(Tile, Vec<Digest>)| hashes.iter().flat_map(|hash| *hash.bytes()).collect();
        let hashes: Vec<Vec<u8>> = full().map(bytes).collect();
        if levels.is_empty() {
            return Ok(());
        }
        link.work(store, &async |client| {
            Ok(client.execute(PUT, &[node, &levels, &places, &hashes]).await.map(|_rows| ())?)
        })
    }

    fn tile(&mut self, tile: Tile) -> io::Result<Vec<Digest>> {
        let Self { store, node, link } = self;
        let bytes: Option<Vec<u8>> = link.work(store, &async |client| {
            let row = client.query_opt(TILE, &[node, &level(&tile), &number(tile.index)]).await?;
            Ok(row.map(|row| row.try_get(0)).transpose()?)
        })?;
        let bytes = bytes.ok_or(io::ErrorKind::NotFound)?;
        let (hashes, rest) = bytes.as_chunks::<HASH>();
        let width = usize::try_from(tile.width).unwrap_or(usize::MAX);
        match hashes.get(..width).filter(|_| rest.is_empty()) {
            Some(hashes) => Ok(hashes.iter().copied().map(Digest::from).collect()),
            None => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn replay(&self) -> Replay {
        let (store, node) = (self.store.clone(), self.node.clone());
        Box::new(move |visit| replay(&store, &node, visit))
    }
}

fn replay(store: &Store, node: &str, visit: &mut dyn FnMut(Digest)) -> io::Result<()> {
    let mut link = Link::new(store.append_timeout)?;
    let mut tail = LogTail::default();
    loop {
        let from = number(tail.link().seq);
        let rows = link.work(store, &async |client| {
            let rows = client.query(RECORDS, &[&node, &from, &PAGE_RECORDS]).await?;
            rows.iter().map(placed).collect::<Result<Vec<_>, _>>()
        })?;
        if rows.is_empty() {
            return Ok(());
        }
        for (seq, payload) in &rows {
            if *seq != tail.link().seq || tail.note(payload).is_err() {
                return Err(io::ErrorKind::InvalidData.into());
            }
            visit(tail.link().prev);
        }
    }
}

fn level(tile: &Tile) -> i32 {
    i32::try_from(tile.level).unwrap_or(i32::MAX)
}
