//! Every metric there is: the one table that registration, documentation and tests read.

/// What a metric is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size; the bounds are for seconds.
    Histogram,
    /// Counts by size; the bounds are for shares of one.
    Share,
}

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricFact {
    /// Its name.
    pub name: &'static str,
    /// What it is made of.
    pub kind: MetricKind,
    /// Its labels, whose values come from configuration or closed sets.
    pub labels: &'static [&'static str],
    /// What it counts.
    pub help: &'static str,
}

/// Every metric, in the order of the rooms.
pub const fn catalogue() -> &'static [MetricFact] {
    CATALOGUE
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> MetricFact {
    fact(MetricKind::Counter, name, labels, help)
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> MetricFact {
    fact(MetricKind::Gauge, name, labels, help)
}

const fn seconds(name: &'static str, labels: &'static [&'static str], help: &'static str) -> MetricFact {
    fact(MetricKind::Histogram, name, labels, help)
}

const fn shares(name: &'static str, labels: &'static [&'static str], help: &'static str) -> MetricFact {
    fact(MetricKind::Share, name, labels, help)
}

const fn fact(
    kind: MetricKind,
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> MetricFact {
    MetricFact { name, kind, labels, help }
}

pub(crate) const HTTP_REQUESTS: MetricFact = counter(
    "tributary_http_requests_total",
    &["route", "method", "code"],
    "Requests answered on the data listener.",
);
pub(crate) const HTTP_DURATION: MetricFact = seconds(
    "tributary_http_request_duration_seconds",
    &["route"],
    "From a request's head to the last byte of its answer.",
);
pub(crate) const COMPLETENESS: MetricFact = counter(
    "tributary_record_completeness_total",
    &["completeness"],
    "Records answered, by how whole they were.",
);
pub(crate) const BUDGET_USE: MetricFact = shares(
    "tributary_record_budget_use_ratio",
    &[],
    "Share of the time that a caller allows which its record took.",
);
pub(crate) const SECTIONS: MetricFact = counter(
    "tributary_record_sections_total",
    &["section", "state"],
    "Sections of records answered, by what was known of each over all sources.",
);
pub(crate) const INCOMPLETE: MetricFact = counter(
    "tributary_record_incomplete_total",
    &["source", "class"],
    "Records answered without all of what a source has: `missing`, `degraded` or `withheld`.",
);
pub(crate) const REMOVALS: MetricFact = counter(
    "tributary_policy_removals_total",
    &["section", "extent"],
    "Sections of sources that were held back from a role, `whole` or in `part`, whether there was anything or not.",
);
pub(crate) const SOURCE_ASKS: MetricFact =
    counter("tributary_source_asks_total", &["source", "kind", "status"], "Asks, by what became of them.");
pub(crate) const SOURCE_DURATION: MetricFact = seconds(
    "tributary_source_duration_seconds",
    &["source"],
    "From the first attempt of an ask to its outcome. Asks that the breaker refuses are not among them.",
);
pub(crate) const SOURCE_INFLIGHT: MetricFact =
    gauge("tributary_source_inflight", &["source"], "Asks without an outcome yet.");
pub(crate) const SOURCE_FAULTS: MetricFact = counter(
    "tributary_source_faults_total",
    &["source", "class"],
    "Asks that failed, by what exactly went wrong.",
);
pub(crate) const SOURCE_BREAKER: MetricFact = gauge(
    "tributary_source_breaker_state",
    &["source"],
    "What the breaker does with asks: 0 lets them pass, 1 lets one pass to see, 2 refuses them.",
);
pub(crate) const SOURCE_LIMIT: MetricFact = gauge(
    "tributary_source_limit",
    &["source"],
    "Requests that may be at the source at once, as its own pace has it now.",
);
pub(crate) const SOURCE_WAITING: MetricFact =
    gauge("tributary_source_waiting", &["source"], "Requests that wait for a place at the source.");
pub(crate) const SOURCE_RETRIES: MetricFact =
    counter("tributary_source_retries_total", &["source"], "Second attempts made.");
pub(crate) const SOURCE_LAST_ANSWER: MetricFact = gauge(
    "tributary_source_last_answer_timestamp_seconds",
    &["source"],
    "When a source last answered, as its outcomes have it: seconds since 1970; 0 if it never did since the start.",
);
pub(crate) const MAINTENANCE_FROM: MetricFact = gauge(
    "tributary_source_maintenance_from_timestamp_seconds",
    &["source"],
    "When the maintenance that is announced for a source begins: seconds since 1970; 0 if none is.",
);
pub(crate) const MAINTENANCE_UNTIL: MetricFact = gauge(
    "tributary_source_maintenance_until_timestamp_seconds",
    &["source"],
    "When the maintenance that is announced for a source ends: seconds since 1970; 0 if none is.",
);
pub(crate) const QUARANTINED: MetricFact = counter(
    "tributary_quarantined_total",
    &["source", "reason"],
    "Answers kept out of the record because they may be about another patient.",
);
pub(crate) const CACHE_LOOKUPS: MetricFact =
    counter("tributary_cache_lookups_total", &["outcome"], "Looks into the cache of replies.");
pub(crate) const CACHE_AGE: MetricFact = seconds(
    "tributary_cache_hit_since_fetch_seconds",
    &[],
    "How long ago a reply was fetched that is shown from the cache.",
);
pub(crate) const CACHE_BYTES: MetricFact =
    gauge("tributary_cache_bytes", &[], "Memory held by the cache of replies.");
pub(crate) const MEMORY_TAKEN: MetricFact = gauge(
    "tributary_memory_taken_bytes",
    &[],
    "Memory held on behalf of requests: bodies, replies and answers.",
);
pub(crate) const MEMORY_BUDGET: MetricFact =
    gauge("tributary_memory_budget_bytes", &[], "Most memory that may be held on behalf of requests.");
pub(crate) const MERGE_DURATION: MetricFact =
    seconds("tributary_merge_duration_seconds", &[], "Merging one record, without waiting for sources.");
pub(crate) const DISCREPANCIES: MetricFact = counter(
    "tributary_merge_discrepancies_total",
    &["rule"],
    "Discrepancies shown to readers, by the rule that found them.",
);
pub(crate) const STATEMENTS: MetricFact = counter(
    "tributary_merge_statements_total",
    &["copy"],
    "Statements on lines, by what they are: `original`, or which kind of copy.",
);
pub(crate) const AUDIT_RECORDS: MetricFact =
    counter("tributary_audit_records_total", &["kind"], "Audit records made durable.");
pub(crate) const AUDIT_APPEND: MetricFact = seconds(
    "tributary_audit_append_duration_seconds",
    &[],
    "From handing in an audit record until it was durable.",
);
pub(crate) const AUDIT_FAILURES: MetricFact = counter(
    "tributary_audit_failures_total",
    &[],
    "Audit records that could not be made durable; nothing was disclosed.",
);
pub(crate) const AUDIT_QUEUE: MetricFact = gauge(
    "tributary_audit_queue_records",
    &[],
    "Audit records that somebody waits for and that are not durable yet.",
);
pub(crate) const AUDIT_CHECKPOINT: MetricFact =
    gauge("tributary_audit_checkpoint_size", &[], "Audit records that the last checkpoint covers.");
pub(crate) const AUDIT_COSIGNATURE: MetricFact = gauge(
    "tributary_audit_cosignature_age_seconds",
    &[],
    "How long ago as many witnesses as are needed had cosigned the audit log; -1 if never, or if none is asked.",
);
pub(crate) const AUDIT_WITNESSED: MetricFact = counter(
    "tributary_audit_witness_answers_total",
    &["outcome"],
    "Checkpoints sent to witnesses, by what became of them.",
);
pub(crate) const AUDIT_EXPORT_BACKLOG: MetricFact = gauge(
    "tributary_audit_export_backlog_records",
    &["target"],
    "Audit records that are durable and not yet handed on.",
);
pub(crate) const AUDIT_EXPORT_OLDEST: MetricFact = gauge(
    "tributary_audit_export_oldest_timestamp_seconds",
    &["target"],
    "When the oldest audit record was made that is not yet handed on: seconds since 1970; 0 if all are.",
);
pub(crate) const AUDIT_EXPORT_EVENTS: MetricFact =
    counter("tributary_audit_export_events_total", &["target"], "Audit events that were taken.");
pub(crate) const AUDIT_EXPORT_FAILURES: MetricFact = counter(
    "tributary_audit_export_failures_total",
    &["target"],
    "Tries to hand audit events on that failed.",
);
pub(crate) const AUDIT_EXPORT_DEAD_LETTERS: MetricFact = counter(
    "tributary_audit_export_dead_letters_total",
    &["target"],
    "Audit events that were refused and put aside.",
);
pub(crate) const POLICY_DECISIONS: MetricFact =
    counter("tributary_policy_decisions_total", &["outcome"], "Decisions of the policy.");
pub(crate) const BREAK_GLASS: MetricFact = counter(
    "tributary_break_glass_total",
    &["outcome"],
    "Wishes to break the glass, by what became of them. Each that was granted wants a review.",
);
pub(crate) const LOGINS: MetricFact = counter(
    "tributary_logins_total",
    &["outcome"],
    "Requests by what came of proving who calls: `proven`, `asserted` by an unsigned token, or why not.",
);
pub(crate) const LAUNCHES: MetricFact = counter(
    "tributary_launches_total",
    &["outcome"],
    "Pages that other systems open, by how far they got: an address was `offered` or a signed form `taken`, the page was `opened`; or why not.",
);
pub(crate) const HANDSHAKE_FAILURES: MetricFact = counter(
    "tributary_tls_handshake_failures_total",
    &["listener"],
    "Connections that ended before their TLS handshake did: among them those of callers whose certificate is refused.",
);
pub(crate) const CRL_MADE: MetricFact = gauge(
    "tributary_crl_this_update_timestamp_seconds",
    &["listener"],
    "When the oldest revocation list of a listener was made: seconds since 1970.",
);
pub(crate) const CRL_NEXT: MetricFact = gauge(
    "tributary_crl_next_update_timestamp_seconds",
    &["listener"],
    "When the first of a listener's revocation lists is out of date: seconds since 1970. Callers are refused a time of grace later.",
);
pub(crate) const JWKS_FETCHED: MetricFact = gauge(
    "tributary_jwks_fetched_timestamp_seconds",
    &["issuer"],
    "When the keys of an issuer were last fetched: seconds since 1970.",
);
pub(crate) const TRACES: MetricFact = counter(
    "tributary_trace_contexts_total",
    &["outcome"],
    "Requests by where their trace comes from: `continued` the caller's, `begun` here, or `refused` and begun here.",
);
pub(crate) const SPANS: MetricFact = counter(
    "tributary_trace_spans_total",
    &["outcome"],
    "Spans by what became of them: `exported`, `dropped` for want of room here, `refused` by the receiver, or `unsent` since nobody was there.",
);
pub(crate) const SHED: MetricFact =
    counter("tributary_shed_total", &["reason"], "Requests refused for load.");
pub(crate) const CONNECTIONS: MetricFact =
    gauge("tributary_connections", &["listener"], "Open connections of callers.");
pub(crate) const ADMITTED: MetricFact =
    gauge("tributary_requests_in_flight", &["priority"], "Requests admitted and not answered yet.");
pub(crate) const ADMISSION_LIMIT: MetricFact = gauge(
    "tributary_admission_limit",
    &[],
    "Requests that may be in flight at once, as our own pace has it now.",
);
pub(crate) const EXECUTOR_LAG: MetricFact = seconds(
    "tributary_executor_lag_seconds",
    &[],
    "How late our own timers are: what every step of every request waits for the processor.",
);
pub(crate) const RELOADS: MetricFact = counter(
    "tributary_config_reloads_total",
    &["outcome"],
    "Times the configuration was read again, by what became of it.",
);
pub(crate) const PANICS: MetricFact =
    counter("tributary_panics_total", &[], "Panics caught at the edge: every one is a defect.");
pub(crate) const CERTIFICATE_EXPIRY: MetricFact = gauge(
    "tributary_certificate_expiry_timestamp_seconds",
    &["certificate"],
    "When a certificate, another of its chain, or a revocation list ends first: seconds since 1970, by its key in the configuration.",
);
pub(crate) const ANOMALIES: MetricFact = counter(
    "tributary_anomalies_total",
    &["signal"],
    "Times somebody's looking was out of the ordinary, by what about it was; who it was is on record.",
);
pub(crate) const SANDBOX: MetricFact = gauge(
    "tributary_sandbox",
    &["wall"],
    "Whether a wall of the sandbox stands around the process: 1 if it does.",
);
pub(crate) const MAP_LOADED: MetricFact =
    gauge("tributary_map_loaded", &["map"], "Whether a code map is loaded.");
pub(crate) const MAP_ROWS: MetricFact =
    gauge("tributary_map_rows", &["map"], "Rows of a code map; zero when it is not loaded.");
pub(crate) const BUILD_INFO: MetricFact =
    gauge("tributary_build_info", &["version"], "Always 1; the label tells the version.");

const CATALOGUE: &[MetricFact] = &[
    HTTP_REQUESTS,
    HTTP_DURATION,
    COMPLETENESS,
    BUDGET_USE,
    SECTIONS,
    INCOMPLETE,
    REMOVALS,
    SOURCE_ASKS,
    SOURCE_DURATION,
    SOURCE_INFLIGHT,
    SOURCE_FAULTS,
    SOURCE_BREAKER,
    SOURCE_LIMIT,
    SOURCE_WAITING,
    SOURCE_RETRIES,
    SOURCE_LAST_ANSWER,
    MAINTENANCE_FROM,
    MAINTENANCE_UNTIL,
    QUARANTINED,
    CACHE_LOOKUPS,
    CACHE_AGE,
    CACHE_BYTES,
    MEMORY_TAKEN,
    MEMORY_BUDGET,
    MERGE_DURATION,
    DISCREPANCIES,
    STATEMENTS,
    AUDIT_RECORDS,
    AUDIT_APPEND,
    AUDIT_FAILURES,
    AUDIT_QUEUE,
    AUDIT_CHECKPOINT,
    AUDIT_COSIGNATURE,
    AUDIT_WITNESSED,
    AUDIT_EXPORT_BACKLOG,
    AUDIT_EXPORT_OLDEST,
    AUDIT_EXPORT_EVENTS,
    AUDIT_EXPORT_FAILURES,
    AUDIT_EXPORT_DEAD_LETTERS,
    POLICY_DECISIONS,
    BREAK_GLASS,
    LOGINS,
    LAUNCHES,
    HANDSHAKE_FAILURES,
    CRL_MADE,
    CRL_NEXT,
    JWKS_FETCHED,
    TRACES,
    SPANS,
    SHED,
    CONNECTIONS,
    ADMITTED,
    ADMISSION_LIMIT,
    EXECUTOR_LAG,
    RELOADS,
    PANICS,
    CERTIFICATE_EXPIRY,
    ANOMALIES,
    SANDBOX,
    MAP_LOADED,
    MAP_ROWS,
    BUILD_INFO,
];
