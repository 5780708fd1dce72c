//! Alters answers and merges them, for as long or as often as wanted: `tests/README.md` says how it is run.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use tributary_tests::fuzz::case;
use tributary_tests::fuzz::chance::Chance;
use tributary_tests::fuzz::corpus::{self, Base};
use tributary_tests::fuzz::growth::SHAPES;
use tributary_tests::fuzz::invariants::{Outcome, answers, check, heard};

#[derive(Debug, Parser)]
#[command(name = "fuzz", about = "Alters answers, merges them, and looks at what must hold")]
struct Arguments {
    /// Stop after so many seconds.
    #[arg(long)]
    seconds: Option<u64>,
    /// Stop after so many cases. With neither, 2,000.
    #[arg(long)]
    cases: Option<u64>,
    /// The seed of the run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Run this one case only, and leave its answers in the working directory.
    #[arg(long)]
    case: Option<u64>,
    /// A folder of recorded replies, beside the stories. Absent: `TRIBUTARY_FIXTURES`, if it is set.
    #[arg(long)]
    corpus: Option<PathBuf>,
    /// Measure instead how the cost of certain shapes grows with their size.
    #[arg(long)]
    growth: bool,
}

/// What is known of a run.
#[derive(Debug, Default)]
struct Tally {
    cases: u64,
    bytes: usize,
    refused: usize,
    held_back: usize,
    merged: usize,
    shown: usize,
    loose: usize,
    /// The case that took longest for its bytes, in nanoseconds a byte.
    slowest: (u128, u64),
    broken: Vec<(u64, String)>,
}

impl Tally {
    fn add(&mut self, outcome: Outcome) {
        self.refused += outcome.refused;
        self.held_back += outcome.held_back;
        self.merged += outcome.merged;
        self.shown += outcome.shown;
        self.loose += outcome.loose;
    }

    fn print(&self, seed: u64, took: Duration) {
        println!(
            "cases {}  seed {seed}  seconds {:.1}  bytes {}",
            self.cases,
            took.as_secs_f64(),
            self.bytes
        );
        println!(
            "answers: merged {}  held back {}  refused {}; statements shown {}, of nobody {}",
            self.merged, self.held_back, self.refused, self.shown, self.loose
        );
        println!("slowest: {} ns a byte, case {}", self.slowest.0, self.slowest.1);
        println!("broken {}", self.broken.len());
        for (case, words) in self.broken.iter().take(40) {
            println!("  --seed {seed} --case {case}: {words}");
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.growth {
        grow();
        return ExitCode::SUCCESS;
    }
    let mut bases = corpus::stories();
    let recorded = arguments.corpus.as_deref().map(corpus::recordings).or_else(corpus::named_recordings);
    bases.extend(recorded.unwrap_or_default());
    if let Some(number) = arguments.case {
        return single(&bases, arguments.seed, number);
    }
    let most = arguments.cases.unwrap_or_else(|| if arguments.seconds.is_some() { u64::MAX } else { 2_000 });
    let limit = Duration::from_secs(arguments.seconds.unwrap_or(u64::MAX));
    let start = Instant::now();
    let mut tally = Tally::default();
    // A panic is counted and told below; its trace would drown the figures.
    std::panic::set_hook(Box::new(|_| {}));
    while tally.cases < most && start.elapsed() < limit {
        one(&bases, arguments.seed, &mut tally);
    }
    tally.print(arguments.seed, start.elapsed());
    if tally.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn one(bases: &[Base], seed: u64, tally: &mut Tally) {
    let number = tally.cases;
    tally.cases += 1;
    let sent = case::make(bases, &mut Chance::of(seed, number));
    let bytes: usize = sent.iter().map(|one| one.bytes.len()).sum();
    tally.bytes += bytes;
    let start = Instant::now();
    match case::run(sent) {
        Ok(outcome) => tally.add(outcome),
        Err(words) => tally.broken.push((number, words)),
    }
    // What is fixed in the cost of a record would make the smallest case the slowest.
    if bytes > 20_000 {
        let cost = start.elapsed().as_nanos() / bytes.max(1) as u128;
        tally.slowest = tally.slowest.max((cost, number));
    }
}

fn single(bases: &[Base], seed: u64, number: u64) -> ExitCode {
    let sent = case::make(bases, &mut Chance::of(seed, number));
    for (place, one) in sent.iter().enumerate() {
        let file = format!("case-{seed}-{number}-{place}-{}.json", if one.stu3 { "stu3" } else { "r4" });
        let written = std::fs::write(&file, &one.bytes);
        println!(
            "{file}: {}",
            written.map_or_else(|error| error.to_string(), |()| one.bytes.len().to_string())
        );
    }
    match case::run(sent) {
        Ok(outcome) => {
            println!("{outcome:?}");
            ExitCode::SUCCESS
        }
        Err(words) => {
            println!("{words}");
            ExitCode::FAILURE
        }
    }
}

/// Time of every shape in two sizes, one four times the other: a linear one takes four times as long.
fn grow() {
    for (name, make) in SHAPES {
        for stu3 in [true, false] {
            let cost = |size: usize| {
                let text = make(size);
                let bytes = text.len();
                let start = Instant::now();
                let broken = check(&answers([heard(text.into_bytes(), stu3)])).err();
                (start.elapsed(), bytes, broken)
            };
            let (small, _, _) = cost(2_000);
            let (large, bytes, broken) = cost(8_000);
            let times = large.as_secs_f64() / small.as_secs_f64().max(1e-6);
            println!(
                "{name:34} stu3 {stu3:5} {bytes:>9} bytes {large:>12.1?} x{times:.1} {}",
                broken.unwrap_or_default()
            );
        }
    }
}
