//! One deadline travels through every room; each step takes what is left.

use std::time::Duration;

use tokio::time::Instant;

/// The monotonic instant by which an answer must be on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// A deadline that lies `budget` from now.
    pub fn after(budget: Duration) -> Self {
        Self(Instant::now() + budget)
    }

    /// What is left; zero when it has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Which share of a budget is used, when all of it was left once: above one if it was not enough.
    pub fn share_used(self, budget: Duration) -> f64 {
        let late = Instant::now().saturating_duration_since(self.0);
        let used = budget.saturating_sub(self.remaining()) + late;
        if budget.is_zero() { 1.0 } else { used.as_secs_f64() / budget.as_secs_f64() }
    }

    /// The instant itself, for timers.
    pub const fn instant(self) -> Instant {
        self.0
    }

    /// The earlier of this deadline and one `cap` from now.
    #[must_use]
    pub fn capped(self, cap: Duration) -> Self {
        Self(self.0.min(Instant::now() + cap))
    }

    /// This deadline, brought forward so that `reserve` is left for the work after it.
    #[must_use]
    pub fn less(self, reserve: Duration) -> Self {
        Self(self.0.checked_sub(reserve).unwrap_or(self.0))
    }
}
