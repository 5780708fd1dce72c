//! Sources that hang, drip, lie and die, callers that do no better, disks and processes that fail: what each
//! fault may cost, row by row. `tests/README.md` has the list of them.
//!
//! `CHAOS_ONLY=F01,F02` plays some rows.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop where it stands"
)]

#[path = "chaos/answer.rs"]
mod answer;
#[path = "chaos/audit.rs"]
mod audit;
#[path = "callers/scene.rs"]
#[expect(dead_code, reason = "the suite about callers has more uses for it")]
mod caller;
#[path = "chaos/callers.rs"]
mod callers;
#[path = "chaos/content.rs"]
mod content;
#[path = "chaos/crowd.rs"]
mod crowd;
#[path = "chaos/h2.rs"]
mod h2;
#[path = "chaos/life.rs"]
mod life;
#[path = "chaos/names.rs"]
mod names;
#[path = "chaos/network.rs"]
mod network;
#[path = "callers/pki.rs"]
#[expect(dead_code, reason = "the suite about callers has more uses for it")]
mod pki;
#[path = "chaos/proven.rs"]
mod proven;
#[path = "chaos/row.rs"]
mod row;
#[path = "chaos/scene.rs"]
mod scene;
#[path = "callers/signer.rs"]
mod signer;
#[path = "chaos/tls.rs"]
mod tls;

use row::{Row, play};

/// Every row there is.
fn table() -> Vec<Row> {
    let families = [network::rows(), names::rows(), tls::rows(), content::rows(), callers::rows()];
    let more = [crowd::rows(), h2::rows(), audit::rows(), life::rows(), proven::rows()];
    families.into_iter().chain(more).flatten().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn the_network_of_a_source_breaks() {
    play(network::rows()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn the_name_of_a_source_leads_nowhere() {
    play(names::rows()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn a_source_cannot_prove_who_it_is() {
    play(tls::rows()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn a_source_answers_what_cannot_be_used() {
    play(content::rows()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn a_caller_misbehaves() {
    play(callers::rows()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn a_caller_cannot_prove_who_it_is() {
    play(proven::rows()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn there_are_many_callers() {
    play(crowd::rows()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn a_caller_floods_with_frames() {
    play(h2::rows()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn the_log_cannot_be_written() {
    play(audit::rows()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn the_process_is_frozen_stopped_or_configured_anew() {
    play(life::rows()).await;
}

/// The rows of the table below the suite's heading of the page.
fn told() -> Vec<String> {
    let page = include_str!("README.md");
    let section = page.split("\n### The faults\n").nth(1).unwrap_or_default();
    let section = section.split("\n#").next().unwrap_or_default();
    section.lines().filter(|line| line.starts_with("| ")).skip(1).map(str::to_owned).collect()
}

#[test]
fn the_page_lists_every_fault_once() {
    let mut rows: Vec<String> = table().iter().map(|row| format!("| {} | {} |", row.id, row.fault)).collect();
    rows.sort();
    assert!(rows.len() >= 60, "{} faults", rows.len());
    assert_eq!(
        told().join("\n"),
        rows.join("\n"),
        "the table of tests/README.md, as it should be:\n{}",
        rows.join("\n")
    );
    let mut ids: Vec<&str> = rows.iter().filter_map(|row| row.split(" | ").next()).collect();
    ids.dedup();
    assert_eq!(ids.len(), rows.len(), "an id stands twice");
}
