//! How often something may be asked again, over all that share a client.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// At most `most` repeats among any `per` requests. A broker in trouble is not asked twice by everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Repeats; 0 means none ever.
    pub most: usize,
    /// Requests that share them, the repeats not counted.
    pub per: u64,
}

impl Default for Retries {
    /// One in ten: what a broker that is well never notices.
    fn default() -> Self {
        Self { most: 10, per: 100 }
    }
}

/// The account that all clones of a client share.
pub(crate) struct RetryBudget {
    limit: Retries,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    /// Requests so far.
    requests: u64,
    /// At which request each of the latest repeats was.
    repeats: VecDeque<u64>,
}

impl RetryBudget {
    pub(crate) fn new(limit: Retries) -> Self {
        Self { limit, book: Mutex::default() }
    }

    /// Notes a request that is no repeat.
    pub(crate) fn note_request(&self) {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.requests = book.requests.saturating_add(1);
    }

    /// Whether something may be asked again now; if so, that is noted.
    pub(crate) fn spend(&self) -> bool {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, per) = (book.requests, self.limit.per);
        while book.repeats.front().is_some_and(|at| at.saturating_add(per) <= now) {
            book.repeats.pop_front();
        }
        let is_left = book.repeats.len() < self.limit.most;
        if is_left {
            book.repeats.push_back(now);
        }
        is_left
    }
}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryBudget").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// A wait, a tenth longer at most: whoever was sent away together does not come back together.
pub(crate) fn spread(wait: Duration) -> Duration {
    // Its keys are drawn anew for each; that is chance enough, and decides nothing else.
    let drawn = RandomState::new().build_hasher().finish() % 100;
    wait.saturating_add(wait.saturating_mul(u32::try_from(drawn).unwrap_or(0)) / 1_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_stretch_of_requests_holds_more_repeats_than_allowed(
            most in 0..6_usize,
            per in 1..30_u64,
            moves in proptest::collection::vec(any::<bool>(), 0..400),
        ) {
            let budget = RetryBudget::new(Retries { most, per });
            let (mut request, mut granted) = (0_u64, Vec::new());
            for asks_again in moves {
                if !asks_again {
                    budget.note_request();
                    request += 1;
                } else if budget.spend() {
                    granted.push(request);
                }
            }
            for first in &granted {
                let near = granted.iter().filter(|at| (*first..*first + per).contains(*at)).count();
                prop_assert!(near <= most, "{near} repeats from request {first}: {granted:?}");
            }
        }
    }

    #[test]
    fn what_was_spent_comes_back_with_requests() {
        let budget = RetryBudget::new(Retries { most: 2, per: 3 });
        budget.note_request();
        assert!(budget.spend() && budget.spend() && !budget.spend());
        (0..2).for_each(|_| budget.note_request());
        assert!(!budget.spend());
        budget.note_request();
        assert!(budget.spend());
        assert!(!RetryBudget::new(Retries { most: 0, per: 1 }).spend());
    }

    #[test]
    fn a_wait_is_never_shortened() {
        for _ in 0..200 {
            let wait = spread(Duration::from_secs(2));
            assert!((2_000..=2_200).contains(&wait.as_millis()), "{wait:?}");
        }
    }
}
