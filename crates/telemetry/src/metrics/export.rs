//! What is counted of handing the audit log on.

use prometheus::{IntCounterVec, IntGaugeVec};

use super::{MetricsError, Registrar, gauged};
use crate::catalogue as facts;

/// Counters of each place that audit events go to. The names of places are ours.
#[derive(Debug)]
pub struct AuditExport {
    backlog: IntGaugeVec,
    oldest: IntGaugeVec,
    events: IntCounterVec,
    failures: IntCounterVec,
    dead_letters: IntCounterVec,
}

impl AuditExport {
    pub(super) fn new(new: &Registrar<'_>) -> Result<Self, MetricsError> {
        Ok(Self {
            backlog: new.gauges(&facts::AUDIT_EXPORT_BACKLOG)?,
            oldest: new.gauges(&facts::AUDIT_EXPORT_OLDEST)?,
            events: new.counters(&facts::AUDIT_EXPORT_EVENTS)?,
            failures: new.counters(&facts::AUDIT_EXPORT_FAILURES)?,
            dead_letters: new.counters(&facts::AUDIT_EXPORT_DEAD_LETTERS)?,
        })
    }

    /// Every series of a place exists before it counts anything.
    pub fn begin(&self, target: &'static str) {
        self.backlog(target, 0);
        self.oldest(target, 0);
        for counter in [&self.events, &self.failures, &self.dead_letters] {
            drop(counter.with_label_values(&[target]));
        }
    }

    /// So many records are not yet handed on.
    pub fn backlog(&self, target: &'static str, records: u64) {
        self.backlog.with_label_values(&[target]).set(gauged(records));
    }

    /// The oldest record that is not yet handed on was made at this second since 1970; 0 if all are.
    pub fn oldest(&self, target: &'static str, second: i64) {
        self.oldest.with_label_values(&[target]).set(second);
    }

    /// An event was taken.
    pub fn taken(&self, target: &'static str) {
        self.events.with_label_values(&[target]).inc();
    }

    /// A try came to nothing.
    pub fn failed(&self, target: &'static str) {
        self.failures.with_label_values(&[target]).inc();
    }

    /// An event was put aside.
    pub fn put_aside(&self, target: &'static str) {
        self.dead_letters.with_label_values(&[target]).inc();
    }
}
