//! Instructions for each request of the whole broker: the same on a busy machine and a quiet one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;

use crate::desk::Target;
use crate::federation::{Federation, cell_of};
use crate::servers::{self, Setup};
use crate::stage::Stage;
use crate::wire::Connection;
use crate::{Done, told};

/// What of it is wanted.
#[derive(Debug, Args)]
pub(crate) struct Wish {
    /// The cells. Give `--broker` a build with symbols: `cargo build --profile bench -p tributary`.
    #[arg(long, value_delimiter = ',', default_value = "R,L")]
    cells: Vec<String>,
    /// Requests that are counted.
    #[arg(long, default_value_t = 10)]
    requests: u32,
    /// Functions that are told.
    #[arg(long, default_value_t = 25)]
    functions: usize,
    /// Where Valgrind's own figures are kept, for `callgrind_annotate`. Absent: they go with the run.
    #[arg(long)]
    keep: Option<PathBuf>,
}

/// Counts in all cells.
pub(crate) fn measure(stage: &Stage, wish: &Wish) -> Done<()> {
    for name in &wish.cells {
        cell(stage, wish, name)?;
    }
    Ok(())
}

fn cell(stage: &Stage, wish: &Wish, name: &str) -> Done<()> {
    let federation = Federation::start(cell_of(name))?;
    let dir = stage.folder(&format!("count-{name}"))?;
    let out = wish.keep.clone().unwrap_or_else(|| dir.clone());
    fs::create_dir_all(&out)?;
    let out = std::path::absolute(out)?.join(format!("callgrind.{name}"));
    let mut command = Command::new("valgrind");
    // One worker and one core, as in the other measurements; threads take turns under Valgrind anyway.
    command.args(["--tool=callgrind", "--separate-threads=no"]);
    command.arg(format!("--callgrind-out-file={}", out.display())).arg(&stage.binary);
    // Valgrind knows no sandbox.
    let rest = federation.config("timeout_ms = 30000\n")? + "[process]\nsandbox = \"best-effort\"\n";
    let broker = servers::broker_by(stage, command, &Setup::wide(dir, rest))?;
    let target = Target::record(broker.address);
    // Connections, pools and lazily made things are there before anything is counted.
    ask(&target, 3)?;
    control(&["-z"], broker.id())?;
    ask(&target, wish.requests)?;
    control(&["-d", "counted"], broker.id())?;
    let dumped = PathBuf::from(format!("{}.1", out.display()));
    told(&format!("{name}, {}: {} kB from sources\n", cell_of(name), federation.bytes / 1_000));
    table(&dumped, wish)
}

fn ask(target: &Target, times: u32) -> Done<()> {
    let mut connection = Connection::open(target.address)?;
    for _ in 0..times {
        for message in target.messages() {
            connection.send(&message)?;
        }
        if !connection.receive()?.is_some_and(|answer| answer.is_ok()) {
            return Err("no record under Valgrind".into());
        }
    }
    Ok(())
}

fn control(what: &[&str], process: u32) -> Done<()> {
    let mut command = Command::new("callgrind_control");
    command.args(what).arg(process.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
    if command.status()?.success() { Ok(()) } else { Err("callgrind_control failed".into()) }
}

/// Instructions for each request: all, and those of the dearest functions without what they call.
fn table(dumped: &Path, wish: &Wish) -> Done<()> {
    let said = Command::new("callgrind_annotate").args(["--threshold=100"]).arg(dumped).output()?;
    let text = String::from_utf8_lossy(&said.stdout);
    told("| thousand instructions a request | function |\n|--:|---|");
    let rows = text.lines().filter_map(row).take(wish.functions + 1);
    for (count, name) in rows {
        told(&format!("| {} | `{name}` |", count / u64::from(wish.requests) / 1_000));
    }
    told("");
    Ok(())
}

/// `12,345 (6.7%)  file:function [/path]` → 12345, function.
fn row(line: &str) -> Option<(u64, &str)> {
    let (count, rest) = line.trim().split_once(' ')?;
    let (_, name) = rest.split_once(')')?;
    let name = name.split(" [/").next()?.trim();
    let name = name.split_once(':').map_or(name, |(_, function)| function);
    Some((count.replace(',', "").parse().ok()?, name))
}
