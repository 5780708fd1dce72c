//! The face of the log: records go in, receipts come out once they are durable.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tributary_model::Clock;

use crate::error::AuditError;
use crate::event::{Event, Kind, Own, draft, own_draft};
use crate::keeper::{Book, Keeper, Notary, Shared, Submission};
use crate::record::{Appended, Draft, MAX_RECORD, Receipt};
use crate::recover::{LogTail, Recovered, recover};
use crate::segment::{self, Disk, Files};
use crate::shelf::{DirectoryShelf, Shelf};
use crate::sink::Sink;
use crate::sink::local::LocalSink;
use crate::standing::Standing;

/// Limits of a trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A segment that has grown to this length is followed by the next.
    pub segment_bytes: u64,
    /// Records that may wait to be written; callers beyond that wait for a place.
    pub queue_records: usize,
    /// Records made durable together, at most.
    pub batch_records: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, queue_records: 4096, batch_records: 1024 }
    }
}

/// Is told what becomes of records. Handed in, so that the log need not know who counts.
pub trait AuditObserver: Send + Sync {
    /// A record is durable, this long after it was handed in.
    fn appended(&self, kind: Kind, after: Duration);

    /// A record could not be made durable.
    fn failed(&self, kind: Kind);

    /// So many records wait to be durable now.
    fn waiting(&self, records: usize);

    /// There is a durable checkpoint of so many records.
    fn checkpointed(&self, size: u64);

    /// A checkpoint could not be made durable; it is tried again.
    fn checkpoint_failed(&self);
}

/// An audit log, open for writing. Clones write to the same log.
#[derive(Clone)]
pub struct Trail {
    queue: mpsc::Sender<Job>,
    observer: Arc<OnceLock<Arc<dyn AuditObserver>>>,
    durable: watch::Receiver<u64>,
    waiting: Arc<AtomicUsize>,
    /// The tree over the log.
    tree: Arc<Shared>,
}

/// A record that somebody waits for, until it is dropped.
struct Waits<'t>(&'t Trail);

impl<'t> Waits<'t> {
    fn begin(trail: &'t Trail) -> Self {
        let others = trail.waiting.fetch_add(1, Ordering::Relaxed);
        Self::tell(trail, others.saturating_add(1));
        Self(trail)
    }

    fn tell(trail: &Trail, records: usize) {
        if let Some(observer) = trail.observer.get() {
            observer.waiting(records);
        }
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        let with_this = self.0.waiting.fetch_sub(1, Ordering::Relaxed);
        Self::tell(self.0, with_this.saturating_sub(1));
    }
}

enum Job {
    Record { draft: Draft, handed_in: Instant, reply: oneshot::Sender<Result<Receipt, AuditError>> },
    Close(oneshot::Sender<Result<(), AuditError>>),
}

