#![doc = include_str!("../README.md")]

mod catalogue;
mod labels;
mod log;
mod metrics;
mod redact;
mod spans;
mod traces;

pub use catalogue::{MetricFact, MetricKind, catalogue};
pub use labels::{
    BreakerState, CacheOutcome, CopyKind, Extent, GlassOutcome, LaunchOutcome, Listener, MapState,
    PolicyOutcome, ReloadOutcome, ShedReason, SpanOutcome, TraceOutcome, WitnessOutcome,
};
pub use log::{LogError, LogFormat, LogLayer, init_logs, quiet_panics};
pub use metrics::{AuditExport, InFlight, Metrics, MetricsError, RecordMetrics, SourceMetrics};
pub use redact::LOGGED_FIELDS;
pub use spans::{ATTRIBUTES, Handed, Pace, SourceAsk, SpanFeed, SpanReceiver, Spans, Work};
pub use tracing::level_filters::LevelFilter;
