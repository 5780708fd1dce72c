//! What is counted and said at the seams between rooms that do not know each other.

use std::sync::Arc;
use std::time::Duration;

use tributary_audit::{AuditObserver, Kind};
use tributary_broker::{MAP_NAMES, Maps, PROMPT_MAPS};
use tributary_telemetry::{MapState, Metrics};

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
