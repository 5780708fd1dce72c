//! Replies kept in memory for a moment, for the same person asking the same thing again.
//!
//! Off unless a source's entry gives a time to live. The key is the whole authority of the asker, so nobody is
//! ever served what somebody else fetched.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tributary_fhir::Reply;
use tributary_model::{Ask, NhsNumber, OdsCode, Purpose, Role, SectionSet, SourceId, TraceId};
use tributary_telemetry::Metrics;

/// Expired entries are swept this often: moka drops them only when it is told to look, and then only those that
/// expired before its last tick, which is up to 1.1 s ago. Both together stay below the two seconds promised.
const SWEEP: Duration = Duration::from_millis(500);

/// Whose reply to what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    source: SourceId,
    patient: NhsNumber,
    sections: SectionSet,
    since: Option<String>,
    user: String,
    organisation: OdsCode,
    role: Role,
    purpose: Purpose,
}

impl Key {
    /// The key of an ask.
    pub(crate) fn of(source: &SourceId, ask: &Ask) -> Self {
        Self {
            source: source.clone(),
            patient: ask.patient,
            sections: ask.sections,
            since: ask.since.map(tributary_model::FhirDate::key),
            user: ask.requester.user_id.clone(),
            organisation: ask.requester.organisation.clone(),
            role: ask.requester.role,
            purpose: ask.purpose,
        }
    }
}

/// A kept reply.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) reply: Arc<Reply>,
    pub(crate) fetched_at: Timestamp,
    /// The fetch it came from, which every disclosure of it names.
    pub(crate) fetch: TraceId,
    key: Key,
    ttl: Duration,
}

/// A reply as it was fetched.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) reply: Arc<Reply>,
    pub(crate) at: Timestamp,
    /// The name under which its own disclosure recorded the fetch.
    pub(crate) fetch: TraceId,
}

/// Gives every entry the time to live of its source.
struct ByEntry;

impl moka::Expiry<Key, Kept> for ByEntry {
    fn expire_after_create(&self, _key: &Key, kept: &Kept, _now: Instant) -> Option<Duration> {
        Some(kept.ttl)
    }
}

/// Replies in memory, bounded in bytes.
pub(crate) struct Cache {
    kept: moka::sync::Cache<Key, Kept>,
    stop: CancellationToken,
}

impl Cache {
    /// A cache for at most `bytes` of replies.
    pub(crate) fn new(bytes: u64) -> Self {
        let weight = |_key: &Key, kept: &Kept| u32::try_from(kept.reply.weight()).unwrap_or(u32::MAX);
        let kept =
            moka::sync::Cache::builder().max_capacity(bytes).weigher(weight).expire_after(ByEntry).build();
        Self { kept, stop: CancellationToken::new() }
    }

    /// A kept reply; its own key, patient and all, is compared again before it is handed out.
    pub(crate) fn get(&self, key: &Key) -> Option<Kept> {
        self.kept.get(key).filter(|kept| kept.key == *key)
    }

    /// Keeps a reply.
    pub(crate) fn keep(&self, key: Key, fetched: Fetched, ttl: Duration) {
        let Fetched { reply, at: fetched_at, fetch } = fetched;
        let kept = Kept { reply, fetched_at, fetch, key: key.clone(), ttl };
        self.kept.insert(key, kept);
    }

    /// Forgets a reply.
    pub(crate) fn forget(&self, key: &Key) {
        self.kept.invalidate(key);
    }

    /// Sweeps expired entries out until [`Cache::stop`].
    pub(crate) fn keep_clean(&self, tasks: &TaskTracker, metrics: Arc<Metrics>) {
        let (kept, stop) = (self.kept.clone(), self.stop.clone());
        tasks.spawn(async move {
            let mut tick = tokio::time::interval(SWEEP);
            while stop.run_until_cancelled(tick.tick()).await.is_some() {
                kept.run_pending_tasks();
                metrics.cache_bytes(kept.weighted_size());
            }
        });
    }

    /// Ends the sweeping and forgets everything.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
        self.kept.invalidate_all();
        self.kept.run_pending_tasks();
    }
}

#[cfg(test)]
mod tests {
    use tributary_model::requester::Assurance;
    use tributary_model::{Deadline, Requester};

    use super::*;

    fn ask(user: &str) -> Ask {
        let requester = Requester {
            user_id: user.to_owned(),
            family: String::new(),
            given: String::new(),
            role: Role::Ambulance,
            organisation: OdsCode::parse("RX999").unwrap(),
            organisation_name: String::new(),
            asid: None,
            spine: tributary_model::SpineIds::default(),
            assurance: Assurance::Demo,
            priority: tributary_model::Priority::Interactive,
        };
        Ask {
            patient: NhsNumber::parse("9990000107").unwrap(),
            sections: SectionSet::all(),
            since: None,
            requester: Arc::new(requester),
            purpose: Purpose::DirectCare,
            deadline: Deadline::after(Duration::from_secs(1)),
        }
    }

    fn fetched() -> Fetched {
        Fetched { reply: Arc::new(Reply::default()), at: Timestamp::UNIX_EPOCH, fetch: TraceId::random() }
    }

    #[tokio::test]
    async fn nobody_is_served_what_somebody_else_fetched() {
        let cache = Cache::new(1 << 20);
        let source = SourceId::parse("gp").unwrap();
        let mine = Key::of(&source, &ask("me"));
        cache.keep(mine.clone(), fetched(), Duration::from_mins(1));
        assert!(cache.get(&mine).is_some());
        assert!(cache.get(&Key::of(&source, &ask("you"))).is_none());
        cache.forget(&mine);
        assert!(cache.get(&mine).is_none());
    }

    #[tokio::test]
    async fn an_expired_reply_is_gone() {
        let cache = Cache::new(1 << 20);
        let key = Key::of(&SourceId::parse("gp").unwrap(), &ask("me"));
        cache.keep(key.clone(), fetched(), Duration::ZERO);
        assert!(cache.get(&key).is_none());
    }
}
