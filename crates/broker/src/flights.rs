//! Asks in flight, each shared by everybody who asks the same with the same authority.
//!
//! A flight belongs to nobody who waits for it: it has the whole time of its source, whoever leaves before, and
//! ends when the last one has left. What became of it is the same for all, and it is never begun again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tower::ServiceExt as _;
use tracing::Instrument as _;
use tributary_fhir::Reply;
use tributary_model::{
    Ask, Clock as _, Deadline, FaultClass, Freshness, Priority, SourceFault, TraceContext, TraceId,
};

use crate::asking::{Asking, Brought};
use crate::broker::Room;
use crate::key::{Holding, Key};
use crate::parts::SourcePort;

/// Which came first. Unlike instants, no two that are drawn are equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

impl Ticket {
    /// After everything.
    pub(crate) const LAST: Self = Self(u64::MAX);
}

/// The asks in flight that may be joined, by their key.
#[derive(Default)]
pub(crate) struct Flights {
    drawn: AtomicU64,
    /// For each key those in the air, the newest last: whoever wants it fetched now begins another.
    open: Mutex<HashMap<Key, Vec<Open>>>,
}

/// A flight that may be joined. Its ticket is beside it, so that nobody has to hold it, and perhaps to be the last
/// to let go of it, only to know which one it is.
struct Open {
    began: Ticket,
    flight: Weak<Flight>,
}

/// What somebody wants of a source, and since when.
pub(crate) struct Wish {
    pub(crate) key: Key,
    pub(crate) ask: Ask,
    pub(crate) freshness: Freshness,
    /// When the request arrived.
    pub(crate) arrived: Ticket,
}

/// An ask in flight. Everybody who waits for it holds it; with the last of them it ends.
pub(crate) struct Flight {
    pub(crate) key: Key,
    /// When it began, among all that happens here.
    pub(crate) began: Ticket,
    /// Names the fetch in every disclosure of what it brings.
    pub(crate) fetch: TraceId,
    priority: Priority,
    landing: watch::Receiver<Option<Landing>>,
    task: AbortHandle,
    is_counted: AtomicBool,
    room: Weak<Room>,
}

/// How somebody came to wait for a flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Boarding {
    /// It began for them.
    Led,
    /// It was in the air already.
    Joined,
}

/// What became of a flight.
#[derive(Clone)]
pub(crate) struct Landing {
    pub(crate) outcome: Result<Arc<Reply>, SourceFault>,
    /// By the clock that dates replies.
    pub(crate) at: Timestamp,
    /// By the clock that tells their age.
    pub(crate) landed: Instant,
}

