//! A count over the last so-and-so long, in steps.

/// How many steps a window has.
const STEPS: usize = 8;

/// A count over eight steps of time. It covers the present step and the seven before it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Steps {
    /// The present step, counted since 1970.
    now: u32,
    counts: [u16; STEPS],
}

impl Steps {
    /// Counts one more, in a window of this length.
    pub(crate) fn add(&mut self, at_secs: u32, window_secs: u32) {
        self.turn(at_secs, window_secs);
        if let Some(count) = self.counts.first_mut() {
            *count = count.saturating_add(1);
        }
    }

    /// How many there were in the window that ends now.
    pub(crate) fn sum(&mut self, at_secs: u32, window_secs: u32) -> u32 {
        self.turn(at_secs, window_secs);
        self.counts.iter().map(|count| u32::from(*count)).sum()
    }

    /// Lets what is too old fall off the end. A clock that went back stays in the present step.
    fn turn(&mut self, at_secs: u32, window_secs: u32) {
        let step_secs = (window_secs / u32::try_from(STEPS).unwrap_or(1)).max(1);
        let step = at_secs / step_secs;
        let passed = usize::try_from(step.saturating_sub(self.now)).unwrap_or(STEPS).min(STEPS);
        self.counts.rotate_right(passed % STEPS);
        self.counts.iter_mut().take(passed).for_each(|count| *count = 0);
        self.now = self.now.max(step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    const HOUR: u32 = 3600;

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let mut steps = Steps::default();
        for at in [10_000_000, 10_000_001, 10_003_000] {
            steps.add(at, HOUR);
        }
        assert_eq!(steps.sum(10_003_000, HOUR), 3);
        assert_eq!(steps.sum(10_003_700, HOUR), 1);
        assert_eq!(steps.sum(10_007_000, HOUR), 0);
        // The clock went back: it counts now.
        steps.add(9_000_000, HOUR);
        assert_eq!(steps.sum(10_007_000, HOUR), 1);
    }

    proptest! {
        /// Never more than happened within the window, never less than within its last seven eighths.
        #[test]
        fn the_count_is_between_seven_eighths_and_the_whole_of_the_window(
            mut times in proptest::collection::vec(1_000_000_u32..1_030_000, 0..200),
            later in 0_u32..10_000,
        ) {
            times.sort_unstable();
            let now = times.last().copied().unwrap_or(1_000_000) + later;
            let mut steps = Steps::default();
            for at in &times {
                steps.add(*at, HOUR);
            }
            let within = |secs: u32| u32::try_from(times.iter().filter(|at| now - **at < secs).count()).unwrap();
            let sum = steps.sum(now, HOUR);
            prop_assert!(sum <= within(HOUR), "{sum}");
            prop_assert!(sum >= within(HOUR / 8 * 7), "{sum}");
        }
    }
}
