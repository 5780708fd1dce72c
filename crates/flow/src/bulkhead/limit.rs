//! How many requests a source takes at once without getting slower: found by watching, and never more than was
//! agreed.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::chance::Chance;
use crate::latency::percentile;

/// Below this nothing could be learnt about more than one at a time.
const LEAST: usize = 2;
/// A window ends after a second or after so many samples.
const WINDOW: Duration = Duration::from_secs(1);
const WINDOW_SAMPLES: usize = 50;
/// The fastest window of this time tells how the source is at ease: longer than the wait between two looks (see
/// below), or a source that is always busy would count as naturally slow.
const SPAN: Duration = Duration::from_secs(10);
const SPANS: u32 = 10;
/// Every so often the limit is lowered for a window, to see how fast the source is with little to do now.
const LOOK_EVERY: Duration = Duration::from_mins(1);
const LOOK_JITTER_PERCENT: u32 = 15;
const LOOK_LIMIT: usize = 3;
/// With fewer at once it has little to do anyway.
const LOOK_LEAST_USED: usize = 4;
/// Slower by less than this is no sign of load: a quarter, and a little for fast ones.
const EASE_PERCENT: u128 = 125;
const EASE: Duration = Duration::from_millis(5);
/// The limit is kept in thousandths: it moves by less than one at a time.
const ONE: u64 = 1000;
/// One window moves the limit by a fifth of the way, and at most halves the aim.
const WEIGHT_NEW: u64 = 2;
const WEIGHT_ALL: u64 = 10;
const STEEPEST: u128 = 500;
/// What is left of the limit after the source said that it is too much.
const CUT_PERCENT: u64 = 70;

/// An adaptive limit (a gradient of latencies).
#[derive(Debug)]
pub(super) struct Limit {
    most: usize,
    thousandths: u64,
    window: Window,
    /// The least median of each of the latest spans. Medians, because requests of one source differ a
    /// hundredfold: the fastest of all would call every ordinary one slow.
    spans: VecDeque<Span>,
    cut_at: Option<Instant>,
    look_at: Instant,
    /// When it began to look, while it does.
    looking: Option<Instant>,
    chance: Chance,
}

#[derive(Debug)]
struct Span {
    begun: Instant,
    least: Duration,
}

#[derive(Debug)]
struct Window {
    begun: Instant,
    samples: Vec<Duration>,
    most_used: usize,
}

impl Window {
    const fn new(begun: Instant) -> Self {
        Self { begun, samples: Vec::new(), most_used: 0 }
    }
}

impl Limit {
    /// Begins with all that was agreed: less is for a reason.
    pub(super) fn new(most: usize, mut chance: Chance, now: Instant) -> Self {
        let most = most.max(1);
        Self {
            most,
            thousandths: most as u64 * ONE,
            window: Window::new(now),
            spans: VecDeque::new(),
            cut_at: None,
            look_at: now + chance.around(LOOK_EVERY, LOOK_JITTER_PERCENT),
            looking: None,
            chance,
        }
    }

    /// How many may be at the source.
    pub(super) fn now(&self) -> usize {
        let found = usize::try_from(self.thousandths / ONE).unwrap_or(usize::MAX);
        let found = if self.looking.is_some() { found.min(LOOK_LIMIT) } else { found };
        found.clamp(LEAST.min(self.most), self.most)
    }

    /// So many are at the source now.
    pub(super) fn used(&mut self, requests: usize) {
        self.window.most_used = self.window.most_used.max(requests);
    }

    /// A request that began then took so long.
    pub(super) fn took(&mut self, now: Instant, begun: Instant, took: Duration) {
        // While it looks, what was begun under load says nothing.
        if self.looking.is_some_and(|looking| begun < looking) {
            return;
        }
        self.window.samples.push(took);
        let is_full = self.window.samples.len() >= WINDOW_SAMPLES;
        if is_full || now.saturating_duration_since(self.window.begun) >= WINDOW {
            self.close(now);
        }
    }

    /// The source said that a request begun then was too much.
    pub(super) fn cut(&mut self, now: Instant, begun: Instant) {
        // Whatever was under way at the last cut is heard once.
        if self.cut_at.is_none_or(|cut_at| begun >= cut_at) {
            self.cut_at = Some(now);
            self.set(self.thousandths * CUT_PERCENT / 100);
        }
    }

    fn close(&mut self, now: Instant) {
        let window = std::mem::replace(&mut self.window, Window::new(now));
        let mut samples = window.samples;
        let Some(median) = percentile(&mut samples, 50) else { return };
        if self.looking.take().is_some() {
            self.spans.clear();
            self.note(now, median);
            self.look_at = now + self.chance.around(LOOK_EVERY, LOOK_JITTER_PERCENT);
            return;
        }
        self.note(now, median);
        self.steer(median, window.most_used);
        if now >= self.look_at && window.most_used >= LOOK_LEAST_USED {
            self.looking = Some(now);
        }
    }

