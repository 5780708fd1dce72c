//! Reads logs, while they may be written to.

use futures_util::TryStreamExt as _;
use std::pin::pin;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::session::{number, placed};
use super::{Connection, Store};
use crate::error::LedgerError;

/// What there is of one node's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Whose.
    pub node: String,
    /// How many records.
    pub records: u64,
    /// Number of the first.
    pub first: u64,
    /// Number of the last.
    pub last: u64,
}

impl Extent {
    /// Whether a record is missing.
    pub const fn has_gap(&self) -> bool {
        self.first != 1 || self.records != self.last
    }
}

/// A connection that only reads.
pub struct Reader {
    connection: Connection,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

const EXTENTS: &str =
    "SELECT node, count(*), min(seq), max(seq) FROM tributary_audit.record GROUP BY node ORDER BY node";
const PAGE: &str = "SELECT seq, payload FROM tributary_audit.record \
                    WHERE node = $1 AND seq >= $2 ORDER BY seq LIMIT $3";
const WHOLE: &str = "SELECT seq, payload FROM tributary_audit.record WHERE node = $1 ORDER BY seq";
const ENTRIES: &str = "SELECT place, entry FROM tributary_audit.checkpoint WHERE node = $1 ORDER BY place";
const TILES: &str =
    "SELECT place, hashes, level FROM tributary_audit.tile WHERE node = $1 ORDER BY level, place";
/// The bytes of the record are searched, which the chain covers: a column of our own would not be.
const HOLDING: &str = "SELECT seq, payload, node FROM tributary_audit.record \
                       WHERE position($1 IN payload) > 0 ORDER BY node, seq";
const ENDS: &str = "SELECT seq, payload, node FROM tributary_audit.record \
                    WHERE node = $1 AND seq > $2 AND (position('\"kind\":\"delivery\"'::bytea IN payload) > 0 \
                    OR position('\"kind\":\"closed_unknown\"'::bytea IN payload) > 0) ORDER BY seq";

impl Reader {
    /// Connects. Nothing can be written by this connection.
    pub async fn connect(store: &Store) -> Result<Self, LedgerError> {
        let connection = store.connect().await?;
        connection.client.batch_execute("SET default_transaction_read_only TO on").await?;
        Ok(Self { connection })
    }

    /// Every node that has a log, by name.
    pub async fn extents(&self) -> Result<Vec<Extent>, LedgerError> {
        let rows = self.connection.client.query(EXTENTS, &[]).await?;
        let count = |row: &Row, place| -> Result<u64, LedgerError> {
            Ok(u64::try_from(row.try_get::<_, i64>(place)?).unwrap_or_default())
        };
        let extent = |row: &Row| {
            let (records, first, last) = (count(row, 1)?, count(row, 2)?, count(row, 3)?);
            Ok(Extent { node: row.try_get(0)?, records, first, last })
        };
        rows.iter().map(extent).collect()
    }

    /// Some records of a node, from this number on.
    pub async fn page(&self, node: &str, from: u64, most: u32) -> Result<Vec<(u64, Vec<u8>)>, LedgerError> {
        let most = i64::from(most);
        let rows = self.connection.client.query(PAGE, &[&node, &number(from), &most]).await?;
        rows.iter().map(placed).collect()
    }

    /// All records of a node, as they are at one moment.
    pub async fn whole(
        &self,
        node: &str,
        mut visit: impl FnMut(u64, &[u8]) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        let parameters: [&(dyn ToSql + Sync); 1] = [&node];
        self.stream(WHOLE, &parameters, |seq, payload, _| visit(seq, payload)).await
    }

    /// All entries of the checkpoints of a node, byte for byte, then its full tiles, by level and place.
    pub async fn tree(
        &self,
        node: &str,
        mut entry: impl FnMut(&[u8]) -> Result<(), LedgerError>,
        mut tile: impl FnMut(u32, u64, &[u8]) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        self.stream(ENTRIES, &[&node], |_, bytes, _| entry(bytes)).await?;
        let parameters: [&(dyn ToSql + Sync); 1] = [&node];
        self.rows(TILES, &parameters, |row| {
            let (place, hashes, level): (i64, &[u8], i32) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            tile(u32::try_from(level).unwrap_or_default(), u64::try_from(place).unwrap_or_default(), hashes)
        })
        .await
    }

    /// Every record that holds these bytes, and whose it is.
    pub async fn holding(
        &self,
        bytes: &[u8],
        visit: impl FnMut(u64, &[u8], &str) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        self.stream(HOLDING, &[&bytes], visit).await
    }

    /// Every record of a node after this one that tells how an earlier one ended.
    pub(crate) async fn ends(
        &self,
        node: &str,
        after: u64,
        visit: impl FnMut(u64, &[u8], &str) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        self.stream(ENDS, &[&node, &number(after)], visit).await
    }

    async fn stream(
        &self,
        statement: &str,
        parameters: &[&(dyn ToSql + Sync)],
        mut visit: impl FnMut(u64, &[u8], &str) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        self.rows(statement, parameters, |row| {
            let (seq, payload): (i64, &[u8]) = (row.try_get(0)?, row.try_get(1)?);
            let node = if row.len() > 2 { row.try_get(2)? } else { "" };
            visit(u64::try_from(seq).unwrap_or_default(), payload, node)
        })
        .await
    }

    async fn rows(
        &self,
        statement: &str,
        parameters: &[&(dyn ToSql + Sync)],
        mut visit: impl FnMut(&Row) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        let mut rows = pin!(self.connection.client.query_raw(statement, parameters.iter().copied()).await?);
        while let Some(row) = rows.try_next().await? {
            visit(&row)?;
        }
        Ok(())
    }
}
