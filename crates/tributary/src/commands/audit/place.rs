//! Which log, who reads it, and for which case: what the commands that read have in common.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tributary_audit::{AuditRead, Receipt};
use tributary_ledger::report::Names;
use tributary_ledger::{Found, READS, Reader, Stored, note_in_directory, note_in_postgres};
use tributary_model::{NhsNumber, OdsCode};

use crate::looked::names;
use crate::policy;
use tributary_settings::Settings;

/// Which log is read.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// The directory of the log. Absent: the log that the configuration names.
    #[arg(required_unless_present = "config")]
    dir: Option<PathBuf>,
    /// The configuration: where the log is, and what sources and organisations are called.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where this reading is written down. Absent: in the folder `reads` of the directory, or in the database.
    #[arg(long, value_name = "DIR")]
    reads: Option<PathBuf>,
}

/// Who reads, and for which case.
#[derive(Debug, Args)]
pub(super) struct By {
    /// Reference of the case for which the log is read; it is put on record.
    #[arg(long, value_name = "REF", value_parser = case)]
    pub(super) case: String,
    /// As whom, where the user of this machine stands for somebody else.
    #[arg(long = "as", value_name = "NAME")]
    on_behalf: Option<String>,
}

/// When what is looked for happened.
#[derive(Debug, Args)]
pub(super) struct Period {
    /// From this day or moment on.
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    pub(super) since: Option<Timestamp>,
    /// Before this day or moment.
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    pub(super) until: Option<Timestamp>,
}

pub(super) type Failed = Box<dyn Error + Send + Sync>;

/// A log that can be read, and what things in it are called.
pub(super) struct Opened {
    pub(super) stored: Stored,
    pub(super) names: Names,
    /// The address that callers know this node by.
    pub(super) address: String,
    reads: Option<PathBuf>,
}

impl Place {
    /// Reads the configuration, where there is one.
    pub(super) fn open(&self) -> Result<Opened, Failed> {
        let settings = self.config.as_deref().map(load).transpose()?;
        let stored = match (&self.dir, &settings) {
            (Some(dir), _) => Stored::Directory(dir.clone()),
            (None, Some(settings)) => match &settings.audit.postgres {
                Some(postgres) => {
                    Stored::Postgres(Box::new(postgres.store().map_err(|mistake| mistake.to_string())?))
                }
                None => Stored::Directory(settings.audit.dir.clone()),
            },
            (None, None) => return Err("neither a directory nor a configuration is named".into()),
        };
        let names = settings.as_ref().map(|settings| {
            let policy = policy::load(settings.policy.file.as_deref());
            names(settings, policy.as_ref().ok())
        });
        let names = names.unwrap_or_default();
        let address = settings.as_ref().map(|settings| settings.server.base_url(settings.server.listen));
        let address = address.unwrap_or_else(|| "urn:x-tributary:node:local".to_owned());
        Ok(Opened { stored, names, address, reads: self.reads.clone() })
    }
}

impl Opened {
    /// Puts the reading on record. Nothing may be told before this returns.
    pub(super) async fn note(&self, event: AuditRead) -> Result<Receipt, Failed> {
        Ok(match (&self.reads, &self.stored) {
            (Some(dir), _) => note_in_directory(dir, event).await?,
            (None, Stored::Directory(dir)) => note_in_directory(&dir.join(READS), event).await?,
            (None, Stored::Postgres(store)) => note_in_postgres(store, event).await?,
        })
    }
}

impl By {
    /// Who reads.
    pub(super) fn reader(&self) -> Reader {
        let user = user_of_this_machine();
        let name = match &self.on_behalf {
            Some(name) => format!("{name} (user {user} of this machine)"),
            None => format!("user {user} of this machine"),
        };
        Reader { name, case: self.case.clone() }
    }
}

/// The user who runs this, by name where there is one. The real one: what a program is allowed to do is another
/// thing than who runs it.
fn user_of_this_machine() -> String {
    let id = rustix::process::getuid().as_raw();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let is_they = |line: &&str| line.split(':').nth(2) == Some(id.to_string().as_str());
    let name = users.lines().find(is_they).and_then(|line| line.split(':').next());
    name.map_or_else(|| id.to_string(), ToOwned::to_owned)
}

fn load(config: &Path) -> Result<Settings, Failed> {
    Settings::load(config).map_err(|mistakes| {
        let said: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        format!("{}: {}", config.display(), said.join("; ")).into()
    })
}

/// Tells on standard error that what was found may not be all.
pub(super) fn warn(found: &Found) {
    for gap in &found.gaps {
        super::super::say(format_args!(
            "WARNING: the log of {} is not whole ({}): what was found may not be all. Run `tributary audit verify`.",
            gap.node, gap.says
        ));
    }
}

/// The exit code of a reading: that of a truncated log where records are missing.
pub(super) fn code(found: &Found) -> u8 {
    if found.gaps.is_empty() { 0 } else { tributary_audit::Verdict::Truncated.exit_code() }
}

fn case(text: &str) -> Result<String, &'static str> {
    let is_fit = !text.trim().is_empty() && text.len() <= 200 && !text.contains(char::is_control);
    if is_fit { Ok(text.trim().to_owned()) } else { Err("is no reference of a case") }
}

pub(super) fn patient(text: &str) -> Result<NhsNumber, &'static str> {
    let digits: String = text.chars().filter(|letter| *letter != ' ').collect();
    NhsNumber::parse(&digits).map_err(|_| "is no NHS number")
}

pub(super) fn organisation(text: &str) -> Result<OdsCode, &'static str> {
    OdsCode::parse(text).map_err(|_| "is no ODS code")
}

/// A moment, or a day as it begins in England.
pub(super) fn moment(text: &str) -> Result<Timestamp, &'static str> {
    let day = || {
        let day: Date = text.parse().ok()?;
        Some(day.to_zoned(TimeZone::get("Europe/London").ok()?).ok()?.timestamp())
    };
    text.parse()
        .ok()
        .or_else(day)
        .ok_or("is neither a day, as in 2026-03-10, nor a moment, as in 2026-03-10T02:10:00Z")
}
