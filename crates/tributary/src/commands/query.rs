//! `tributary query`: asks a running broker, as any other program could.

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::time::{Instant, interval};
use tributary_client::{
    Certificate, Client, ClientError, GrowingRecord, Options, Query, RecordAnswer, RecordStream, RecordTable,
    Terms, Token, Update,
};
use tributary_model::{Completeness, FhirDate, Freshness, Handling, NhsNumber, Purpose, Redacted, Section};

use super::{Done, FAILED, say};
use crate::live::{self, LiveRows};
use crate::show::{self, Colour, Shown};

const PARTIAL: u8 = 3;
/// How often the seconds of a live row move.
const TICK: Duration = Duration::from_millis(250);
/// The broker has no stream: it is asked without.
const NOT_ACCEPTABLE: u16 = 406;

/// Arguments of `query`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Whose record: an NHS number.
    #[arg(value_name = "NHS", value_parser = NhsNumber::parse)]
    nhs_number: NhsNumber,
    /// A section; again for more. None means all.
    #[arg(long = "section", value_name = "SECTION", value_parser = section)]
    sections: Vec<Section>,
    /// Only what is not older: a year, a month or a day, as in 2024, 2024-03 or 2024-03-09.
    #[arg(long, value_name = "DATE", value_parser = date)]
    since: Option<FhirDate>,
    /// What for: directcare, urgentcare, safeguarding, patientaccess or audit.
    #[arg(long, value_name = "PURPOSE", value_parser = purpose, default_value = "directcare")]
    purpose: Purpose,
    /// Takes access that is not given, for this reason. It is on record, and somebody will ask.
    #[arg(long, value_name = "REASON", value_parser = reason)]
    break_glass: Option<Redacted<String>>,
    /// All or nothing: a partial record is an error.
    #[arg(long)]
    strict: bool,
    /// Every source is asked now; nothing comes from memory.
    #[arg(long)]
    no_cache: bool,
    /// A table for people, or the merged Bundle as it came.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// The table as JSON, for programs.
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// How long the broker may take, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 8000, value_parser = clap::value_parser!(u64).range(300..=30_000))]
    deadline_ms: u64,
    #[command(flatten)]
    broker: Broker,
}

/// Where the broker is, and who asks.
#[derive(Debug, Args)]
struct Broker {
    /// Where the broker is.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8443")]
    url: String,
    /// The authorities that may vouch for it, in PEM form, in place of those of this machine.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// A file that holds the bearer token.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Our certificate and what leads to its authority, in PEM form.
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Its private key, in PEM form.
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
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

fn date(text: &str) -> Result<FhirDate, &'static str> {
    let date = FhirDate::parse(text).filter(|date| !matches!(date, FhirDate::Instant(_)));
    date.ok_or("a date is a year, a month or a day, as in 2024, 2024-03 or 2024-03-09")
}

fn purpose(text: &str) -> Result<Purpose, String> {
    Purpose::ALL.iter().copied().find(|purpose| purpose.code() == text).ok_or_else(|| {
        let codes: Vec<_> = Purpose::ALL.iter().map(|purpose| purpose.code()).collect();
        format!("purposes are {}", codes.join(", "))
    })
}

fn reason(text: &str) -> Result<Redacted<String>, &'static str> {
    if text.trim().is_empty() { Err("a reason has words") } else { Ok(Redacted::new(text.to_owned())) }
}

impl Broker {
    fn client(&self) -> Result<Client, Box<dyn std::error::Error + Send + Sync>> {
        let token = self.token_file.as_deref().map(contents).transpose()?.map(String::from_utf8);
        let token = token.transpose().map_err(|_| ClientError::Token)?;
        let certificate = match (&self.cert, &self.key) {
            (Some(chain), Some(key)) => {
                Some(Certificate { chain_pem: contents(chain)?, key_pem: Redacted::new(contents(key)?) })
            }
            _ => None,
        };
        let options = Options {
            authorities_pem: self.ca_file.as_deref().map(contents).transpose()?,
            certificate,
            token: token.map_or(Token::None, |token| Token::Fixed(Redacted::new(token))),
            ..Options::default()
        };
        Ok(Client::with(&self.url, options)?)
    }
}

