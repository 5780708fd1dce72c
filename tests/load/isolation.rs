//! Sources that hang, drip or flood, and what those notice that ask others.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum as _};

use crate::desk::{self, Target};
use crate::federation::Federation;
use crate::figures::quantile;
use crate::rounds::{micros, together};
use crate::servers::{self, Setup};
use crate::source::{Manner, Source};
use crate::stage::Stage;
use crate::wire::Connection;
use crate::{Done, pause, told};

/// Patients of each kind.
const PATIENTS: u64 = 200;
/// Callers of each kind.
const LANES: usize = 64;
/// How late an answer may be after its deadline.
const GRACE: Duration = Duration::from_millis(50);

/// How the bad sources are bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Fault {
    /// They say nothing.
    Hang,
    /// They send a byte now and then.
    Drip,
    /// They send without end.
    Flood,
}

/// What of it is wanted.
#[derive(Debug, Args)]
pub(crate) struct Wish {
    /// How the bad sources are bad, one run each. Absent: all three.
    #[arg(long, value_delimiter = ',')]
    faults: Vec<Fault>,
    /// Seconds of each run.
    #[arg(long, default_value_t = 10.0)]
    secs: f64,
    /// Requests a second of each kind.
    #[arg(long, default_value_t = 40)]
    rate: u32,
    /// The deadline that callers name, in milliseconds.
    #[arg(long, default_value_t = 1_000)]
    deadline_ms: u64,
}

/// Times of one run, in µs.
struct Run {
    /// Records that ask three sources, all well.
    spared: Vec<f64>,
    /// Records that ask all five.
    touched: Vec<f64>,
    failed: usize,
}

/// Measures a run with five sources that are well before each with two that are not.
pub(crate) fn measure(stage: &Stage, wish: &Wish) -> Done<()> {
    let faults = if wish.faults.is_empty() { Fault::value_variants() } else { &wish.faults[..] };
    told(&format!(
        "Five sources of 50 kB that take 20 ms; two of them go bad. {} records a second that ask all five, and as \
         many that ask the three good ones; deadline {} ms; {:.0} s a run. Times in ms.\n",
        wish.rate, wish.deadline_ms, wish.secs
    ));
    told(
        "| two of five | spared p50 | spared p99 | p99 change | touched p50 | touched p99 | slowest | \
         later than deadline + 50 ms | no 200 |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    );
    for fault in faults {
        let federation = Federation::start("5xr4-50k")?;
        federation.wait(Duration::from_millis(20));
        let dir = stage.folder(&format!("isolation-{fault:?}"))?;
        let setup = Setup::wide(dir, format!("{}{}", patients(), federation.config("")?));
        let mut broker = servers::broker(stage, &setup)?;
        let target = Target::record(broker.address);
        run(&target, wish, Duration::from_secs(1))?;
        let lasting = Duration::from_secs_f64(wish.secs);
        let well = run(&target, wish, lasting)?;
        row("well", &well, None, wish);
        let bad = federation.sources.iter().skip(3).map(|one| &one.source);
        bad.for_each(|source: &Source| source.behave(manner(*fault)));
        let ill = run(&target, wish, lasting)?;
        broker.lives("the broker")?;
        row(&format!("{fault:?}").to_lowercase(), &ill, Some(&well), wish);
    }
    Ok(())
}

const fn manner(fault: Fault) -> Manner {
    match fault {
        Fault::Hang => Manner::Hangs,
        Fault::Drip => Manner::Drips,
        Fault::Flood => Manner::Floods,
    }
}

/// Even ones are expected at three sources, odd ones at all five.
fn numbers() -> impl Iterator<Item = String> {
    (500_000..).filter_map(desk::number).take(usize::try_from(2 * PATIENTS).unwrap_or_default())
}

fn patients() -> String {
    let patient = |(at, number): (usize, String)| {
        let sources =
            if at % 2 == 0 { "\"s0\", \"s1\", \"s2\"" } else { "\"s0\", \"s1\", \"s2\", \"s3\", \"s4\"" };
        format!("[[demo.patient]]\nnhs_number = \"{number}\"\ntitle = \"{at}\"\nsources = [{sources}]\n")
    };
    numbers().enumerate().map(patient).collect()
}

fn run(target: &Target, wish: &Wish, lasting: Duration) -> Done<Run> {
    let begin = Instant::now() + Duration::from_millis(50);
    // Of each kind its own callers: those that wait for a bad source keep no other from being sent.
    let [spared, touched] = [0, 1].map(|kind| Callers {
        target,
        patients: numbers().skip(kind).step_by(2).collect(),
        header: format!("Tributary-Deadline-Ms: {}\r\n", wish.deadline_ms),
        begin,
        interval: Duration::from_secs(1) / wish.rate,
        lasting,
        tickets: AtomicUsize::new(0),
    });
    let (spared, touched) = thread::scope(|scope| {
        let first = scope.spawn(|| together(LANES, &|| spared.ask()));
        let second = scope.spawn(|| together(LANES, &|| touched.ask()));
        (first.join(), second.join())
    });
    let died = |_panic| "a lane died";
    let (spared, touched) = (spared.map_err(died)??, touched.map_err(died)??);
    let failed = spared.iter().chain(&touched).filter(|took| took.is_none()).count();
    let all = |samples: Vec<Option<f64>>| samples.into_iter().flatten().collect();
    Ok(Run { spared: all(spared), touched: all(touched), failed })
}

/// Those who ask for one kind of record, at a fixed rate all together.
struct Callers<'t> {
    target: &'t Target,
    patients: Vec<String>,
    header: String,
    begin: Instant,
    interval: Duration,
    lasting: Duration,
    tickets: AtomicUsize,
}

impl Callers<'_> {
    /// One of them: the times of its requests from when they were due, in µs; `None` where there was no 200.
    fn ask(&self) -> Done<Vec<Option<f64>>> {
        let address = self.target.address;
        let mut connection = Connection::open(address)?;
        let mut samples = Vec::new();
        loop {
            let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
            let due = self.interval * u32::try_from(ticket)?;
            if due >= self.lasting {
                return Ok(samples);
            }
            let patient = self.patients.get(ticket % self.patients.len()).map_or("", String::as_str);
            let message = desk::record(address, patient, &self.header);
            let due = self.begin + due;
            pause(due.saturating_duration_since(Instant::now()));
            let is_ok = connection.send(&message).is_ok()
                && connection.receive().is_ok_and(|said| said.is_some_and(|said| said.is_ok()));
            samples.push(is_ok.then(|| micros(due.elapsed())));
            if !is_ok {
                connection = Connection::open(address)?;
            }
        }
    }
}

fn row(name: &str, run: &Run, well: Option<&Run>, wish: &Wish) {
    let ms = |samples: &[f64], share: f64| quantile(samples, share) / 1e3;
    let latest = micros(Duration::from_millis(wish.deadline_ms) + GRACE);
    let late = run.spared.iter().chain(&run.touched).filter(|took| **took > latest).count();
    let change = well.map(|well| format!("{:+.1}", ms(&run.spared, 0.99) - ms(&well.spared, 0.99)));
    told(&format!(
        "| {name} | {:.1} | {:.1} | {} | {:.1} | {:.1} | {:.1} | {late} of {} | {} |",
        ms(&run.spared, 0.5),
        ms(&run.spared, 0.99),
        change.unwrap_or_default(),
        ms(&run.touched, 0.5),
        ms(&run.touched, 0.99),
        ms(&run.touched, 1.0),
        run.spared.len() + run.touched.len(),
        run.failed
    ));
}
