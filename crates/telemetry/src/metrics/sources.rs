//! What is counted of sources.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use prometheus::{HistogramVec, IntCounterVec, IntGauge, IntGaugeVec};
use tributary_model::{FaultClass, SourceId, SourceKind, SourceStatus, StatusClass};

use super::{MetricsError, Registrar};
use crate::catalogue as facts;
use crate::labels::BreakerState;

/// Up to so many sources, every series of each exists before it counts anything, so that a dashboard never takes
/// "did not happen yet" for "is not measured". A broker for a region of thousands would hold tens of megabytes of
/// zeros; there a series begins with what it counts first.
const MOST_AT_ZERO: usize = 256;

/// Counters of sources. Only registered sources are counted, so that no stranger chooses a label.
pub struct SourceMetrics {
    known: RwLock<BTreeMap<SourceId, SourceKind>>,
    asks: IntCounterVec,
    duration: HistogramVec,
    in_flight: IntGaugeVec,
    faults: IntCounterVec,
    quarantined: IntCounterVec,
    breaker: IntGaugeVec,
    limit: IntGaugeVec,
    waiting: IntGaugeVec,
    retries: IntCounterVec,
    incomplete: IntCounterVec,
    last_answer: IntGaugeVec,
    maintenance_from: IntGaugeVec,
    maintenance_until: IntGaugeVec,
}

impl fmt::Debug for SourceMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceMetrics").finish_non_exhaustive()
    }
}

impl SourceMetrics {
    pub(super) fn new(new: &Registrar<'_>, sources: &[(SourceId, SourceKind)]) -> Result<Self, MetricsError> {
        let metrics = Self {
            known: RwLock::default(),
            asks: new.counters(&facts::SOURCE_ASKS)?,
            duration: new.histograms(&facts::SOURCE_DURATION)?,
            in_flight: new.gauges(&facts::SOURCE_INFLIGHT)?,
            faults: new.counters(&facts::SOURCE_FAULTS)?,
            breaker: new.gauges(&facts::SOURCE_BREAKER)?,
            limit: new.gauges(&facts::SOURCE_LIMIT)?,
            waiting: new.gauges(&facts::SOURCE_WAITING)?,
            retries: new.counters(&facts::SOURCE_RETRIES)?,
            quarantined: new.counters(&facts::QUARANTINED)?,
            incomplete: new.counters(&facts::INCOMPLETE)?,
            last_answer: new.gauges(&facts::SOURCE_LAST_ANSWER)?,
            maintenance_from: new.gauges(&facts::MAINTENANCE_FROM)?,
            maintenance_until: new.gauges(&facts::MAINTENANCE_UNTIL)?,
        };
        metrics.register(sources);
        Ok(metrics)
    }

