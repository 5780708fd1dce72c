//! How long a connection may be silent, depending on what it is expected to do.
//!
//! hyper's own timer starts with the first byte and cannot tell a rest between requests from a slow head, so
//! the timers stand here, outside it. They know every answer on its way by itself: one stream of HTTP/2 that
//! is not read is not excused by another that is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// How long a new connection may take to send its first byte once no more are taken.
const FIRST_BYTE: Duration = Duration::from_millis(500);

/// How long a connection may be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// For a whole head, from its first byte or from the beginning.
    pub first_head: Duration,
    /// Between two requests.
    pub keep_alive_idle: Duration,
    /// While an answer is sent, without taking any of it.
    pub write_stall: Duration,
    /// The slowest at which an answer may be taken.
    pub write_bytes_per_sec: u64,
}

/// The timers of one connection.
#[derive(Debug)]
pub struct Patience {
    state: Mutex<State>,
    /// Something that was waited for may be due earlier now.
    changed: Notify,
    /// A head has begun, or is whole.
    begun: Notify,
    /// Nothing is left to answer.
    rests: Notify,
    requests: AtomicU64,
    head: Duration,
    idle: Duration,
    stall: Duration,
    bytes_per_sec: u64,
}

#[derive(Debug)]
struct State {
    /// A head has begun and must be whole by then.
    head: Option<Instant>,
    /// Part of it is there.
    has_part: bool,
    /// With nothing to answer, it rests since then.
    rests_since: Instant,
    turns: Vec<(u64, Option<Sending>)>,
}

/// An answer on its way.
#[derive(Clone, Copy, Debug)]
struct Sending {
    began: Instant,
    last: Instant,
    bytes: u64,
}

impl Patience {
    /// Of a connection that begins now.
    pub fn new(waits: &Waits) -> Self {
        let now = Instant::now();
        Self {
            state: Mutex::new(State {
                head: Some(now + waits.first_head),
                has_part: false,
                rests_since: now,
                turns: Vec::new(),
            }),
            changed: Notify::new(),
            begun: Notify::new(),
            rests: Notify::new(),
            requests: AtomicU64::new(0),
            head: waits.first_head,
            idle: waits.keep_alive_idle,
            stall: waits.write_stall,
            bytes_per_sec: waits.write_bytes_per_sec.max(1),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Part of a head has come. It counts from its first byte.
    pub fn head_begins(&self) {
        let until = Instant::now() + self.head;
        let mut state = self.state();
        if state.has_part {
            return;
        }
        state.has_part = true;
        state.head.get_or_insert(until);
        drop(state);
        self.changed.notify_one();
        self.begun.notify_waiters();
    }

    /// A whole head has arrived, and its request is being answered until the turn is dropped.
    pub fn turn(self: &Arc<Self>) -> Turn {
        let id = self.requests.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state();
        state.head = None;
        state.has_part = false;
        state.turns.push((id, None));
        drop(state);
        self.changed.notify_one();
        self.begun.notify_waiters();
        Turn { patience: Arc::clone(self), id }
    }

    /// How many requests there have been.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// How many requests have no whole answer yet.
    pub fn open(&self) -> usize {
        self.state().turns.len()
    }

    /// When what is waited for is late; nothing while only we are waited for.
    fn late(&self) -> Option<Instant> {
        let state = self.state();
        let sending = state.turns.iter().filter_map(|(_, sending)| sending.as_ref());
        let unread = sending.map(|sending| self.unread(sending)).min();
        let rest = state.turns.is_empty().then_some(state.rests_since + self.idle);
        state.head.into_iter().chain(unread).min().or(rest)
    }

    /// When the caller has taken too little of an answer.
    fn unread(&self, sending: &Sending) -> Instant {
        let earned = Duration::from_millis(sending.bytes.saturating_mul(1_000) / self.bytes_per_sec);
        (sending.last + self.stall).min(sending.began + self.stall + earned)
    }

    /// Ends when the connection has been silent for too long.
    pub async fn lost(&self) {
        loop {
            let changed = self.changed.notified();
            let late = self.late();
            if late.is_some_and(|late| late <= Instant::now()) {
                return;
            }
            match late {
                // What is due may have moved away meanwhile, so it is looked at again.
                Some(late) => drop(tokio::time::timeout_at(late, changed).await),
                None => changed.await,
            }
        }
    }

    /// Ends when every request was answered and none has come for so long.
    pub async fn rested(&self, long: Duration) {
        loop {
            let rests = self.rests.notified();
            let since = {
                let state = self.state();
                (state.turns.is_empty() && self.requests() > 0).then_some(state.rests_since)
            };
            match since.map(|since| since + long) {
                Some(due) if due <= Instant::now() => return,
                Some(due) => drop(tokio::time::timeout_at(due, rests).await),
                None => rests.await,
            }
        }
    }

    /// Ends when nobody is about to ask: no head has begun, and a new connection had its time to begin one.
    pub async fn settled(&self) {
        let mut is_new = self.requests() == 0;
        loop {
            let begun = self.begun.notified();
            if self.state().has_part {
                begun.await;
            } else if is_new && self.requests() == 0 {
                is_new = tokio::time::timeout(FIRST_BYTE, begun).await.is_ok();
            } else {
                return;
            }
        }
    }
}

/// One request of a connection, until its answer is gone.
#[derive(Debug)]
pub struct Turn {
    patience: Arc<Patience>,
    id: u64,
}

impl Turn {
    /// The answer has begun.
    pub fn sending(&self) {
        let now = Instant::now();
        self.set(|sending| *sending = Some(Sending { began: now, last: now, bytes: 0 }));
        self.patience.changed.notify_one();
    }

    /// There is nothing to send just now.
    pub fn waiting(&self) {
        self.set(|sending| *sending = None);
        self.patience.changed.notify_one();
    }

    /// The connection took so many bytes of the answer. What was due moves away, so nobody need be woken.
    pub fn sent(&self, bytes: usize) {
        let now = Instant::now();
        self.set(|sending| {
            if let Some(sending) = sending {
                sending.last = now;
                sending.bytes = sending.bytes.saturating_add(bytes as u64);
            }
        });
    }

    fn set(&self, change: impl FnOnce(&mut Option<Sending>)) {
        let mut state = self.patience.state();
        if let Some((_, sending)) = state.turns.iter_mut().find(|(id, _)| *id == self.id) {
            change(sending);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut state = self.patience.state();
        state.turns.retain(|(id, _)| *id != self.id);
        if state.turns.is_empty() {
            state.rests_since = now;
            state.turns.shrink_to(1);
            self.patience.rests.notify_one();
        }
        drop(state);
        self.patience.changed.notify_one();
    }
}
