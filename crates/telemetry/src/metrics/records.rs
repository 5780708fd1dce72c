//! What is counted of records: how whole they were, of what they were made, and what was held back.

use prometheus::{Histogram, IntCounterVec};
use tributary_model::{Completeness, Section, SectionState};

use super::{MetricsError, Registrar};
use crate::catalogue as facts;
use crate::labels::{CopyKind, Extent};

/// Counters of records.
#[derive(Debug)]
pub struct RecordMetrics {
    completeness: IntCounterVec,
    budget_use: Histogram,
    sections: IntCounterVec,
    removals: IntCounterVec,
    discrepancies: IntCounterVec,
    statements: IntCounterVec,
}

impl RecordMetrics {
    pub(super) fn new(new: &Registrar<'_>) -> Result<Self, MetricsError> {
        let metrics = Self {
            completeness: new.counters(&facts::COMPLETENESS)?,
            budget_use: new.histogram(&facts::BUDGET_USE)?,
            sections: new.counters(&facts::SECTIONS)?,
            removals: new.counters(&facts::REMOVALS)?,
            discrepancies: new.counters(&facts::DISCREPANCIES)?,
            statements: new.counters(&facts::STATEMENTS)?,
        };
        metrics.begin_at_zero();
        Ok(metrics)
    }

    fn begin_at_zero(&self) {
        for value in Completeness::ALL {
            drop(self.completeness.with_label_values(&[value.code()]));
        }
        for value in CopyKind::ALL {
            drop(self.statements.with_label_values(&[value.code()]));
        }
        for section in Section::ALL {
            for state in SectionState::ALL.iter().filter(|state| **state != SectionState::Pending) {
                drop(self.sections.with_label_values(&[section.code(), state.code()]));
            }
            for extent in Extent::ALL {
                drop(self.removals.with_label_values(&[section.code(), extent.code()]));
            }
        }
    }

    /// These rules may find discrepancies.
    pub fn rules_begin(&self, rules: &[&'static str]) {
        for rule in rules {
            drop(self.discrepancies.with_label_values(&[rule]));
        }
    }

    pub(super) fn answered(&self, completeness: Completeness) {
        self.completeness.with_label_values(&[completeness.code()]).inc();
    }

    pub(super) fn discrepancy(&self, rule: &'static str) {
        self.discrepancies.with_label_values(&[rule]).inc();
    }

    /// A record took this share of the time that its caller allows.
    pub fn budget_used(&self, share: f64) {
        self.budget_use.observe(share);
    }

    /// A section of a record was answered; over all sources this is known of it.
    pub fn section(&self, section: Section, state: SectionState) {
        self.sections.with_label_values(&[section.code(), state.code()]).inc();
    }

    /// So much of a section of a source was held back from the requester's role.
    pub fn removed(&self, section: Section, extent: Extent) {
        self.removals.with_label_values(&[section.code(), extent.code()]).inc();
    }

    /// So many statements of a kind are on lines.
    pub fn statements(&self, kind: CopyKind, count: u64) {
        self.statements.with_label_values(&[kind.code()]).inc_by(count);
    }
}
