//! `tributary check`: reads a configuration, contacts nobody.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use tributary_broker::{MAP_NAMES, Maps};
use tributary_model::Section;

use super::{BAD_CONFIGURATION, Done, say};
use crate::checked::{self, Asked, Checked, Reading};
use crate::rules::Rules;
use tributary_settings::{Mistake, Settings};

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Done {
    let config = &arguments.config;
    let Some(Checked { settings, rules }) = sound(config, Reading::of(config), Asked::AsConfigured) else {
        return Ok(BAD_CONFIGURATION);
    };
    let Rules { maps, policy, .. } = rules;
    let mut out = io::stdout().lock();
    summary(&mut out, &settings, &maps)?;
    let from = settings
        .policy
        .file
        .as_deref()
        .map_or_else(|| "as shipped".to_owned(), |file| file.display().to_string());
    writeln!(out, "policy          {} rules, {from}, {}", policy.table.rules().len(), policy.digest)?;
    Ok(0)
}

/// A configuration that can be served, or nothing after every mistake was told.
pub(super) fn sound(config: &Path, reading: Reading, asked: Asked) -> Option<Checked> {
    let read = checked::check(reading, asked).map_err(|refused| refused.mistakes);
    let fitting = read.and_then(|checked| match checked.misfit() {
        None => Ok(checked),
        Some(misfit) => Err(vec![misfit]),
    });
    fitting.map_err(|mistakes| tell(config, &mistakes)).ok()
}

/// Settings without a mistake in them or in what they name, whether or not the parts fit together.
pub(super) fn load(config: &Path) -> Option<Settings> {
    let read = checked::check(Reading::of(config), Asked::AsConfigured).map(|checked| checked.settings);
    read.map_err(|refused| tell(config, &refused.mistakes)).ok()
}

fn tell(config: &Path, mistakes: &[Mistake]) {
    let count = mistakes.len();
    let noun = if count == 1 { "mistake" } else { "mistakes" };
    say(format_args!("{}: {count} {noun}", config.display()));
    for mistake in mistakes {
        say(format_args!("  {mistake}"));
    }
}

fn summary(out: &mut dyn io::Write, settings: &Settings, maps: &Maps) -> io::Result<()> {
    let server = &settings.server;
    writeln!(out, "data listener   {}://{}", server.scheme(), server.listen)?;
    if let Some(gpconnect) = &server.gpconnect {
        writeln!(out, "gp connect      https://{}", gpconnect.listen)?;
    }
    if let Some(launch) = &server.launch {
        writeln!(out, "launch          https://{}", launch.listen)?;
    }
    writeln!(out, "admin listener  {}", server.admin_listen)?;
    writeln!(out, "audit log       {}", settings.audit.place())?;
    let expected = settings.locator.expected(&settings.sources);
    for source in &settings.sources {
        let is_expected = expected.contains(&source.id);
        let sections: Vec<_> = source.serves().iter().map(Section::code).collect();
        let expected = if is_expected { "" } else { " (not expected by the locator)" };
        let (id, protocol, name) = (&source.id, source.protocol.code(), &source.name);
        writeln!(out, "source          {id}  {protocol}  {name}{expected}: {}", sections.join(" "))?;
    }
    for name in MAP_NAMES {
        if maps.has(name) {
            writeln!(out, "code map        {name}: {} rows", maps.rows(name))?;
        } else {
            writeln!(out, "code map        {name}: not loaded")?;
        }
    }
    for name in settings.prompts.names() {
        let signed = settings.prompts.signed.as_deref().unwrap_or_default();
        writeln!(out, "prompt          {name}: on, signed for by {signed}")?;
    }
    for consumer in &settings.callers.consumers {
        let profiles: Vec<_> = consumer.profiles.iter().map(|profile| profile.code()).collect();
        let organisations: Vec<_> = consumer.organisations.iter().map(ToString::to_string).collect();
        let (profiles, organisations) = (profiles.join(" "), organisations.join(" "));
        writeln!(out, "caller          {}  {profiles}  for {organisations}", consumer.id)?;
    }
    if let Some(otlp) = &settings.telemetry.otlp {
        let of = otlp.sample_percent;
        writeln!(out, "traces          {}, {of} % of those that begin here", otlp.endpoint)?;
    }
    if settings.demo.is_some() {
        writeln!(out, "demo            callers are believed; invented patients only")?;
    }
    Ok(())
}
