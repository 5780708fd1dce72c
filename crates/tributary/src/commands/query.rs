//! `tributary query`: asks a running broker, as any other program could.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;
use tributary_client::{Client, ClientError, Query, RecordAnswer, RecordTable};
use tributary_model::{Completeness, NhsNumber, Section};

use super::{Done, FAILED, say};
use crate::show::{self, Colour};

const PARTIAL: u8 = 3;

/// Arguments of `query`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Whose record: an NHS number.
    #[arg(value_name = "NHS", value_parser = NhsNumber::parse)]
    nhs_number: NhsNumber,
    /// A section; again for more. None means all.
    #[arg(long = "section", value_name = "SECTION", value_parser = section)]
    sections: Vec<Section>,
    /// A table for people, or the merged Bundle as it came.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// The table as JSON, for programs.
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Where the broker is.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8443")]
    url: String,
    /// The authorities that may vouch for it, in PEM form, in place of those of this machine.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// How long the broker may take, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 8000, value_parser = clap::value_parser!(u64).range(300..=30_000))]
    deadline_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Rows and words.
    Table,
    /// The Bundle, byte for byte.
    Fhir,
}

fn section(text: &str) -> Result<Section, String> {
    Section::from_code(text).ok_or_else(|| {
        let codes: Vec<_> = Section::ALL.iter().map(|section| section.code()).collect();
        format!("sections are {}", codes.join(", "))
    })
}

pub(super) async fn run(arguments: Arguments) -> Done {
    let client = match &arguments.ca_file {
        None => Client::new(&arguments.url)?,
        Some(file) => Client::believing(&arguments.url, &authorities(file)?)?,
    };
    let query = Query {
        nhs_number: arguments.nhs_number,
        sections: arguments.sections.iter().copied().collect(),
        deadline: Duration::from_millis(arguments.deadline_ms),
    };
    if io::IsTerminal::is_terminal(&io::stderr()) {
        say("asking …");
    }
    let answer = match client.record(&query).await {
        Ok(answer) => answer,
        Err(error) => return refused(error),
    };
    let mut out = io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", as_json(&answer)?)?;
    } else {
        match arguments.format {
            Format::Table => show::record(&mut out, &answer, Colour::of(&io::stdout()))?,
            Format::Fhir => writeln!(out, "{}", answer.bundle_json)?,
        }
    }
    Ok(exit_code(answer.completeness))
}

fn authorities(file: &Path) -> io::Result<Vec<u8>> {
    let told = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
    fs::read(file).map_err(told)
}

/// What was deliberately withheld is no failure: every source has answered.
pub(super) const fn exit_code(completeness: Completeness) -> u8 {
    match completeness {
        Completeness::Complete | Completeness::CompleteWithheld => 0,
        Completeness::Partial => PARTIAL,
        Completeness::None => FAILED,
    }
}

/// Tells what the broker said instead of a record.
pub(super) fn refused(error: ClientError) -> Done {
    if let ClientError::Refused(refusal) = &error {
        for reason in &refusal.reasons {
            say(format_args!("  {reason}"));
        }
        let stderr = io::stderr();
        show::sources(&mut stderr.lock(), &refusal.sources, Colour::of(&stderr))?;
    }
    Err(error.into())
}

#[derive(Serialize)]
struct JsonAnswer<'a> {
    completeness: &'a str,
    sources_answered: usize,
    sources_expected: usize,
    audit: &'a str,
    record: &'a RecordTable,
}

fn as_json(answer: &RecordAnswer) -> serde_json::Result<String> {
    let (sources_answered, sources_expected) = answer.sources;
    serde_json::to_string_pretty(&JsonAnswer {
        completeness: answer.completeness.code(),
        sources_answered,
        sources_expected,
        audit: &answer.audit,
        record: &answer.table,
    })
}
