//! How long a source took of late.

use std::time::Duration;

/// Answers remembered: enough for a ninety-fifth percentile, few enough to forget a bad hour soon.
const KEPT: usize = 100;

/// The latest durations of answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latency {
    kept: Vec<Duration>,
    next: usize,
}

impl Latency {
    pub(crate) fn note(&mut self, took: Duration) {
        match self.kept.get_mut(self.next) {
            Some(oldest) => *oldest = took,
            None => self.kept.push(took),
        }
        self.next = (self.next + 1) % KEPT;
    }

    /// What all but one answer in twenty stayed within; `None` before the first.
    pub(crate) fn p95(&self) -> Option<Duration> {
        percentile(&mut self.kept.clone(), 95)
    }
}

/// The least of these that so many per cent do not exceed. It puts them into another order.
pub(crate) fn percentile(durations: &mut [Duration], percent: usize) -> Option<Duration> {
    let last = durations.len().checked_sub(1)?;
    let (_, found, _) = durations.select_nth_unstable(last * percent / 100);
    Some(*found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_hundred_count() {
        let mut latency = Latency::default();
        assert_eq!(latency.p95(), None);
        for _ in 0..100 {
            latency.note(Duration::from_secs(9));
        }
        for millis in 1..=100 {
            latency.note(Duration::from_millis(millis));
        }
        assert_eq!(latency.p95(), Some(Duration::from_millis(95)));
    }
}
