//! The cache of the proxy before SDS: half an hour for each path, query and `Accept`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::wire::Request;

use super::ProxyCache;

const LIFE: SignedDuration = SignedDuration::from_secs(1800);

/// What tells two requests apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    path: String,
    query: Vec<(String, String)>,
    accept: Option<String>,
}

pub(super) fn key(request: &Request) -> Key {
    let accept = request.header("accept").map(str::to_owned);
    Key { path: request.path.clone(), query: request.query.clone(), accept }
}

/// Whether a request asks for a fresh answer.
pub(super) fn goes_past(request: &Request) -> bool {
    let control = request.header("cache-control").unwrap_or_default();
    control.split(',').any(|one| one.trim().eq_ignore_ascii_case("no-cache"))
}

/// What the cache holds for a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cached {
    /// An answer that still counts.
    Kept(Vec<u8>),
    /// Nothing, or nothing young enough.
    Nothing,
}

/// Answers, and when they were given. Refusals are never kept.
#[derive(Debug)]
pub(super) struct Cache {
    works: ProxyCache,
    kept: Mutex<BTreeMap<Key, (Timestamp, Vec<u8>)>>,
}

impl Cache {
    pub(super) fn new(works: ProxyCache) -> Self {
        Self { works, kept: Mutex::default() }
    }

    pub(super) fn find(&self, key: &Key, now: Timestamp) -> Cached {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.get(key) {
            Some((at, body)) if now.duration_since(*at) < LIFE => Cached::Kept(body.clone()),
            Some(_) | None => Cached::Nothing,
        }
    }

    pub(super) fn keep(&self, key: Key, now: Timestamp, body: &[u8]) {
        if self.works == ProxyCache::Off {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (at, _)| now.duration_since(*at) < LIFE);
        kept.insert(key, (now, body.to_vec()));
    }
}