impl Arguments {
    fn query(&self) -> Query {
        Query {
            nhs_number: self.nhs_number,
            sections: self.sections.iter().copied().collect(),
            since: self.since,
            terms: Terms {
                purpose: self.purpose,
                break_glass: self.break_glass.clone(),
                deadline: Duration::from_millis(self.deadline_ms),
                handling: if self.strict { Handling::Strict } else { Handling::Lenient },
                freshness: if self.no_cache { Freshness::FetchNow } else { Freshness::Allowed },
            },
        }
    }

    /// A stream has no Bundle, and a program wants no rows that move.
    fn wants_rows(&self) -> bool {
        !self.json && self.format == Format::Table && moves(&io::stderr())
    }
}

/// Whether rows can be painted over.
fn moves(stderr: &io::Stderr) -> bool {
    stderr.is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
}

pub(super) async fn run(arguments: Arguments) -> Done {
    let client = arguments.broker.client()?;
    let query = arguments.query();
    if arguments.wants_rows() {
        match client.stream(&query).await {
            Ok(stream) => return grown(stream).await,
            Err(ClientError::Refused(refusal)) if refusal.status == NOT_ACCEPTABLE => {}
            Err(error) => return refused(error),
        }
    }
    if io::stderr().is_terminal() {
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

/// Paints the rows of a stream until the record is there by its deadline, then prints it.
async fn grown(mut stream: RecordStream) -> Done {
    let error = watched(&mut stream).await?;
    if let Some(error) = error {
        return refused(error);
    }
    let stdout = io::stdout();
    let Some(shown) = stream.record().completion() else { return refused(ClientError::BrokenOff) };
    let table = stream.record().table();
    let (completeness, sources) = (shown.completeness, shown.sources);
    let shown = Shown { completeness, sources, audit: &shown.audit, table: &table };
    show::record(&mut stdout.lock(), shown, Colour::of(&stdout))?;
    Ok(exit_code(completeness))
}

/// Paints until the first completion: who answers after it is not waited for.
async fn watched(stream: &mut RecordStream) -> io::Result<Option<ClientError>> {
    let (began, colour) = (Instant::now(), Colour::of(&io::stderr()));
    let mut ticks = interval(TICK);
    let mut rows = LiveRows::of(stream.record());
    let mut painted = 0;
    let mut paint = |rows: &LiveRows| -> io::Result<usize> {
        let rows = rows.rows(began.elapsed(), colour);
        let mut stderr = io::stderr().lock();
        stderr.write_all(live::repaint(painted, &rows).as_bytes())?;
        stderr.flush()?;
        painted = rows.len();
        Ok(painted)
    };
    let outcome = loop {
        let update = {
            let mut next = pin!(stream.next());
            loop {
                tokio::select! {
                    update = &mut next => break update,
                    _ = ticks.tick() => { paint(&rows)?; }
                }
            }
        };
        rows = rows_after(stream.record(), &rows, update.as_ref().and_then(|update| update.as_ref().ok()));
        match update {
            Some(Err(error)) => break Some(error),
            Some(Ok(Update::Complete)) | None => break None,
            Some(Ok(_)) => {}
        }
    };
    let height = paint(&rows)?;
    // On one terminal the table says it all again.
    if io::stdout().is_terminal() && outcome.is_none() {
        io::stderr().lock().write_all(live::erase(height).as_bytes())?;
    }
    Ok(outcome)
}

fn rows_after(record: &GrowingRecord, before: &LiveRows, update: Option<&Update>) -> LiveRows {
    match update {
        Some(Update::Interrupted) => before.clone().interrupted(),
        _ => LiveRows::of(record),
    }
}

fn contents(file: &Path) -> io::Result<Vec<u8>> {
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
