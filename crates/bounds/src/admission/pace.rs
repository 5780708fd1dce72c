//! How many requests we can work on at once, told from how far behind our own work is.
//!
//! Two things tell it: how long it takes to come round, once through everything that is ready to run, which is what
//! every small step of every request waits; and for how long the first of the long pieces of work has waited for a
//! processor. What few of some looks are below is there to stay; some late looks are only accidents.

use std::time::Duration;

/// Time between two looks.
pub(super) const EVERY: Duration = Duration::from_millis(5);
/// Looks that are judged together: a twentieth of a second.
const LOOKS: usize = 10;
/// So many of them in time are enough. With one, a queue is taken for no queue because it was empty for a moment; with
/// half of them, every accident counts.
const IN_TIME: usize = 3;
/// What is left of what was used when all looks were late, in percent: as much as we were in time, between these. Who
/// is hardly late gives up little: cut down by a third, we would stand idle until the limit has grown again.
const LEFT: (u128, u128) = (70, 95);
/// However late we are, so many are worked on.
const LEAST: usize = 8;
/// By such a part the limit grows, a sixteenth: from its least to 256 in three seconds.
const GROWTH: usize = 16;
/// Who is so many times as late as is borne takes nobody more for the moment, if there is plenty to do already.
const STOP: u32 = 5;
/// Plenty to do: what a processor does in about a tenth of a second.
const PLENTY: usize = 32;

/// A request is some twenty steps: the processor is given up at each, and waited for.
const STEPS: u32 = 20;

/// What a request waits in all when each of its steps waits so long.
pub(super) const fn waits(step: Duration) -> Duration {
    step.saturating_mul(STEPS)
}

/// What is left of the limit, in percent, when what is borne was exceeded by so much.
fn left(borne: Duration, behind: Duration) -> usize {
    let in_time = borne.as_micros() * 100 / behind.as_micros().max(1);
    usize::try_from(in_time.clamp(LEFT.0, LEFT.1)).unwrap_or(100)
}

/// The limit.
#[derive(Debug)]
pub(super) struct Pace {
    most: usize,
    limit: usize,
    borne: Duration,
    looks: Vec<Duration>,
    most_used: usize,
}

impl Pace {
    /// Begins with the most that is allowed. `borne` is how far behind we may be.
    pub(super) fn new(most: usize, borne: Duration) -> Self {
        Self { most, limit: most, borne, looks: Vec::with_capacity(LOOKS), most_used: 0 }
    }

    /// How many may be worked on.
    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    /// So many are worked on now.
    pub(super) fn used(&mut self, now: usize) {
        self.most_used = self.most_used.max(now);
    }

    /// Whether we are so far behind that one more would only make it worse. It takes some looks to find the limit,
    /// and a storm lets in hundreds meanwhile.
    pub(super) fn is_swamped(&self, taken: usize, behind: Duration) -> bool {
        taken >= PLENTY && behind > self.borne.saturating_mul(STOP)
    }

    /// We were so far behind. Tells whether the limit is another now.
    pub(super) fn behind_by(&mut self, behind: Duration) -> bool {
        self.looks.push(behind);
        if self.looks.len() < LOOKS {
            return false;
        }
        self.looks.sort_unstable();
        let behind = self.looks.get(IN_TIME - 1).copied().unwrap_or_default();
        let before = self.limit;
        let is_used = self.most_used.saturating_mul(5) >= self.limit.saturating_mul(4);
        if behind > self.borne {
            // Of what was used: a limit that nobody reaches would have to come down a long way before it counts.
            let used = self.limit.min(self.most_used);
            self.limit = (used * left(self.borne, behind) / 100).max(LEAST).min(self.limit);
        } else if is_used {
            self.limit = (self.limit + (self.limit / GROWTH).max(1)).min(self.most);
        }
        self.looks.clear();
        self.most_used = 0;
        self.limit != before
    }
}
