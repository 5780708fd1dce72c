//! What is counted and said at the seams between rooms that do not know each other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tributary_audit::{AuditObserver, Kind};
use tributary_broker::{MAP_NAMES, Maps, PROMPT_MAPS};
use tributary_flow::{BreakerState, Observer};
use tributary_model::SourceId;
use tributary_sources::{Observers, SourceEntry};
use tributary_telemetry::{InFlight, MapState, Metrics};

/// Counts what becomes of audit records.
#[derive(Debug)]
pub(crate) struct AuditCounts(pub(crate) Arc<Metrics>);

impl AuditObserver for AuditCounts {
    fn appended(&self, kind: Kind, after: Duration) {
        self.0.audit_record(kind.code(), after.as_secs_f64());
    }

    fn failed(&self, kind: Kind) {
        tracing::error!(audit.kind = kind.code(), "audit record not written");
        self.0.audit_failure();
    }

    fn waiting(&self, records: usize) {
        self.0.audit_queue(records);
    }

    fn checkpointed(&self, size: u64) {
        self.0.audit_checkpoint(size);
    }

    fn checkpoint_failed(&self) {
        tracing::error!("audit checkpoint not written");
    }
}

/// Counts what the limits around sources do. Asks are counted by the conductor, with the status that became of
/// them.
#[derive(Debug)]
pub(crate) struct LimitCounts {
    pub(crate) metrics: Arc<Metrics>,
    /// All sources without an entry together.
    pub(crate) others: SourceId,
}

impl Observers for LimitCounts {
    fn of(&self, entry: &SourceEntry) -> Arc<dyn Observer> {
        let (metrics, others) = (Arc::clone(&self.metrics), self.others.clone());
        Arc::new(LimitsOfOne { metrics, source: entry.id.clone(), others, waiting: Mutex::default() })
    }

    fn registered(&self, entry: &SourceEntry) {
        self.metrics.sources().begin_with_limit(&entry.id, entry.first_limit());
    }
}

struct LimitsOfOne {
    metrics: Arc<Metrics>,
    /// What is so for one only is told of nobody else, and not at all of sources without an entry.
    source: SourceId,
    others: SourceId,
    /// One for each request that waits.
    waiting: Mutex<Vec<InFlight>>,
}

impl LimitsOfOne {
    fn counted_as(&self) -> &SourceId {
        if self.metrics.sources().counts(&self.source) { &self.source } else { &self.others }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<InFlight>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a breaker does, in the words that are shown.
pub(crate) const fn shown(state: BreakerState) -> tributary_telemetry::BreakerState {
    match state {
        BreakerState::Passing => tributary_telemetry::BreakerState::Passing,
        BreakerState::Shut => tributary_telemetry::BreakerState::Shut,
        BreakerState::Probing => tributary_telemetry::BreakerState::Probing,
    }
}

impl Observer for LimitsOfOne {
    fn breaker(&self, state: BreakerState) {
        self.metrics.sources().breaker(&self.source, shown(state));
    }

    fn limit(&self, requests: usize) {
        self.metrics.sources().limit(&self.source, requests);
    }

    fn waits(&self) {
        let one = self.metrics.sources().waiting(self.counted_as());
        self.waiting().push(one);
    }

    fn waited(&self) {
        drop(self.waiting().pop());
    }

    fn retried(&self) {
        self.metrics.sources().retried(self.counted_as());
    }
}

/// Which maps are there, and with how many rows.
pub(crate) struct MapRows(Vec<(&'static str, MapState, usize)>);

impl MapRows {
    /// Of these maps.
    pub(crate) fn of(maps: &Maps) -> Self {
        let state = |name| if maps.has(name) { MapState::Loaded } else { MapState::Absent };
        Self(MAP_NAMES.iter().map(|name| (*name, state(name), maps.rows(name))).collect())
    }

    /// A missing map means more lines and fewer discrepancies, so it must be known.
    pub(crate) fn note(&self, metrics: &Metrics) {
        for (name, state, rows) in &self.0 {
            metrics.map_loaded(name, *state, *rows);
            if *state == MapState::Absent && !PROMPT_MAPS.contains(name) {
                tracing::warn!(map = name, "code map not loaded: more lines, and fewer discrepancies found");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tributary_model::SourceKind;
    use tributary_sources::{Protocol, Route, ServiceRoot};

    use super::*;

    fn entry(id: &str) -> SourceEntry {
        SourceEntry {
            id: SourceId::parse(id).unwrap(),
            name: id.to_owned(),
            kind: SourceKind::Acute,
            protocol: Protocol::FhirR4,
            ods: None,
            asid: None,
            base_url: ServiceRoot::parse("https://one.example.test").unwrap(),
            more_roots: BTreeMap::new(),
            route: Route::Direct,
            tls: None,
            sections: None,
            owns: Vec::new(),
            rank: 1,
            timeout: Duration::from_secs(3),
            cache_ttl: None,
            max_body_bytes: 1 << 20,
            max_in_flight: 8,
            sends_deadline: false,
        }
    }

    /// What is told of a source's limit among so many, before it is asked and after, and when it is registered anew.
    #[track_caller]
    fn check(sources: usize, expected: [Option<&str>; 3]) {
        let id = |at| (SourceId::parse(&format!("s{at}")).unwrap(), SourceKind::Acute);
        let all: Vec<_> = (0..sources).map(id).collect();
        let metrics = Arc::new(Metrics::new(&all).unwrap());
        let counts = LimitCounts { metrics: Arc::clone(&metrics), others: id(0).0 };
        let told = || {
            let shown = metrics.render();
            let mut lines = shown.lines();
            lines.find_map(|line| {
                line.strip_prefix("tributary_source_limit{source=\"s7\"} ").map(str::to_owned)
            })
        };
        counts.registered(&entry("s7"));
        let before = told();
        counts.of(&entry("s7")).limit(5);
        let after = told();
        counts.registered(&entry("s7"));
        assert_eq!([before.as_deref(), after.as_deref(), told().as_deref()], expected, "{sources}");
    }

    #[test]
    fn of_one_among_thousands_nothing_is_told_before_it_is_asked() {
        check(9, [Some("8"), Some("5"), Some("8")]);
        check(1_000, [None, Some("5"), None]);
    }
}
