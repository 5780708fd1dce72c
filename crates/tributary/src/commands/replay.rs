//! `tributary audit replay`: would the same record be shown today?

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use tributary_guard::Hardening;

use super::{Done, FAILED, check, say};
use crate::checked::{Asked, Reading};
use crate::protection::protect;
use crate::replay::{Comparison, Then, replay};

/// It cannot be told.
const CANNOT: u8 = 2;

/// Arguments of `audit replay`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The disclosure: the number that its `Tributary-Audit` header told (`local-17`, or `17`).
    #[arg(value_name = "ID", value_parser = super::audit::head)]
    id: u64,
    /// The directory of the log that it is in.
    #[arg(long, value_name = "AUDIT_DIR")]
    dir: PathBuf,
    /// The configuration whose sources are asked.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The case for which this is asked: it goes on record.
    #[arg(long, value_name = "REF", value_parser = words)]
    case: String,
    /// Who asks: it goes on record, and to the sources.
    #[arg(long = "as", value_name = "WHO", value_parser = words)]
    who: String,
    /// For programs.
    #[arg(long)]
    json: bool,
}

/// Longest name or case that goes on record.
const LONGEST: usize = 128;

fn words(text: &str) -> Result<String, &'static str> {
    let is_plain = !text.trim().is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control);
    if is_plain { Ok(text.trim().to_owned()) } else { Err("is empty, too long or not plain text") }
}

pub(super) async fn run(arguments: &Arguments, hardening: &Hardening) -> Done {
    let then = match Then::find(&arguments.dir, arguments.id) {
        Ok(then) => then,
        Err(why) => return Ok(cannot(arguments.id, &super::chain(&why))),
    };
    let Some(checked) = check::sound(&arguments.config, Reading::of(&arguments.config), Asked::AsConfigured)
    else {
        return Ok(CANNOT);
    };
    // The record is held in memory for a moment, as it is by a broker.
    protect(checked.settings.process, hardening)?;
    match replay(checked, &then, &arguments.who, &arguments.case).await {
        Err(why) => Ok(cannot(arguments.id, &super::chain(&why))),
        Ok(comparison) => {
            let out = &mut io::stdout().lock();
            if arguments.json {
                writeln!(out, "{}", serde_json::to_string_pretty(&comparison)?)?;
            } else {
                told(out, &comparison)?;
            }
            Ok(if comparison.is_same() { 0 } else { FAILED })
        }
    }
}

/// Tells why it cannot be told.
fn cannot(id: u64, why: &str) -> u8 {
    say(format_args!("record {id} cannot be replayed: {why}"));
    CANNOT
}

fn told(out: &mut dyn Write, comparison: &Comparison) -> io::Result<()> {
    let verdict = if comparison.is_same() {
        "same: this record would be shown today"
    } else {
        "differs: another record would be shown today"
    };
    writeln!(out, "{verdict}")?;
    writeln!(
        out,
        "  disclosed as {}, replayed as {}, as of {}",
        comparison.record, comparison.replay, comparison.as_of
    )?;
    for source in &comparison.sources {
        writeln!(out, "  source {}: {}", source.source, source.words())?;
    }
    writeln!(out, "  record: {}", comparison.bundle.words())?;
    for (name, state) in &comparison.versions {
        writeln!(out, "  {name}: {}", state.words())?;
    }
    for why in &comparison.not_compared {
        writeln!(out, "  not compared: {why}")?;
    }
    Ok(())
}
