//! Who broke the glass, how often, and for whom it is broken still.
//!
//! Neither users nor patients are kept, only what their names come to under a key of this process.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;
use tributary_audit::Access;
use tributary_policy::GlassBounds;

/// Most users who are remembered. Beyond that nobody else breaks the glass until somebody is forgotten: who cannot
/// be counted is refused.
const MOST_USERS: usize = 100_000;
/// Most uses of one user that are remembered, whatever the quota.
const MOST_USES: usize = 1_000;

/// One use.
#[derive(Clone, Copy, Debug)]
struct Use {
    patient: u64,
    began: Instant,
}

/// What a wish came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Took {
    /// One more use.
    Anew,
    /// The same as before: it is broken still.
    Within,
    /// No use is left.
    Nothing,
}

/// The uses of every user.
#[derive(Debug, Default)]
pub(crate) struct BrokenGlass {
    key: RandomState,
    users: Mutex<HashMap<u64, Vec<Use>>>,
}

impl BrokenGlass {
    /// Breaks the glass for who asks and whom they ask about, if that is left to them.
    pub(crate) fn take(&self, access: &Access, bounds: GlassBounds) -> Took {
        let Some(patient) = access.patient else { return Took::Nothing };
        let who = &access.requester;
        let user = self.key.hash_one((&who.user_id, who.organisation.as_str(), &who.asid));
        // A patient is known again only to the user who broke the glass.
        let patient = self.key.hash_one((user, patient.expose()));
        self.take_one((user, patient), bounds, Instant::now())
    }

    fn take_one(&self, (user, patient): (u64, u64), bounds: GlassBounds, now: Instant) -> Took {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let longest = bounds.window.max(bounds.life);
        if users.len() >= MOST_USERS && !users.contains_key(&user) {
            users.retain(|_, uses| uses.iter().any(|one| now - one.began < longest));
            if users.len() >= MOST_USERS {
                return Took::Nothing;
            }
        }
        let own = users.entry(user).or_default();
        own.retain(|one| now - one.began < longest);
        if own.iter().any(|one| one.patient == patient && now - one.began < bounds.life) {
            return Took::Within;
        }
        let spent = own.iter().filter(|one| now - one.began < bounds.window).count();
        if spent >= usize::try_from(bounds.quota).unwrap_or(usize::MAX) || own.len() >= MOST_USES {
            return Took::Nothing;
        }
        own.push(Use { patient, began: now });
        Took::Anew
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const BOUNDS: GlassBounds =
        GlassBounds { quota: 2, window: Duration::from_hours(24), life: Duration::from_hours(1) };

    #[tokio::test(start_paused = true)]
    async fn a_quota_is_a_users_own_and_comes_back() {
        let glass = BrokenGlass::default();
        let take = |user, patient| glass.take_one((user, patient), BOUNDS, Instant::now());
        assert_eq!(
            [take(1, 1), take(1, 1), take(1, 2), take(1, 3)],
            [Took::Anew, Took::Within, Took::Anew, Took::Nothing]
        );
        assert_eq!(take(2, 3), Took::Anew, "another user has uses of their own");
        assert_eq!(take(1, 2), Took::Within, "what is broken stays so");
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!(take(1, 2), Took::Nothing, "for an hour and no longer");
        tokio::time::advance(Duration::from_hours(23)).await;
        assert_eq!(take(1, 2), Took::Anew);
    }
}
