//! The writer: one statement a batch, and no batch in doubt for longer than until the server is back.
//!
//! A commit whose answer was lost is settled by looking. The session that sent it is gone by then, since the next
//! one holds its lock, so what is not there never will be.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::time::Instant;
use tributary_audit::{
    Appended, AuditError, Digest, Draft, Elsewhere, Link, LogTail, Notary, Receipt, Sink, Trail,
};
use tributary_model::Clock;

use super::Store;
use super::session::{Backend, Session};
use super::shelf::PostgresShelf;
use crate::error::LedgerError;

/// How many records are looked through for intents without an end: minutes of a busy node.
const LOOK_BACK_RECORDS: i64 = 20_000;
/// Pauses between tries to reach the server, doubled from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LAST_PAUSE: Duration = Duration::from_millis(500);

/// Opens the log of the store's node for writing. Blocks while its end is read; not for use within a runtime.
///
/// Refused is a server that may lose what it acknowledged, a user that may change records, tables of another
/// version, and a node whose log another process writes.
pub fn open(
    store: Store,
    settings: tributary_audit::Settings,
    clock: Arc<dyn Clock>,
    notary: Notary,
) -> Result<Trail, LedgerError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (session, tail) = runtime.block_on(begin(&store))?;
    let writer = Writer {
        backend: Some(session.backend.clone()),
        session: Some(session),
        link: tail.link(),
        doubt: None,
        untold: Vec::new(),
        is_forked: false,
        store: store.clone(),
        clock: Arc::clone(&clock),
    };
    let sink = Box::new(PostgresSink { writer, runtime });
    let elsewhere = Elsewhere { sink, tail, shelf: Box::new(PostgresShelf::new(store)?) };
    Ok(Trail::open_into(elsewhere, settings, clock, notary)?)
}

async fn begin(store: &Store) -> Result<(Session, LogTail), LedgerError> {
    let session = Session::open(store, None, store.lease_wait).await?;
    let mut tail = LogTail::default();
    for (_, payload) in session.last(LOOK_BACK_RECORDS).await? {
        tail.note(&payload)?;
    }
    Ok((session, tail))
}

/// Appends to the table.
struct PostgresSink {
    // Dropped last: the writer's connection lives in it.
    writer: Writer,
    runtime: Runtime,
}

impl Sink for PostgresSink {
    fn append(&mut self, batch: &[Draft]) -> Result<Appended, AuditError> {
        let receipts = self.runtime.block_on(self.writer.append(batch))?;
        Ok(Appended { receipts, leaves: std::mem::take(&mut self.writer.untold), is_end: false })
    }
}

struct Writer {
    store: Store,
    clock: Arc<dyn Clock>,
    link: Link,
    session: Option<Session>,
    /// The last session's, which may still live on the server.
    backend: Option<Backend>,
    doubt: Option<Doubt>,
    /// Hashes of records that are there, and that nobody was told of: those of a batch in doubt among them, whose
    /// callers were refused meanwhile.
    untold: Vec<Digest>,
    /// Somebody else wrote into this log. Nothing of ours may follow.
    is_forked: bool,
}

/// Records that were sent, and nobody knows yet whether they are there.
struct Doubt {
    from: Link,
    after: Link,
    payloads: Vec<Vec<u8>>,
    leaves: Vec<Digest>,
    receipts: Vec<Receipt>,
}

/// Why a try came to nothing.
enum Miss {
    /// The server, or the way to it.
    Again(io::ErrorKind),
    /// The log is no longer ours.
    Forked,
}

impl From<LedgerError> for Miss {
    fn from(error: LedgerError) -> Self {
        let kind = match &error {
            LedgerError::Late => io::ErrorKind::TimedOut,
            LedgerError::Postgres(_) => io::ErrorKind::ConnectionAborted,
            LedgerError::Audit(AuditError::InUse) => io::ErrorKind::ResourceBusy,
            LedgerError::Schema { .. }
            | LedgerError::NotDurable { .. }
            | LedgerError::TooPowerful { .. }
            | LedgerError::Certificate(_)
            | LedgerError::Tls(_)
            | LedgerError::Audit(_)
            | LedgerError::File(_) => io::ErrorKind::PermissionDenied,
        };
        tracing::warn!({ error.kind = %error }, "the audit database did not take a batch");
        Self::Again(kind)
    }
}

