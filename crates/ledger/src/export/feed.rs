//! Follows the log: reads what is durable, hands it on in order, remembers how far it got.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tributary_audit::Records;

use super::audit_event::audit_events;
use super::cursor::{Cursor, make_private_dir, private};
use super::{AuditEvent, ExportObserver, Handed, Patience, Target};
use crate::entry::Entry;
use crate::error::LedgerError;
use crate::postgres::{Reader, Store};

/// Records that are read together, and handed on again after a crash, at most.
const TOGETHER: u32 = 64;
/// The first pause; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Where the log is read.
#[derive(Debug)]
pub enum Tap {
    /// In a directory.
    Directory(PathBuf),
    /// In a database.
    Postgres(Box<Store>),
}

/// One export of one log.
pub struct Feed {
    /// Where the log is read.
    pub tap: Tap,
    /// Whose log it is.
    pub node: String,
    /// The address that callers know this node by.
    pub address: String,
    /// Where events go.
    pub target: Target,
    /// How hard it is tried.
    pub patience: Patience,
    /// Is told how it fares.
    pub observer: Arc<dyn ExportObserver>,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed")
            .field("node", &self.node)
            .field("target", &self.target.name())
            .finish_non_exhaustive()
    }
}

impl Feed {
    /// Runs for as long as the log is open. Give what [`tributary_audit::Trail::durable`] gives.
    pub async fn run(mut self, mut durable: watch::Receiver<u64>) {
        let target = self.target.name();
        let mut pause = FIRST_PAUSE;
        let mut cursor = None;
        loop {
            let last = *durable.borrow_and_update();
            match self.step(&mut cursor, last).await {
                Ok(Step::Through) => {
                    pause = FIRST_PAUSE;
                    if durable.changed().await.is_err() {
                        return;
                    }
                    continue;
                }
                Ok(Step::More) => {
                    pause = FIRST_PAUSE;
                    continue;
                }
                Ok(Step::Away) => {}
                Err(error) => {
                    tracing::error!({ export.target = target, error.kind = %error }, "the audit export cannot go on");
                }
            }
            self.observer.failed(target);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.patience.pause_max);
        }
    }

    async fn step(&mut self, at: &mut Option<Cursor>, last: u64) -> Result<Step, LedgerError> {
        let mut cursor = match at.take() {
            Some(cursor) => cursor,
            None => self.begin().await?,
        };
        let target = self.target.name();
        self.observer.backlog(target, last.saturating_sub(cursor.seq));
        let upto = last.min(cursor.seq + u64::from(TOGETHER));
        let records = if upto > cursor.seq { self.records(cursor.seq + 1, upto).await? } else { Vec::new() };
        let mut step = if records.is_empty() { Step::Through } else { Step::More };
        if records.is_empty() {
            self.observer.oldest(target, None);
        }
        for (seq, payload) in &records {
            let made = Entry::parse(payload).and_then(|entry| entry.at.parse().ok());
            self.observer.oldest(target, made);
            if *seq != cursor.seq + 1 {
                return Err(io::Error::from(io::ErrorKind::InvalidData).into());
            }
            if !self.hand_on(*seq, payload).await? {
                step = Step::Away;
                break;
            }
            cursor = Cursor::at(*seq, payload);
            self.observer.backlog(target, last.saturating_sub(cursor.seq));
        }
        if !records.is_empty() {
            self.target.settle()?;
            cursor.save(&self.cursor_file())?;
        }
        *at = Some(cursor);
        Ok(step)
    }

    /// Where the last run stopped. Refused is a log that is not the one that it read.
    async fn begin(&self) -> Result<Cursor, LedgerError> {
        make_private_dir(&self.patience.state_dir)?;
        let cursor = Cursor::load(&self.cursor_file())?;
        if cursor.seq > 0 {
            let records = self.records(cursor.seq, cursor.seq).await?;
            if !records.first().is_some_and(|(seq, payload)| *seq == cursor.seq && cursor.is_at(payload)) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "this is not the log that was exported",
                )
                .into());
            }
        }
        Ok(cursor)
    }

    fn cursor_file(&self) -> PathBuf {
        self.patience.state_dir.join(format!("{}-{}.cursor", self.node, self.target.name()))
    }

    async fn records(&self, from: u64, upto: u64) -> Result<Vec<(u64, Vec<u8>)>, LedgerError> {
        match &self.tap {
            Tap::Directory(dir) => {
                let dir = dir.clone();
                let read = tokio::task::spawn_blocking(move || in_directory(&dir, from, upto)).await;
                Ok(read.unwrap_or_else(|_ended| Err(io::ErrorKind::Interrupted.into()))?)
            }
            Tap::Postgres(store) => {
                let mut records = Reader::connect(store).await?.page(&self.node, from, TOGETHER).await?;
                records.retain(|(seq, _)| *seq <= upto);
                Ok(records)
            }
        }
    }

    /// Whether the events of a record are taken or put aside.
    async fn hand_on(&mut self, seq: u64, payload: &[u8]) -> Result<bool, LedgerError> {
        let Some(entry) = Entry::parse(payload) else {
            // It is in the log, where the verifier and people find it; the next record is not kept back for it.
            let record = format!("{}-{}", self.node, seq);
            let nothing = AuditEvent { id: String::new(), record, json: "null".to_owned() };
            self.set_aside(&nothing, 0)?;
            return Ok(true);
        };
        for event in audit_events(&self.node, &self.address, &entry) {
            if !self.hand_on_one(&event).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn hand_on_one(&mut self, event: &AuditEvent) -> Result<bool, LedgerError> {
        let target = self.target.name();
        let mut pause = FIRST_PAUSE;
        for tried in 1..=self.patience.tries {
            match self.target.hand_over(event).await {
                Handed::Taken => {
                    self.observer.taken(target);
                    return Ok(true);
                }
                Handed::Away => return Ok(false),
                Handed::Refused(status) if tried == self.patience.tries => self.set_aside(event, status)?,
                Handed::Refused(_) => {
                    self.observer.failed(target);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(self.patience.pause_max);
                }
            }
        }
        Ok(true)
    }
}

impl Feed {
    fn set_aside(&self, event: &AuditEvent, status: u16) -> io::Result<()> {
        let target = self.target.name();
        put_aside(&self.patience.state_dir, target, event, status)?;
        let (record, status) = (event.record.as_str(), status);
        tracing::error!({ audit.record = record, http.status = status }, "an audit event was refused and put aside");
        self.observer.put_aside(target);
        Ok(())
    }
}

/// What a step came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Everything that is durable is handed on.
    Through,
    /// There is more.
    More,
    /// Nobody takes it.
    Away,
}

fn in_directory(dir: &Path, from: u64, upto: u64) -> io::Result<Vec<(u64, Vec<u8>)>> {
    let mut records = Vec::new();
    Records::open_at(dir, from)?.read(upto, &mut |seq, payload| {
        if seq >= from {
            records.push((seq, payload.to_vec()));
        }
    })?;
    Ok(records)
}

#[derive(Serialize)]
struct PutAside<'e> {
    record: &'e str,
    id: &'e str,
    status: u16,
    event: &'e serde_json::value::RawValue,
}

/// Keeps an event that nobody takes, durably.
fn put_aside(dir: &Path, target: &str, event: &AuditEvent, status: u16) -> io::Result<()> {
    let raw = serde_json::value::RawValue::from_string(event.json.clone())?;
    let line =
        serde_json::to_string(&PutAside { record: &event.record, id: &event.id, status, event: &raw })?;
    let mut file =
        private().append(true).create(true).open(dir.join(format!("{target}.dead-letters.ndjson")))?;
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_data()
}