impl Trail {
    /// Opens the log in a directory, which is made if it does not exist. Blocks while the end of the log is
    /// read: about a second for a gigabyte.
    ///
    /// What a crash left unfinished is cut off and recorded; intents it left without an end are closed. A
    /// damaged log is refused. A directory open to other users is closed to them.
    pub fn open(dir: &Path, settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, AuditError> {
        Self::open_on(Box::new(Disk::new(dir)), dir, settings, clock)
    }

    /// As [`Trail::open`], with a key that signs checkpoints, and witnesses of them.
    pub fn open_signed(
        dir: &Path,
        settings: Settings,
        clock: Arc<dyn Clock>,
        notary: Notary,
    ) -> Result<Self, AuditError> {
        Self::open_all(Box::new(Disk::new(dir)), dir, settings, clock, notary)
    }

    /// As [`Trail::open`], with another maker of segment files, for tests of a failing disk.
    pub fn open_on(
        files: Box<dyn Files>,
        dir: &Path,
        settings: Settings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AuditError> {
        Self::open_all(files, dir, settings, clock, Notary::default())
    }

    fn open_all(
        files: Box<dyn Files>,
        dir: &Path,
        settings: Settings,
        clock: Arc<dyn Clock>,
        notary: Notary,
    ) -> Result<Self, AuditError> {
        segment::make_dir(dir)?;
        segment::close_to_others(dir)?;
        let lock = segment::lock(dir)?.ok_or(AuditError::InUse)?;
        let (mut book, mut later) = Book::open(Box::new(DirectoryShelf::new(dir)), notary.key)?;
        let left = recover(dir, &mut later)?;
        book.catch_up(&later, left.link)?;
        let opening = opening_records(&left);
        let position = (left.link, left.previous);
        let mut sink = LocalSink::new(files, Arc::clone(&clock), settings.segment_bytes, position);
        let opened = sink.append(&opening)?;
        book.grow(&opened.leaves);
        let keeper = Keeper::start(book, (notary.witnesses, notary.policy), clock)?;
        Self::start(Box::new(sink), &opened, settings, Kept { keeper, _lock: Some(lock) })
    }

    /// Opens a log that is kept elsewhere. The sink goes on after its tail, and holds the log against other processes
    /// for as long as it lives. Intents that a crash left without an end are closed. Blocks; not for use within a
    /// runtime.
    pub fn open_into(
        elsewhere: Elsewhere,
        settings: Settings,
        clock: Arc<dyn Clock>,
        notary: Notary,
    ) -> Result<Self, AuditError> {
        let Elsewhere { mut sink, tail, shelf } = elsewhere;
        let (mut book, mut later) = Book::open(shelf, notary.key)?;
        tail.tell(&mut later);
        book.catch_up(&later, tail.link())?;
        let opened = sink.append(&opening_records(&tail.into()))?;
        book.grow(&opened.leaves);
        let keeper = Keeper::start(book, (notary.witnesses, notary.policy), clock)?;
        Self::start(sink, &opened, settings, Kept { keeper, _lock: None })
    }

    fn start(
        sink: Box<dyn Sink>,
        opened: &Appended,
        settings: Settings,
        kept: Kept,
    ) -> Result<Self, AuditError> {
        let (tell, durable) = watch::channel(opened.last());
        let tree = Arc::clone(&kept.keeper.shared);
        let observer = Arc::new(OnceLock::new());
        let (queue, jobs) = mpsc::channel(settings.queue_records.max(1));
        let writer = Writer {
            sink,
            jobs,
            batch_records: settings.batch_records.max(1),
            observer: Arc::clone(&observer),
            durable: tell,
            kept,
        };
        std::thread::Builder::new().name("audit".to_owned()).spawn(move || writer.run())?;
        Ok(Self { queue, observer, durable, waiting: Arc::default(), tree })
    }

    /// The number of the last record that is durable, as it grows. What reads the log while it is written goes no
    /// further: beyond it stands what may yet be written again elsewhere.
    pub fn durable(&self) -> watch::Receiver<u64> {
        self.durable.clone()
    }

    /// Tells `observer` of every record from now on. The first observer stays.
    pub fn observe(&self, observer: Arc<dyn AuditObserver>) {
        // A second one is a mistake in the wiring that must not stop the log.
        self.tree.observer.get_or_init(|| Arc::clone(&observer));
        self.observer.get_or_init(|| observer);
    }

    /// The size of the last durable checkpoint, now and from now on.
    pub fn checkpoints(&self) -> watch::Receiver<u64> {
        self.tree.head()
    }

    /// The last checkpoint, for a witness that has seen `old` records of this log; `None` without a key. Blocks
    /// for as long as a few files are read.
    pub fn submission(&self, old: u64) -> Result<Option<Submission>, AuditError> {
        self.tree.book().submission(old)
    }

    /// Keeps what a witness answered, durably, if it is a cosignature by one of the witnesses. Blocks for a sync.
    pub fn cosigned(&self, submission: &Submission, response: &str) -> Result<(), AuditError> {
        self.tree.cosigned(submission, response)
    }

    /// Whether the log was closed.
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    /// A witness has seen another log under this name: from now on nothing is disclosed.
    pub fn contradict(&self) {
        self.tree.standings.contradict();
    }

    /// How the log stands with its witnesses.
    pub fn standing(&self) -> Standing {
        self.tree.standings.now()
    }

    /// Writes a record down, and returns once it is durable. Bounded by the caller's deadline: a record whose
    /// caller gave up may still be written, which errs on the safe side.
    pub async fn record(&self, event: Event) -> Result<Receipt, AuditError> {
        let draft = draft(&event);
        let kind = draft.kind;
        let may = if discloses(&event) { self.tree.standings.check() } else { Ok(()) };
        let result = match may {
            Ok(()) => {
                let _waits = Waits::begin(self);
                self.hand_in(draft).await
            }
            Err(error) => Err(error),
        };
        if let (Err(_), Some(observer)) = (&result, self.observer.get()) {
            observer.failed(kind);
        }
        result
    }

    async fn hand_in(&self, draft: Draft) -> Result<Receipt, AuditError> {
        let bytes = draft.longest();
        if bytes > MAX_RECORD {
            return Err(AuditError::TooLarge { bytes });
        }
        let (reply, receipt) = oneshot::channel();
        let job = Job::Record { draft, handed_in: Instant::now(), reply };
        self.queue.send(job).await.map_err(|_| AuditError::Closed)?;
        receipt.await.map_err(|_| AuditError::Closed)?
    }

    /// Writes what is queued and a last record, and lets the directory go. Later records are refused.
    pub async fn close(self) -> Result<(), AuditError> {
        let (reply, done) = oneshot::channel();
        let sent = self.queue.send(Job::Close(reply)).await;
        sent.map_err(|_| AuditError::Closed)?;
        done.await.map_err(|_| AuditError::Closed)?
    }
}

/// Whether anything is asked or shown after this record. What only tells of an end is taken in any case.
const fn discloses(event: &Event) -> bool {
    match event {
        Event::Intent(_) | Event::Trace(_) | Event::Launch(_) => true,
        Event::Disclosure(disclosure) => disclosure.outcome.bundle_digest.is_some(),
        Event::Denied(_)
        | Event::Delivery(_)
        | Event::Security(_)
        | Event::BreakGlass(_)
        | Event::Anomaly(_)
        | Event::AuditRead(_)
        | Event::PeerCheckpoint(_)
        | Event::Config(_) => false,
    }
}

impl fmt::Debug for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trail").finish_non_exhaustive()
    }
}

