//! How many requests we can work on at once, told from how late our own timers are.
//!
//! A timer that is late waited for the processor behind everything else that was ready to run. The least of
//! some is what every step of every request waits; one late timer is only an accident.

use std::time::Duration;

/// Time between two looks.
pub(super) const EVERY: Duration = Duration::from_millis(10);
/// Looks that are judged together: a tenth of a second.
const LOOKS: u32 = 10;
/// A timer ticks every millisecond, and its task is run a moment later; five are work that waits for work.
const LATE: Duration = Duration::from_millis(5);
/// What is left of the limit when all looks were late.
const CUT: (usize, usize) = (7, 10);
/// However late we are, so many are worked on.
const LEAST: usize = 16;
/// In so many steps the limit grows from nothing to its most: about six seconds.
const STEPS: usize = 64;

/// The limit.
#[derive(Debug)]
pub(super) struct Pace {
    most: usize,
    limit: usize,
    looks: u32,
    least_lag: Duration,
    most_used: usize,
}

impl Pace {
    /// Begins with the most that is allowed.
    pub(super) const fn new(most: usize) -> Self {
        Self { most, limit: most, looks: 0, least_lag: Duration::MAX, most_used: 0 }
    }

    /// How many may be worked on.
    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    /// So many are worked on now.
    pub(super) fn used(&mut self, now: usize) {
        self.most_used = self.most_used.max(now);
    }

    /// A timer was so late. Tells whether the limit is another now.
    pub(super) fn late_by(&mut self, lag: Duration) -> bool {
        self.least_lag = self.least_lag.min(lag);
        self.looks += 1;
        if self.looks < LOOKS {
            return false;
        }
        let before = self.limit;
        let is_used = self.most_used.saturating_mul(5) >= self.limit.saturating_mul(4);
        if self.least_lag > LATE {
            self.limit = (self.limit * CUT.0 / CUT.1).max(LEAST.min(self.most));
        } else if is_used {
            self.limit = (self.limit + (self.most / STEPS).max(1)).min(self.most);
        }
        (self.looks, self.least_lag, self.most_used) = (0, Duration::MAX, 0);
        self.limit != before
    }
}