    fn note(&mut self, now: Instant, median: Duration) {
        let age = |span: &Span| now.saturating_duration_since(span.begun);
        self.spans.retain(|span| age(span) < SPAN * SPANS);
        match self.spans.back_mut() {
            Some(newest) if age(newest) < SPAN => newest.least = newest.least.min(median),
            Some(_) | None => self.spans.push_back(Span { begun: now, least: median }),
        }
    }

    fn steer(&mut self, median: Duration, most_used: usize) {
        // Of a limit that was not half used, how fast the source was says nothing, either way.
        if most_used * 2 <= self.now() {
            return;
        }
        let at_ease = self.spans.iter().map(|span| span.least).min().unwrap_or(median);
        let expected = at_ease.as_micros() * EASE_PERCENT / 100 + EASE.as_micros();
        let gradient =
            (expected * u128::from(ONE) / median.as_micros().max(1)).clamp(STEEPEST, u128::from(ONE));
        let gradient = u64::try_from(gradient).unwrap_or(ONE);
        let old = self.thousandths;
        let aim = old * gradient / ONE + (old * ONE).isqrt();
        self.set((old * (WEIGHT_ALL - WEIGHT_NEW) + aim * WEIGHT_NEW) / WEIGHT_ALL);
    }

    fn set(&mut self, thousandths: u64) {
        let (least, most) = (LEAST.min(self.most) as u64 * ONE, self.most as u64 * ONE);
        self.thousandths = thousandths.clamp(least, most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A source that is asked by so many at once, all the time, for some seconds; each request takes what
    /// `pace` says of how many are there.
    fn run(
        limit: &mut Limit,
        now: &mut Instant,
        seconds: u32,
        callers: usize,
        pace: impl Fn(usize) -> Duration,
    ) {
        let end = *now + Duration::from_secs(1) * seconds;
        while *now < end {
            let used = callers.min(limit.now());
            limit.used(used);
            let took = pace(used);
            let begun = *now;
            *now += took;
            for _ in 0..used {
                limit.took(*now, begun, took);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_falls_where_the_source_slows_down_and_rises_again() {
        let mut now = Instant::now();
        let mut limit = Limit::new(32, Chance::seeded(1), now);
        assert_eq!(limit.now(), 32);
        run(&mut limit, &mut now, 1, 2, |_| ms(50));
        // From eight on it takes one at a time.
        let crowded = |used: usize| ms(50 * (used as u64).div_ceil(8).max(1));
        run(&mut limit, &mut now, 30, 32, crowded);
        assert!((2..=12).contains(&limit.now()), "{}", limit.now());
        run(&mut limit, &mut now, 60, 32, |_| ms(50));
        assert_eq!(limit.now(), 32);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_source_keeps_its_limit_however_slow_it_is() {
        let mut now = Instant::now();
        let mut limit = Limit::new(32, Chance::seeded(1), now);
        run(&mut limit, &mut now, 5, 3, |_| ms(10));
        run(&mut limit, &mut now, 5, 3, |_| ms(900));
        assert_eq!(limit.now(), 32);
        limit.cut(now, now);
        run(&mut limit, &mut now, 5, 3, |_| ms(10));
        assert_eq!(limit.now(), 22, "what is not used does not grow either");
    }

    #[tokio::test(start_paused = true)]
    async fn too_much_cuts_it_once_for_all_that_was_under_way() {
        let now = Instant::now();
        let mut limit = Limit::new(10, Chance::seeded(1), now);
        let later = now + ms(100);
        for _ in 0..10 {
            limit.cut(later, now);
        }
        assert_eq!(limit.now(), 7);
        for _ in 0..10 {
            limit.cut(later + ms(100), later);
        }
        assert_eq!(limit.now(), 4);
        for step in 2..30 {
            limit.cut(later + ms(100) * step, later + ms(100) * step);
        }
        assert_eq!(limit.now(), 2);
        let mut single = Limit::new(1, Chance::seeded(1), now);
        single.cut(now, now);
        assert_eq!(single.now(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn once_a_minute_it_looks_how_fast_the_source_is_at_ease() {
        let mut now = Instant::now();
        let mut limit = Limit::new(8, Chance::seeded(1), now);
        // Always busy, and twice as slow for it.
        let pace = |used: usize| if used > 4 { ms(200) } else { ms(100) };
        let mut looked = 0;
        for _ in 0..(130 * 5) {
            let used = limit.now().min(8);
            limit.used(used);
            looked += usize::from(limit.looking.is_some());
            if limit.looking.is_some() {
                assert_eq!(limit.now(), 3);
            }
            let begun = now;
            now += pace(used);
            for _ in 0..used {
                limit.took(now, begun, pace(used));
            }
        }
        assert!((5..=60).contains(&looked), "{looked}");
    }
}
