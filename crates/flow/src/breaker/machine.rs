//! The states of a breaker, over instants that are handed in.

use std::time::Duration;

use tokio::time::Instant;

use super::window::Window;
use super::{BreakerState, Shut};
use crate::chance::Chance;
use crate::classify::Verdict;

/// Failures one after another that shut it: four can be chance, and five cost a patient's record no more.
const CONSECUTIVE: u32 = 5;
/// How long it is shut the first time.
const FIRST_SHUT: Duration = Duration::from_secs(2);
/// However often it was shut before: a source that is well again is asked within a minute.
const LONGEST_SHUT: Duration = Duration::from_mins(1);
/// A source that asks to wait is believed up to here.
const LONGEST_HOLD: Duration = Duration::from_mins(5);
/// So that many brokers do not come back at once.
const JITTER_PERCENT: u32 = 20;
/// Probes that must succeed, one after another, before everybody passes.
const PROBES: u32 = 3;

/// Leave to ask. What comes of it is told with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leave {
    /// Leave given in an earlier state says nothing about the present one.
    era: u64,
}

#[derive(Debug)]
pub(super) struct Machine {
    state: State,
    era: u64,
    /// How often it was shut since it last let everybody pass.
    shut_times: u32,
    chance: Chance,
}

#[derive(Debug)]
enum State {
    Passing { failures: u32, window: Window },
    Shut { until: Instant },
    Probing { under_way: Option<Instant>, succeeded: u32 },
}

impl Machine {
    pub(super) fn new(chance: Chance) -> Self {
        Self { state: State::passing(), era: 0, shut_times: 0, chance }
    }

    pub(super) const fn state(&self) -> BreakerState {
        match self.state {
            State::Passing { .. } => BreakerState::Passing,
            State::Shut { .. } => BreakerState::Shut,
            State::Probing { .. } => BreakerState::Probing,
        }
    }

    /// Asks for leave to put a question that is over by `ends`.
    pub(super) fn admit(&mut self, now: Instant, ends: Instant) -> Result<Leave, Shut> {
        match &mut self.state {
            State::Passing { .. } => {}
            State::Shut { until } if *until > now => {
                return Err(Shut { left: until.duration_since(now) });
            }
            State::Shut { .. } => self.enter(State::Probing { under_way: Some(ends), succeeded: 0 }),
            State::Probing { under_way: Some(ends), .. } => {
                return Err(Shut { left: ends.saturating_duration_since(now) });
            }
            State::Probing { under_way, .. } => *under_way = Some(ends),
        }
        Ok(Leave { era: self.era })
    }

    /// What came of a question, and how long the source asks to be left alone.
    pub(super) fn heard(&mut self, now: Instant, leave: Leave, verdict: Verdict, hold: Option<Duration>) {
        let hold = hold.map_or(Duration::ZERO, |hold| hold.min(LONGEST_HOLD));
        if leave.era != self.era {
            // Too late to say how the source is. That it wants to be left alone is heard all the same.
            if let State::Shut { until } = &mut self.state {
                *until = (*until).max(now + hold);
            }
            return;
        }
        let failed = matches!(verdict, Verdict::Hard | Verdict::Soft);
        let must_shut = match &mut self.state {
            State::Passing { failures, window } => {
                *failures = match verdict {
                    Verdict::Success => 0,
                    Verdict::Hard => *failures + 1,
                    Verdict::Soft | Verdict::Neutral => *failures,
                };
                if verdict != Verdict::Neutral {
                    window.note(now, failed);
                }
                failed && (*failures >= CONSECUTIVE || window.is_failing(now))
            }
            State::Probing { under_way, succeeded } => {
                *under_way = None;
                *succeeded += u32::from(verdict == Verdict::Success);
                failed
            }
            State::Shut { .. } => false,
        };
        let is_well = matches!(self.state, State::Probing { succeeded: PROBES.., .. });
        if must_shut {
            let length = self.length();
            self.shut_times += 1;
            self.enter(State::Shut { until: now + length.max(hold) });
        } else if !hold.is_zero() {
            // It is busy, not broken: no reason to wait longer the next time.
            self.enter(State::Shut { until: now + hold });
        } else if is_well {
            self.shut_times = 0;
            self.enter(State::passing());
        }
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.era += 1;
    }

    /// Twice as long each time.
    fn length(&mut self) -> Duration {
        let doubled = FIRST_SHUT.saturating_mul(1 << self.shut_times.min(16));
        self.chance.around(doubled, JITTER_PERCENT).min(LONGEST_SHUT)
    }
}

impl State {
    fn passing() -> Self {
        Self::Passing { failures: 0, window: Window::default() }
    }
}
