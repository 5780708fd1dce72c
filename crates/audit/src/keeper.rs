//! Keeps the tree of a log: hashes in files, checkpoints every second, cosignatures as they come.
//!
//! A thread of its own does it, so that a record waits for its own sync only. The writer leaves the hashes here.

mod book;

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tributary_model::Clock;

use crate::chain::Digest;
use crate::error::AuditError;
use crate::note::{SigningKey, VerifyingKey};
use crate::standing::{Standings, WitnessPolicy};
use crate::trail::AuditObserver;

pub(crate) use book::{Book, Later};
pub use book::{Submission, kept_size, probe};

/// Between two checkpoints.
const INTERVAL: Duration = Duration::from_secs(1);
/// Hashes that may wait for their tiles, 32 MiB: only a disk that takes records and no tiles leads there.
const MOST_FRESH: usize = 1 << 20;

/// Who vouches for a log: the key that signs its checkpoints, and who cosigns them.
#[derive(Debug, Default)]
pub struct Notary {
    /// Signs checkpoints; its name is their origin line. Without it, they are kept unsigned.
    pub key: Option<SigningKey>,
    /// Whose cosignatures count.
    pub witnesses: Vec<VerifyingKey>,
    /// How many of them, and how fresh.
    pub policy: WitnessPolicy,
}

/// What the writer, the keeper and those who talk to witnesses share.
pub(crate) struct Shared {
    fresh: Mutex<Fresh>,
    wake: Condvar,
    book: Mutex<Book>,
    pub(crate) standings: Standings,
    pub(crate) witnesses: Vec<VerifyingKey>,
    /// Size of the last checkpoint.
    head: watch::Sender<u64>,
    clock: Arc<dyn Clock>,
    pub(crate) observer: OnceLock<Arc<dyn AuditObserver>>,
}

#[derive(Debug, Default)]
struct Fresh {
    leaves: Vec<Digest>,
    order: Order,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Order {
    /// A checkpoint when its time has come.
    #[default]
    Wait,
    /// A checkpoint now.
    Now,
    /// A checkpoint now, and that is the last one.
    Stop,
}

impl Shared {
    fn fresh(&self) -> MutexGuard<'_, Fresh> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether more records can be taken.
    pub(crate) fn has_room(&self) -> bool {
        self.fresh().leaves.len() < MOST_FRESH
    }

    /// Records are durable; these are their hashes. `is_end` at the end of a segment.
    pub(crate) fn grown(&self, leaves: &[Digest], is_end: bool) {
        let mut fresh = self.fresh();
        // The keeper sleeps without a timer only while there is nothing at all.
        let is_first = fresh.leaves.is_empty();
        fresh.leaves.extend_from_slice(leaves);
        if is_end && fresh.order == Order::Wait {
            fresh.order = Order::Now;
        }
        drop(fresh);
        if is_first || is_end {
            self.wake.notify_one();
        }
    }

    /// The size of the last checkpoint, now and from now on.
    pub(crate) fn head(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// Keeps what a witness answered.
    pub(crate) fn cosigned(&self, submission: &Submission, response: &str) -> Result<(), AuditError> {
        let by = self.book().keep_cosigned(submission, response, &self.witnesses)?;
        let now = seconds(&*self.clock);
        for (place, time) in by {
            self.standings.note(place, book::age(time, now));
        }
        Ok(())
    }

    /// Takes what is new and makes a checkpoint of it.
    fn checkpoint(&self, leaves: &[Digest]) -> io::Result<()> {
        let mut book = self.book();
        book.grow(leaves);
        let size = book.checkpoint()?;
        drop(book);
        self.head.send_if_modified(|head| std::mem::replace(head, size) != size);
        if let Some(observer) = self.observer.get() {
            observer.checkpointed(size);
        }
        Ok(())
    }
}

/// The keeper at work. Whoever drops it leaves the last records without a checkpoint.
pub(crate) struct Keeper {
    pub(crate) shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Begins with a book that holds every record there is.
    pub(crate) fn start(
        mut book: Book,
        (witnesses, policy): (Vec<VerifyingKey>, WitnessPolicy),
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AuditError> {
        let standings = Standings::new(policy, witnesses.len());
        for (place, age) in book.cosigned(&witnesses, seconds(&*clock)) {
            standings.note(place, age);
        }
        let shared = Arc::new(Shared {
            fresh: Mutex::default(),
            wake: Condvar::new(),
            head: watch::Sender::new(book.size()),
            book: Mutex::new(book),
            standings,
            witnesses,
            clock,
            observer: OnceLock::new(),
        });
        // The first one is made before anybody is told that the log is open.
        shared.checkpoint(&[])?;
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("audit-tree".to_owned()).spawn(move || keep(&own))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Makes a last checkpoint of everything.
    pub(crate) fn stop(&mut self) {
        self.shared.fresh().order = Order::Stop;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic was told when it happened; there is nothing left to wait for.
            drop(thread.join());
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Seconds since 1970.
fn seconds(clock: &dyn Clock) -> u64 {
    u64::try_from(clock.now().as_second()).unwrap_or_default()
}

fn keep(shared: &Shared) {
    let mut last = Instant::now();
    // What was taken from the writer is in the book, even when the book could not be saved.
    let mut is_unsaved = false;
    loop {
        let (leaves, order) = await_more(shared, last, is_unsaved);
        let kept = shared.checkpoint(&leaves);
        last = Instant::now();
        is_unsaved = kept.is_err();
        if let (Err(_), Some(observer)) = (kept, shared.observer.get()) {
            observer.checkpoint_failed();
        }
        if order == Order::Stop {
            return;
        }
    }
}

/// Waits until a checkpoint is due, and takes what has grown.
fn await_more(shared: &Shared, last: Instant, is_unsaved: bool) -> (Vec<Digest>, Order) {
    let mut fresh = shared.fresh();
    loop {
        let rest = INTERVAL.saturating_sub(last.elapsed());
        let is_wanted = is_unsaved || !fresh.leaves.is_empty();
        match fresh.order {
            Order::Stop => break,
            Order::Now if is_wanted => break,
            Order::Wait if is_wanted && rest.is_zero() => break,
            Order::Wait | Order::Now => {}
        }
        fresh = if is_wanted {
            let (fresh, _timed_out) =
                shared.wake.wait_timeout(fresh, rest).unwrap_or_else(PoisonError::into_inner);
            fresh
        } else {
            shared.wake.wait(fresh).unwrap_or_else(PoisonError::into_inner)
        };
    }
    let order = fresh.order;
    if order == Order::Now {
        fresh.order = Order::Wait;
    }
    (std::mem::take(&mut fresh.leaves), order)
}
