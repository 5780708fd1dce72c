//! What can go wrong with a store, by who must act.

use std::error::Error as _;
use std::io;

use tributary_audit::AuditError;

/// Why a log cannot be kept, read or handed on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// PostgreSQL cannot be reached, or answered with an error.
    #[error("PostgreSQL cannot be used: {}", told(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// It did not answer in time.
    #[error("PostgreSQL does not answer in time")]
    Late,
    /// Its tables are not there, or not those of this version.
    #[error("the audit tables are version {found}, not {needed}: run `tributary audit init`")]
    Schema {
        /// The version that is there; 0 for none.
        found: i32,
        /// The version that is needed.
        needed: i32,
    },
    /// A commit would not be durable.
    #[error("{setting} is {value}: a record that is acknowledged could be lost")]
    NotDurable {
        /// The setting of the server.
        setting: &'static str,
        /// Its value.
        value: String,
    },
    /// The user may do more than append and read.
    #[error("user {user} may {power} audit records: it must be able to add and read them, and no more")]
    TooPowerful {
        /// The user of the database.
        user: String,
        /// What it may do.
        power: &'static str,
    },
    /// A certificate or key cannot be used.
    #[error("{0} cannot be used")]
    Certificate(&'static str),
    /// The configuration of TLS cannot be used.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    /// The log itself.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// A file.
    #[error(transparent)]
    File(#[from] io::Error),
}

/// What the server said, or why there is no server. Never the values of a statement.
fn told(error: &tokio_postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return said.message().to_owned();
    }
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}
