//! How many of the latest questions failed.

use std::time::Duration;

use tokio::time::Instant;

/// Ten of them make up the half minute that is looked back on.
const BUCKET: Duration = Duration::from_secs(3);
const BUCKETS: usize = 10;
/// Fewer say nothing.
const LEAST_SAMPLES: u32 = 20;

/// Outcomes of the last thirty seconds.
#[derive(Debug)]
pub(super) struct Window {
    buckets: [Bucket; BUCKETS],
    /// The place of the newest bucket, and when it began.
    newest: usize,
    begun: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    all: u32,
    failed: u32,
}

impl Default for Window {
    fn default() -> Self {
        Self { buckets: [Bucket::default(); BUCKETS], newest: 0, begun: None }
    }
}

impl Window {
    pub(super) fn note(&mut self, now: Instant, failed: bool) {
        self.advance(now);
        if let Some(bucket) = self.buckets.get_mut(self.newest) {
            bucket.all = bucket.all.saturating_add(1);
            bucket.failed = bucket.failed.saturating_add(u32::from(failed));
        }
    }

    /// Whether fewer than half succeeded, out of enough to say so.
    pub(super) fn is_failing(&mut self, now: Instant) -> bool {
        self.advance(now);
        let all: u32 = self.buckets.iter().map(|bucket| bucket.all).fold(0, u32::saturating_add);
        let failed: u32 = self.buckets.iter().map(|bucket| bucket.failed).fold(0, u32::saturating_add);
        all >= LEAST_SAMPLES && failed > all - failed
    }

    fn advance(&mut self, now: Instant) {
        let begun = *self.begun.get_or_insert(now);
        let passed = now.saturating_duration_since(begun).as_nanos() / BUCKET.as_nanos();
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        // Each once around is all there is to forget.
        for _ in 0..usize::try_from(passed).map_or(BUCKETS, |passed| passed.min(BUCKETS)) {
            self.newest = (self.newest + 1) % BUCKETS;
            if let Some(bucket) = self.buckets.get_mut(self.newest) {
                *bucket = Bucket::default();
            }
        }
        self.begun = begun.checked_add(BUCKET.saturating_mul(passed)).or(Some(now));
    }
}
