//! What is kept, in the orders that the store does not know: by whom it is about, and by when it ends.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::time::Instant;
use tributary_model::SourceId;

use super::{Kept, MOST_REFUSALS, REFUSAL_LIFE};
use crate::flights::Ticket;
use crate::key::{Holding, Key};

/// Which entry of the store, among all that were ever placed there: it ends then, and the number tells apart those
/// that end together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) until: Instant,
    number: u64,
}

/// Finds entries of the store, and says what may be placed there.
#[derive(Default)]
pub(super) struct Index {
    /// Few ask one source about one patient.
    by_holding: HashMap<Holding, Vec<Placed>>,
    by_end: BTreeMap<Place, Arc<Key>>,
    placed: u64,
    refused: HashMap<Holding, Refused>,
    /// What began before this is not kept.
    cleared: Ticket,
}

struct Placed {
    key: Arc<Key>,
    place: Place,
    began: Ticket,
}

/// A source took its word back: nothing that it said before counts.
struct Refused {
    at: Ticket,
    until: Instant,
}

impl Index {
    /// Whether nothing speaks against keeping this: something fetched later, or a word taken back since.
    pub(super) fn may_keep(&self, key: &Key, kept: &Kept) -> bool {
        let is_taken_back = self.refused.get(&key.holding).is_some_and(|refused| kept.began < refused.at);
        let is_outdone = self.present(key).is_some_and(|placed| placed.began >= kept.began);
        let is_blind = self.refused.len() >= MOST_REFUSALS;
        !is_taken_back && !is_outdone && !is_blind && kept.began >= self.cleared
    }

    /// Finds room for an entry, in the place of the one that is there.
    pub(super) fn place(&mut self, key: &Arc<Key>, kept: &Kept) -> Place {
        self.forget(key);
        let place = Place { until: kept.until, number: self.placed };
        self.placed += 1;
        self.by_end.insert(place, Arc::clone(key));
        let all = self.by_holding.entry(key.holding.clone()).or_default();
        all.push(Placed { key: Arc::clone(key), place, began: kept.began });
        place
    }

    /// Whatever is there under a key is to leave the store.
    pub(super) fn forget(&mut self, key: &Key) {
        if let Some(place) = self.present(key).map(|placed| placed.place) {
            self.left(key, place);
        }
    }

    /// An entry has left the store.
    pub(super) fn left(&mut self, key: &Key, place: Place) {
        self.by_end.remove(&place);
        let Some(all) = self.by_holding.get_mut(&key.holding) else { return };
        all.retain(|placed| placed.place != place);
        if all.is_empty() {
            self.by_holding.remove(&key.holding);
        }
    }

    /// Nothing that a source said of a patient in a fetch that began before `at` counts any more.
    pub(super) fn refuse(&mut self, holding: &Holding, at: Ticket) {
        let until = Instant::now() + REFUSAL_LIFE;
        let refused = self.refused.entry(holding.clone()).or_insert(Refused { at, until });
        *refused = Refused { at: refused.at.max(at), until };
    }

    /// Nothing counts that began before `at`.
    pub(super) fn clear(&mut self, at: Ticket) {
        self.cleared = self.cleared.max(at);
        // What they forbid began before it.
        self.refused.clear();
    }

    /// Forgets refusals that nothing can come before any more.
    pub(super) fn forget_refusals(&mut self, now: Instant) {
        self.refused.retain(|_, refused| now < refused.until);
    }

    /// Where all is that a source said of a patient.
    pub(super) fn of(&self, holding: &Holding) -> Vec<Arc<Key>> {
        self.by_holding.get(holding).into_iter().flatten().map(|placed| Arc::clone(&placed.key)).collect()
    }

    /// Where all is that a source said.
    pub(super) fn of_source(&self, source: &SourceId) -> Vec<Arc<Key>> {
        self.by_end.values().filter(|key| key.holding.source == *source).cloned().collect()
    }

    /// Where all is that has ended.
    pub(super) fn ended(&self, now: Instant) -> Vec<Arc<Key>> {
        let ended = self.by_end.iter().take_while(|(place, _)| place.until <= now);
        ended.map(|(_, key)| Arc::clone(key)).collect()
    }

    /// Where everything is.
    pub(super) fn all(&self) -> Vec<Arc<Key>> {
        self.by_end.values().cloned().collect()
    }

    /// Where that is which ends first.
    pub(super) fn first(&self) -> Option<Arc<Key>> {
        self.by_end.first_key_value().map(|(_, key)| Arc::clone(key))
    }

    /// How many entries there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> (usize, usize) {
        (self.by_end.len(), self.by_holding.values().map(Vec::len).sum())
    }

    fn present(&self, key: &Key) -> Option<&Placed> {
        self.by_holding.get(&key.holding)?.iter().find(|placed| placed.key.authority == key.authority)
    }
}