impl Flights {
    /// Later than everything drawn before.
    pub(crate) fn draw(&self) -> Ticket {
        Ticket(self.drawn.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// How many asks are in flight and may be joined.
    pub(crate) fn count(&self) -> usize {
        self.open().values().map(Vec::len).sum()
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Key, Vec<Open>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody joins what began before `at` to ask a source about a patient: it has taken its word back.
    fn close_before(&self, holding: &Holding, at: Ticket) {
        let mut open = self.open();
        for (_, all) in open.iter_mut().filter(|(key, _)| key.holding == *holding) {
            all.retain(|one| one.began >= at);
        }
        open.retain(|_, all| !all.is_empty());
    }

    /// Takes a flight out of those that may be joined.
    fn close(&self, key: &Key, began: Ticket) {
        let mut open = self.open();
        let Some(all) = open.get_mut(key) else { return };
        all.retain(|one| one.began != began);
        if all.is_empty() {
            open.remove(key);
        }
    }
}

/// Joins the flight that answers a wish, or begins one.
pub(crate) fn board(room: &Arc<Room>, port: &Arc<SourcePort>, wish: Wish) -> (Arc<Flight>, Boarding) {
    let mut open = room.flights.open();
    let all = open.entry(wish.key.clone()).or_default();
    let in_the_air: Vec<_> = all.iter().filter_map(|one| one.flight.upgrade()).collect();
    let joined = in_the_air.iter().rev().find(|flight| flight.answers(&wish)).cloned();
    let (flight, boarding) = if let Some(flight) = joined {
        (flight, Boarding::Joined)
    } else {
        let flight = begin(room, port, wish.ask, wish.key);
        all.push(Open { began: flight.began, flight: Arc::downgrade(&flight) });
        (flight, Boarding::Led)
    };
    drop(open);
    // Only now: whoever is the last to let go of a flight takes the lock again.
    drop(in_the_air);
    (flight, boarding)
}

fn begin(room: &Arc<Room>, port: &Arc<SourcePort>, ask: Ask, key: Key) -> Arc<Flight> {
    let (tell, landing) = watch::channel(None);
    let (began, priority) = (room.flights.draw(), ask.requester.priority);
    let aloft = Aloft { room: Arc::clone(room), key: key.clone(), began };
    let port = Arc::clone(port);
    let flying = async move {
        let landing = fly(&aloft, &port, ask).await;
        // From now on nobody joins: what has landed is memory, and memory has rules of its own.
        drop(aloft);
        tell.send_replace(Some(landing));
    };
    Arc::new(Flight {
        key,
        began,
        fetch: TraceId::random(),
        priority,
        landing,
        // The trace is that of whoever led; others who join have their own.
        task: room.tasks.spawn(TraceContext::carried(flying).in_current_span()).abort_handle(),
        is_counted: AtomicBool::new(false),
        room: Arc::downgrade(room),
    })
}

/// Asks, with the whole time of the source.
async fn fly(aloft: &Aloft, port: &SourcePort, ask: Ask) -> Landing {
    let Aloft { room, key, began } = aloft;
    let ask = Ask { deadline: Deadline::after(port.timeout), ..ask };
    let _in_flight = room.in_flight(port);
    // The stack has its own deadline; this one stands for stacks that forget theirs.
    let deadline = ask.deadline;
    let asking = Asking::begin(room, port);
    let asked = tokio::time::timeout_at(deadline.instant(), port.service.clone().oneshot(ask));
    let outcome = asking.of(asked).await.unwrap_or(Err(SourceFault::new(FaultClass::NoHead)));
    let brought = outcome.as_ref().map(|reply| Brought { bytes: reply.bytes, http: 200 });
    asking.ended(brought.map_err(|fault| *fault));
    if let Err(fault) = &outcome {
        take_back(room, key, *began, *fault);
    }
    Landing { outcome: outcome.map(Arc::new), at: room.clock.now(), landed: Instant::now() }
}

/// A refusal is the source's last word: what was kept before it must not be shown any more, to anybody.
fn take_back(room: &Room, key: &Key, began: Ticket, fault: SourceFault) {
    if matches!(fault.class, FaultClass::Consent | FaultClass::Denied) {
        forget(room, &key.holding, room.flights.draw());
    } else if fault.class == FaultClass::NoRecord {
        forget(room, &key.holding, began);
    }
}

/// Shows nobody who comes from now on what a source said of a patient in fetches that began before `at`: neither
/// what is kept, nor what is still on its way.
pub(crate) fn forget(room: &Room, holding: &Holding, at: Ticket) {
    room.flights.close_before(holding, at);
    room.cache.forget(holding, at);
}

/// Held by the task of a flight, however it ends.
struct Aloft {
    room: Arc<Room>,
    key: Key,
    began: Ticket,
}

impl Drop for Aloft {
    fn drop(&mut self) {
        self.room.flights.close(&self.key, self.began);
        if std::thread::panicking() {
            tracing::error!({ source.id = self.key.holding.source.as_str() }, "an ask was lost");
        }
    }
}

impl Flight {
    /// Whether it may answer a wish: it has at least its priority, and began after it if it must be fetched now.
    fn answers(&self, wish: &Wish) -> bool {
        let is_fresh = wish.freshness == Freshness::Allowed || wish.arrived < self.began;
        is_fresh && wish.ask.requester.priority <= self.priority
    }

    /// Waits for it to land, at most until `deadline`. One that was lost is our own fault, to everybody.
    pub(crate) async fn landing(&self, deadline: Deadline) -> Result<Landing, SourceFault> {
        let mut landing = self.landing.clone();
        let landed = tokio::time::timeout_at(deadline.instant(), landing.wait_for(Option::is_some)).await;
        match landed.map(|known| known.map(|landing| landing.clone())) {
            Ok(Ok(Some(landing))) => Ok(landing),
            Ok(Ok(None) | Err(_)) => Err(SourceFault::new(FaultClass::Internal)),
            Err(_late) => Err(SourceFault::new(FaultClass::NoHead)),
        }
    }

    /// Whether whoever asks is to count the ask: one of those who wait does.
    pub(crate) fn is_mine_to_count(&self) -> bool {
        !self.is_counted.swap(true, Ordering::Relaxed)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(room) = self.room.upgrade() {
            room.flights.close(&self.key, self.began);
        }
    }
}
