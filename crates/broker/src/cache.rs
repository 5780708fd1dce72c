//! Replies kept in memory for a moment, for the same person asking the same thing again.
//!
//! Off unless a source's entry gives a time to live. The key is the whole authority of the asker, so nobody is
//! ever served what somebody else fetched. Age is told by the monotonic clock, the bound in bytes holds at every
//! moment, and what is dropped is freed at once: that is why it is a map under a lock, and no library.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tributary_fhir::Reply;
use tributary_model::{MemoryBudget, SourceFault, SourceId, TraceId};
use tributary_telemetry::Metrics;

use crate::flights::Ticket;
use crate::key::{Authority, Holding, Key};

/// Expired entries are swept this often, so that none outlives its time by a second.
const SWEEP: Duration = Duration::from_millis(500);

/// How long it is remembered that a source took its word back: longer than any fetch that began before it, and
/// any request that waits for one (thirty seconds each), can last.
const REFUSAL_LIFE: Duration = Duration::from_mins(2);

/// Most refusals remembered. With more than that nothing is kept for a while, which is slow and safe.
const MOST_REFUSALS: usize = 16_384;

/// What an entry costs beside its key and its reply: itself, its places in three maps, and slack in them.
const ENTRY_BYTES: usize = 512;

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
    store: Arc<Mutex<Store>>,
    most_bytes: u64,
    stop: CancellationToken,
}

/// Everything that is kept, found by key, by holding and by its end.
#[derive(Default)]
struct Store {
    kept: HashMap<Holding, HashMap<Authority, Placed>>,
    /// In the order in which they end; the number tells apart those that end together.
    ends: BTreeMap<(Instant, u64), Key>,
    placed: u64,
    bytes: u64,
    refused: HashMap<Holding, Refused>,
    /// What began before this is not kept.
    cleared: Ticket,
}

struct Placed {
    kept: Kept,
    number: u64,
    bytes: u64,
}

/// A source took its word back: nothing that it said before counts.
struct Refused {
    at: Ticket,
    until: Instant,
}

impl Cache {
    /// A cache for at most so many bytes.
    pub(crate) fn new(most_bytes: u64) -> Self {
        Self { store: Arc::default(), most_bytes, stop: CancellationToken::new() }
    }

    /// What is kept under a key, if its time has not come.
    pub(crate) fn get(&self, key: &Key) -> Option<Kept> {
        let store = locked(&self.store);
        let placed = store.kept.get(&key.holding)?.get(&key.authority)?;
        (Instant::now() < placed.kept.until).then(|| placed.kept.clone())
    }

    /// Keeps what was fetched, unless something fetched later is kept, or the source took its word back since.
    /// What ends soonest makes room.
    pub(crate) fn keep(&self, key: &Key, kept: Kept) {
        let reply = if let Held::Reply(reply) = &kept.held { reply.weight() } else { 0 };
        let bytes = (reply + key.weight() * 2 + ENTRY_BYTES) as u64;
        let mut gone = Vec::new();
        let mut store = locked(&self.store);
        if bytes > self.most_bytes || kept.until <= Instant::now() || !store.may_keep(key, &kept) {
            return;
        }
        gone.extend(store.remove(key));
        while store.bytes + bytes > self.most_bytes {
            let Some(first) = store.ends.first_key_value().map(|(_, key)| key.clone()) else { break };
            gone.extend(store.remove(&first));
        }
        store.place(key, kept, bytes);
        // Replies are freed when nobody waits for the lock.
        drop(store);
    }

    /// Forgets what a source said of a patient, to whomever it said it, and everything it says in fetches that
    /// began before `at`.
    pub(crate) fn forget(&self, holding: &Holding, at: Ticket) {
        let mut store = locked(&self.store);
        let gone = store.remove_all(holding);
        let until = Instant::now() + REFUSAL_LIFE;
        let refused = store.refused.entry(holding.clone()).or_insert(Refused { at, until });
        *refused = Refused { at: refused.at.max(at), until };
        drop(store);
        drop(gone);
    }

