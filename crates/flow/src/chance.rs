//! Chance, as an argument: drawn from a seed in tests, from the system otherwise.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

/// A stream of numbers that nobody needs to be unable to guess: for jitter, never for secrets (`SplitMix64`).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The stream that belongs to a seed.
    pub const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// A stream of its own, so that many brokers do not come back to a source in step.
    pub fn of_system() -> Self {
        // The standard library seeds its hashers from the system.
        Self(RandomState::new().build_hasher().finish())
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let once = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let twice = (once ^ (once >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        twice ^ (twice >> 31)
    }

    /// A whole number from nothing to the most, included.
    pub fn up_to(&mut self, most: u64) -> u64 {
        let drawn = self.draw();
        most.checked_add(1).map_or(drawn, |bound| drawn % bound)
    }

    /// A length from the least to the most, both included, to the microsecond.
    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let spread = u64::try_from(most.saturating_sub(least).as_micros()).unwrap_or(u64::MAX);
        least + Duration::from_micros(self.up_to(spread))
    }

    /// A length that differs from this one by at most so many per cent.
    pub fn around(&mut self, length: Duration, percent: u32) -> Duration {
        let off = length * percent / 100;
        self.between(length.saturating_sub(off), length + off)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_stays_within_its_bounds_and_differs() {
        let mut chance = Chance::seeded(7);
        let (least, most) = (Duration::from_millis(25), Duration::from_millis(150));
        let drawn: Vec<_> = (0..1000).map(|_| chance.between(least, most)).collect();
        assert!(drawn.iter().all(|one| (least..=most).contains(one)));
        assert!(drawn.iter().any(|one| *one < Duration::from_millis(40)));
        assert!(drawn.iter().any(|one| *one > Duration::from_millis(135)));
        let second = Duration::from_secs(1);
        assert!((0..1000).all(|_| {
            let drawn = chance.around(second, 20);
            drawn >= Duration::from_millis(800) && drawn <= Duration::from_millis(1200)
        }));
    }

    #[test]
    fn a_seed_gives_the_same_stream_again_and_the_system_another() {
        let first = |mut chance: Chance| chance.draw();
        assert_eq!(first(Chance::seeded(1)), first(Chance::seeded(1)));
        assert_ne!(first(Chance::of_system()), first(Chance::of_system()));
    }
}
