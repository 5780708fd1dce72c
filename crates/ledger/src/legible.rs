//! Searches a log, wherever it is kept.

use std::io;
use std::path::Path;

use tributary_audit::Records;

use crate::error::LedgerError;
use crate::found::{Found, Gap, Gathering};
use crate::postgres::{Reader, Store};
use crate::search::{Query, Sieve};

/// The folder within a log's, and the node beside others, where reading the log is written down.
pub const READS: &str = "reads";

/// Where a log is kept.
#[derive(Clone, Debug)]
pub enum Stored {
    /// In a directory.
    Directory(std::path::PathBuf),
    /// In a database, with the logs of other nodes.
    Postgres(Box<Store>),
}

impl Stored {
    /// Searches it.
    pub async fn search(&self, query: &Query) -> Result<Found, LedgerError> {
        match self {
            Self::Directory(dir) => in_directory(dir, query),
            Self::Postgres(store) => in_postgres(store, query).await,
        }
    }
}

/// Searches a directory, and what was written down about reading it. It may be written to meanwhile.
pub fn in_directory(dir: &Path, query: &Query) -> Result<Found, LedgerError> {
    in_directory_up_to(dir, query, u64::MAX)
}

/// The same up to a record: of a log that is open, what is durable ([`tributary_audit::Trail::durable`]).
pub fn in_directory_up_to(dir: &Path, query: &Query, durable: u64) -> Result<Found, LedgerError> {
    let sieve = Sieve::new(query);
    let mut found = Found::default();
    one_directory((dir, durable), "local", &sieve, &mut found)?;
    if found.scanned == 0 {
        // A wrong directory is not a log in which nobody was found.
        return Err(io::Error::new(io::ErrorKind::NotFound, "there is no audit log here").into());
    }
    let reads = dir.join(READS);
    if reads.is_dir() {
        one_directory((&reads, u64::MAX), READS, &sieve, &mut found)?;
    }
    Ok(found.in_order(query.newest))
}

fn one_directory(
    (dir, durable): (&Path, u64),
    node: &str,
    sieve: &Sieve<'_>,
    found: &mut Found,
) -> io::Result<()> {
    let mut gathering = Gathering::new(sieve, node);
    let (mut first, mut last) = (None, 0);
    let read = Records::open(dir)?.read(durable, &mut |seq, payload| {
        first.get_or_insert(seq);
        last = seq;
        gathering.look(seq, payload);
    });
    match read {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            gathering.gap(format!("records after {last} are missing or cannot be read"));
        }
        read => read?,
    }
    if let Some(first) = first.filter(|first| *first != 1) {
        gathering.gap(format!("records before {first} are missing"));
    }
    gathering.into(found);
    Ok(())
}

/// Searches the logs of all nodes in a database.
pub async fn in_postgres(store: &Store, query: &Query) -> Result<Found, LedgerError> {
    let sieve = Sieve::new(query);
    let reader = Reader::connect(store).await?;
    let extents = reader.extents().await?;
    let mut found = Found::default();
    let mut gatherings: Vec<Gathering<'_>> =
        extents.iter().map(|extent| Gathering::new(&sieve, &extent.node)).collect();
    reader
        .holding(query.needle().as_bytes(), |seq, payload, node| {
            let of_node = extents.iter().position(|extent| extent.node == node);
            if let Some(gathering) = of_node.and_then(|place| gatherings.get_mut(place)) {
                gathering.look(seq, payload);
            }
            Ok(())
        })
        .await?;
    for (extent, mut gathering) in extents.iter().zip(gatherings) {
        if let Some(first) = gathering.first() {
            reader
                .ends(&extent.node, first, |_, payload, _| {
                    gathering.note_end(payload);
                    Ok(())
                })
                .await?;
        }
        gathering.scanned = extent.records;
        gathering.into(&mut found);
        if extent.has_gap() {
            let says = format!("{} records, numbered {} to {}", extent.records, extent.first, extent.last);
            found.gaps.push(Gap { node: extent.node.clone(), says });
        }
    }
    Ok(found.in_order(query.newest))
}
