//! `tributary audit init`: makes the tables of a log in PostgreSQL.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use tributary_ledger::postgres::{self, Grants, Store};

use super::super::{BAD_CONFIGURATION, Done, check};
use tributary_settings::secrets;

/// Arguments of `audit init`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The configuration, which names the database and the broker's user there.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The user of the database who owns the tables. It must not be the broker's.
    #[arg(long, value_name = "USER")]
    owner: String,
    /// File of the owner's password, where one is asked for.
    #[arg(long, value_name = "FILE")]
    owner_password_file: Option<PathBuf>,
}

pub(super) async fn run(arguments: &Arguments, out: &mut dyn Write) -> Done {
    let Some(settings) = check::load(&arguments.config) else { return Ok(BAD_CONFIGURATION) };
    let Some(postgres) = &settings.audit.postgres else {
        return Err("there is no [audit.postgres] in the configuration".into());
    };
    if arguments.owner == postgres.user {
        return Err(
            "the owner of the tables cannot be the broker's user: it could change what it wrote".into()
        );
    }
    let store = postgres.store().map_err(|mistake| mistake.to_string())?;
    let password = arguments.owner_password_file.as_deref().map(secrets::word).transpose()?;
    let owner = Store { user: arguments.owner.clone(), password, ..store };
    let Grants { from, to } = postgres::init(&owner, &postgres.user).await?;
    let done = if from == to { "are there already" } else { "are made" };
    writeln!(out, "the audit tables {done}, version {to}; user {} may add and read records", postgres.user)?;
    Ok(0)
}
