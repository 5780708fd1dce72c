//! `tributary check`: reads a configuration, contacts nobody.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use tributary_broker::{MAP_NAMES, Maps};
use tributary_model::Section;

use super::{BAD_CONFIGURATION, Done, say};
use crate::codelists;
use crate::maps;
use crate::secrets;
use crate::settings::{Mistake, Settings, is_open_to_others};

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Done {
    let Some(settings) = load(&arguments.config) else { return Ok(BAD_CONFIGURATION) };
    let maps = maps::load(settings.maps.as_deref()).unwrap_or_default();
    summary(&mut io::stdout().lock(), &settings, &maps)?;
    Ok(0)
}

/// Settings that can be served, or nothing after every mistake was told.
pub(super) fn load(config: &Path) -> Option<Settings> {
    let mistakes = match read(config) {
        Ok(settings) => return Some(settings),
        Err(mistakes) => mistakes,
    };
    let count = mistakes.len();
    let noun = if count == 1 { "mistake" } else { "mistakes" };
    say(format_args!("{}: {count} {noun}", config.display()));
    for mistake in mistakes {
        say(format_args!("  {mistake}"));
    }
    None
}

fn read(config: &Path) -> Result<Settings, Vec<Mistake>> {
    let settings = Settings::load(config)?;
    let mut mistakes = settings.obstacles();
    match maps::load(settings.maps.as_deref()) {
        Ok(maps) => mistakes.extend(settings.prompts.obstacles(&maps)),
        Err(error) => {
            mistakes.push(Mistake { path: "maps.dir".to_owned(), line: None, says: error.to_string() });
        }
    }
    if let Err(error) = codelists::load(settings.codelists.as_deref()) {
        mistakes.push(Mistake { path: "codelists.dir".to_owned(), line: None, says: error.to_string() });
    }
    mistakes.extend(secrets::mistakes(&settings.national));
    let spine = settings.spine.iter().filter_map(|spine| spine.tls.as_ref());
    for files in settings.source_tls.values().chain(spine) {
        mistakes.extend(files.load().err().into_iter().flatten());
    }
    mistakes.extend(link_key_mistake(&settings));
    if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) }
}

/// What is wrong with the file that seals the addresses of documents.
fn link_key_mistake(settings: &Settings) -> Option<Mistake> {
    let file = settings.server.link_key_file.as_deref()?;
    let says = match std::fs::read(file) {
        Err(error) => format!("cannot be read: {}", error.kind()),
        Ok(bytes) if bytes.len() != 32 => "does not hold 32 bytes".to_owned(),
        Ok(_) if is_open_to_others(file) => "can be read by other users of this machine".to_owned(),
        Ok(_) => return None,
    };
    Some(Mistake { path: "server.link_key_file".to_owned(), line: None, says })
}

fn summary(out: &mut dyn io::Write, settings: &Settings, maps: &Maps) -> io::Result<()> {
    let server = &settings.server;
    writeln!(out, "data listener   {}", server.listen)?;
    writeln!(out, "admin listener  {}", server.admin_listen)?;
    writeln!(out, "audit log       {}", settings.audit.dir.display())?;
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
    if settings.demo.is_some() {
        writeln!(out, "demo            callers are believed; invented patients only")?;
    }
    Ok(())
}
