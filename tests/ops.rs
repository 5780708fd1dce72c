//! What the ops desk sees: metrics, traces, log lines, rules, dashboards and the runbook, against the real binary and,
//! where it is on the machine, a real Prometheus.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    clippy::print_stdout,
    reason = "a test may stop where it stands, and counts are whole numbers"
)]

#[path = "ops/dashboards.rs"]
mod dashboards;
#[path = "ops/drill.rs"]
mod drill;
#[path = "ops/logs.rs"]
mod logs;
#[path = "ops/maintenance.rs"]
mod maintenance;
#[path = "ops/metrics.rs"]
mod metrics;
#[path = "ops/prometheus.rs"]
mod prometheus;
#[path = "ops/rules.rs"]
mod rules;
#[path = "ops/scene.rs"]
mod scene;
#[path = "ops/spans.rs"]
mod spans;
#[path = "ops/traces.rs"]
mod traces;
