//! Where it is measured: machine, revision, binary, folder; told at the head of every table.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use tempfile::TempDir;

use crate::Done;
use crate::cores::Cores;

/// What holds for every measurement.
#[derive(Debug, Args)]
pub(crate) struct Wish {
    /// Rounds of each cell.
    #[arg(long, global = true, default_value_t = 5)]
    rounds: usize,
    /// Log level of the broker.
    #[arg(long, global = true, default_value = "info")]
    log: String,
    /// The product's binary. Absent: it is built for release.
    #[arg(long, global = true)]
    broker: Option<PathBuf>,
}

/// A machine ready to measure.
#[derive(Debug)]
pub(crate) struct Stage {
    /// Rounds of each cell.
    pub(crate) rounds: usize,
    /// Log level of the broker.
    pub(crate) log: String,
    /// The product's binary.
    pub(crate) binary: PathBuf,
    /// Who runs where.
    pub(crate) cores: Cores,
    memory: TempDir,
}

impl Stage {
    /// Prepares it, and tells what it is.
    pub(crate) fn set(wish: Wish) -> Done<Self> {
        let Wish { rounds, log, broker } = wish;
        let binary = broker.map_or_else(built, Ok)?;
        let cores = Cores::take();
        let memory = Path::new("/dev/shm");
        let is_in_memory = memory.is_dir();
        let dir = if is_in_memory { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? };
        println!("- revision {}, {}", revision(), output("date", &["-u", "+%Y-%m-%d %H:%M UTC"]));
        println!("- {}; {}", machine(), cores.told());
        let place = if is_in_memory { "memory" } else { "the temporary folder (no /dev/shm)" };
        println!("- audit log in {place} where nothing else is said, log level {log}");
        println!("- load of the machine before: {}\n", average());
        Ok(Self { rounds, log, binary, cores, memory: dir })
    }

    /// A new folder, in memory where there is such a thing.
    pub(crate) fn folder(&self, name: &str) -> Done<PathBuf> {
        let path = self.memory.path().join(name);
        fs::create_dir_all(&path)?;
        Ok(path)
    }
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

/// How busy the machine was during the last 1, 5 and 15 minutes.
pub(crate) fn average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
