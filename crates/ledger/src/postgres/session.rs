//! One session of the writer: the only one of its node, on a server that keeps what it acknowledges.

use std::time::Duration;

use tokio_postgres::{Row, Statement};
use tributary_audit::AuditError;

use super::{Connection, Store, VERSION};
use crate::error::LedgerError;

/// Between two tries to get the log from a process that is ending.
const LEASE_PAUSE: Duration = Duration::from_millis(50);

/// Nothing on the server's side may end a statement: a commit that was waiting for its standby would come back as
/// if it had been replicated.
pub(super) const SETTLE: &str = "
SET synchronous_commit TO on;
SET statement_timeout TO 0;
SET lock_timeout TO 0;
SET idle_in_transaction_session_timeout TO 0;
SET client_min_messages TO warning;
";

const SERVER: &str = "
SELECT current_setting('synchronous_commit'), current_setting('fsync'), current_setting('full_page_writes'),
       current_setting('synchronous_standby_names'), pg_is_in_recovery(), current_user::text,
       pg_backend_pid(), (SELECT backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid())";

const POWERS: &str = "
SELECT bool_or(has_table_privilege(c.oid, 'UPDATE')), bool_or(has_table_privilege(c.oid, 'DELETE')),
       bool_or(has_table_privilege(c.oid, 'TRUNCATE')), bool_or(has_table_privilege(c.oid, 'TRIGGER')),
       bool_or(pg_has_role(c.relowner, 'MEMBER'))
FROM pg_class c WHERE c.oid IN ('tributary_audit.record'::regclass, 'tributary_audit.session'::regclass,
       'tributary_audit.checkpoint'::regclass, 'tributary_audit.tile'::regclass)";

const LEASE: &str = "SELECT pg_try_advisory_lock(hashtextextended('tributary_audit/' || $1, 0))";

const INSERT: &str = "
INSERT INTO tributary_audit.record (node, seq, payload)
SELECT $1, place.seq, place.payload FROM unnest($2::bigint[], $3::bytea[]) AS place (seq, payload)";

const AFTER: &str =
    "SELECT seq, payload FROM tributary_audit.record WHERE node = $1 AND seq >= $2 ORDER BY seq LIMIT $3";

/// A backend of the server, so that no other is taken for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Backend {
    pid: i32,
    since: Option<String>,
}

/// A connection that holds the log of its node.
pub(super) struct Session {
    connection: Connection,
    insert: Statement,
    node: String,
    pub(super) backend: Backend,
}

impl Session {
    /// Connects, looks whether the server can be trusted with the log, and takes the log. A session of our own that
    /// still holds it is ended: what it was writing is then either there or never will be.
    pub(super) async fn open(
        store: &Store,
        old: Option<&Backend>,
        wait: Duration,
    ) -> Result<Self, LedgerError> {
        let connection = store.connect().await?;
        let client = &connection.client;
        let server = client.query_one(SERVER, &[]).await?;
        can_be_trusted(&server, store)?;
        is_of_this_version(&connection).await?;
        has_no_power(&connection, &server).await?;
        client.batch_execute(SETTLE).await?;
        let backend = Backend { pid: server.try_get(6)?, since: server.try_get(7)? };
        let node = store.node.to_string();
        lease(&connection, &node, old, wait).await?;
        // Committed after all that an earlier session committed: once this is with the standby, so is that.
        let opened = "INSERT INTO tributary_audit.session (node) VALUES ($1)";
        client.execute(opened, &[&node]).await?;
        let insert = client.prepare(INSERT).await?;
        Ok(Self { connection, insert, node, backend })
    }

    /// Adds records, all or none.
    pub(super) async fn insert(&self, from: u64, payloads: &[Vec<u8>]) -> Result<(), LedgerError> {
        let from = number(from);
        let places: Vec<i64> = (from..).take(payloads.len()).collect();
        let payloads: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
        self.connection.client.execute(&self.insert, &[&self.node, &places, &payloads]).await?;
        Ok(())
    }

