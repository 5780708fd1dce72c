//! A small map that forgets: bounded in entries, each with a time to live.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What was found, for a while.
#[derive(Debug)]
pub(crate) struct Keep<K, V> {
    most: usize,
    kept: Mutex<BTreeMap<K, (V, Instant)>>,
}

impl<K: Ord + Clone, V: Clone> Keep<K, V> {
    /// Holds at most so many entries; beyond them, those go first that would end first.
    pub(crate) const fn new(most: usize) -> Self {
        Self { most, kept: Mutex::new(BTreeMap::new()) }
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<K, (V, Instant)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let mut kept = self.kept();
        let (value, ends) = kept.get(key)?;
        if *ends > Instant::now() {
            return Some(value.clone());
        }
        kept.remove(key);
        None
    }

    pub(crate) fn put(&self, key: K, value: V, ttl: Duration) {
        let (mut kept, now) = (self.kept(), Instant::now());
        if kept.len() >= self.most && !kept.contains_key(&key) {
            kept.retain(|_, (_, ends)| *ends > now);
        }
        while kept.len() >= self.most && !kept.contains_key(&key) {
            let first = kept.iter().min_by_key(|(_, (_, ends))| *ends).map(|(key, _)| key.clone());
            let Some(first) = first else { break };
            kept.remove(&first);
        }
        kept.insert(key, (value, now + ttl));
    }

    pub(crate) fn forget(&self, key: &K) {
        self.kept().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn entries_end_with_their_time() {
        let keep = Keep::new(8);
        keep.put("a", 1, TTL);
        tokio::time::advance(Duration::from_millis(59_999)).await;
        assert_eq!(keep.get(&"a"), Some(1));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(keep.get(&"a"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn it_never_holds_more_than_it_may() {
        let keep = Keep::new(2);
        keep.put("long", 1, TTL * 3);
        keep.put("short", 2, TTL);
        keep.put("new", 3, TTL * 2);
        assert_eq!([keep.get(&"long"), keep.get(&"short"), keep.get(&"new")], [Some(1), None, Some(3)]);
        keep.put("new", 4, TTL);
        assert_eq!([keep.get(&"long"), keep.get(&"new")], [Some(1), Some(4)]);
        keep.forget(&"new");
        assert_eq!(keep.get(&"new"), None);
    }
}
