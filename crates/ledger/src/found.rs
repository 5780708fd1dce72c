//! What a search came to.

use std::collections::{BTreeMap, BTreeSet};

use crate::entry::Entry;
use crate::search::{Sieve, ended};

/// One record that was looked for.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Whose log it is in.
    pub node: String,
    /// The record.
    pub entry: Entry,
    /// The record that tells how it ended: whether an answer arrived, or that an intent has no known end.
    pub end: Option<Entry>,
}

impl Hit {
    /// How the record is named.
    pub fn name(&self) -> String {
        format!("{}-{}", self.node, self.entry.seq)
    }
}

/// Records that are not where they must be. What was found may not be all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// In whose log.
    pub node: String,
    /// What is wrong.
    pub says: String,
}

/// What a search came to.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// What was looked for, oldest first within a node.
    pub hits: Vec<Hit>,
    /// How many records were looked at; where a database looks, how many there are.
    pub scanned: u64,
    /// Where records are missing or cannot be read.
    pub gaps: Vec<Gap>,
    /// How many older ones were left out, where no more than so many were asked for.
    pub older: u64,
}

impl Found {
    /// Leaves out intents that a disclosure or denial which was found ends: one looking is told once.
    #[must_use]
    pub fn told_once(mut self) -> Self {
        let ends = |hit: &Hit| Some((hit.node.clone(), hit.entry.corr?));
        let ended: BTreeSet<(String, u64)> = self.hits.iter().filter_map(ends).collect();
        let is_told =
            |hit: &Hit| hit.entry.kind == "intent" && ended.contains(&(hit.node.clone(), hit.entry.seq));
        self.hits.retain(|hit| !is_told(hit));
        self
    }

    /// One look for each time that somebody looked: of a record that was shown as it grew, each state is on record, and
    /// the last one that was shown holds all that was.
    #[must_use]
    pub fn one_look_each(self) -> Self {
        let mut found = self.told_once();
        let mut last: BTreeMap<(String, u64), (bool, u64)> = BTreeMap::new();
        let state = |hit: &Hit| {
            let intent = hit.entry.corr.filter(|_| hit.entry.kind == "disclosure")?;
            Some(((hit.node.clone(), intent), (hit.entry.is_answer(), hit.entry.seq)))
        };
        for (look, is_better) in found.hits.iter().filter_map(state) {
            let best = last.entry(look).or_insert(is_better);
            *best = is_better.max(*best);
        }
        found.hits.retain(|hit| state(hit).is_none_or(|(look, this)| last.get(&look) == Some(&this)));
        found
    }

    /// By time, whatever the node; the newest, where no more than so many were asked for.
    pub(crate) fn in_order(mut self, newest: Option<usize>) -> Self {
        self.hits.sort_by(|one, other| one.entry.at.cmp(&other.entry.at));
        let beyond = newest.map_or(0, |newest| self.hits.len().saturating_sub(newest));
        self.hits.drain(..beyond);
        self.older += beyond as u64;
        self
    }
}

/// Gathers what is found in one node's log.
pub(crate) struct Gathering<'s> {
    sieve: &'s Sieve<'s>,
    node: String,
    hits: Vec<Hit>,
    places: BTreeMap<u64, usize>,
    gaps: Vec<Gap>,
    pub(crate) scanned: u64,
    older: u64,
}

impl<'s> Gathering<'s> {
    pub(crate) fn new(sieve: &'s Sieve<'s>, node: &str) -> Self {
        let (hits, places, gaps) = (Vec::new(), BTreeMap::new(), Vec::new());
        Self { sieve, node: node.to_owned(), hits, places, gaps, scanned: 0, older: 0 }
    }

    /// Looks at the next record.
    pub(crate) fn look(&mut self, seq: u64, payload: &[u8]) {
        self.scanned += 1;
        match self.sieve.look(payload) {
            Ok(Some(entry)) => {
                self.places.insert(seq, self.hits.len());
                self.hits.push(Hit { node: self.node.clone(), entry, end: None });
                self.forget();
            }
            Ok(None) => self.note_end(payload),
            Err(_unreadable) => self.gap(format!("record {seq} cannot be read")),
        }
    }

    /// Lets the oldest go, where no more than so many are wanted: twice as many are never held.
    fn forget(&mut self) {
        let Some(newest) = self.sieve.newest().filter(|newest| self.hits.len() >= 2 * newest.max(&1)) else {
            return;
        };
        let gone = self.hits.len().saturating_sub(newest);
        self.hits.drain(..gone);
        self.older += gone as u64;
        self.places = (0..).zip(&self.hits).map(|(place, hit)| (hit.entry.seq, place)).collect();
    }

    /// Looks whether a record tells how one that was found ended.
    pub(crate) fn note_end(&mut self, payload: &[u8]) {
        let Some(place) = ended(payload).and_then(|seq| self.places.get(&seq)) else { return };
        if let Some(hit) = self.hits.get_mut(*place) {
            hit.end = Entry::parse(payload);
        }
    }

    /// The lowest number that was found.
    pub(crate) fn first(&self) -> Option<u64> {
        self.places.first_key_value().map(|(seq, _)| *seq)
    }

    pub(crate) fn gap(&mut self, says: String) {
        self.gaps.push(Gap { node: self.node.clone(), says });
    }

    pub(crate) fn into(self, found: &mut Found) {
        found.hits.extend(self.hits);
        found.gaps.extend(self.gaps);
        found.scanned += self.scanned;
        found.older += self.older;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Query;

    #[test]
    fn only_the_newest_are_held_and_how_they_ended() {
        let query = Query { newest: Some(3), ..Query::default() };
        let sieve = Sieve::new(&query);
        let mut gathering = Gathering::new(&sieve, "north");
        for seq in 1..=20 {
            let at = format!("2026-03-10T02:{seq:02}:00.000000Z");
            gathering
                .look(seq, format!(r#"{{"v":1,"kind":"disclosure","seq":{seq},"at":"{at}"}}"#).as_bytes());
            assert!(gathering.hits.len() < 6);
        }
        gathering
            .note_end(br#"{"v":1,"kind":"delivery","seq":21,"corr":19,"delivery":{"delivered":"whole"}}"#);
        gathering
            .note_end(br#"{"v":1,"kind":"delivery","seq":22,"corr":2,"delivery":{"delivered":"whole"}}"#);
        let mut found = Found::default();
        gathering.into(&mut found);
        let found = found.in_order(query.newest);
        let seqs: Vec<_> = found.hits.iter().map(|hit| (hit.entry.seq, hit.end.is_some())).collect();
        assert_eq!((seqs, found.older), (vec![(18, false), (19, true), (20, false)], 17));
    }
}
