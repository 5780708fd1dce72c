//! How many second attempts a source may be given, so that a storm is never made worse by us.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

/// Seconds that are looked back on.
const SECONDS: usize = 10;
/// Of the requests of that time.
const PERCENT: u64 = 10;
/// And so many besides for each second, or a quiet source would never get one.
const EACH_SECOND: u64 = 1;

/// The second attempts of one source. Clones share one count.
#[derive(Clone, Debug)]
pub struct RetryBudget(Arc<Mutex<Counts>>);

#[derive(Debug)]
struct Counts {
    seconds: [Count; SECONDS],
    newest: usize,
    /// When the newest second began.
    begun: Instant,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    requests: u32,
    retries: u32,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self::new()
    }
}

impl RetryBudget {
    /// A budget that nothing was drawn from.
    pub fn new() -> Self {
        let counts = Counts { seconds: [Count::default(); SECONDS], newest: 0, begun: Instant::now() };
        Self(Arc::new(Mutex::new(counts)))
    }

    /// A request was made: a tenth of a second attempt.
    pub fn deposit(&self) {
        self.now(|counts| counts.now(|second| second.requests = second.requests.saturating_add(1)));
    }

    /// Takes a second attempt, if there is one left.
    pub fn withdraw(&self) -> bool {
        self.now(|counts| {
            let requests: u64 = counts.seconds.iter().map(|second| u64::from(second.requests)).sum();
            let retries: u64 = counts.seconds.iter().map(|second| u64::from(second.retries)).sum();
            let has_one = retries < requests * PERCENT / 100 + EACH_SECOND * SECONDS as u64;
            if has_one {
                counts.now(|second| second.retries = second.retries.saturating_add(1));
            }
            has_one
        })
    }

    fn now<T>(&self, work: impl FnOnce(&mut Counts) -> T) -> T {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.advance(Instant::now());
        work(&mut counts)
    }
}

impl Counts {
    fn now(&mut self, work: impl FnOnce(&mut Count)) {
        if let Some(second) = self.seconds.get_mut(self.newest) {
            work(second);
        }
    }

    fn advance(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.begun).as_secs();
        for _ in 0..passed.min(SECONDS as u64) {
            self.newest = (self.newest + 1) % SECONDS;
            self.now(|second| *second = Count::default());
        }
        self.begun += std::time::Duration::from_secs(passed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::Duration;

    use tokio::time::advance;

    fn withdrawn(budget: &RetryBudget) -> usize {
        std::iter::from_fn(|| budget.withdraw().then_some(())).take(10_000).count()
    }

    #[tokio::test(start_paused = true)]
    async fn one_a_second_and_a_tenth_of_the_requests() {
        let budget = RetryBudget::new();
        assert_eq!(withdrawn(&budget), 10);
        for _ in 0..200 {
            budget.deposit();
        }
        assert_eq!(withdrawn(&budget), 20);
        advance(Duration::from_millis(9999)).await;
        assert_eq!(withdrawn(&budget), 0);
        advance(Duration::from_millis(1)).await;
        assert_eq!(withdrawn(&budget), 10, "requests and attempts of ten seconds ago are forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn in_a_long_storm_a_tenth_and_one_a_second() {
        let budget = RetryBudget::new();
        let mut retries = 0;
        for _ in 0..600 {
            for _ in 0..10 {
                budget.deposit();
                retries += usize::from(budget.withdraw());
            }
            advance(Duration::from_millis(100)).await;
        }
        // A minute of a hundred requests a second, all of which failed.
        assert!((500..=700).contains(&retries), "{retries}");
    }
}
