//! What the broker costs, and what it stands: measured beside programs that other people would use instead.
//!
//! `tests/load/README.md` says how to run it, what it measures, and what it measured.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

mod append;
mod audit;
mod cache;
mod cores;
mod count;
mod desk;
mod fanout;
mod federation;
mod figures;
mod growing;
mod isolation;
mod overload;
mod peers;
mod practice;
mod registry;
mod relay;
mod rounds;
mod servers;
mod source;
mod stage;
mod waiting;
mod wire;

// What is merged is made as for the benchmarks, by the same names.
#[path = "../../crates/fhir/benches/kit/cell.rs"]
mod cell;
#[path = "../../crates/fhir/benches/kit/record.rs"]
mod record;
#[path = "../../crates/fhir/benches/kit/templates.rs"]
mod templates;

use std::error::Error;
use std::time::Duration;

use clap::{Parser, Subcommand};

use stage::{Stage, Wish};

/// What may go wrong; a measurement that cannot be made says why, and ends.
type Done<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Measures the real broker beside its sources alone and beside other programs, in one run.
///
/// Prints Markdown. A peer that the machine lacks is said and left out; tests/load/peers/install fetches them.
/// Compare ratios of one run, never times of two.
#[derive(Debug, Parser)]
#[command(name = "load")]
struct Arguments {
    #[command(flatten)]
    wish: Wish,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// GP Connect pass-through beside `HAProxy`: what is added, processor time.
    Relay(relay::Wish),
    /// `$record` beside nginx with Lua, Go, Node and `FastAPI` doing the same fan-out.
    Record(fanout::Wish),
    /// `$record` from kept replies beside nginx serving a file of the same bytes.
    Cache(cache::Wish),
    /// Memory of requests that wait on slow sources, beside nginx with Lua.
    Waiting(waiting::Wish),
    /// Seven thousand registered sources: memory, time to ready, first merged answer.
    Registry(registry::Wish),
    /// Far more requests than can be served: what is served, what is refused, what recovers.
    Overload(overload::Wish),
    /// Two of five sources hang, drip or flood: what the others' answers notice.
    Isolation(isolation::Wish),
    /// Records that are shown as they grow: when the first lines are there.
    Growing(growing::Wish),
    /// Instructions for each request of the whole broker, by function, counted by Valgrind.
    Count(count::Wish),
    /// The audit log on a disk beside the same in memory.
    Audit(audit::Wish),
    /// The audit log alone: what being on record costs a request, at growing rates.
    Append(append::Wish),
}

/// Prints a line.
fn told(line: &str) {
    println!("{line}");
}

/// Waits, on a thread of its own.
#[expect(clippy::disallowed_methods, reason = "threads that measure and wait, outside any runtime")]
fn pause(time: Duration) {
    if !time.is_zero() {
        std::thread::sleep(time);
    }
}

fn main() -> Done<()> {
    let Arguments { wish, what } = Arguments::parse();
    let stage = Stage::set(wish)?;
    match what {
        What::Relay(wish) => relay::measure(&stage, &wish)?,
        What::Record(wish) => fanout::measure(&stage, &wish)?,
        What::Cache(wish) => cache::measure(&stage, &wish)?,
        What::Waiting(wish) => waiting::measure(&stage, &wish)?,
        What::Registry(wish) => registry::measure(&stage, &wish)?,
        What::Overload(wish) => overload::measure(&stage, &wish)?,
        What::Isolation(wish) => isolation::measure(&stage, &wish)?,
        What::Growing(wish) => growing::measure(&stage, &wish)?,
        What::Count(wish) => count::measure(&stage, &wish)?,
        What::Audit(wish) => audit::measure(&stage, &wish)?,
        What::Append(wish) => append::measure(&stage, &wish)?,
    }
    println!("\n- load of the machine after: {}", stage::average());
    Ok(())
}
