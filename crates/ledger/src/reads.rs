//! Whoever reads the log is in the log: before anything is told, in a log of its own beside it.
//!
//! It is never the log that was read. To open that one would be to write into the chain of a node, and to settle what
//! its last run left open; and while the broker runs, it is the broker's.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tributary_audit::{
    AuditError, AuditRead, AuditReadKind, Event, NodeName, Notary, Receipt, Settings, Trail,
};
use tributary_model::{NhsNumber, SystemClock};

use crate::error::LedgerError;
use crate::legible::READS;
use crate::postgres::{self, Store};

/// How long one reader waits for another to write its record.
const TURN: Duration = Duration::from_secs(10);
const TURN_PAUSE: Duration = Duration::from_millis(20);

/// Who reads, and for which case.
#[derive(Clone, Debug)]
pub struct Reader {
    /// The user of the machine, and as whom they read.
    pub name: String,
    /// Reference of the case.
    pub case: String,
}

impl Reader {
    /// The record of a reading.
    pub fn event(
        &self,
        what: AuditReadKind,
        patient: Option<NhsNumber>,
        question: String,
        records: u64,
    ) -> AuditRead {
        AuditRead {
            what,
            reader: self.name.clone(),
            organisation: None,
            request: None,
            patient,
            query: None,
            records: Some(records),
            case: Some(self.case.clone()),
            question: Some(question),
        }
    }
}

/// Writes a reading of a directory down, in its folder `reads` or in the one that is given.
pub async fn note_in_directory(dir: &Path, event: AuditRead) -> Result<Receipt, LedgerError> {
    let end_of_wait = Instant::now() + TURN;
    loop {
        let (dir, settings) = (dir.to_owned(), Settings::default());
        let open = tokio::task::spawn_blocking(move || Trail::open(&dir, settings, Arc::new(SystemClock)));
        match open.await.unwrap_or(Err(AuditError::Closed)) {
            Err(AuditError::InUse) if Instant::now() < end_of_wait => tokio::time::sleep(TURN_PAUSE).await,
            trail => return noted(trail?, event).await,
        }
    }
}

/// Writes a reading of a database down, in the log of the node `reads`.
pub async fn note_in_postgres(store: &Store, event: AuditRead) -> Result<Receipt, LedgerError> {
    let node = NodeName::parse(READS).unwrap_or(NodeName::LOCAL);
    let store = Store { node, lease_wait: TURN, ..store.clone() };
    let open = move || postgres::open(store, Settings::default(), Arc::new(SystemClock), Notary::default());
    let trail = tokio::task::spawn_blocking(open).await.unwrap_or(Err(AuditError::Closed.into()))?;
    noted(trail, event).await
}

async fn noted(trail: Trail, event: AuditRead) -> Result<Receipt, LedgerError> {
    let receipt = trail.record(Event::AuditRead(event)).await?;
    trail.close().await?;
    Ok(receipt)
}