    /// Counts these sources from now on, besides those that are counted already.
    pub fn register(&self, sources: &[(SourceId, SourceKind)]) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.extend(sources.iter().cloned());
        if known.len() <= MOST_AT_ZERO {
            for (source, kind) in sources {
                self.begin_at_zero(source, *kind);
            }
        }
    }

    fn begin_at_zero(&self, source: &SourceId, kind: SourceKind) {
        let id = source.as_str();
        for status in SourceStatus::ALL {
            drop(self.asks.with_label_values(&[id, kind.code(), status.code()]));
        }
        for class in FaultClass::ALL {
            drop(self.faults.with_label_values(&[id, class.code()]));
        }
        drop(self.duration.with_label_values(&[id]));
        let gauges = [&self.in_flight, &self.breaker, &self.limit, &self.waiting, &self.last_answer];
        for gauges in gauges.into_iter().chain([&self.maintenance_from, &self.maintenance_until]) {
            drop(gauges.with_label_values(&[id]));
        }
        drop(self.retries.with_label_values(&[id]));
        for class in FaultClass::ALL.iter().filter(|class| class.status() == SourceStatus::IdentityMismatch) {
            drop(self.quarantined.with_label_values(&[id, class.code()]));
        }
        for class in [StatusClass::Missing, StatusClass::Degraded, StatusClass::Withheld] {
            drop(self.incomplete.with_label_values(&[id, lacking(class).unwrap_or_default()]));
        }
    }

    fn kind(&self, source: &SourceId) -> Option<SourceKind> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(source).copied()
    }

    /// Whether this source is counted.
    pub fn counts(&self, source: &SourceId) -> bool {
        self.kind(source).is_some()
    }

    /// An ask has its outcome, and this fault if it has one. What the breaker refuses takes no time, and says nothing of
    /// how fast the source is: with it, a source that hangs would look quick.
    pub fn asked(&self, source: &SourceId, status: SourceStatus, fault: Option<FaultClass>, seconds: f64) {
        if let Some(kind) = self.kind(source) {
            self.asks.with_label_values(&[source.as_str(), kind.code(), status.code()]).inc();
            if fault != Some(FaultClass::Breaker) {
                self.duration.with_label_values(&[source.as_str()]).observe(seconds);
            }
        }
    }

    /// An ask failed.
    pub fn failed(&self, source: &SourceId, class: FaultClass) {
        if self.counts(source) {
            self.faults.with_label_values(&[source.as_str(), class.code()]).inc();
        }
    }

    /// An ask begins; it ends when the guard is dropped.
    #[must_use = "the ask ends when the guard is dropped"]
    pub fn in_flight(&self, source: &SourceId) -> InFlight {
        let gauge = self.counts(source).then(|| self.in_flight.with_label_values(&[source.as_str()]));
        InFlight::begin(gauge)
    }

    /// An answer was kept out of the record.
    pub fn quarantined(&self, source: &SourceId, reason: FaultClass) {
        if self.counts(source) {
            self.quarantined.with_label_values(&[source.as_str(), reason.code()]).inc();
        }
    }

    /// A record was answered, of which this became of the source.
    pub fn stood_in_a_record(&self, source: &SourceId, status: SourceStatus) {
        if let (Some(class), true) = (lacking(status.class()), self.counts(source)) {
            self.incomplete.with_label_values(&[source.as_str(), class]).inc();
        }
    }

    /// A source gave a good answer at this second since 1970.
    pub fn answered(&self, source: &SourceId, second: i64) {
        if self.counts(source) {
            self.last_answer.with_label_values(&[source.as_str()]).set(second);
        }
    }

    /// This maintenance is announced, from one second since 1970 until another; of no other source any is.
    pub fn maintenance(&self, announced: &[(SourceId, i64, i64)]) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let at_zero = known.keys().filter(|_| known.len() <= MOST_AT_ZERO).map(|source| (source, 0, 0));
        let announced = announced.iter().filter(|(source, ..)| known.contains_key(source));
        let announced = announced.map(|(source, from, until)| (source, *from, *until));
        self.maintenance_from.reset();
        self.maintenance_until.reset();
        for (source, from, until) in at_zero.chain(announced) {
            self.maintenance_from.with_label_values(&[source.as_str()]).set(from);
            self.maintenance_until.with_label_values(&[source.as_str()]).set(until);
        }
    }

    /// A source is registered, or registered anew, and may have so many requests once it is asked. Of one among
    /// thousands that is told no sooner; what was told of it before no longer holds.
    pub fn begin_with_limit(&self, source: &SourceId, requests: usize) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).len();
        if known <= MOST_AT_ZERO {
            self.breaker(source, BreakerState::Passing);
            self.limit(source, requests);
            return;
        }
        for gauge in [&self.breaker, &self.limit] {
            let _was_not_told = gauge.remove_label_values(&[source.as_str()]);
        }
    }

    /// The breaker changed its mind.
    pub fn breaker(&self, source: &SourceId, state: BreakerState) {
        if self.counts(source) {
            let value = match state {
                BreakerState::Passing => 0,
                BreakerState::Probing => 1,
                BreakerState::Shut => 2,
            };
            self.breaker.with_label_values(&[source.as_str()]).set(value);
        }
    }

    /// So many requests may be at the source now.
    pub fn limit(&self, source: &SourceId, requests: usize) {
        if self.counts(source) {
            let value = i64::try_from(requests).unwrap_or(i64::MAX);
            self.limit.with_label_values(&[source.as_str()]).set(value);
        }
    }

    /// A request waits for a place at the source until the guard is dropped.
    #[must_use = "the waiting ends when the guard is dropped"]
    pub fn waiting(&self, source: &SourceId) -> InFlight {
        let gauge = self.counts(source).then(|| self.waiting.with_label_values(&[source.as_str()]));
        InFlight::begin(gauge)
    }

    /// A second attempt is made.
    pub fn retried(&self, source: &SourceId) {
        if self.counts(source) {
            self.retries.with_label_values(&[source.as_str()]).inc();
        }
    }
}

/// What lacks, in a word; nothing lacks of a source that said all that it may.
const fn lacking(class: StatusClass) -> Option<&'static str> {
    match class {
        StatusClass::Missing => Some("missing"),
        StatusClass::Degraded => Some("degraded"),
        StatusClass::Withheld => Some("withheld"),
        StatusClass::Contributed | StatusClass::Answered => None,
    }
}

/// Something on its way, counted until it is dropped.
#[derive(Debug)]
pub struct InFlight(Option<IntGauge>);

impl InFlight {
    pub(super) fn begin(gauge: Option<IntGauge>) -> Self {
        if let Some(gauge) = &gauge {
            gauge.inc();
        }
        Self(gauge)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(gauge) = &self.0 {
            gauge.dec();
        }
    }
}