fn opening_records(left: &Recovered) -> Vec<Draft> {
    let mut opening = vec![own_draft(&Own::START)];
    if left.cut > 0 {
        opening.push(own_draft(&Own::recovered(left.cut)));
    }
    let closing = |intent: &u64| own_draft(&Own::closed_unknown(*intent));
    opening.extend(left.open.iter().map(closing));
    opening
}

/// What belongs to a log besides its records.
struct Kept {
    keeper: Keeper,
    /// Of a directory: held for as long as anything may be written.
    _lock: Option<File>,
}

/// A log that is kept elsewhere than in a directory.
pub struct Elsewhere {
    /// Writes its records.
    pub sink: Box<dyn Sink>,
    /// Its last records, and where it goes on.
    pub tail: LogTail,
    /// Keeps its tree and its checkpoints.
    pub shelf: Box<dyn Shelf>,
}

impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elsewhere").field("shelf", &self.shelf).finish_non_exhaustive()
    }
}

/// The one thread that writes.
struct Writer {
    sink: Box<dyn Sink>,
    jobs: mpsc::Receiver<Job>,
    batch_records: usize,
    observer: Arc<OnceLock<Arc<dyn AuditObserver>>>,
    durable: watch::Sender<u64>,
    kept: Kept,
}

#[derive(Default)]
struct Batch {
    drafts: Vec<Draft>,
    waiting: Vec<Waiting>,
    closing: Option<oneshot::Sender<Result<(), AuditError>>>,
}

impl Writer {
    fn run(mut self) {
        let (reply, result) = loop {
            let Some(first) = self.jobs.blocking_recv() else {
                // Every trail was dropped: nobody waits for the last record.
                break (None, self.append(&[own_draft(&Own::STOP)]));
            };
            let batch = self.gather(first);
            self.write(batch.drafts, batch.waiting);
            if let Some(reply) = batch.closing {
                break (Some(reply), self.append(&[own_draft(&Own::STOP)]));
            }
        };
        // The last checkpoint holds the last record, and nobody else writes the log while it is made. The log is free
        // before the caller hears of it.
        self.kept.keeper.stop();
        drop(self);
        if let Some(reply) = reply {
            drop(reply.send(result.map(|_| ())));
        }
    }

    /// Takes what has queued up while the last batch was made durable: no timer is needed.
    fn gather(&mut self, first: Job) -> Batch {
        let mut batch = Batch::default();
        let mut next = Some(first);
        while let Some(job) = next {
            match job {
                Job::Record { draft, handed_in, reply } => {
                    batch.drafts.push(draft);
                    batch.waiting.push((handed_in, reply));
                }
                Job::Close(reply) => {
                    batch.closing = Some(reply);
                    break;
                }
            }
            let is_full = batch.drafts.len() >= self.batch_records;
            next = if is_full { None } else { self.jobs.try_recv().ok() };
        }
        batch
    }

    fn append(&mut self, drafts: &[Draft]) -> Result<Vec<Receipt>, AuditError> {
        let tree = &self.kept.keeper.shared;
        if !tree.has_room() {
            return Err(AuditError::AuditUnavailable(io::ErrorKind::StorageFull));
        }
        let done = self.sink.append(drafts)?;
        tree.grown(&done.leaves, done.is_end);
        self.durable.send_replace(done.last());
        Ok(done.receipts)
    }

    fn write(&mut self, drafts: Vec<Draft>, waiting: Vec<Waiting>) {
        if drafts.is_empty() {
            return;
        }
        let receipts = match self.append(&drafts) {
            Ok(receipts) => receipts.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error); drafts.len()],
        };
        let observer = self.observer.get();
        for ((draft, (handed_in, reply)), result) in drafts.into_iter().zip(waiting).zip(receipts) {
            if let (Ok(_), Some(observer)) = (&result, observer) {
                observer.appended(draft.kind, handed_in.elapsed());
            }
            // A caller that gave up does not wait for its receipt.
            drop(reply.send(result));
        }
    }
}

type Waiting = (Instant, oneshot::Sender<Result<Receipt, AuditError>>);
