//! `tributary policy test`: examples in words that whoever owns the policy can write.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::Which;
use crate::commands::{BAD_CONFIGURATION, Done, FAILED, say};
use tributary_settings::{Example, read_examples};

/// Arguments of `policy test`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    which: Which,
    /// The examples, in TOML: `[[example]]` with who asks, and what is expected of a section of a kind of source.
    file: PathBuf,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Done {
    let Some(policy) = arguments.which.policy() else { return Ok(BAD_CONFIGURATION) };
    let text = std::fs::read_to_string(&arguments.file)?;
    let examples = match read_examples(&text) {
        Ok(examples) => examples,
        Err(mistakes) => {
            for mistake in mistakes {
                say(format_args!("  {mistake}"));
            }
            return Ok(BAD_CONFIGURATION);
        }
    };
    let mut failed = 0_usize;
    for Example { name, row, place, expected } in &examples {
        let found = policy.table.sight(row).at(*place).to_string();
        if found != *expected {
            failed += 1;
            writeln!(out, "{name}: expected {expected}, found {found}")?;
        }
    }
    writeln!(out, "{} as expected, {failed} not", examples.len() - failed)?;
    Ok(if failed == 0 { 0 } else { FAILED })
}
