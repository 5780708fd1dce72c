//! Connections that nobody uses. They are few, they are young, and nothing of an answer is left in them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

/// Most idle connections to all hosts together. One costs up to 60 kB.
const MOST_IDLE: usize = 512;
/// So long an idle connection is kept.
pub(super) const LONGEST_IDLE: Duration = Duration::from_secs(30);
/// So long an idle connection with HTTP/2 is kept. Its buffer of frames cannot be overwritten from outside, and
/// may hold the end of an answer.
const LONGEST_IDLE_H2: Duration = Duration::from_millis(1500);

/// Which protocol a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    Http1,
    Http2,
}

/// All idle connections.
#[derive(Debug)]
pub(super) struct Lobby {
    most: usize,
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    next: u64,
    /// In the order in which they became idle.
    by_ticket: BTreeMap<u64, Arc<Standing>>,
}

impl Default for Lobby {
    fn default() -> Self {
        Self::new(MOST_IDLE)
    }
}

impl Lobby {
    pub(super) fn new(most: usize) -> Self {
        Self { most, idle: Mutex::default() }
    }

    /// Lets one in. Whoever has been here longest goes when there are too many.
    fn enter(&self, one: &Arc<Standing>) -> (u64, Option<Arc<Standing>>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = idle.next;
        idle.next += 1;
        idle.by_ticket.insert(ticket, Arc::clone(one));
        let is_full = idle.by_ticket.len() > self.most;
        let oldest = if is_full { idle.by_ticket.pop_first() } else { None };
        (ticket, oldest.map(|(_, oldest)| oldest))
    }

    fn leave(&self, ticket: u64) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).by_ticket.remove(&ticket);
    }
}

/// One connection: who uses it, and since when nobody does.
pub(super) struct Standing {
    lobby: Arc<Lobby>,
    spoken: Spoken,
    seat: Mutex<Seat>,
    closing: AtomicBool,
    /// The task that reads from the connection.
    reader: AtomicWaker,
}

#[derive(Debug)]
struct Seat {
    visits: usize,
    ticket: Option<u64>,
    since: Instant,
}

impl fmt::Debug for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standing").field("spoken", &self.spoken).finish_non_exhaustive()
    }
}

impl Standing {
    /// A new connection, which nobody uses yet.
    pub(super) fn new(lobby: Arc<Lobby>, spoken: Spoken) -> Arc<Self> {
        let standing = Arc::new(Self {
            lobby,
            spoken,
            seat: Mutex::new(Seat { visits: 0, ticket: None, since: Instant::now() }),
            closing: AtomicBool::new(false),
            reader: AtomicWaker::new(),
        });
        standing.rest(&mut standing.seat());
        standing
    }

    pub(super) const fn spoken(&self) -> Spoken {
        self.spoken
    }

    /// When it has been idle for long enough; `None` while it is in use.
    pub(super) fn ends(&self) -> Option<Instant> {
        let seat = self.seat();
        let longest = match self.spoken {
            Spoken::Http1 => LONGEST_IDLE,
            Spoken::Http2 => LONGEST_IDLE_H2,
        };
        (seat.visits == 0).then(|| seat.since + longest)
    }

    /// Whether it was told to end. If not, the reader is called when it is, or when a visit has ended.
    pub(super) fn is_closing(&self, reader: &Context<'_>) -> bool {
        self.reader.register(reader.waker());
        self.closing.load(Ordering::Acquire)
    }

    fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.reader.wake();
    }

    /// The connection itself is gone.
    pub(super) fn gone(&self) {
        let mut seat = self.seat();
        if let Some(ticket) = seat.ticket.take() {
            self.lobby.leave(ticket);
        }
    }

    /// Sits down, and sends away whoever has no room any more.
    fn rest(self: &Arc<Self>, seat: &mut Seat) {
        seat.since = Instant::now();
        let (ticket, sent_away) = self.lobby.enter(self);
        seat.ticket = Some(ticket);
        if let Some(other) = sent_away {
            other.close();
        }
    }

    fn seat(&self) -> MutexGuard<'_, Seat> {
        self.seat.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One exchange on a connection. While there is one, the connection is not idle.
#[derive(Debug)]
pub(super) struct Visit(Arc<Standing>);

impl Visit {
    pub(super) fn begin(standing: &Arc<Standing>) -> Self {
        let mut seat = standing.seat();
        seat.visits += 1;
        if let Some(ticket) = seat.ticket.take() {
            standing.lobby.leave(ticket);
        }
        drop(seat);
        Self(Arc::clone(standing))
    }

    pub(super) fn is_on(&self, standing: &Arc<Standing>) -> bool {
        Arc::ptr_eq(&self.0, standing)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut seat = self.0.seat();
        seat.visits -= 1;
        let is_last = seat.visits == 0;
        if is_last {
            self.0.rest(&mut seat);
        }
        drop(seat);
        if is_last {
            // It reads once more, which overwrites what the answer left behind.
            self.0.reader.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_closing(standing: &Standing) -> bool {
        standing.closing.load(Ordering::Acquire)
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_goes_first_and_who_is_in_use_never() {
        let lobby = Arc::new(Lobby::new(2));
        let [first, second, third, fourth] =
            std::array::from_fn(|_| Standing::new(Arc::clone(&lobby), Spoken::Http1));
        // The first two had to go already.
        assert_eq!([&first, &second, &third, &fourth].map(|one| is_closing(one)), [true, true, false, false]);
        let busy = Visit::begin(&third);
        let fifth = Standing::new(Arc::clone(&lobby), Spoken::Http1);
        assert!(!is_closing(&fourth));
        drop(busy);
        assert_eq!([&third, &fourth, &fifth].map(|one| is_closing(one)), [false, true, false]);
        for one in [first, second, third, fourth, fifth] {
            one.gone();
        }
        assert!(lobby.idle.lock().unwrap().by_ticket.len() <= 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_rest_begins_with_the_end_of_the_last_visit() {
        let standing = Standing::new(Arc::new(Lobby::default()), Spoken::Http2);
        let (one, other) = (Visit::begin(&standing), Visit::begin(&standing));
        assert_eq!(standing.ends(), None);
        tokio::time::advance(Duration::from_secs(9)).await;
        drop(one);
        assert_eq!(standing.ends(), None);
        drop(other);
        assert_eq!(standing.ends(), Some(Instant::now() + LONGEST_IDLE_H2));
    }
}