    /// The records from this number on, and no more than so many.
    pub(super) async fn after(&self, from: u64, most: usize) -> Result<Vec<(u64, Vec<u8>)>, LedgerError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = self.connection.client.query(AFTER, &[&self.node, &number(from), &most]).await?;
        rows.iter().map(placed).collect()
    }

    /// The last records, oldest first.
    pub(super) async fn last(&self, most: i64) -> Result<Vec<(u64, Vec<u8>)>, LedgerError> {
        let end = "SELECT coalesce(max(seq), 0) FROM tributary_audit.record WHERE node = $1";
        let end: i64 = self.connection.client.query_one(end, &[&self.node]).await?.try_get(0)?;
        let from = (end - most + 1).max(1);
        self.after(u64::try_from(from).unwrap_or(1), usize::MAX).await
    }
}

/// A number of a record as the server has it.
pub(super) fn number(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// Number and payload of a row.
pub(super) fn placed(row: &Row) -> Result<(u64, Vec<u8>), LedgerError> {
    let seq: i64 = row.try_get(0)?;
    Ok((u64::try_from(seq).unwrap_or_default(), row.try_get(1)?))
}

fn can_be_trusted(server: &Row, store: &Store) -> Result<(), LedgerError> {
    let refused = |setting, value: String| Err(LedgerError::NotDurable { setting, value });
    let commit: String = server.try_get(0)?;
    // `local` and `remote_write` acknowledge what a standby may not have.
    if commit != "on" && commit != "remote_apply" {
        return refused("synchronous_commit", commit);
    }
    for (place, setting) in [(1, "fsync"), (2, "full_page_writes")] {
        let value: String = server.try_get(place)?;
        if value != "on" {
            return refused(setting, value);
        }
    }
    let standbys: String = server.try_get(3)?;
    if store.needs_standby && standbys.trim().is_empty() {
        return refused("synchronous_standby_names", "empty".to_owned());
    }
    if server.try_get(4)? {
        return refused("this server", "a standby".to_owned());
    }
    Ok(())
}

pub(super) async fn is_of_this_version(connection: &Connection) -> Result<(), LedgerError> {
    let mut found = 0;
    let there = "SELECT to_regclass('tributary_audit.migration') IS NOT NULL";
    if connection.client.query_one(there, &[]).await?.try_get(0)? {
        let version = "SELECT coalesce(max(version), 0) FROM tributary_audit.migration";
        found = connection.client.query_one(version, &[]).await?.try_get(0)?;
    }
    if found == VERSION { Ok(()) } else { Err(LedgerError::Schema { found, needed: VERSION }) }
}

async fn has_no_power(connection: &Connection, server: &Row) -> Result<(), LedgerError> {
    let powers = connection.client.query_one(POWERS, &[]).await?;
    let named = ["change", "delete", "truncate", "put triggers on", "own"];
    for (place, power) in named.into_iter().enumerate() {
        if powers.try_get(place)? {
            return Err(LedgerError::TooPowerful { user: server.try_get(5)?, power });
        }
    }
    Ok(())
}

async fn lease(
    connection: &Connection,
    node: &str,
    old: Option<&Backend>,
    wait: Duration,
) -> Result<(), LedgerError> {
    let client = &connection.client;
    let end_of_wait = tokio::time::Instant::now() + wait;
    loop {
        if client.query_one(LEASE, &[&node]).await?.try_get(0)? {
            return Ok(());
        }
        if let Some(Backend { pid, since: Some(since) }) = old {
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                       WHERE pid = $1 AND backend_start::text = $2";
            client.query(end, &[pid, since]).await?;
        }
        if tokio::time::Instant::now() >= end_of_wait {
            return Err(AuditError::InUse.into());
        }
        tokio::time::sleep(LEASE_PAUSE).await;
    }
}
