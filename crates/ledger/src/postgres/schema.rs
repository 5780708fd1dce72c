//! The tables, made by their owner and nobody else. The broker's user adds rows and reads them.

use super::Store;
use crate::error::LedgerError;

/// The version of the tables that this program writes.
pub const VERSION: i32 = 2;

/// Each takes the tables one version further, and is never changed once it was released.
const MIGRATIONS: &[(i32, &str)] = &[(1, RECORDS), (VERSION, TREE)];

/// There is no partition by day: a unique key of a partitioned table must hold the day, and then it would no longer
/// keep a number from being given twice.
const RECORDS: &str = "
CREATE TABLE tributary_audit.record (
    node text COLLATE pg_catalog.\"C\" NOT NULL CHECK (node ~ '^[a-z][a-z0-9-]{0,23}$'),
    seq bigint NOT NULL CHECK (seq > 0),
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    payload bytea NOT NULL CHECK (length(payload) BETWEEN 1 AND 1048576),
    PRIMARY KEY (node, seq)
);
CREATE TABLE tributary_audit.session (
    node text NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    opened_by text NOT NULL DEFAULT session_user,
    address inet DEFAULT inet_client_addr(),
    backend integer NOT NULL DEFAULT pg_backend_pid()
);
CREATE FUNCTION tributary_audit.refuse() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN RAISE EXCEPTION ''audit records are added, never changed''; END';
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON tributary_audit.record
    FOR EACH STATEMENT EXECUTE FUNCTION tributary_audit.refuse();
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON tributary_audit.session
    FOR EACH STATEMENT EXECUTE FUNCTION tributary_audit.refuse();
ALTER TABLE tributary_audit.record ENABLE ALWAYS TRIGGER only_added;
ALTER TABLE tributary_audit.session ENABLE ALWAYS TRIGGER only_added;
REVOKE ALL ON ALL TABLES IN SCHEMA tributary_audit FROM PUBLIC;
";

/// Entries of the checkpoints byte for byte, as a file of them has them, and full tiles.
const TREE: &str = "
CREATE TABLE tributary_audit.checkpoint (
    node text COLLATE pg_catalog.\"C\" NOT NULL CHECK (node ~ '^[a-z][a-z0-9-]{0,23}$'),
    place bigint NOT NULL CHECK (place > 0),
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    entry bytea NOT NULL CHECK (length(entry) BETWEEN 1 AND 65536),
    PRIMARY KEY (node, place)
);
CREATE TABLE tributary_audit.tile (
    node text COLLATE pg_catalog.\"C\" NOT NULL CHECK (node ~ '^[a-z][a-z0-9-]{0,23}$'),
    level integer NOT NULL CHECK (level BETWEEN 0 AND 7),
    place bigint NOT NULL CHECK (place >= 0),
    hashes bytea NOT NULL CHECK (length(hashes) = 8192),
    PRIMARY KEY (node, level, place)
);
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON tributary_audit.checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION tributary_audit.refuse();
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON tributary_audit.tile
    FOR EACH STATEMENT EXECUTE FUNCTION tributary_audit.refuse();
ALTER TABLE tributary_audit.checkpoint ENABLE ALWAYS TRIGGER only_added;
ALTER TABLE tributary_audit.tile ENABLE ALWAYS TRIGGER only_added;
REVOKE ALL ON ALL TABLES IN SCHEMA tributary_audit FROM PUBLIC;
";

const GROUND: &str = "
CREATE SCHEMA IF NOT EXISTS tributary_audit;
REVOKE ALL ON SCHEMA tributary_audit FROM PUBLIC;
CREATE TABLE IF NOT EXISTS tributary_audit.migration (
    version integer PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
LOCK TABLE tributary_audit.migration IN ACCESS EXCLUSIVE MODE;
";

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grants {
    /// The version that was there before; 0 for none.
    pub from: i32,
    /// The version that is there now.
    pub to: i32,
}

/// Makes the tables, or takes them to the version of this program, as the user of `owner`, and lets `user` add and
/// read records. All of it or nothing.
pub async fn init(owner: &Store, user: &str) -> Result<Grants, LedgerError> {
    let mut connection = owner.connect().await?;
    let work = connection.client.transaction().await?;
    work.batch_execute(GROUND).await?;
    let row = work.query_one("SELECT coalesce(max(version), 0) FROM tributary_audit.migration", &[]).await?;
    let from: i32 = row.try_get(0)?;
    if from > VERSION {
        return Err(LedgerError::Schema { found: from, needed: VERSION });
    }
    for (version, migration) in MIGRATIONS.iter().filter(|(version, _)| *version > from) {
        work.batch_execute(migration).await?;
        work.execute("INSERT INTO tributary_audit.migration (version) VALUES ($1)", &[version]).await?;
    }
    let user = quoted(user);
    work.batch_execute(&format!(
        "GRANT USAGE ON SCHEMA tributary_audit TO {user};
         GRANT SELECT ON tributary_audit.migration TO {user};
         GRANT SELECT, INSERT ON tributary_audit.record, tributary_audit.session TO {user};
         GRANT SELECT, INSERT ON tributary_audit.checkpoint, tributary_audit.tile TO {user};"
    ))
    .await?;
    work.commit().await?;
    Ok(Grants { from, to: VERSION })
}

/// A name as SQL writes one.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_end_its_quotes() {
        assert_eq!(quoted("broker"), "\"broker\"");
        assert_eq!(quoted("b\"; DROP"), "\"b\"\"; DROP\"");
    }
}
