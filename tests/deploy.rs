//! What it takes to install the broker: the Debian package, the container image, the chart, the bill of materials, and
//! two nodes behind a balancer. What a machine cannot show is not run, and says so.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop where it stands"
)]
#![expect(clippy::print_stdout, reason = "whoever runs the tests must hear what was not looked at")]

#[path = "deploy/bill.rs"]
mod bill;
#[path = "deploy/booted.rs"]
mod booted;
#[path = "deploy/chart.rs"]
mod chart;
#[path = "deploy/container.rs"]
mod container;
#[path = "deploy/nodes.rs"]
mod nodes;
#[path = "deploy/package.rs"]
mod package;
#[path = "deploy/product.rs"]
mod product;
#[path = "deploy/production.rs"]
mod production;
