//! Who has how many places, and who may have one more.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use tributary_model::{OdsCode, Priority};

use super::{Caller, Crowded};

/// How long somebody who was refused counts as wanting more. They were told to come back within five seconds.
const WANTS: Duration = Duration::from_secs(5);
/// Organisations whose wants are remembered; of more than these nobody is refused for another's sake.
const REMEMBERED: usize = 1_000;

/// The places taken.
#[derive(Debug, Default)]
pub(super) struct Shares {
    all: usize,
    by: BTreeMap<OdsCode, Holding>,
}

/// What one organisation has, by priority, and when it was last refused.
#[derive(Debug, Default)]
struct Holding {
    places: [usize; 3],
    refused: [Option<Instant>; 3],
}

const fn rank(priority: Priority) -> usize {
    match priority {
        Priority::Background => 0,
        Priority::Interactive => 1,
        Priority::Urgent => 2,
    }
}

/// What a priority may use of the limit, in percent: there is always room for what is more urgent.
const fn percent(priority: Priority) -> usize {
    match priority {
        Priority::Background => 50,
        Priority::Interactive => 90,
        Priority::Urgent => 100,
    }
}

/// How many places that is.
fn room(priority: Priority, limit: usize) -> usize {
    (limit * percent(priority) / 100).max(1.min(limit))
}

impl Holding {
    /// What competes with a request of this priority: nobody steps back for what is less urgent.
    fn places(&self, from: usize) -> usize {
        self.places.iter().skip(from).sum()
    }

    fn wants_more(&self, from: usize, now: Instant) -> bool {
        let refused = self.refused.iter().skip(from).flatten();
        refused.into_iter().any(|at| now.saturating_duration_since(*at) < WANTS)
    }
}

impl Shares {
    /// How many places are taken.
    pub(super) const fn taken(&self) -> usize {
        self.all
    }

    /// Whether all is used that this priority may use of `limit`: then nobody of it gets a place.
    pub(super) fn is_full(&self, priority: Priority, limit: usize) -> bool {
        self.all >= room(priority, limit)
    }

    /// Takes a place of `limit`, if this caller may have one.
    pub(super) fn take(&mut self, caller: &Caller, limit: usize, now: Instant) -> Result<(), Crowded> {
        if let Some(crowded) = self.refuses(caller, limit, now) {
            return Err(crowded);
        }
        self.all += 1;
        let holding = self.by.entry(caller.organisation.clone()).or_default();
        if let Some(places) = holding.places.get_mut(rank(caller.priority)) {
            *places += 1;
        }
        Ok(())
    }

    /// Why this caller may have no place of `limit`; that it wanted one is remembered.
    pub(super) fn refuses(&mut self, caller: &Caller, limit: usize, now: Instant) -> Option<Crowded> {
        let crowded = self.judge(caller, limit, now).err()?;
        if self.by.len() >= REMEMBERED {
            self.by.retain(|_, holding| holding.places(0) > 0 || holding.wants_more(0, now));
        }
        if self.by.len() >= REMEMBERED && !self.by.contains_key(&caller.organisation) {
            return Some(crowded);
        }
        let holding = self.by.entry(caller.organisation.clone()).or_default();
        if let Some(refused) = holding.refused.get_mut(rank(caller.priority)) {
            *refused = Some(now);
        }
        Some(crowded)
    }

    fn judge(&self, caller: &Caller, limit: usize, now: Instant) -> Result<(), Crowded> {
        let room = room(caller.priority, limit);
        let is_full = self.all >= room;
        let is_half_full = self.all.saturating_mul(2) >= room;
        if !is_half_full {
            return Ok(());
        }
        let rank = rank(caller.priority);
        let mine = self.by.get(&caller.organisation).map_or(0, |holding| holding.places(rank));
        // Who shares with nobody is not to blame for being many.
        let share = self.share(caller, room, now);
        if share < room && mine >= share {
            return Err(Crowded::OverShare);
        }
        if is_full { Err(Crowded::Full) } else { Ok(()) }
    }

    /// The most that this caller may hold of `room`: what is left when nobody else is given more than they want,
    /// and nobody more than the caller (max-min fairness). Who was refused lately wants as much as anybody.
    fn share(&self, caller: &Caller, room: usize, now: Instant) -> usize {
        let from = rank(caller.priority);
        let others = self.by.iter().filter(|(organisation, _)| **organisation != caller.organisation);
        let mut wants: Vec<usize> = others
            .filter_map(|(_, holding)| {
                let want = if holding.wants_more(from, now) { room } else { holding.places(from) };
                (want > 0).then_some(want)
            })
            .collect();
        wants.sort_unstable();
        let mut left = room;
        let mut sharers = wants.len() + 1;
        for want in wants {
            if want > left / sharers {
                break;
            }
            left -= want;
            sharers -= 1;
        }
        // Somebody must be able to ask, however many share.
        left.div_ceil(sharers).max(1)
    }

    /// Gives a place back.
    pub(super) fn give_back(&mut self, caller: &Caller) {
        self.all = self.all.saturating_sub(1);
        let Some(holding) = self.by.get_mut(&caller.organisation) else { return };
        if let Some(places) = holding.places.get_mut(rank(caller.priority)) {
            *places = places.saturating_sub(1);
        }
        if holding.places(0) == 0 && holding.refused.iter().all(Option::is_none) {
            self.by.remove(&caller.organisation);
        }
    }
}
