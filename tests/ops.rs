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

#[expect(dead_code, reason = "what plays files of tests/web is for the suites about pages")]
#[path = "web/run.rs"]
mod browser;
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
#[path = "ops/pictures.rs"]
mod pictures;
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