    /// Forgets everything that a source said.
    pub(crate) fn forget_source(&self, source: &SourceId) {
        let mut store = locked(&self.store);
        let of_it: Vec<_> = store.kept.keys().filter(|one| one.source == *source).cloned().collect();
        let gone: Vec<_> = of_it.iter().flat_map(|holding| store.remove_all(holding)).collect();
        drop(store);
        drop(gone);
    }

    /// Forgets everything, and keeps nothing of a fetch that began before `at`.
    pub(crate) fn clear(&self, at: Ticket) {
        let mut store = locked(&self.store);
        let cleared = store.cleared.max(at);
        let old = std::mem::take(&mut *store);
        store.cleared = cleared;
        drop(store);
        drop(old);
    }

    /// How many bytes are kept.
    pub(crate) fn bytes(&self) -> u64 {
        locked(&self.store).bytes
    }

    /// Frees what has expired, and shows how much memory is taken, until [`Cache::stop`].
    pub(crate) fn keep_clean(&self, tasks: &TaskTracker, metrics: Arc<Metrics>, memory: MemoryBudget) {
        let (store, stop) = (Arc::downgrade(&self.store), self.stop.clone());
        tasks.spawn(async move {
            let mut tick = tokio::time::interval(SWEEP);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while stop.run_until_cancelled(tick.tick()).await.is_some() {
                let Some(bytes) = swept(&store) else { break };
                metrics.cache_bytes(bytes);
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

impl Store {
    fn may_keep(&self, key: &Key, kept: &Kept) -> bool {
        let is_taken_back = self.refused.get(&key.holding).is_some_and(|refused| kept.began < refused.at);
        let present = self.kept.get(&key.holding).and_then(|all| all.get(&key.authority));
        let is_outdone = present.is_some_and(|placed| placed.kept.began >= kept.began);
        let is_blind = self.refused.len() >= MOST_REFUSALS;
        !is_taken_back && !is_outdone && !is_blind && kept.began >= self.cleared
    }

    fn place(&mut self, key: &Key, kept: Kept, bytes: u64) {
        let number = self.placed;
        self.placed += 1;
        self.bytes += bytes;
        self.ends.insert((kept.until, number), key.clone());
        let all = self.kept.entry(key.holding.clone()).or_default();
        all.insert(key.authority.clone(), Placed { kept, number, bytes });
    }

    fn remove(&mut self, key: &Key) -> Option<Placed> {
        let all = self.kept.get_mut(&key.holding)?;
        let placed = all.remove(&key.authority)?;
        if all.is_empty() {
            self.kept.remove(&key.holding);
        }
        self.left(&placed);
        Some(placed)
    }

    fn remove_all(&mut self, holding: &Holding) -> Vec<Placed> {
        let gone: Vec<_> = self.kept.remove(holding).into_iter().flat_map(HashMap::into_values).collect();
        for placed in &gone {
            self.left(placed);
        }
        gone
    }

    fn left(&mut self, placed: &Placed) {
        self.ends.remove(&(placed.kept.until, placed.number));
        self.bytes -= placed.bytes;
    }

    fn expired(&mut self, now: Instant) -> Vec<Placed> {
        let mut gone = Vec::new();
        while let Some(key) = self.ends.first_key_value().filter(|((end, _), _)| *end <= now) {
            let key = key.1.clone();
            gone.extend(self.remove(&key));
        }
        self.refused.retain(|_, refused| now < refused.until);
        gone
    }
}

fn locked(store: &Mutex<Store>) -> MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Frees what has expired; gives the bytes that are left, or nothing when the cache itself is gone.
fn swept(store: &Weak<Mutex<Store>>) -> Option<u64> {
    let store = store.upgrade()?;
    let mut open = locked(&store);
    let gone = open.expired(Instant::now());
    let bytes = open.bytes;
    drop(open);
    drop(gone);
    Some(bytes)
}

#[cfg(test)]
mod tests;
