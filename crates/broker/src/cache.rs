//! Replies kept in memory for a moment, for the same person asking the same thing again.
//!
//! Off unless a source's entry gives a time to live. The key is the whole authority of the asker, so nobody is
//! ever served what somebody else fetched.
//!
//! The store is moka's: it finds by key, weighs in bytes, and lets go of what was used longest ago. What it does
//! in its own time is done here: its clock is not that of the program, so the end of each entry is looked at
//! whenever it is read; it frees late, so what leaves it is emptied at once, and what has ended is taken out by a
//! sweep; and it passes its bound until it is told to look, so it is told after each entry.

mod index;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant as SystemInstant};

use jiff::Timestamp;
use moka::Expiry;
use moka::policy::EvictionPolicy;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tributary_audit::Digest;
use tributary_fhir::Reply;
use tributary_model::{MemoryBudget, SourceFault, SourceId, TraceId};
use tributary_telemetry::Metrics;

use crate::flights::Ticket;
use crate::key::{Holding, Key};
use index::{Index, Place};

/// Expired entries are swept this often, so that none outlives its time by a second.
const SWEEP: Duration = Duration::from_millis(500);

/// How long it is remembered that a source took its word back: longer than any fetch that began before it, and
/// any request that waits for one (thirty seconds each), can last.
const REFUSAL_LIFE: Duration = Duration::from_mins(2);

/// Most refusals remembered. With more than that nothing is kept for a while, which is slow and safe.
const MOST_REFUSALS: usize = 16_384;

/// What an entry costs beside its key and its reply: itself, its places in the store and in the index, and slack.
const ENTRY_BYTES: usize = 1 << 10;

/// What a source said.
#[derive(Clone, Debug)]
pub(crate) enum Held {
    /// A reply, proved to be about the patient.
    Reply(Arc<Reply>),
    /// That it holds no record it can share.
    Nothing(SourceFault),
}

/// What is kept of one fetch.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) held: Held,
    /// The digest of its entries, which every disclosure of it tells; nothing where nothing is held.
    pub(crate) content: Option<Digest>,
    pub(crate) fetched_at: Timestamp,
    /// The name under which its own disclosure recorded the fetch, which every disclosure of it names.
    pub(crate) fetch: TraceId,
    /// When the fetch began, among all that happens here.
    pub(crate) began: Ticket,
    /// From then on it is never served.
    pub(crate) until: Instant,
}

/// What is kept, bounded in bytes.
pub(crate) struct Cache {
    shared: Arc<Shared>,
    stop: CancellationToken,
}

type Store = moka::sync::Cache<Arc<Key>, Arc<Entry>>;

struct Shared {
    store: Store,
    /// Whoever changes the store holds it; whoever reads does not.
    index: Mutex<Index>,
    left: Left,
    most_bytes: u64,
}

/// What has left the store since the index was told.
type Left = Arc<Mutex<Vec<(Arc<Key>, Place)>>>;

/// What the store holds. It keeps entries for a while after they have left it, so what they hold leaves them first.
struct Entry {
    place: Place,
    bytes: u32,
    kept: Mutex<Option<Kept>>,
}

impl Cache {
    /// A cache for at most so many bytes.
    pub(crate) fn new(most_bytes: u64) -> Self {
        let left = Left::default();
        let store = store(most_bytes, Arc::clone(&left));
        let shared = Shared { store, index: Mutex::default(), left, most_bytes };
        Self { shared: Arc::new(shared), stop: CancellationToken::new() }
    }

    /// What is kept under a key, if its time has not come.
    pub(crate) fn get(&self, key: &Key) -> Option<Kept> {
        let entry = self.shared.store.get(key)?;
        if entry.place.until <= Instant::now() {
            return None;
        }
        locked(&entry.kept).clone()
    }

    /// Keeps what was fetched, unless something fetched later is kept, or the source took its word back since.
    /// What was used longest ago makes room.
    pub(crate) fn keep(&self, key: &Key, kept: Kept) {
        let reply = if let Held::Reply(reply) = &kept.held { reply.weight() } else { 0 };
        let Ok(bytes) = u32::try_from(reply + key.weight() * 2 + ENTRY_BYTES) else { return };
        let shared = &*self.shared;
        let mut index = shared.index();
        if u64::from(bytes) > shared.most_bytes || kept.until <= Instant::now() || !index.may_keep(key, &kept)
        {
            return;
        }
        let key = Arc::new(key.clone());
        let place = index.place(&key, &kept);
        shared.store.insert(key, Arc::new(Entry { place, bytes, kept: Mutex::new(Some(kept)) }));
        shared.tidied(&mut index);
    }

