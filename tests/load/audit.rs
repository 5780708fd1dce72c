//! The audit log on a disk beside the same in memory: what durability costs.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;

use crate::desk::Target;
use crate::federation::{Federation, cell_of};
use crate::figures::{Spread, added, each, quantile, ratio};
use crate::rounds::{self, micros};
use crate::servers::{self, Server, Setup};
use crate::stage::Stage;
use crate::{Done, told};

/// Bytes of one record, about.
const RECORD: [u8; 600] = [b'a'; 600];
/// Appends that the lone disk is asked for in a round.
const APPENDS: usize = 100;
const WARM_UP: Duration = Duration::from_millis(500);
const LANES: usize = 48;

/// What of it is wanted.
#[derive(Debug, Args)]
pub(crate) struct Wish {
    /// The cell.
    #[arg(long, default_value = "R")]
    cell: String,
    /// A folder on the disk. Absent: a new one in the temporary folder.
    #[arg(long)]
    disk: Option<PathBuf>,
    /// Seconds that each is asked in a round.
    #[arg(long, default_value_t = 3.0)]
    secs: f64,
    /// Requests a second to each at the fixed rate.
    #[arg(long, default_value_t = 100)]
    rate: u32,
    /// Connections that ask as fast as answers come.
    #[arg(long, default_value_t = 64)]
    connections: usize,
}

/// Measures both, side by side.
pub(crate) fn measure(stage: &Stage, wish: &Wish) -> Done<()> {
    let own = tempfile::tempdir()?;
    let disk = std::path::absolute(wish.disk.as_deref().unwrap_or_else(|| own.path()))?;
    let federation = Federation::start(cell_of(&wish.cell))?;
    federation.wait(Duration::from_millis(20));
    let rest = federation.config("timeout_ms = 8000\n")?;
    let memory = servers::broker(stage, &Setup::wide(stage.folder("audit-memory")?, rest.clone()))?;
    let on_disk = Setup {
        audit: Some(disk.join(format!("load-{}", std::process::id()))),
        ..Setup::wide(stage.folder("audit-disk")?, rest)
    };
    let mut servers = [memory, servers::broker(stage, &on_disk)?];
    let targets = servers.each_ref().map(|server| Target::record(server.address));
    for target in &targets {
        rounds::closed(target, wish.connections, WARM_UP)?;
    }
    let mut paced: [Vec<f64>; 2] = Default::default();
    let mut rates: [Vec<f64>; 2] = Default::default();
    let mut alone = Vec::new();
    let lasting = Duration::from_secs_f64(wish.secs);
    let all: Vec<Target> = std::iter::once(federation.direct()?).chain(targets.iter().cloned()).collect();
    for _ in 0..stage.rounds {
        alone.push(lone(&disk)?);
        let round = rounds::open(&all, wish.rate * 3, LANES, lasting)?;
        let lap = |at: usize| round.laps.get(at).map_or(&[][..], |lap| &lap.took);
        for (at, (paced, rates)) in paced.iter_mut().zip(&mut rates).enumerate() {
            paced.push(quantile(&added(lap(at + 1), lap(0)), 0.5));
            if let Some(target) = targets.get(at) {
                let gave = rounds::closed(target, wish.connections, lasting)?;
                rates.push(1.0 / each(gave.lasted.as_secs_f64(), gave.answered));
            }
        }
    }
    for server in &mut servers {
        Server::lives(server, "a broker")?;
    }
    report(wish, &disk, [&paced, &rates], &alone);
    Ok(())
}

/// The median time of a durable append when nothing else goes on, in µs.
fn lone(disk: &Path) -> Done<f64> {
    let path = disk.join(format!("load-lone-{}", std::process::id()));
    let mut file = File::create(&path)?;
    let mut times = Vec::new();
    for _ in 0..APPENDS {
        let began = Instant::now();
        file.write_all(&RECORD)?;
        file.sync_data()?;
        times.push(micros(began.elapsed()));
    }
    fs::remove_file(path)?;
    Ok(quantile(&times, 0.5))
}

fn report(wish: &Wish, disk: &Path, [paced, rates]: [&[Vec<f64>; 2]; 2], alone: &[f64]) {
    let [memory, on_disk] = paced;
    let more: Vec<f64> = memory.iter().zip(on_disk).map(|(memory, disk)| disk - memory).collect();
    told(&format!(
        "Cell {}, sources take 20 ms; the disk holds {}. Median (least–greatest); times in µs.\n",
        wish.cell,
        disk.display()
    ));
    told("| figure | in memory | on the disk | comparison | goal |\n|---|--:|--:|--:|--:|");
    told(&format!(
        "| requests/s, {} callers without pause | {} | {} | disk / memory {} | ≥ 0.95 |",
        wish.connections,
        Spread::of(&rates[0]).whole(),
        Spread::of(&rates[1]).whole(),
        ratio(&rates[1], &rates[0]).fine()
    ));
    told(&format!(
        "| added p50 at {}/s | {} | {} | disk - memory, over a lone append: {} | ≤ 1.5 |",
        wish.rate,
        Spread::of(memory).whole(),
        Spread::of(on_disk).whole(),
        ratio(&more, alone).fine()
    ));
    told(&format!("| a lone durable append | | {} | | |", Spread::of(alone).whole()));
}