impl Writer {
    async fn append(&mut self, batch: &[Draft]) -> Result<Vec<Receipt>, AuditError> {
        let deadline = Instant::now() + self.store.append_timeout;
        let mut pause = FIRST_PAUSE;
        let mut told = io::ErrorKind::TimedOut;
        // Whose callers were refused is not written again: it is there, or it is not.
        let mut is_ours = false;
        while !self.is_forked {
            match tokio::time::timeout_at(deadline, self.try_append(batch, &mut is_ours)).await {
                Ok(Ok(receipts)) => return Ok(receipts),
                Ok(Err(Miss::Forked)) => self.is_forked = true,
                Ok(Err(Miss::Again(kind))) => told = kind,
                Err(_late) => {
                    self.session = None;
                    return Err(AuditError::AuditUnavailable(io::ErrorKind::TimedOut));
                }
            }
            self.session = None;
            if Instant::now() + pause >= deadline {
                return Err(AuditError::AuditUnavailable(told));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
        tracing::error!("another process wrote into this node's audit log; nothing is written any more");
        Err(AuditError::InUse)
    }

    async fn try_append(&mut self, batch: &[Draft], is_ours: &mut bool) -> Result<Vec<Receipt>, Miss> {
        if self.session.is_none() {
            // A session that was lost may have left a batch behind.
            let session =
                Session::open(&self.store, self.backend.as_ref(), self.store.append_timeout).await?;
            self.backend = Some(session.backend.clone());
            let receipts = self.settle(&session, *is_ours).await?;
            self.session = Some(session);
            if let Some(receipts) = receipts {
                return Ok(receipts);
            }
        }
        let Some(session) = &self.session else { return Err(Miss::Again(io::ErrorKind::NotConnected)) };
        let doubt =
            self.doubt.get_or_insert_with(|| Doubt::place(batch, &self.store, &*self.clock, self.link));
        *is_ours = true;
        session.insert(doubt.from.seq, &doubt.payloads).await?;
        Ok(self.done().unwrap_or_default())
    }

    /// The batch in doubt is there: the log goes on after it.
    fn done(&mut self) -> Option<Vec<Receipt>> {
        let Doubt { after, leaves, receipts, .. } = self.doubt.take()?;
        self.link = after;
        self.untold.extend(leaves);
        Some(receipts)
    }

    /// Looks whether the batch in doubt is there, and whether anybody else wrote since. The receipts, if it is there
    /// and still waited for.
    async fn settle(&mut self, session: &Session, is_ours: bool) -> Result<Option<Vec<Receipt>>, Miss> {
        let last = self.link.seq.saturating_sub(1);
        let expected = self.doubt.as_ref().map_or(0, |doubt| doubt.payloads.len());
        let mut there = session.after(last.max(1), expected + 2).await?;
        if last > 0 {
            let is_same = there.first().is_some_and(|(seq, payload)| {
                let before = Link { seq: *seq, prev: self.link.prev };
                before.after(payload) == self.link
            });
            if !is_same {
                return Err(Miss::Forked);
            }
            there.remove(0);
        }
        let payloads: Vec<&[u8]> = there.iter().map(|(_, payload)| payload.as_slice()).collect();
        let Some(doubt) = &self.doubt else {
            return if payloads.is_empty() { Ok(None) } else { Err(Miss::Forked) };
        };
        if payloads == doubt.payloads {
            return Ok(self.done().filter(|_| is_ours));
        }
        if !payloads.is_empty() {
            return Err(Miss::Forked);
        }
        if !is_ours {
            self.doubt = None;
        }
        Ok(None)
    }
}

impl Doubt {
    fn place(batch: &[Draft], store: &Store, clock: &dyn Clock, from: Link) -> Self {
        let mut after = from;
        let mut placed = Self { from, after, payloads: Vec::new(), leaves: Vec::new(), receipts: Vec::new() };
        for draft in batch {
            let (receipt, payload) = draft.place(clock, store.node, &mut after);
            placed.receipts.push(receipt);
            placed.payloads.push(payload);
            placed.leaves.push(after.prev);
        }
        Self { after, ..placed }
    }
}
