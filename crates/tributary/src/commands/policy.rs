//! `tributary policy`: who may see what, and why. Nobody is contacted, and no broker has to run.

pub mod explain;
pub mod follow_up;
pub mod table_test;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use tributary_audit::Digest;
use tributary_broker::Policy;
use tributary_policy::cells::{self, Cell};
use tributary_policy::{Change, Diff, Table};

use super::{BAD_CONFIGURATION, Done, FAILED, say};
use crate::policy;

/// What to be told of a policy.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Why a requester may see the sections of a record, or may not, by the names of the rules.
    Explain(explain::Arguments),
    /// Every cell of a policy, as CSV: those that show something, or with --all every one.
    Matrix(MatrixArguments),
    /// Who gains and who loses what. Exit code: 0 nobody gains or it was approved, 1 somebody gains.
    Diff(DiffArguments),
    /// Puts the examples of a file to a policy. Exit code: 0 all are as expected, 1 one is not.
    Test(table_test::Arguments),
    /// Lists the uses of broken glass in an audit log that nobody has reviewed yet.
    FollowUp(follow_up::Arguments),
}

/// Which policy.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The policy. Without it, the one that is part of the product.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// Arguments of `policy matrix`.
#[derive(Debug, Args)]
pub struct MatrixArguments {
    #[command(flatten)]
    which: Which,
    /// Cells that show nothing as well.
    #[arg(long)]
    all: bool,
}

/// Arguments of `policy diff`.
#[derive(Debug, Args)]
pub struct DiffArguments {
    /// The policy before.
    old: PathBuf,
    /// The policy after.
    new: PathBuf,
    /// The hash of what is gained, as this command prints it: it was looked at, and is wanted.
    #[arg(long, value_name = "HASH", value_parser = hash)]
    approve: Option<Digest>,
}

fn hash(text: &str) -> Result<Digest, &'static str> {
    Digest::from_hex(text).ok_or("is no hash: 64 hexadecimal digits")
}

pub(super) fn run(action: &Action, out: &mut dyn Write) -> Done {
    match action {
        Action::Explain(arguments) => explain::run(arguments, out),
        Action::Matrix(arguments) => matrix(arguments, out),
        Action::Diff(arguments) => diff(arguments, out),
        Action::Test(arguments) => table_test::run(arguments, out),
        Action::FollowUp(arguments) => follow_up::run(arguments, out),
    }
}

/// The policy, or nothing after every mistake was told.
fn sound(file: Option<&Path>) -> Option<Policy> {
    policy::load(file)
        .map_err(|mistakes| {
            for mistake in mistakes {
                say(format_args!("  {mistake}"));
            }
        })
        .ok()
}

impl Which {
    fn policy(&self) -> Option<Policy> {
        sound(self.policy.as_deref())
    }
}

fn matrix(arguments: &MatrixArguments, out: &mut dyn Write) -> Done {
    let Some(policy) = arguments.which.policy() else { return Ok(BAD_CONFIGURATION) };
    writeln!(out, "broker,role,organisation,purpose,relationship,glass,source_kind,section,label,shown")?;
    let table = &policy.table;
    for row in Table::rows(&table.organisations()) {
        let sight = table.sight(&row);
        for place in cells::places() {
            let cell = sight.at(place);
            if arguments.all || cell != Cell::NOTHING {
                writeln!(out, "{row},{place},{cell}")?;
            }
        }
    }
    Ok(0)
}

fn diff(arguments: &DiffArguments, out: &mut dyn Write) -> Done {
    let (Some(old), Some(new)) = (sound(Some(&arguments.old)), sound(Some(&arguments.new))) else {
        return Ok(BAD_CONFIGURATION);
    };
    let diff = Diff::between(&old.table, &new.table);
    writeln!(
        out,
        "change,broker,role,organisation,purpose,relationship,glass,source_kind,section,label,was,is"
    )?;
    told(out, "gained", &diff.gained)?;
    told(out, "lost", &diff.lost)?;
    let (gained, lost) = (diff.gained.len(), diff.lost.len());
    say(format_args!("{gained} cells gained, {lost} lost"));
    if let Some((was, is)) = diff.wider_glass {
        say(format_args!("the glass is broken more easily: {was:?} becomes {is:?}"));
    }
    if !diff.widens() {
        return Ok(0);
    }
    let wanted = policy::approval(&diff);
    if arguments.approve == Some(wanted) {
        say("approved");
        return Ok(0);
    }
    say(format_args!("somebody gains; to approve of exactly that: {wanted}"));
    Ok(FAILED)
}

fn told(out: &mut dyn Write, word: &str, changes: &[Change]) -> io::Result<()> {
    changes
        .iter()
        .try_for_each(|Change { row, place, was, is }| writeln!(out, "{word},{row},{place},{was},{is}"))
}

#[cfg(test)]
mod tests;
