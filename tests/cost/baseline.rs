//! What the work cost when somebody last looked and agreed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::stand::{Cost, root, rustc};

/// How far a count may lie from the baseline, either way: what is better is recorded too.
const TOLERANCE: f64 = 0.03;
/// A phase may also differ by so many instructions a byte: small ones move by chance.
const SLACK: f64 = 0.3;
/// Peak memory comes in pages and by the allocator's grace.
const PEAK_TOLERANCE: f64 = 0.15;
/// Below so many bytes of input, peak memory says more about the process than about the work.
const PEAK_FROM: f64 = 500_000.0;

/// A recorded baseline.
pub(crate) struct Baseline {
    /// The compiler it was recorded with.
    pub(crate) rustc: String,
    cells: Table,
}

/// Where the baseline of a crate's benchmarks is kept.
pub(crate) fn path(package: &str) -> PathBuf {
    root().join("crates").join(package).join("benches/baseline.toml")
}

impl Baseline {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("a baseline is recorded");
        Self::of(&text)
    }

    fn of(text: &str) -> Self {
        let table: Table = text.parse().expect("TOML");
        let rustc = table.get("rustc").and_then(Value::as_str).unwrap_or_default().to_owned();
        let cells = table.get("cell").and_then(Value::as_table).cloned().unwrap_or_default();
        Self { rustc, cells }
    }

    /// What differs.
    pub(crate) fn judge(&self, cell: &str, cost: &Cost) -> Vec<String> {
        let Some(recorded) = self.cells.get(cell).and_then(Value::as_table) else {
            return vec![format!("{cell}: not in the baseline")];
        };
        let mut findings = Vec::new();
        let total = ("total".to_owned(), cost.total());
        for (name, now) in cost.phases.iter().chain([&total]) {
            let then = number(recorded, name);
            let slack = if name == "total" { 0.0 } else { SLACK };
            if (now - then).abs() > (then * TOLERANCE).max(slack) {
                let percent = 100.0 * (now / then - 1.0);
                findings.push(format!(
                    "{cell}: {name} {now:.2} instructions a byte, recorded {then:.2} ({percent:+.1} %)"
                ));
            }
        }
        let then = number(recorded, "peak");
        if cost.bytes >= PEAK_FROM && (cost.peak - then).abs() > then * PEAK_TOLERANCE {
            findings
                .push(format!("{cell}: peak memory {:.2} times the input, recorded {then:.2}", cost.peak));
        }
        findings
    }
}

fn number(cell: &Table, name: &str) -> f64 {
    cell.get(name).and_then(Value::as_float).unwrap_or(f64::INFINITY)
}

/// Records what was measured. A cell that was not measured this time keeps what it had.
pub(crate) fn write(path: &Path, costs: &[(&str, Cost)]) {
    let before = std::fs::read_to_string(path).unwrap_or_default();
    let mut cells = Baseline::of(&before).cells;
    for (cell, cost) in costs {
        let mut row: Table =
            cost.phases.iter().map(|(phase, count)| (phase.clone(), rounded(*count))).collect();
        row.insert("total".to_owned(), rounded(cost.total()));
        row.insert("peak".to_owned(), rounded(cost.peak));
        cells.insert((*cell).to_owned(), Value::Table(row));
    }
    let mut text = format!(
        "# Instructions for each byte of input by phase, and peak memory as a multiple of the input.\n\
         # Recorded by `TRIBUTARY_BASELINE=write cargo test -p tributary-tests --test cost`, held by the same\n\
         # without the variable: tests/cost/README.md.\nrustc = \"{}\"\n",
        rustc()
    );
    for (cell, row) in &cells {
        writeln!(text, "\n[cell.\"{cell}\"]").expect("text");
        for (name, count) in row.as_table().into_iter().flatten() {
            writeln!(text, "{name} = {count}").expect("text");
        }
    }
    std::fs::write(path, text).expect("the baseline can be written");
}

fn rounded(number: f64) -> Value {
    Value::Float((number * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("baseline.toml");
        write(&path, &[("gp-1mb+2xr4-200k", cost(10.0, 30.0)), ("gp-5k", cost(11.0, 31.0))]);
        // A cell that is not measured again stays.
        write(&path, &[("gp-5k", cost(20.0, 40.0))]);
        let baseline = Baseline::read(&path);
        assert_eq!(baseline.rustc, rustc());
        assert_eq!(baseline.judge("gp-1mb+2xr4-200k", &cost(10.0, 30.0)), [""; 0]);
        assert_eq!(baseline.judge("gp-5k", &cost(20.0, 40.0)), [""; 0]);
    }

    fn cost(gate: f64, merge: f64) -> Cost {
        let phases = vec![("gate".to_owned(), gate), ("merge".to_owned(), merge)];
        Cost { bytes: 1e6, phases, peak: 4.0, ..Cost::default() }
    }

    #[test]
    fn a_cost_away_from_its_baseline_is_noticed_either_way() {
        let text = "rustc = \"r\"\n[cell.\"gp-1mb\"]\ngate = 10.0\nmerge = 30.0\ntotal = 40.0\npeak = 4.0\n";
        let baseline = Baseline::of(text);
        let check = |cost: &Cost, expected: &[&str]| {
            let findings = baseline.judge("gp-1mb", cost);
            assert_eq!(findings.len(), expected.len(), "{findings:?}");
            for (finding, part) in findings.iter().zip(expected) {
                assert!(finding.contains(part), "{finding}");
            }
        };
        check(&cost(10.0, 30.0), &[]);
        check(&cost(10.29, 30.8), &[]);
        check(&cost(10.0, 31.3), &["merge 31.30", "total 41.30"]);
        check(&cost(10.0, 28.0), &["merge 28.00", "total 38.00"]);
        check(&cost(10.4, 30.0), &["gate 10.40"]);
        check(&Cost { peak: 5.0, ..cost(10.0, 30.0) }, &["peak memory 5.00"]);
        check(&Cost { peak: 5.0, bytes: 5e4, ..cost(10.0, 30.0) }, &[]);
        assert!(baseline.judge("gp-2mb", &cost(1.0, 1.0))[0].contains("not in the baseline"));
    }
}
