//! What conversion and merge cost: instructions for each byte of input, beside the recorded baseline.
//!
//! Instructions are counted by Valgrind, so that a busy machine makes no difference. `tests/cost/README.md` says how
//! to run it, how to record a new baseline, and what was measured.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "a test may stop where it stands, and the figures are worth reading"
)]

#[path = "cost/baseline.rs"]
mod baseline;
#[path = "cost/growth.rs"]
mod growth;
#[path = "cost/stand.rs"]
mod stand;

use std::sync::OnceLock;

use baseline::Baseline;
use growth::Growth;
use stand::{Cost, Stand};

/// A benchmark: its package, its name, its cells.
type Bench = (&'static str, &'static str, &'static [&'static str]);

/// What is measured. The first cells are the yardstick's; the others show how cost grows with size and sources.
const BENCHES: &[Bench] = &[
    ("fhir", "convert", &["gp-5k", "gp-50k", "gp-500k", "gp-5mb", "recorded"]),
    (
        "merge",
        "merge",
        &[
            "gp-3mb+2xr4-200k",
            "pretty-3mb+2xr4-200k",
            "recorded+2xr4-200k",
            "gp-5k",
            "gp-50k",
            "gp-500k",
            "gp-5mb",
            "1xr4-50k",
            "3xr4-50k",
            "10xr4-50k",
            "30xr4-50k",
        ],
    ),
];

/// Cells of one benchmark with what they cost.
type Costs = Vec<(&'static str, Cost)>;

/// Everything measured, once for all tests; `None` where it cannot be counted.
fn measured() -> Option<&'static [(Bench, Costs)]> {
    static MEASURED: OnceLock<Option<Vec<(Bench, Costs)>>> = OnceLock::new();
    let measure = || {
        let stand = Stand::built(BENCHES)?;
        let cost = |bench: &Bench| {
            let costs: Costs =
                bench.2.iter().filter_map(|cell| Some((*cell, stand.cost(bench.1, cell)?))).collect();
            table(*bench, &costs);
            (*bench, costs)
        };
        Some(BENCHES.iter().map(cost).collect())
    };
    MEASURED.get_or_init(measure).as_deref()
}

fn table((_, bench, _): Bench, costs: &Costs) {
    println!("{bench}: instructions a byte of input by phase; memory as a multiple of input");
    for (cell, cost) in costs {
        let phases: Vec<String> =
            cost.phases.iter().map(|(phase, count)| format!("{phase} {count:.1}")).collect();
        println!(
            "  {cell}: {:.1} = {}; serde_json::Value {:.1}; {:.0} MB/s, Value {:.0} MB/s; peak {:.1}",
            cost.total(),
            phases.join(" + "),
            cost.yardstick,
            cost.speed,
            cost.yardstick_speed,
            cost.peak
        );
    }
}

#[test]
fn work_costs_what_the_baseline_says() {
    let Some(measured) = measured() else {
        println!("NOT RUN: valgrind is not installed, no instruction was counted");
        return;
    };
    let mut findings = Vec::new();
    for ((package, _, _), costs) in measured {
        let path = baseline::path(package);
        if std::env::var_os("TRIBUTARY_BASELINE").is_some_and(|wish| wish == "write") {
            baseline::write(&path, costs);
            println!("{} written", path.display());
            continue;
        }
        let baseline = Baseline::read(&path);
        if baseline.rustc != stand::rustc() {
            println!(
                "NOT RUN: the baseline was recorded with {}, this is {}",
                baseline.rustc,
                stand::rustc()
            );
            continue;
        }
        findings.extend(costs.iter().flat_map(|(cell, cost)| baseline.judge(cell, cost)));
    }
    assert!(
        findings.is_empty(),
        "cost differs from the baseline; if that is meant, better or worse, record it \
         (TRIBUTARY_BASELINE=write):\n  {}",
        findings.join("\n  ")
    );
}

#[test]
fn cost_grows_no_faster_than_input() {
    let Some(measured) = measured() else {
        println!("NOT RUN: valgrind is not installed, no instruction was counted");
        return;
    };
    for (bench, cells) in [
        ("convert", &["gp-5k", "gp-50k", "gp-500k", "gp-5mb"]),
        ("merge", &["gp-5k", "gp-50k", "gp-500k", "gp-5mb"]),
        ("merge", &["1xr4-50k", "3xr4-50k", "10xr4-50k", "30xr4-50k"]),
    ] {
        let costs = measured.iter().find(|((_, name, _), _)| *name == bench).map(|(_, costs)| costs);
        let costs = costs.expect("it was measured");
        let of = |cell: &&str| costs.iter().find(|(name, _)| name == cell).map(|(_, cost)| cost);
        let points: Vec<(f64, f64)> =
            cells.iter().filter_map(of).map(|cost| (cost.bytes, cost.bytes * cost.total())).collect();
        assert_eq!(points.len(), cells.len(), "{bench}: a cell is missing");
        let growth = Growth::of(&points);
        println!("{bench} {}..{}: {growth:?}", cells[0], cells[cells.len() - 1]);
        assert!(growth.fit >= 0.99, "{bench}: not linear: {growth:?}");
        assert!(growth.step <= 1.1, "{bench}: a step: {growth:?}");
    }
}
