//! Where long pieces of work are done: on threads of their own, as many at once as there are processors.
//!
//! A merge is milliseconds of computing. Done where requests are served it would hold up all of them, refusals
//! included; done on as many threads as there are merges, they would hold up each other and those who serve.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// The places to work, and who waits for one. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Workshop {
    places: Arc<Semaphore>,
    /// As many as there are places.
    turns: Arc<Semaphore>,
    waiting: Arc<Waiting>,
}

/// Since when whom waits, in the order in which they came.
#[derive(Debug, Default)]
struct Waiting {
    next: AtomicU64,
    since: Mutex<BTreeMap<u64, Instant>>,
}

/// The work was not done: it panicked, or the process is at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Undone;

/// The right to work, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn(#[expect(dead_code, reason = "it is held")] OwnedSemaphorePermit);

impl Workshop {
    /// One place for each processor that this process may use.
    pub(crate) fn new() -> Self {
        Self::of(std::thread::available_parallelism().map_or(1, NonZero::get))
    }

    fn of(places: usize) -> Self {
        let semaphore = || Arc::new(Semaphore::new(places));
        Self { places: semaphore(), turns: semaphore(), waiting: Arc::default() }
    }

    /// Waits until it is one's turn, for work that can be put off: what grows is made anew again and again, and what
    /// comes meanwhile goes into it. Such work has as many turns as there are places, so that it never stands before
    /// work that cannot be put off, and what it takes it takes only while it is done.
    pub(crate) async fn turn(&self) -> Result<Turn, Undone> {
        let _waits = Waits::begin(&self.waiting);
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        turn.map(Turn).map_err(|_closed| Undone)
    }

    /// Does work as soon as there is a place. Whoever stops waiting before that takes the work with them; what has
    /// begun is brought to its end.
    pub(crate) async fn done<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Undone> {
        let waits = Waits::begin(&self.waiting);
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_closed| Undone)?;
        drop(waits);
        let work = move || {
            let done = work();
            drop(place);
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(|_panicked| Undone)
    }

    /// For how long the one who came first has waited for a place: nothing if nobody waits.
    pub(crate) fn behind(&self) -> Duration {
        self.waiting.lock().first_key_value().map_or(Duration::ZERO, |(_, since)| since.elapsed())
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that waits, until it is dropped.
struct Waits<'w> {
    waiting: &'w Waiting,
    number: u64,
}

impl<'w> Waits<'w> {
    fn begin(waiting: &'w Waiting) -> Self {
        let number = waiting.next.fetch_add(1, Ordering::Relaxed);
        waiting.lock().insert(number, Instant::now());
        Self { waiting, number }
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.waiting.lock().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Until everything that can run has run.
    async fn settle() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn who_finds_no_place_waits_and_is_seen_to() {
        let workshop = Workshop::of(1);
        let (end, ended) = mpsc::channel::<()>();
        let long = workshop.clone();
        let long = tokio::spawn(async move { long.done(move || ended.recv().is_ok()).await });
        while workshop.places.available_permits() > 0 {
            settle().await;
        }
        assert_eq!(workshop.behind(), Duration::ZERO, "nobody waits");
        let mut gave_up = Box::pin(workshop.done(|| ()));
        let mut stays = Box::pin(workshop.done(|| 7));
        assert!(futures_util::poll!(&mut gave_up).is_pending());
        assert!(futures_util::poll!(&mut stays).is_pending());
        assert_eq!(workshop.waiting.lock().len(), 2);
        assert!(workshop.behind() > Duration::ZERO);
        drop(gave_up);
        assert_eq!(workshop.waiting.lock().len(), 1);
        end.send(()).unwrap();
        assert_eq!((stays.await, long.await.unwrap()), (Ok(7), Ok(true)));
        assert_eq!(workshop.behind(), Duration::ZERO);
    }

    #[tokio::test]
    async fn work_that_panics_gives_its_place_back() {
        let workshop = Workshop::of(1);
        let lost: Result<(), Undone> = workshop.done(|| std::panic::resume_unwind(Box::new("lost"))).await;
        assert_eq!(lost, Err(Undone));
        assert_eq!(workshop.done(|| 7).await, Ok(7));
    }
}
