//! The keys of one issuer while we run: where they are looked for, when they are fetched anew, and for how long an
//! old set will do. The fetching itself is somebody else's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

use crate::key::KeySet;
use crate::refused::Refused;

/// A key that is not there has them fetched anew, no more often than this.
pub const ASKED_APART: Duration = Duration::from_mins(1);
/// A fetch that failed is tried again after this long.
pub const TRIED_APART: Duration = Duration::from_secs(30);
/// How long a request waits for keys that are being fetched.
pub const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// The keys of one issuer.
#[derive(Debug)]
pub struct KeyRing {
    /// How long a set is believed; a pinned one for as long as it is configured.
    most_age: Option<Duration>,
    state: Mutex<State>,
    /// A key was asked for that is not there.
    asked: Notify,
    /// Counts fetches that ended, well or not.
    tried: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    set: Option<(Arc<KeySet>, Instant)>,
    last_tried: Option<Instant>,
    is_asked: bool,
}

impl KeyRing {
    /// Keys from a file.
    pub fn pinned(set: KeySet) -> Self {
        let state = State { set: Some((Arc::new(set), Instant::now())), ..State::default() };
        Self {
            most_age: None,
            state: Mutex::new(state),
            asked: Notify::new(),
            tried: watch::Sender::default(),
        }
    }

    /// Keys that are fetched, and believed for so long after each fetch.
    pub fn fetched(most_age: Duration) -> Self {
        let (state, tried) = (Mutex::default(), watch::Sender::default());
        Self { most_age: Some(most_age), state, asked: Notify::new(), tried }
    }

    /// Whether somebody has to fetch them.
    pub const fn is_fetched(&self) -> bool {
        self.most_age.is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The set in force, if it is not too old.
    fn set(&self) -> Option<Arc<KeySet>> {
        let state = self.state();
        let (set, since) = state.set.as_ref()?;
        let is_believed = self.most_age.is_none_or(|most| since.elapsed() < most);
        is_believed.then(|| Arc::clone(set))
    }

    /// The set that holds a key with this id. If there is none, waits a moment for a fetch.
    pub(crate) async fn holding(&self, id: &str) -> Result<Arc<KeySet>, Refused> {
        let holds = || self.set().filter(|set| set.find(id).is_some());
        if let Some(set) = holds() {
            return Ok(set);
        }
        let mut tried = self.tried.subscribe();
        if self.ask() {
            // Whoever fetches may take longer, or not be there at all.
            let _in_time = timeout(LONGEST_WAIT, tried.changed()).await;
        }
        let missing = || if self.set().is_some() { Refused::UnknownKey } else { Refused::KeysUnavailable };
        holds().ok_or_else(missing)
    }

    /// Asks for a fetch; whether one is to be waited for.
    fn ask(&self) -> bool {
        let mut state = self.state();
        let is_too_soon = state.last_tried.is_some_and(|last| last.elapsed() < ASKED_APART);
        if self.most_age.is_none() || is_too_soon {
            return false;
        }
        state.is_asked = true;
        drop(state);
        self.asked.notify_one();
        true
    }

    /// Ends when the keys should be fetched: at the start, at half their age, half a minute after a failure, and when
    /// one is asked for that is not there. Never for pinned ones.
    pub async fn due(&self) {
        loop {
            let Some(at) = self.next_due() else { return std::future::pending().await };
            tokio::select! {
                () = tokio::time::sleep_until(at) => return,
                () = self.asked.notified() => {
                    if self.state().is_asked {
                        return;
                    }
                }
            }
        }
    }

    fn next_due(&self) -> Option<Instant> {
        let most_age = self.most_age?;
        let state = self.state();
        let again = state.last_tried.map(|last| last + TRIED_APART);
        let half = state.set.as_ref().map(|(_, since)| *since + most_age / 2);
        Some(match (half, again) {
            (Some(half), Some(again)) => half.max(again),
            (half, again) => half.or(again).unwrap_or_else(Instant::now),
        })
    }

    /// A fetch ended. Without a set the old one stays, until it is too old.
    pub fn put(&self, set: Option<KeySet>) {
        let mut state = self.state();
        let now = Instant::now();
        state.last_tried = Some(now);
        state.is_asked = false;
        if let Some(set) = set {
            state.set = Some((Arc::new(set), now));
        }
        drop(state);
        self.tried.send_modify(|count| *count += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::key::Algorithm;

    fn set(id: &str) -> KeySet {
        let text = format!(
            r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"{id}","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}]}}"#
        );
        KeySet::read(text.as_bytes(), &[Algorithm::EdDsa]).unwrap()
    }

    const DAY: Duration = Duration::from_hours(24);

    async fn refused(ring: &KeyRing, id: &str) -> Option<Refused> {
        ring.holding(id).await.err()
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_fetched_at_half_their_age_and_believed_to_the_whole_of_it() {
        let ring = KeyRing::fetched(DAY);
        let began = Instant::now();
        ring.due().await;
        assert_eq!(began.elapsed(), Duration::ZERO, "at once at the start");
        ring.put(Some(set("a")));
        ring.due().await;
        assert_eq!(began.elapsed(), DAY / 2);
        ring.put(None);
        assert_eq!(refused(&ring, "a").await, None, "an old set does while there is no other");
        ring.due().await;
        assert_eq!(began.elapsed(), DAY / 2 + TRIED_APART);
        tokio::time::advance((DAY / 2).saturating_sub(TRIED_APART)).await;
        assert_eq!(refused(&ring, "a").await, Some(Refused::KeysUnavailable), "but not for ever");
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_key_is_fetched_once_a_minute_and_waited_for_half_a_second() {
        let ring = Arc::new(KeyRing::fetched(DAY));
        ring.put(Some(set("a")));
        let began = Instant::now();
        assert_eq!(refused(&ring, "b").await, Some(Refused::UnknownKey));
        assert_eq!(began.elapsed(), Duration::ZERO, "they were fetched just now");
        tokio::time::advance(ASKED_APART).await;
        let began = Instant::now();
        let fetching = Arc::clone(&ring);
        let fetcher = tokio::spawn(async move {
            fetching.due().await;
            tokio::time::sleep(Duration::from_millis(200)).await;
            fetching.put(Some(set("b")));
        });
        assert_eq!(refused(&ring, "b").await, None);
        assert_eq!(began.elapsed(), Duration::from_millis(200));
        fetcher.await.unwrap();
        tokio::time::advance(ASKED_APART).await;
        let began = Instant::now();
        assert_eq!(refused(&ring, "c").await, Some(Refused::UnknownKey));
        assert_eq!(began.elapsed(), LONGEST_WAIT, "nobody fetches");
    }

    #[tokio::test(start_paused = true)]
    async fn without_any_keys_nothing_is_judged() {
        let ring = KeyRing::fetched(DAY);
        assert_eq!(refused(&ring, "a").await, Some(Refused::KeysUnavailable));
        let pinned = KeyRing::pinned(set("a"));
        assert_eq!(refused(&pinned, "b").await, Some(Refused::UnknownKey));
        tokio::time::advance(DAY * 30).await;
        assert_eq!(refused(&pinned, "a").await, None);
        assert!(timeout(DAY, pinned.due()).await.is_err(), "what is pinned is never fetched");
    }
}
