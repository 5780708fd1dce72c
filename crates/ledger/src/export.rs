//! Hands the log on as FHIR R4 audit events: in order, at least once, and never in anybody's way.

mod agent;
mod audit_event;
mod cursor;
mod feed;
mod file;
mod repository;

use std::path::PathBuf;
use std::time::Duration;

pub use audit_event::{AuditEvent, audit_events};
pub use feed::{Feed, Tap};
pub use file::EventFile;
pub use repository::Repository;

/// Is told how the export fares.
pub trait ExportObserver: Send + Sync {
    /// So many records are durable and not yet handed on.
    fn backlog(&self, target: &'static str, records: u64);

    /// The oldest record that is not yet handed on was made then; nothing if all are, or if it does not say.
    fn oldest(&self, target: &'static str, made: Option<jiff::Timestamp>);

    /// An event was taken.
    fn taken(&self, target: &'static str);

    /// A try came to nothing.
    fn failed(&self, target: &'static str);

    /// An event was put aside.
    fn put_aside(&self, target: &'static str);
}

/// How hard it is tried.
#[derive(Clone, Debug)]
pub struct Patience {
    /// Where it is kept how far the export got, and what was put aside.
    pub state_dir: PathBuf,
    /// Longest pause between tries.
    pub pause_max: Duration,
    /// Tries before an event that is refused is put aside.
    pub tries: u32,
}

/// Where events go.
#[derive(Debug)]
pub enum Target {
    /// To an audit repository.
    Repository(Box<Repository>),
    /// Into a file.
    File(EventFile),
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handed {
    /// It is there.
    Taken,
    /// This one was refused, with this status; the next may be taken.
    Refused(u16),
    /// Nobody is there who could take it.
    Away,
}

impl Target {
    /// Its name in metrics and file names.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Repository(_) => "repository",
            Self::File(_) => "file",
        }
    }

    pub(crate) async fn hand_over(&mut self, event: &AuditEvent) -> Handed {
        match self {
            Self::Repository(repository) => repository.post(event).await,
            Self::File(file) => file.add(event).map_or(Handed::Away, |()| Handed::Taken),
        }
    }

    /// Makes durable what was taken.
    pub(crate) fn settle(&mut self) -> std::io::Result<()> {
        match self {
            Self::Repository(_) => Ok(()),
            Self::File(file) => file.settle(),
        }
    }
}
