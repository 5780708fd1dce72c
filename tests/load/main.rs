//! What the GP Connect pass-through costs: the real broker beside the GP system alone, and beside `HAProxy`.
//!
//! `tests/load/README.md` says how to run it, what it measures, and what it measured.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

mod cell;
mod cores;
mod figures;
mod record;
mod request;
mod rounds;
mod servers;
mod source;
mod table;
mod wire;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::Parser;

use cell::Cell;
use cores::Cores;
use servers::Setup;
use table::Tables;

/// What may go wrong; a measurement that cannot be made says why, and ends.
type Done<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Debug, Parser)]
#[command(name = "load", about = "Measures the GP Connect pass-through")]
struct Arguments {
    /// Sizes of the record, in kB.
    #[arg(long, value_delimiter = ',', default_value = "50,500")]
    kb: Vec<usize>,
    /// How long the GP system takes before it answers, in milliseconds.
    #[arg(long, value_delimiter = ',', default_value = "0,10")]
    wait_ms: Vec<u64>,
    /// Rounds of each cell.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds that each round asks at a fixed rate.
    #[arg(long, default_value_t = 4.0)]
    secs: f64,
    /// Requests a second over all targets. Absent: 240 below 200 kB, 90 above.
    #[arg(long)]
    rate: Option<u32>,
    /// Connections that ask as fast as answers come.
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Log level of the broker.
    #[arg(long, default_value = "info")]
    log: String,
    /// Where the audit log is kept. Absent: in memory.
    #[arg(long)]
    audit: Option<PathBuf>,
    /// The product's binary. Absent: it is built for release.
    #[arg(long)]
    broker: Option<PathBuf>,
}

/// Waits, on a thread of its own.
#[expect(clippy::disallowed_methods, reason = "threads that measure and wait, outside any runtime")]
fn pause(time: Duration) {
    if !time.is_zero() {
        std::thread::sleep(time);
    }
}

fn main() -> Done<()> {
    let arguments = Arguments::parse();
    let binary = match &arguments.broker {
        Some(binary) => binary.clone(),
        None => built()?,
    };
    let cores = Cores::take();
    let memory = Path::new("/dev/shm");
    let is_in_memory = memory.is_dir();
    let dir = if is_in_memory { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? };
    let haproxy = servers::haproxy_version();
    if haproxy.is_none() {
        println!("HAProxy IS ABSENT: no ratio to it is told (Debian: apt-get install haproxy).\n");
    }
    let audit = arguments.audit.as_ref().map_or_else(
        || (if is_in_memory { "memory" } else { "the temporary folder (no /dev/shm)" }).to_owned(),
        |path| path.display().to_string(),
    );
    println!("- revision {}, {}", revision(), haproxy.as_deref().unwrap_or("no HAProxy"));
    println!("- {}; {}", machine(), cores.told());
    println!("- audit log in {audit}, log level {}", arguments.log);
    println!("- load of the machine before: {}", average());
    println!("\nmedian (least–greatest) over {} rounds; times in µs\n", arguments.rounds);
    let mut tables = Tables::default();
    for kb in &arguments.kb {
        for wait_ms in &arguments.wait_ms {
            let place = dir.path().join(format!("{kb}-{wait_ms}"));
            fs::create_dir(&place)?;
            let elsewhere = arguments.audit.as_ref().map(|audit| audit.join(format!("{kb}-{wait_ms}")));
            let audit = elsewhere.map(std::path::absolute).transpose()?;
            let setup = Setup { binary: binary.clone(), log: arguments.log.clone(), dir: place, audit };
            let cell = Cell {
                kb: *kb,
                wait: Duration::from_millis(*wait_ms),
                rate: arguments.rate.unwrap_or(if *kb < 200 { 240 } else { 90 }),
                connections: arguments.connections,
                rounds: arguments.rounds,
                lasting: Duration::from_secs_f64(arguments.secs),
            };
            tables.add(&format!("{kb} kB, {wait_ms} ms"), &cell.measure(&setup, &cores, haproxy.is_some())?);
        }
    }
    println!("{}", tables.told());
    println!("- load of the machine after: {}", average());
    Ok(())
}

/// Builds the product as it is shipped, and tells where it lies: beside this program's own profile folder.
fn built() -> Done<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let arguments = ["build", "--release", "--quiet", "--locked", "-p", "tributary"];
    let status = Command::new(env!("CARGO")).args(arguments).current_dir(root).status()?;
    if !status.success() {
        return Err("the broker does not build".into());
    }
    let own = std::env::current_exe()?;
    let target = own.ancestors().nth(2).ok_or("no target folder")?;
    Ok(target.join("release/tributary"))
}

fn output(program: &str, arguments: &[&str]) -> String {
    let said = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    said.map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned()).unwrap_or_default()
}

fn revision() -> String {
    let changed = output("git", &["status", "--porcelain", "--", "../crates", "../Cargo.lock"]);
    let suffix = if changed.is_empty() { "" } else { " with changes" };
    format!("{}{suffix}", output("git", &["rev-parse", "--short", "HEAD"]))
}

fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let count = info.lines().filter(|line| line.starts_with("processor")).count();
    format!("{count} × {}, Linux {}", model.unwrap_or("unknown processor"), output("uname", &["-r"]))
}

fn average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
