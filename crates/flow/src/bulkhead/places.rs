//! Who has a place at a source, and who is next. No tasks and no clock: instants are handed in.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use tributary_model::{OdsCode, Priority};

use super::limit::Limit;
use crate::chance::Chance;

/// Asks under way for each place: while one reads what it got, or pauses, the place is another's.
const ASKS_FOR_EACH: usize = 2;

/// On whose behalf a request is made, and as part of which ask.
#[derive(Clone, Debug)]
pub(super) struct Who {
    /// The same for all requests of one ask.
    pub(super) ask: u64,
    pub(super) priority: Priority,
    pub(super) organisation: OdsCode,
}

/// What becomes of somebody who comes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// A place is free.
    Placed,
    /// He waits under this number.
    Waits(u64),
    /// Too many wait already.
    Refused,
}

/// The places of one source. `W` tells somebody who waits that he has one; dropped, that he has none.
#[derive(Debug)]
pub(super) struct Places<W> {
    limit: Limit,
    used: usize,
    used_by: BTreeMap<OdsCode, usize>,
    /// Asks that had a place, and are not over.
    begun: BTreeSet<u64>,
    /// How many of those there are, for each priority.
    begun_by: BTreeMap<Priority, usize>,
    waiting: Vec<Waiter<W>>,
    next: u64,
}

#[derive(Debug)]
struct Waiter<W> {
    number: u64,
    who: Who,
    expires: Instant,
    tell: W,
}

impl<W> Places<W> {
    pub(super) fn new(most: usize, chance: Chance, now: Instant) -> Self {
        Self {
            limit: Limit::new(most, chance, now),
            used: 0,
            used_by: BTreeMap::new(),
            begun: BTreeSet::new(),
            begun_by: BTreeMap::new(),
            waiting: Vec::new(),
            next: 0,
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit.now()
    }

    pub(super) const fn used(&self) -> usize {
        self.used
    }

    pub(super) const fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// A number that nobody has had.
    pub(super) const fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Somebody wants a place, and waits for it until then.
    pub(super) fn arrive(&mut self, now: Instant, who: Who, expires: Instant, tell: W) -> Arrival {
        self.waiting.retain(|waiter| waiter.expires > now);
        // Whoever could have a place has one, so nobody who waits is passed over.
        if self.used < self.limit.now() && self.may_begin(&who) {
            self.place(&who);
            return Arrival::Placed;
        }
        let number = self.number();
        let newcomer = Waiter { number, who, expires, tell };
        // A request of an ask under way never waits in vain for others: the source worked for it already.
        let is_new = !self.begun.contains(&newcomer.who.ask);
        if is_new && expires <= now {
            return Arrival::Refused;
        }
        if is_new && self.newcomers() >= self.limit.now() && !self.displace(&newcomer) {
            return Arrival::Refused;
        }
        self.waiting.push(newcomer);
        Arrival::Waits(number)
    }

    /// Somebody gave his place back. Gives it to whoever is next.
    pub(super) fn leave(&mut self, now: Instant, who: &Who) -> Vec<W> {
        self.used = self.used.saturating_sub(1);
        take_one(&mut self.used_by, &who.organisation);
        self.serve(now)
    }

    /// An ask is over, so another may begin.
    pub(super) fn over(&mut self, now: Instant, who: &Who) -> Vec<W> {
        if self.begun.remove(&who.ask) {
            take_one(&mut self.begun_by, &who.priority);
        }
        self.serve(now)
    }

    /// Somebody waits no more. Whether he was still waiting.
    pub(super) fn forget(&mut self, number: u64) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|waiter| waiter.number != number);
        self.waiting.len() < before
    }

    /// A request took so long.
    pub(super) fn took(&mut self, now: Instant, begun: Instant, took: Duration) -> Vec<W> {
        self.limit.took(now, begun, took);
        self.serve(now)
    }

    /// A request was too much for the source.
    pub(super) fn cut(&mut self, now: Instant, begun: Instant) {
        self.limit.cut(now, begun);
    }

    /// Gives free places to those who wait.
    fn serve(&mut self, now: Instant) -> Vec<W> {
        let mut told = Vec::new();
        self.waiting.retain(|waiter| waiter.expires > now);
        while self.used < self.limit.now() {
            let waiting = self.waiting.iter().enumerate();
            let able = waiting.filter(|(_, waiter)| self.may_begin(&waiter.who));
            let next = able.max_by_key(|(_, waiter)| self.rank(waiter)).map(|(at, _)| at);
            let Some(at) = next else { break };
            let waiter = self.waiting.swap_remove(at);
            self.place(&waiter.who);
            told.push(waiter.tell);
        }
        told
    }

    fn place(&mut self, who: &Who) {
        self.used += 1;
        self.limit.used(self.used);
        *self.used_by.entry(who.organisation.clone()).or_default() += 1;
        if self.begun.insert(who.ask) {
            *self.begun_by.entry(who.priority).or_default() += 1;
        }
    }

    /// Whether a request may have a free place. An ask that takes many requests and is refused one of them has
    /// cost the source all the others in vain, so only so many asks are begun; but nobody waits for asks that
    /// matter less.
    fn may_begin(&self, who: &Who) -> bool {
        let begun: usize = self.begun_by.range(who.priority..).map(|(_, asks)| asks).sum();
        self.begun.contains(&who.ask) || begun < self.limit.now() * ASKS_FOR_EACH
    }

    /// Who goes first: what matters more; what was begun; the organisation with the fewest places; the freshest,
    /// because it has the best chance to be answered in time.
    fn rank(&self, waiter: &Waiter<W>) -> impl Ord + use<W> {
        let Who { ask, priority, organisation } = &waiter.who;
        let used = self.used_by.get(organisation).copied().unwrap_or_default();
        (*priority, self.begun.contains(ask), Reverse(used), waiter.number)
    }

    fn newcomers(&self) -> usize {
        self.waiting.iter().filter(|waiter| !self.begun.contains(&waiter.who.ask)).count()
    }

    /// Makes room for somebody who goes before the last of those who wait.
    fn displace(&mut self, newcomer: &Waiter<W>) -> bool {
        let waiting = self.waiting.iter().enumerate();
        let new = waiting.filter(|(_, waiter)| !self.begun.contains(&waiter.who.ask));
        let last = new.min_by_key(|(_, waiter)| self.rank(waiter));
        match last {
            Some((at, last)) if self.rank(last) < self.rank(newcomer) => {
                self.waiting.swap_remove(at);
                true
            }
            Some(_) | None => false,
        }
    }
}

fn take_one<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