    /// Forgets what a source said of a patient, to whomever it said it, and everything it says in fetches that
    /// began before `at`.
    pub(crate) fn forget(&self, holding: &Holding, at: Ticket) {
        let mut index = self.shared.index();
        index.refuse(holding, at);
        let gone = index.of(holding);
        self.shared.remove(&mut index, &gone);
    }

    /// Forgets everything that a source said.
    pub(crate) fn forget_source(&self, source: &SourceId) {
        let mut index = self.shared.index();
        let gone = index.of_source(source);
        self.shared.remove(&mut index, &gone);
    }

    /// Forgets everything, and keeps nothing of a fetch that began before `at`.
    pub(crate) fn clear(&self, at: Ticket) {
        let mut index = self.shared.index();
        index.clear(at);
        let gone = index.all();
        self.shared.remove(&mut index, &gone);
    }

    /// How many bytes are kept.
    pub(crate) fn bytes(&self) -> u64 {
        let _nobody_changes_it = self.shared.index();
        self.shared.store.weighted_size()
    }

    /// Frees what has expired, and shows how much memory is taken, until [`Cache::stop`].
    pub(crate) fn keep_clean(&self, tasks: &TaskTracker, metrics: Arc<Metrics>, memory: MemoryBudget) {
        let (shared, stop) = (Arc::downgrade(&self.shared), self.stop.clone());
        tasks.spawn(async move {
            let mut tick = tokio::time::interval(SWEEP);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while stop.run_until_cancelled(tick.tick()).await.is_some() {
                let Some(shared) = Weak::upgrade(&shared) else { break };
                metrics.cache_bytes(shared.swept());
                metrics.memory(&memory);
            }
        });
    }

    /// Ends the sweeping and forgets everything.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
        self.clear(Ticket::LAST);
    }
}

fn store(most_bytes: u64, left: Left) -> Store {
    let leaves = move |key: Arc<Arc<Key>>, entry: Arc<Entry>, _why| {
        let kept = locked(&entry.kept).take();
        drop(kept);
        locked(&left).push((Arc::clone(&key), entry.place));
    };
    moka::sync::Cache::builder()
        .max_capacity(most_bytes)
        .weigher(|_key, entry: &Arc<Entry>| entry.bytes)
        // How often something was asked for says nothing of what lives for minutes: the newest is always kept.
        .eviction_policy(EvictionPolicy::lru())
        .expire_after(Ends)
        .eviction_listener(leaves)
        .build()
}

/// Tells the store when its entries end, as far as its own clock goes.
struct Ends;

impl Expiry<Arc<Key>, Arc<Entry>> for Ends {
    fn expire_after_create(&self, _: &Arc<Key>, new: &Arc<Entry>, _: SystemInstant) -> Option<Duration> {
        Some(new.place.until.saturating_duration_since(Instant::now()))
    }

    fn expire_after_update(
        &self,
        key: &Arc<Key>,
        new: &Arc<Entry>,
        at: SystemInstant,
        _old: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(key, new, at)
    }
}

impl Shared {
    /// The index, with nothing in it that has left the store.
    fn index(&self) -> MutexGuard<'_, Index> {
        let mut index = locked(&self.index);
        self.tell(&mut index);
        index
    }

    fn tell(&self, index: &mut Index) {
        for (key, place) in std::mem::take(&mut *locked(&self.left)) {
            index.left(&key, place);
        }
    }

    fn remove(&self, index: &mut Index, gone: &[Arc<Key>]) {
        for key in gone {
            index.forget(key);
            self.store.invalidate(key);
        }
        self.tidied(index);
    }

    /// Has the store do what it has put off, until no more is kept than may be.
    fn tidied(&self, index: &mut Index) {
        self.store.run_pending_tasks();
        self.tell(index);
        // It skips what is read at this moment, and gives up after a while.
        while self.store.weighted_size() > self.most_bytes
            && let Some(first) = index.first()
        {
            index.forget(&first);
            self.store.invalidate(&first);
            self.store.run_pending_tasks();
            self.tell(index);
        }
    }

    /// Frees what has ended; gives the bytes that are left.
    fn swept(&self) -> u64 {
        let now = Instant::now();
        let mut index = self.index();
        index.forget_refusals(now);
        let ended = index.ended(now);
        self.remove(&mut index, &ended);
        self.store.weighted_size()
    }
}

fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
