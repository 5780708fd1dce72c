//! A leaky bucket in front of a service with a quota: one request at a time leaves, evenly spaced.
//!
//! The platform's spike arrest refuses bursts long before a minute's quota is used up, so a counter would not do.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tributary_model::Deadline;

/// No turn comes before the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoTurn;

/// Spaces requests.
#[derive(Debug)]
pub(crate) struct Pace {
    apart: Duration,
    next: Mutex<Instant>,
}

impl Pace {
    /// At most so many requests a second, and a little less: what leaves evenly does not arrive evenly.
    pub(crate) fn new(per_second: u32) -> Self {
        Self { apart: Duration::from_millis(1050) / per_second.max(1), next: Mutex::new(Instant::now()) }
    }

    /// Waits for a turn. Who could not have one in time takes none.
    pub(crate) async fn turn(&self, deadline: Deadline) -> Result<(), NoTurn> {
        let mine = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let mine = (*next).max(Instant::now());
            if mine >= deadline.instant() {
                return Err(NoTurn);
            }
            *next = mine + self.apart;
            mine
        };
        sleep_until(mine).await;
        Ok(())
    }

    /// Nobody has a turn for a while: the service said that it is too much.
    pub(crate) fn hold(&self, wait: Duration) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next = (*next).max(Instant::now() + wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon(ms: u64) -> Deadline {
        Deadline::after(Duration::from_millis(ms))
    }

    #[tokio::test(start_paused = true)]
    async fn turns_are_evenly_spaced() {
        let pace = Pace::new(5);
        let begun = Instant::now();
        for turn in 0..4 {
            pace.turn(soon(10_000)).await.unwrap();
            assert_eq!(begun.elapsed(), Duration::from_millis(210) * turn);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_too_late_is_not_taken() {
        let pace = Pace::new(1);
        pace.turn(soon(10)).await.unwrap();
        assert_eq!(pace.turn(soon(999)).await, Err(NoTurn));
        let begun = Instant::now();
        pace.turn(soon(1500)).await.unwrap();
        assert_eq!(begun.elapsed(), Duration::from_millis(1050));
    }

    #[tokio::test(start_paused = true)]
    async fn a_held_pace_lets_nobody_through() {
        let pace = Pace::new(100);
        pace.hold(Duration::from_secs(2));
        assert_eq!(pace.turn(soon(1000)).await, Err(NoTurn));
        pace.turn(soon(3000)).await.unwrap();
    }
}
