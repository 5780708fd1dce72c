//! Who is refused on the word of the head alone.
//!
//! In a storm most requests are refused, and what each of them costs is taken from those that are served. So nobody
//! reads the body, verifies the token or writes a line of log for a request that would be refused whoever it turned
//! out to be from. What a head can claim at most is judged by the rules of the door itself: who is refused here would
//! have been refused there.

use std::time::Duration;

use tokio::time::Instant;
use tributary_model::Priority;

use super::{Admission, Caller, Crowded};

/// Of those whose organisation is not known yet, one in so many goes on in order to be refused by name: shares are
/// those of who was refused lately.
const BY_NAME: u64 = 16;
/// Refusals are told together, so often at most.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// What is known of a request before anybody has looked who asks.
#[derive(Clone, Debug)]
pub enum Claim {
    /// Whose it is: nothing that comes later makes it another's, or more urgent.
    Of(Caller),
    /// That it is no more urgent than this.
    Within(Priority),
}

/// How many were refused so.
#[derive(Debug, Default)]
pub(super) struct TurnedBack {
    nameless: u64,
    untold: u64,
    told_at: Option<Instant>,
}

impl TurnedBack {
    /// Counts one, and says of how many it is time to tell.
    pub(super) fn one_more(&mut self, now: Instant) -> u64 {
        self.untold += 1;
        if self.told_at.is_some_and(|at| now.saturating_duration_since(at) < TELL_EVERY) {
            return 0;
        }
        self.told_at = Some(now);
        self.rest()
    }

    /// Of how many nobody has told.
    pub(super) const fn rest(&mut self) -> u64 {
        std::mem::replace(&mut self.untold, 0)
    }
}

/// One line for all of them.
pub(super) fn tell(refused: u64) {
    if refused > 0 {
        tracing::warn!(refused, "requests refused for load");
    }
}

impl Admission {
    /// Whether a request of which this much is known is refused at once, and why. Whom it lets go on the door may
    /// still refuse.
    pub fn turns_back(&self, claim: &Claim, behind: Duration) -> Option<Crowded> {
        let now = Instant::now();
        let mut state = self.state();
        let crowded = match claim {
            Claim::Of(caller) => {
                let limit = state.limit(caller.priority, behind, now);
                state.shares.refuses(caller, limit, now)?
            }
            Claim::Within(priority) => {
                let limit = state.limit(*priority, behind, now);
                if !state.shares.is_full(*priority, limit) {
                    return None;
                }
                state.turned_back.nameless += 1;
                if state.turned_back.nameless.is_multiple_of(BY_NAME) {
                    return None;
                }
                Crowded::Full
            }
        };
        let untold = state.turned_back.one_more(now);
        drop(state);
        tell(untold);
        Some(crowded)
    }
}
