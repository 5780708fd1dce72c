//! `tributary doctor`: contacts everybody without a patient, and says what is missing and whose it is to mend.

mod examine;
mod step;

use std::io;
use std::path::PathBuf;

use clap::Args;
use tributary_model::SourceId;

use super::{Done, FAILED, check, say};
use tributary_settings::Settings;

use examine::examine;
use step::{State, Step};

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only this source.
    #[arg(long, value_name = "ID", value_parser = SourceId::parse)]
    source: Option<SourceId>,
    /// For programs.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments) -> Done {
    let Some(settings) = check::load(&arguments.config) else { return Ok(FAILED) };
    if let Some(wanted) = &arguments.source
        && !settings.sources.iter().any(|entry| entry.id == *wanted)
    {
        say(format_args!("{wanted} is the id of no source"));
        return Ok(FAILED);
    }
    let steps = diagnose(&settings, arguments.source.as_ref()).await?;
    write(&mut io::stdout().lock(), &steps, arguments.json)?;
    Ok(exit_code(&steps))
}

/// Every step, in the order of the configuration.
pub(crate) async fn diagnose(
    settings: &Settings,
    only: Option<&SourceId>,
) -> Result<Vec<Step>, crate::StartError> {
    examine(settings, only).await
}

fn exit_code(steps: &[Step]) -> u8 {
    if steps.iter().any(|step| step.state == State::Failed) { FAILED } else { 0 }
}

fn write(out: &mut dyn io::Write, steps: &[Step], json: bool) -> io::Result<()> {
    if json {
        let text = serde_json::to_string_pretty(steps)?;
        return writeln!(out, "{text}");
    }
    let width = steps.iter().map(|step| step.subject.len()).max().unwrap_or(0);
    for step in steps {
        let Step { subject, name, state, says, owner } = step;
        let owner = owner.map(|owner| format!("; to mend it: {}", owner.words())).unwrap_or_default();
        writeln!(out, "{:<7}  {subject:<width$}  {name:<11}  {says}{owner}", state.word())?;
    }
    let failed = steps.iter().filter(|step| step.state == State::Failed).count();
    match failed {
        0 => writeln!(out, "all fine"),
        1 => writeln!(out, "1 step failed"),
        _ => writeln!(out, "{failed} steps failed"),
    }
}
