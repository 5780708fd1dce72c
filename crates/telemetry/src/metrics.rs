//! All metrics, typed. Registration happens here and nowhere else.

mod export;
mod records;
mod sources;

use std::fmt;

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use tributary_model::{Completeness, MemoryBudget, Priority, SourceId, SourceKind};

use crate::catalogue::{self as facts, MetricFact, MetricKind};
use crate::labels::{
    CacheOutcome, GlassOutcome, LaunchOutcome, Listener, MapState, PolicyOutcome, ReloadOutcome, ShedReason,
    TraceOutcome, WitnessOutcome,
};
use crate::spans::Spans;

pub use export::AuditExport;
pub use records::RecordMetrics;
pub use sources::{InFlight, SourceMetrics};

/// From half a millisecond, where an audit append ends, to thirty seconds, where every deadline does.
const BOUNDS: &[f64] =
    &[0.0005, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 15.0, 30.0];

/// Shares of what was allowed. Above one it was late.
const SHARES: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0];

/// The catalogue and the registration do not fit: ours to fix.
#[derive(Debug, thiserror::Error)]
#[error("metrics cannot be registered")]
pub struct MetricsError(#[from] prometheus::Error);

/// Every metric of the broker.
pub struct Metrics {
    registry: Registry,
    http_requests: IntCounterVec,
    http_duration: HistogramVec,
    records: RecordMetrics,
    sources: SourceMetrics,
    cache_lookups: IntCounterVec,
    cache_age: Histogram,
    cache_bytes: IntGauge,
    memory_taken: IntGauge,
    memory_budget: IntGauge,
    merge_duration: Histogram,
    audit_records: IntCounterVec,
    audit_append: Histogram,
    audit_failures: IntCounter,
    audit_queue: IntGauge,
    audit_checkpoint: IntGauge,
    audit_cosignature: IntGauge,
    audit_witnessed: IntCounterVec,
    audit_export: AuditExport,
    policy_decisions: IntCounterVec,
    break_glass: IntCounterVec,
    logins: IntCounterVec,
    launches: IntCounterVec,
    handshake_failures: IntCounterVec,
    crl_made: IntGaugeVec,
    crl_next: IntGaugeVec,
    jwks_fetched: IntGaugeVec,
    traces: IntCounterVec,
    spans: Spans,
    shed: IntCounterVec,
    connections: IntGaugeVec,
    admitted: IntGaugeVec,
    admission_limit: IntGauge,
    executor_lag: Histogram,
    reloads: IntCounterVec,
    panics: IntCounter,
    certificate_expiry: IntGaugeVec,
    anomalies: IntCounterVec,
    sandbox: IntGaugeVec,
    map_loaded: IntGaugeVec,
    map_rows: IntGaugeVec,
}

impl Metrics {
    /// Registers everything.
    pub fn new(sources: &[(SourceId, SourceKind)]) -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let new = Registrar(&registry);
        let info = new.gauges(&facts::BUILD_INFO)?;
        info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let metrics = Self {
            http_requests: new.counters(&facts::HTTP_REQUESTS)?,
            http_duration: new.histograms(&facts::HTTP_DURATION)?,
            records: RecordMetrics::new(&new)?,
            sources: SourceMetrics::new(&new, sources)?,
            cache_lookups: new.counters(&facts::CACHE_LOOKUPS)?,
            cache_age: new.histogram(&facts::CACHE_AGE)?,
            cache_bytes: new.gauge(&facts::CACHE_BYTES)?,
            memory_taken: new.gauge(&facts::MEMORY_TAKEN)?,
            memory_budget: new.gauge(&facts::MEMORY_BUDGET)?,
            merge_duration: new.histogram(&facts::MERGE_DURATION)?,
            audit_records: new.counters(&facts::AUDIT_RECORDS)?,
            audit_append: new.histogram(&facts::AUDIT_APPEND)?,
            audit_failures: new.counter(&facts::AUDIT_FAILURES)?,
            audit_queue: new.gauge(&facts::AUDIT_QUEUE)?,
            audit_checkpoint: new.gauge(&facts::AUDIT_CHECKPOINT)?,
            audit_cosignature: new.gauge(&facts::AUDIT_COSIGNATURE)?,
            audit_witnessed: new.counters(&facts::AUDIT_WITNESSED)?,
            audit_export: AuditExport::new(&new)?,
            policy_decisions: new.counters(&facts::POLICY_DECISIONS)?,
            break_glass: new.counters(&facts::BREAK_GLASS)?,
            logins: new.counters(&facts::LOGINS)?,
            launches: new.counters(&facts::LAUNCHES)?,
            handshake_failures: new.counters(&facts::HANDSHAKE_FAILURES)?,
            crl_made: new.gauges(&facts::CRL_MADE)?,
            crl_next: new.gauges(&facts::CRL_NEXT)?,
            jwks_fetched: new.gauges(&facts::JWKS_FETCHED)?,
            traces: new.counters(&facts::TRACES)?,
            spans: Spans::new(new.counters(&facts::SPANS)?),
            shed: new.counters(&facts::SHED)?,
            connections: new.gauges(&facts::CONNECTIONS)?,
            admitted: new.gauges(&facts::ADMITTED)?,
            admission_limit: new.gauge(&facts::ADMISSION_LIMIT)?,
            executor_lag: new.histogram(&facts::EXECUTOR_LAG)?,
            reloads: new.counters(&facts::RELOADS)?,
            panics: new.counter(&facts::PANICS)?,
            certificate_expiry: new.gauges(&facts::CERTIFICATE_EXPIRY)?,
            anomalies: new.counters(&facts::ANOMALIES)?,
            sandbox: new.gauges(&facts::SANDBOX)?,
            map_loaded: new.gauges(&facts::MAP_LOADED)?,
            map_rows: new.gauges(&facts::MAP_ROWS)?,
            registry,
        };
        metrics.begin_at_zero();
        Ok(metrics)
    }

    fn begin_at_zero(&self) {
        let begin = |counters: &IntCounterVec, code| drop(counters.with_label_values(&[code]));
        for value in TraceOutcome::ALL {
            begin(&self.traces, value.code());
        }
        for value in CacheOutcome::ALL {
            begin(&self.cache_lookups, value.code());
        }
        for value in PolicyOutcome::ALL {
            begin(&self.policy_decisions, value.code());
        }
        for value in GlassOutcome::ALL {
            begin(&self.break_glass, value.code());
        }
        for value in LaunchOutcome::ALL {
            begin(&self.launches, value.code());
        }
        for value in ShedReason::ALL {
            begin(&self.shed, value.code());
        }
        for value in WitnessOutcome::ALL {
            begin(&self.audit_witnessed, value.code());
        }
        self.audit_cosignature.set(-1);
        for value in ReloadOutcome::ALL {
            begin(&self.reloads, value.code());
        }
        for value in Listener::ALL {
            drop(self.connections.with_label_values(&[value.code()]));
            begin(&self.handshake_failures, value.code());
        }
        for value in Priority::ALL {
            drop(self.admitted.with_label_values(&[value.code()]));
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
        self.records.answered(completeness);
    }

    /// What is counted of records.
    pub const fn records(&self) -> &RecordMetrics {
        &self.records
    }

    /// Where the trace of a request comes from.
    pub fn traced(&self, outcome: TraceOutcome) {
        self.traces.with_label_values(&[outcome.code()]).inc();
    }

    /// What requests did, for whoever keeps traces.
    pub const fn spans(&self) -> &Spans {
        &self.spans
    }

    /// The asks of sources.
    pub const fn sources(&self) -> &SourceMetrics {
        &self.sources
    }

    /// The cache was looked into.
    pub fn cache_lookup(&self, outcome: CacheOutcome) {
        self.cache_lookups.with_label_values(&[outcome.code()]).inc();
    }

    /// A reply that was fetched so many seconds ago is shown from the cache.
    pub fn cache_hit(&self, seconds: f64) {
        self.cache_age.observe(seconds);
    }

    /// The cache holds so many bytes now.
    pub fn cache_bytes(&self, bytes: u64) {
        self.cache_bytes.set(gauged(bytes));
    }

    /// So much of the memory budget is taken now.
    pub fn memory(&self, budget: &MemoryBudget) {
        self.memory_taken.set(gauged(budget.taken()));
        self.memory_budget.set(gauged(budget.most()));
    }

    /// A record was merged.
    pub fn merged(&self, seconds: f64) {
        self.merge_duration.observe(seconds);
    }

    /// A merge rule found a discrepancy.
    pub fn discrepancy(&self, rule: &'static str) {
        self.records.discrepancy(rule);
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

    /// So many audit records wait to be durable.
    pub fn audit_queue(&self, records: usize) {
        self.audit_queue.set(i64::try_from(records).unwrap_or(i64::MAX));
    }

    /// Somebody wished to break the glass.
    pub fn break_glass(&self, outcome: GlassOutcome) {
        self.break_glass.with_label_values(&[outcome.code()]).inc();
    }

    /// There is a checkpoint of so many audit records.
    pub fn audit_checkpoint(&self, size: u64) {
        self.audit_checkpoint.set(gauged(size));
    }

    /// Witnesses cosigned the audit log so many seconds ago; `None` if they never did.
    pub fn audit_cosigned(&self, seconds: Option<u64>) {
        self.audit_cosignature.set(seconds.map_or(-1, gauged));
    }

    /// A checkpoint was sent to a witness.
    pub fn audit_witnessed(&self, outcome: WitnessOutcome) {
        self.audit_witnessed.with_label_values(&[outcome.code()]).inc();
    }

    /// What is counted of handing the audit log on.
    pub const fn audit_export(&self) -> &AuditExport {
        &self.audit_export
    }

    /// The policy decided.
    pub fn policy_decision(&self, outcome: PolicyOutcome) {
        self.policy_decisions.with_label_values(&[outcome.code()]).inc();
    }

    /// Who calls was proven, or not; `outcome` is of a closed set.
    pub fn login(&self, outcome: &'static str) {
        self.logins.with_label_values(&[outcome]).inc();
    }

    /// How far the launch of a page got.
    pub fn launch(&self, outcome: LaunchOutcome) {
        self.launches.with_label_values(&[outcome.code()]).inc();
    }

    /// A connection ended before its handshake did.
    pub fn handshake_failed(&self, listener: Listener) {
        self.handshake_failures.with_label_values(&[listener.code()]).inc();
    }

    /// These are the revocation lists in force: of which listener, and the seconds since 1970 at which the oldest was
    /// made and the first is out of date.
    pub fn revocation_lists(&self, lists: &[(Listener, i64, i64)]) {
        self.crl_made.reset();
        self.crl_next.reset();
        for (listener, made, next) in lists {
            self.crl_made.with_label_values(&[listener.code()]).set(*made);
            self.crl_next.with_label_values(&[listener.code()]).set(*next);
        }
    }

    /// The keys of an issuer, by its entry in the configuration, were fetched at this second since 1970.
    pub fn keys_fetched(&self, issuer: &str, second: i64) {
        self.jwks_fetched.with_label_values(&[issuer]).set(second);
    }

    /// A request was refused for load.
    pub fn shed(&self, reason: ShedReason) {
        self.shed.with_label_values(&[reason.code()]).inc();
    }

    /// A connection was accepted; it ends when the guard is dropped.
    #[must_use = "the connection ends when the guard is dropped"]
    pub fn connected(&self, listener: Listener) -> InFlight {
        InFlight::begin(Some(self.connections.with_label_values(&[listener.code()])))
    }

    /// A request was admitted; it ends when the guard is dropped.
    #[must_use = "the request ends when the guard is dropped"]
    pub fn admitted(&self, priority: Priority) -> InFlight {
        InFlight::begin(Some(self.admitted.with_label_values(&[priority.code()])))
    }

    /// So many requests may be in flight now.
    pub fn admission_limit(&self, requests: usize) {
        self.admission_limit.set(i64::try_from(requests).unwrap_or(i64::MAX));
    }

    /// Our own timers were so late.
    pub fn executor_lag(&self, seconds: f64) {
        self.executor_lag.observe(seconds);
    }

    /// The configuration was read again.
    pub fn reloaded(&self, outcome: ReloadOutcome) {
        self.reloads.with_label_values(&[outcome.code()]).inc();
    }

    /// A panic was caught.
    pub fn panicked(&self) {
        self.panics.inc();
    }

    /// These are the certificates in force, each with the second since 1970 at which it ends.
    pub fn certificates_end(&self, ends: &[(String, i64)]) {
        self.certificate_expiry.reset();
        for (certificate, second) in ends {
            self.certificate_expiry.with_label_values(&[certificate]).set(*second);
        }
    }

    /// These signals are looked for.
    pub fn anomalies_begin(&self, signals: impl IntoIterator<Item = &'static str>) {
        for signal in signals {
            drop(self.anomalies.with_label_values(&[signal]));
        }
    }

    /// Somebody's looking is out of the ordinary.
    pub fn anomaly(&self, signal: &'static str) {
        self.anomalies.with_label_values(&[signal]).inc();
    }

    /// These walls stand around the process, or do not.
    pub fn sandboxed(&self, walls: &[(&'static str, bool)]) {
        for (wall, stands) in walls {
            self.sandbox.with_label_values(&[wall]).set(i64::from(*stands));
        }
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

/// A caller chooses the method, so only known ones become a label.
fn method_label(method: &str) -> &'static str {
    const KNOWN: &[&str] = &["GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"];
    let known = KNOWN.iter().copied().find(|known| *known == method);
    known.unwrap_or("other")
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
    let bounds = if fact.kind == MetricKind::Share { SHARES } else { BOUNDS };
    HistogramOpts::new(fact.name, fact.help).buckets(bounds.to_vec())
}

fn gauged(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
