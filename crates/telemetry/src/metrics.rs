//! All metrics, typed. Registration happens here and nowhere else.

use std::collections::BTreeMap;
use std::fmt;

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use tributary_model::{Completeness, FaultClass, SourceId, SourceKind, SourceStatus};

use crate::catalogue::{self as facts, MetricFact};
use crate::labels::{CacheOutcome, MapState, PolicyOutcome, ShedReason};

/// From half a millisecond, where an audit append ends, to thirty seconds, where every deadline does.
const BOUNDS: &[f64] =
    &[0.0005, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 15.0, 30.0];

/// The catalogue and the registration do not fit: ours to fix.
#[derive(Debug, thiserror::Error)]
#[error("metrics cannot be registered")]
pub struct MetricsError(#[from] prometheus::Error);

/// Every metric of the broker.
pub struct Metrics {
    registry: Registry,
    http_requests: IntCounterVec,
    http_duration: HistogramVec,
    completeness: IntCounterVec,
    sources: BTreeMap<SourceId, SourceMetrics>,
    cache_lookups: IntCounterVec,
    cache_bytes: IntGauge,
    merge_duration: Histogram,
    discrepancies: IntCounterVec,
    audit_records: IntCounterVec,
    audit_append: Histogram,
    audit_failures: IntCounter,
    policy_decisions: IntCounterVec,
    shed: IntCounterVec,
    panics: IntCounter,
    map_loaded: IntGaugeVec,
    map_rows: IntGaugeVec,
}

/// The handles of one source, resolved once.
struct SourceMetrics {
    kind: SourceKind,
    asks: BTreeMap<SourceStatus, IntCounter>,
    faults: BTreeMap<FaultClass, IntCounter>,
    duration: Histogram,
    in_flight: IntGauge,
    quarantined: IntCounter,
}

impl Metrics {
    /// Registers everything. The series of every configured source exist from the start, so that a dashboard
    /// never takes "did not happen yet" for "is not measured".
    pub fn new(sources: &[(SourceId, SourceKind)]) -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let new = Registrar(&registry);
        let info = new.gauges(&facts::BUILD_INFO)?;
        info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let metrics = Self {
            http_requests: new.counters(&facts::HTTP_REQUESTS)?,
            http_duration: new.histograms(&facts::HTTP_DURATION)?,
            completeness: new.counters(&facts::COMPLETENESS)?,
            sources: resolve_sources(&new, sources)?,
            cache_lookups: new.counters(&facts::CACHE_LOOKUPS)?,
            cache_bytes: new.gauge(&facts::CACHE_BYTES)?,
            merge_duration: new.histogram(&facts::MERGE_DURATION)?,
            discrepancies: new.counters(&facts::DISCREPANCIES)?,
            audit_records: new.counters(&facts::AUDIT_RECORDS)?,
            audit_append: new.histogram(&facts::AUDIT_APPEND)?,
            audit_failures: new.counter(&facts::AUDIT_FAILURES)?,
            policy_decisions: new.counters(&facts::POLICY_DECISIONS)?,
            shed: new.counters(&facts::SHED)?,
            panics: new.counter(&facts::PANICS)?,
            map_loaded: new.gauges(&facts::MAP_LOADED)?,
            map_rows: new.gauges(&facts::MAP_ROWS)?,
            registry,
        };
        metrics.begin_at_zero();
        Ok(metrics)
    }

    fn begin_at_zero(&self) {
        let begin = |counters: &IntCounterVec, code| drop(counters.with_label_values(&[code]));
        for value in Completeness::ALL {
            begin(&self.completeness, value.code());
        }
        for value in CacheOutcome::ALL {
            begin(&self.cache_lookups, value.code());
        }
        for value in PolicyOutcome::ALL {
            begin(&self.policy_decisions, value.code());
        }
        for value in ShedReason::ALL {
            begin(&self.shed, value.code());
        }
    }

    /// A request was answered. `route` is the route's template, never a path.
    pub fn http_request(&self, route: &'static str, method: &str, code: u16, seconds: f64) {
        let code = code.to_string();
        let labels = [route, method_label(method), &code];
        self.http_requests.with_label_values(&labels).inc();
        self.http_duration.with_label_values(&[route]).observe(seconds);
    }

    /// A record was answered.
    pub fn record_answered(&self, completeness: Completeness) {
        self.completeness.with_label_values(&[completeness.code()]).inc();
    }

    /// An ask has its outcome. A source that is not configured is not counted.
    pub fn source_ask(&self, source: &SourceId, kind: SourceKind, status: SourceStatus, seconds: f64) {
        let Some(metrics) = self.sources.get(source) else {
            return;
        };
        debug_assert_eq!(metrics.kind, kind, "the registry has one kind for a source");
        if let Some(asks) = metrics.asks.get(&status) {
            asks.inc();
        }
        metrics.duration.observe(seconds);
    }

    /// An ask failed.
    pub fn source_fault(&self, source: &SourceId, class: FaultClass) {
        let metrics = self.sources.get(source);
        if let Some(faults) = metrics.and_then(|metrics| metrics.faults.get(&class)) {
            faults.inc();
        }
    }

    /// An ask begins; it ends when the guard is dropped.
    #[must_use = "the ask ends when the guard is dropped"]
    pub fn in_flight(&self, source: &SourceId) -> InFlight {
        let gauge = self.sources.get(source).map(|metrics| metrics.in_flight.clone());
        InFlight::begin(gauge)
    }

    /// An answer was kept out of the record.
    pub fn quarantined(&self, source: &SourceId) {
        if let Some(metrics) = self.sources.get(source) {
            metrics.quarantined.inc();
        }
    }

    /// The cache was looked into.
    pub fn cache_lookup(&self, outcome: CacheOutcome) {
        self.cache_lookups.with_label_values(&[outcome.code()]).inc();
    }

    /// The cache holds so many bytes now.
    pub fn cache_bytes(&self, bytes: u64) {
        self.cache_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// A record was merged.
    pub fn merged(&self, seconds: f64) {
        self.merge_duration.observe(seconds);
    }

    /// A merge rule found a discrepancy.
    pub fn discrepancy(&self, rule: &'static str) {
        self.discrepancies.with_label_values(&[rule]).inc();
    }

    /// An audit record is durable.
    pub fn audit_record(&self, kind: &'static str, seconds: f64) {
        self.audit_records.with_label_values(&[kind]).inc();
        self.audit_append.observe(seconds);
    }

    /// An audit record could not be made durable.
    pub fn audit_failure(&self) {
        self.audit_failures.inc();
    }

    /// The policy decided.
    pub fn policy_decision(&self, outcome: PolicyOutcome) {
        self.policy_decisions.with_label_values(&[outcome.code()]).inc();
    }

    /// A request was refused for load.
    pub fn shed(&self, reason: ShedReason) {
        self.shed.with_label_values(&[reason.code()]).inc();
    }

    /// A panic was caught.
    pub fn panicked(&self) {
        self.panics.inc();
    }

    /// A code map was loaded with so many rows, or not.
    pub fn map_loaded(&self, map: &'static str, state: MapState, rows: usize) {
        let value = i64::from(state == MapState::Loaded);
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        self.map_rows.with_label_values(&[map]).set(rows);
        self.map_loaded.with_label_values(&[map]).set(value);
    }

    /// Everything in Prometheus text format.
    pub fn render(&self) -> String {
        // Writing to a text cannot fail; if it did, an empty page is seen as a failed scrape.
        let families = self.registry.gather();
        TextEncoder::new().encode_to_string(&families).unwrap_or_default()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// One ask on its way.
#[derive(Debug)]
pub struct InFlight(Option<IntGauge>);

impl InFlight {
    fn begin(gauge: Option<IntGauge>) -> Self {
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

/// A caller chooses the method, so only known ones become a label.
fn method_label(method: &str) -> &'static str {
    const KNOWN: &[&str] = &["GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"];
    let known = KNOWN.iter().copied().find(|known| *known == method);
    known.unwrap_or("other")
}

fn resolve_sources(
    new: &Registrar<'_>,
    sources: &[(SourceId, SourceKind)],
) -> Result<BTreeMap<SourceId, SourceMetrics>, MetricsError> {
    let asks = new.counters(&facts::SOURCE_ASKS)?;
    let durations = new.histograms(&facts::SOURCE_DURATION)?;
    let in_flight = new.gauges(&facts::SOURCE_INFLIGHT)?;
    let faults = new.counters(&facts::SOURCE_FAULTS)?;
    let quarantined = new.counters(&facts::QUARANTINED)?;
    let resolve = |(source, kind): &(SourceId, SourceKind)| {
        let id = source.as_str();
        let of_status = |status: SourceStatus| asks.with_label_values(&[id, kind.code(), status.code()]);
        let of_class = |class: FaultClass| faults.with_label_values(&[id, class.code()]);
        let metrics = SourceMetrics {
            kind: *kind,
            asks: SourceStatus::ALL.iter().map(|status| (*status, of_status(*status))).collect(),
            faults: FaultClass::ALL.iter().map(|class| (*class, of_class(*class))).collect(),
            duration: durations.with_label_values(&[id]),
            in_flight: in_flight.with_label_values(&[id]),
            quarantined: quarantined.with_label_values(&[id]),
        };
        (source.clone(), metrics)
    };
    Ok(sources.iter().map(resolve).collect())
}

/// Makes metrics from their facts.
struct Registrar<'a>(&'a Registry);

impl Registrar<'_> {
    fn register<C: Collector + Clone + 'static>(&self, metric: C) -> Result<C, MetricsError> {
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counter(&self, fact: &MetricFact) -> Result<IntCounter, MetricsError> {
        self.register(IntCounter::new(fact.name, fact.help)?)
    }

    fn counters(&self, fact: &MetricFact) -> Result<IntCounterVec, MetricsError> {
        self.register(IntCounterVec::new(Opts::new(fact.name, fact.help), fact.labels)?)
    }

    fn gauge(&self, fact: &MetricFact) -> Result<IntGauge, MetricsError> {
        self.register(IntGauge::new(fact.name, fact.help)?)
    }

    fn gauges(&self, fact: &MetricFact) -> Result<IntGaugeVec, MetricsError> {
        self.register(IntGaugeVec::new(Opts::new(fact.name, fact.help), fact.labels)?)
    }

    fn histogram(&self, fact: &MetricFact) -> Result<Histogram, MetricsError> {
        self.register(Histogram::with_opts(bounded(fact))?)
    }

    fn histograms(&self, fact: &MetricFact) -> Result<HistogramVec, MetricsError> {
        self.register(HistogramVec::new(bounded(fact), fact.labels)?)
    }
}

fn bounded(fact: &MetricFact) -> HistogramOpts {
    HistogramOpts::new(fact.name, fact.help).buckets(BOUNDS.to_vec())
}
