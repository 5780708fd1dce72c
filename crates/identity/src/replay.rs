//! Tokens that were used, until nobody would accept them any more.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};

use crate::issuer::{VerifiedClaims, sha256};
use crate::refused::Refused;

/// Most tokens remembered at once: 1,600 a second for ten minutes, in about forty megabytes.
pub const MOST_REMEMBERED: usize = 1_000_000;
/// Longest time that a token is remembered, in seconds. Issuers whose tokens would live longer are refused by the
/// configuration, which is held to the same number.
pub const MOST_REMEMBERED_SECS: i64 = 600;
/// Tokens are forgotten by the minute.
const BATCH_SECS: i64 = 60;

/// Half of a SHA-256: as long as it takes for two tokens not to be taken for one.
type Mark = [u8; 16];

/// The tokens that were used on this node.
#[derive(Debug)]
pub struct Replays {
    most: usize,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    /// By the minute after which they are forgotten.
    by_end: BTreeMap<i64, HashSet<Mark>>,
    count: usize,
}

impl Default for Replays {
    fn default() -> Self {
        Self::remembering(MOST_REMEMBERED)
    }
}

impl Replays {
    /// Remembers so many at once. What comes beyond is refused: to forget one early would be to accept it twice.
    pub fn remembering(most: usize) -> Self {
        Self { most, used: Mutex::default() }
    }

    /// Notes that a token is used now, for the first time; refuses one that has no `jti` or was used before.
    pub(crate) fn note(&self, claims: &VerifiedClaims, now: i64) -> Result<(), Refused> {
        let jti = claims.jti_sha256().ok_or(Refused::Claims)?;
        let ends = claims.ends();
        if ends - now > MOST_REMEMBERED_SECS {
            return Err(Refused::Lifetime);
        }
        self.note_mark(mark(claims.issuer(), &jti), ends, now)
    }

    fn note_mark(&self, mark: Mark, ends: i64, now: i64) -> Result<(), Refused> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.forget(now);
        // An issuer that uses an id again with another end means another token, and may not.
        if used.by_end.values().any(|marks| marks.contains(&mark)) {
            return Err(Refused::Replayed);
        }
        if used.count >= self.most {
            return Err(Refused::Crowded);
        }
        used.by_end.entry(ends.div_euclid(BATCH_SECS)).or_default().insert(mark);
        used.count += 1;
        Ok(())
    }
}

impl Used {
    fn forget(&mut self, now: i64) {
        let this_minute = now.div_euclid(BATCH_SECS);
        while let Some(entry) = self.by_end.first_entry() {
            if *entry.key() >= this_minute {
                return;
            }
            self.count = self.count.saturating_sub(entry.remove().len());
        }
    }
}

/// One issuer's ids are not another's.
fn mark(issuer: &str, jti_sha256: &[u8; 32]) -> Mark {
    let whole = sha256(&[jti_sha256, issuer.as_bytes()].concat());
    let mut mark = [0; 16];
    for (to, from) in mark.iter_mut().zip(whole) {
        *to = from;
    }
    mark
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_767_225_600;

    #[test]
    fn a_token_is_used_once_until_it_has_ended() {
        let replays = Replays::default();
        let note = |issuer, ends, now| replays.note_mark(mark(issuer, &[7; 32]), ends, now);
        assert_eq!(note("a", NOW + 300, NOW), Ok(()));
        assert_eq!(note("b", NOW + 300, NOW), Ok(()), "ids belong to their issuer");
        assert_eq!(note("a", NOW + 300, NOW + 300), Err(Refused::Replayed));
        assert_eq!(note("a", NOW + 420, NOW + 10), Err(Refused::Replayed), "nor with another end");
        assert_eq!(note("a", NOW + 900, NOW + 360), Ok(()), "nobody would accept the first any more");
    }

    #[test]
    fn what_cannot_be_remembered_is_refused() {
        let replays = Replays::remembering(2);
        let note = |number: u8, now| replays.note_mark(mark("a", &[number; 32]), now + 300, now);
        assert_eq!((note(1, NOW), note(2, NOW), note(3, NOW)), (Ok(()), Ok(()), Err(Refused::Crowded)));
        assert_eq!(note(1, NOW), Err(Refused::Replayed));
        assert_eq!(note(3, NOW + 361), Ok(()), "there is room again");
    }

    proptest! {
        /// Whatever the order: none is accepted twice before its end, and the count is what is held.
        #[test]
        fn none_is_accepted_twice(steps in prop::collection::vec((0_u8..20, 0_i64..40, 1_i64..400), 1..200)) {
            let replays = Replays::default();
            let (mut now, mut ends) = (NOW, BTreeMap::new());
            for (number, passed, life) in steps {
                now += passed;
                let end = now + life;
                let noted = replays.note_mark(mark("a", &[number; 32]), end, now);
                let is_live = ends.get(&number).is_some_and(|end| *end >= now);
                prop_assert!(!(is_live && noted.is_ok()));
                if noted.is_ok() {
                    ends.insert(number, end);
                }
                let used = replays.used.lock().unwrap();
                prop_assert_eq!(used.count, used.by_end.values().map(HashSet::len).sum::<usize>());
            }
        }
    }
}
