//! The stand a benchmark is put on: it makes the input, has the work done, and tells what that took.
//!
//! `--cell NAME --once` does the work once, for somebody who counts instructions from outside. `--cell NAME` times
//! it and measures its peak memory in a process of its own. `--cell NAME --print` prints what the work made, so that
//! two builds can be compared. Without a cell, every cell is timed.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::cell::{self, Source};

/// Time for which a cell is repeated.
const PATIENCE: Duration = Duration::from_millis(600);

/// A benchmark.
pub(crate) struct Bench {
    /// Cells that are timed when none is named.
    pub(crate) cells: &'static [&'static str],
    /// The work, which gives what it made. It gets a watch, on which it marks the end of every phase.
    pub(crate) work: fn(Vec<Source>, &mut Watch) -> Option<String>,
}

/// Takes the time of each phase.
pub(crate) struct Watch {
    began: Instant,
    laps: Vec<(&'static str, Duration)>,
    /// Whether the yardstick is wanted too: the same bytes through `serde_json::Value`.
    pub(crate) yardstick: bool,
}

impl Watch {
    fn new(yardstick: bool) -> Self {
        Self { began: Instant::now(), laps: Vec::new(), yardstick }
    }

    /// Starts the clock anew: what happened since the last mark is no part of the work.
    pub(crate) fn start(&mut self) {
        self.began = Instant::now();
    }

    /// Ends a phase.
    pub(crate) fn mark(&mut self, phase: &'static str) {
        self.laps.push((phase, self.began.elapsed()));
        self.began = Instant::now();
    }
}

/// Parses and prints the same bytes the way most programs do.
#[inline(never)]
pub(crate) fn measured_yardstick(texts: &[Vec<u8>]) -> usize {
    let mut printed = 0;
    for text in texts {
        let value: Option<serde_json::Value> = serde_json::from_slice(text).ok();
        printed += value.map_or(0, |value| value.to_string().len());
    }
    printed
}

/// Runs the benchmark as its arguments say.
pub(crate) fn main(bench: &Bench) -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1).map(String::as_str)
    };
    let cells = after("--cell").map_or_else(|| bench.cells.to_vec(), |cell| vec![cell]);
    for name in cells {
        let done = if arguments.iter().any(|argument| argument == "--once") {
            cell::sources(name).and_then(|sources| (bench.work)(sources, &mut Watch::new(true))).map(drop)
        } else if arguments.iter().any(|argument| argument == "--print") {
            let made = cell::sources(name).and_then(|sources| (bench.work)(sources, &mut Watch::new(false)));
            made.map(|made| println!("{made}"))
        } else if let Some(folder) = after("--peak") {
            peak(bench, Path::new(folder))
        } else {
            told(bench, name)
        };
        if done.is_none() {
            println!("{name}: no such cell, or its work could not be done");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn told(bench: &Bench, name: &str) -> Option<()> {
    let bytes: usize = cell::sources(name)?.iter().map(|source| source.text.len()).sum();
    let mut best: Vec<(&'static str, Duration)> = Vec::new();
    let began = Instant::now();
    let mut rounds = 0;
    while rounds < 3 || began.elapsed() < PATIENCE {
        let sources = cell::sources(name)?;
        let mut watch = Watch::new(true);
        black_box((bench.work)(sources, &mut watch)?);
        if best.is_empty() {
            best.clone_from(&watch.laps);
        }
        for ((_, best), (_, now)) in best.iter_mut().zip(&watch.laps) {
            *best = (*best).min(*now);
        }
        rounds += 1;
    }
    let memory = peak_of(name)?;
    println!("cell\t{name}\tbytes\t{bytes}\tpeak\t{memory}");
    for (phase, time) in best {
        let speed = bytes as f64 / time.as_secs_f64() / 1e6;
        println!("phase\t{phase}\tmicroseconds\t{}\tMB/s\t{speed:.0}", time.as_micros());
    }
    Some(())
}

/// Peak memory of the work beyond that of an idle process, in bytes: measured in a process that has done nothing
/// else, not even made its input.
fn peak_of(name: &str) -> Option<u64> {
    let folder = std::env::temp_dir().join(format!("tributary-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).ok()?;
    for (number, source) in cell::sources(name)?.iter().enumerate() {
        let ending = if source.dialect == crate::record::Dialect::R4 { "r4" } else { "gp" };
        fs::write(folder.join(format!("{number:03}.{ending}")), &source.text).ok()?;
    }
    let own = std::env::current_exe().ok()?;
    let out = Command::new(own).args(["--cell", name, "--peak"]).arg(&folder).output().ok()?;
    fs::remove_dir_all(&folder).ok()?;
    String::from_utf8(out.stdout).ok()?.trim().parse().ok()
}

fn peak(bench: &Bench, folder: &Path) -> Option<()> {
    let before = memory("VmRSS:")?;
    let mut paths: Vec<_> =
        fs::read_dir(folder).ok()?.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    let mut sources = Vec::new();
    for path in paths {
        let is_r4 = path.extension().is_some_and(|ending| ending == "r4");
        let dialect = if is_r4 { crate::record::Dialect::R4 } else { crate::record::Dialect::GpConnect };
        sources.push(Source { dialect, text: fs::read_to_string(path).ok()? });
    }
    let made = (bench.work)(sources, &mut Watch::new(false))?;
    println!("{}", memory("VmHWM:")?.saturating_sub(before));
    black_box(made);
    Some(())
}

/// A line of what Linux tells of this process's memory, in bytes.
fn memory(line: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let found = status.lines().find_map(|one| one.strip_prefix(line))?;
    Some(found.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}
