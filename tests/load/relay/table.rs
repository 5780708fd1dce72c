//! The figures of all cells, as two tables.

use super::{Between, Measured};
use crate::figures::{Spread, added, each, quantile, ratio};
use crate::rounds::OpenRound;

const LATENCY: &str = "\
| record, wait | path | p50 | p90 | p99 | added p50 | added p90 | added p50 / HAProxy's | failed |
|---|---|--:|--:|--:|--:|--:|--:|--:|";
const PROCESSOR: &str = "\
| record, wait | path | CPU/request, no pause | / HAProxy's | CPU/request, fixed rate | requests/s, no pause | peak MB |
|---|---|--:|--:|--:|--:|--:|";

/// Rows so far.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    latency: Vec<String>,
    processor: Vec<String>,
    notes: Vec<String>,
}

impl Tables {
    /// Both tables as Markdown, and what is to be known about them.
    pub(crate) fn told(&self) -> String {
        let notes = self.notes.join("\n");
        let (latency, processor) = (self.latency.join("\n"), self.processor.join("\n"));
        format!("{LATENCY}\n{latency}\n\n{PROCESSOR}\n{processor}\n\n{notes}")
    }

    /// Takes in what a cell gave.
    pub(crate) fn add(&mut self, label: &str, measured: &Measured) {
        let paced = &measured.paced;
        let late = Spread::of(&paced.iter().map(|round| quantile(&round.late, 0.5)).collect::<Vec<_>>());
        self.notes.push(format!(
            "- {label}: requests were sent {} µs late at the median, on every path alike; \
             {} connections to the GP system were opened after the warm-up",
            late.whole(),
            measured.reopened
        ));
        self.latency.push(format!("| {label} | direct | {} | | | | {} |", own(paced, 0), failed(paced, 0)));
        for (at, one) in (1..).zip(&measured.between) {
            // HAProxy, where it is there, stands behind the broker.
            let peer = measured.between.get(1).filter(|_| at == 1);
            self.latency.push(latency_row(label, paced, at, one, peer.is_some()));
            self.processor.push(processor_row(label, paced, one, peer));
        }
    }
}

fn latency_row(label: &str, paced: &[OpenRound], at: usize, one: &Between, has_peer: bool) -> String {
    let more = |at: usize, share: f64| -> Vec<f64> {
        paced.iter().map(|round| quantile(&added(lap(round, at), lap(round, 0)), share)).collect()
    };
    let of_peer = if has_peer { ratio(&more(at, 0.5), &more(at + 1, 0.5)).fine() } else { String::new() };
    format!(
        "| {label} | {} | {} | {} | {} | {of_peer} | {} |",
        one.name,
        own(paced, at),
        Spread::of(&more(at, 0.5)).whole(),
        Spread::of(&more(at, 0.9)).whole(),
        failed(paced, at) + one.failed,
    )
}

fn processor_row(label: &str, paced: &[OpenRound], one: &Between, peer: Option<&Between>) -> String {
    let asked = paced.iter().map(|round| lap(round, 0).len()).sum();
    format!(
        "| {label} | {} | {} | {} | {:.0} | {} | {:.0} |",
        one.name,
        Spread::of(&one.cpu).whole(),
        peer.map(|peer| ratio(&one.cpu, &peer.cpu).fine()).unwrap_or_default(),
        each(one.paced.as_secs_f64() * 1e6, asked),
        Spread::of(&one.rate).whole(),
        one.peak_kb / 1_000,
    )
}

fn lap(round: &OpenRound, at: usize) -> &[Option<f64>] {
    round.laps.get(at).map_or(&[], |lap| &lap.took)
}

/// p50, p90 and p99 of a path.
fn own(paced: &[OpenRound], at: usize) -> String {
    let share = |share: f64| {
        let round = |round| quantile(&lap(round, at).iter().copied().flatten().collect::<Vec<_>>(), share);
        Spread::of(&paced.iter().map(round).collect::<Vec<_>>()).whole()
    };
    [0.5, 0.9, 0.99].map(share).join(" | ")
}

fn failed(paced: &[OpenRound], at: usize) -> usize {
    paced.iter().flat_map(|round| lap(round, at)).filter(|took| took.is_none()).count()
}
