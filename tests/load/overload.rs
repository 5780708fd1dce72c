//! Far more requests than can be served.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use crate::desk::Target;
use crate::federation::{Federation, cell_of};
use crate::figures::{each, quantile};
use crate::rounds::{self, micros, together};
use crate::servers::{self, Server, Setup};
use crate::stage::Stage;
use crate::wire::Connection;
use crate::{Done, pause, told};

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// As many answers in a row as say that the storm is over.
const CALM: usize = 20;
/// Callers without pause, of which the best rate is the saturating one: with few there are pauses, with many refusals.
const CALLERS: &[usize] = &[8, 16, 32, 64];
/// Longest wait for calm.
const PATIENCE: Duration = Duration::from_mins(1);

/// What of it is wanted.
#[derive(Debug, Args)]
pub(crate) struct Wish {
    /// The cell.
    #[arg(long, default_value = "R")]
    cell: String,
    /// How often the saturating rate.
    #[arg(long, default_value_t = 10)]
    times: u32,
    /// Seconds of it.
    #[arg(long, default_value_t = 60.0)]
    secs: f64,
    /// Connections of the storm. More than the broker takes requests at once.
    #[arg(long, default_value_t = 600)]
    connections: usize,
    /// How long the sources take, in milliseconds.
    #[arg(long, default_value_t = 20)]
    wait_ms: u64,
    /// Requests that the broker takes at once. Absent: its default.
    #[arg(long)]
    max_in_flight: Option<u32>,
    /// How far behind the broker's own work may be, in milliseconds. Absent: its default.
    #[arg(long)]
    max_behind_ms: Option<u32>,
}

/// What became of one request of the storm.
struct Sample {
    status: u16,
    /// From when it was sent.
    took: f64,
}

/// Storms.
pub(crate) fn measure(stage: &Stage, wish: &Wish) -> Done<()> {
    let federation = Federation::start(cell_of(&wish.cell))?;
    let dir = stage.folder("overload")?;
    let limit = wish.max_in_flight.map(|limit| format!("max_in_flight = {limit}\n")).unwrap_or_default();
    let behind = wish.max_behind_ms.map(|ms| format!("max_behind_ms = {ms}\n")).unwrap_or_default();
    let server = format!("{limit}{behind}max_connections = 2048\n");
    let setup = Setup { dir, audit: None, server, rest: federation.config("")? };
    let mut broker = servers::broker(stage, &setup)?;
    let target = Target::record(broker.address);
    federation.wait(Duration::from_millis(wish.wait_ms));
    let calm = rounds::closed(&target, 4, Duration::from_secs(1))?;
    if calm.answered == 0 {
        return Err("the broker gives no record".into());
    }
    // Unloaded: a fifth of what it can do, over few connections.
    let peak = CALLERS.iter().map(|callers| saturated(&target, *callers)).collect::<Done<Vec<f64>>>()?;
    let peak = quantile(&peak, 1.0);
    let alone = rounds::open(std::slice::from_ref(&target), whole(peak / 5.0), 64, Duration::from_secs(4))?;
    let alone: Vec<f64> = alone.laps.iter().flat_map(|lap| lap.took.iter().copied().flatten()).collect();
    let rest = broker.resident_kb()?;
    let storm = storm(&target, &broker, wish, peak)?;
    broker.lives("the broker")?;
    let recovery = recovery(&target, quantile(&alone, 0.99) * 2.0)?;
    let peak_kb = broker.peak_kb()?;
    report(&Report { peak, alone, rest, storm, recovery, peak_kb }, wish);
    Ok(())
}

/// Served a second to so many callers without pause.
fn saturated(target: &Target, callers: usize) -> Done<f64> {
    let gave = rounds::closed(target, callers, Duration::from_secs(2))?;
    Ok(1.0 / each(gave.lasted.as_secs_f64(), gave.answered))
}

struct Storm {
    samples: Vec<Sample>,
    lasted: Duration,
    most_kb: u64,
    broken: usize,
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates of some thousands")]
fn whole(rate: f64) -> u32 {
    rate.max(1.0) as u32
}

fn storm(target: &Target, broker: &Server, wish: &Wish, peak: f64) -> Done<Storm> {
    let interval = Duration::from_secs_f64(1.0 / (peak * f64::from(wish.times)));
    let (tickets, cut) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let lasting = Duration::from_secs_f64(wish.secs);
    let began = Instant::now();
    let lane = || -> Done<Vec<Sample>> {
        let mut connection = Connection::open(target.address)?;
        let mut samples = Vec::new();
        loop {
            let ticket = u32::try_from(tickets.fetch_add(1, Ordering::Relaxed))?;
            let due = interval * ticket;
            if due >= lasting || began.elapsed() >= lasting {
                return Ok(samples);
            }
            pause(due.saturating_sub(began.elapsed()));
            let sent = Instant::now();
            let said = asked(&mut connection, target);
            if let Some(said) = &said {
                samples.push(Sample { status: said.status, took: micros(sent.elapsed()) });
            } else {
                cut.fetch_add(1, Ordering::Relaxed);
            }
            // As clients do: a refusal is no reason to connect anew.
            if said.is_none_or(|said| said.is_last) {
                connection = Connection::open(target.address)?;
            }
        }
    };
    let (is_over, most) = (AtomicBool::new(false), Mutex::new(0));
    let samples = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let now = broker.resident_kb().unwrap_or_default();
                if let Ok(mut most) = most.lock() {
                    *most = now.max(*most);
                }
                pause(LOOK);
            }
        });
        let samples = together(wish.connections, &lane);
        is_over.store(true, Ordering::Relaxed);
        samples
    })?;
    let lasted = began.elapsed();
    let most_kb = most.into_inner().unwrap_or_default();
    Ok(Storm { samples, lasted, most_kb, broken: cut.into_inner() })
}

/// What came back.
struct Said {
    status: u16,
    /// The broker closes the connection after it.
    is_last: bool,
}

fn asked(connection: &mut Connection, target: &Target) -> Option<Said> {
    for message in target.messages() {
        connection.send(&message).ok()?;
    }
    let message = connection.receive().ok()??;
    let is_last = message.header("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    Some(Said { status: message.status()?.parse().ok()?, is_last })
}

/// From the end of the storm to the first of many good answers in a row.
fn recovery(target: &Target, bearable: f64) -> Done<Option<Duration>> {
    let began = Instant::now();
    let mut connection = Connection::open(target.address)?;
    let (mut good, mut since) = (0, Duration::ZERO);
    while began.elapsed() < PATIENCE {
        let sent = Instant::now();
        let is_good = asked(&mut connection, target).is_some_and(|said| said.status == 200)
            && micros(sent.elapsed()) <= bearable;
        if !is_good {
            good = 0;
            connection = Connection::open(target.address)?;
        } else if good == 0 {
            since = sent - began;
        }
        good += usize::from(is_good);
        if good == CALM {
            return Ok(Some(since));
        }
    }
    Ok(None)
}

struct Report {
    peak: f64,
    alone: Vec<f64>,
    rest: u64,
    storm: Storm,
    recovery: Option<Duration>,
    peak_kb: u64,
}

fn report(report: &Report, wish: &Wish) {
    let storm = &report.storm;
    let of = |is_wanted: &dyn Fn(u16) -> bool| -> Vec<f64> {
        storm.samples.iter().filter(|one| is_wanted(one.status)).map(|one| one.took).collect()
    };
    let (good, refused) = (of(&|status| status == 200), of(&|status| matches!(status, 429 | 503)));
    let other = storm.samples.len() - good.len() - refused.len();
    let secs = storm.lasted.as_secs_f64();
    let ms = |samples: &[f64], share: f64| quantile(samples, share) / 1e3;
    let goodput = 1.0 / each(secs, good.len());
    told(&format!(
        "Cell {}, sources take {} ms; {} times the saturating rate for {:.0} s over {} connections; times from \
         when a request was sent.\n",
        wish.cell, wish.wait_ms, wish.times, wish.secs, wish.connections
    ));
    told("| figure | value | goal |\n|---|--:|--:|");
    let row = |name: &str, value: String, goal: &str| told(&format!("| {name} | {value} | {goal} |"));
    row("saturating rate, 8 to 64 callers without pause, requests/s", format!("{:.0}", report.peak), "");
    row("sent in the storm, requests/s", format!("{:.0}", 1.0 / each(secs, storm.samples.len())), "");
    row("goodput / saturating rate", format!("{:.2}", goodput / report.peak), "≥ 0.9");
    row(
        "p50 and p99 unloaded, ms",
        format!("{:.1}, {:.1}", ms(&report.alone, 0.5), ms(&report.alone, 0.99)),
        "",
    );
    row("p50 and p99 of what was served, ms", format!("{:.1}, {:.1}", ms(&good, 0.5), ms(&good, 0.99)), "");
    row("p99 served / p99 unloaded", format!("{:.2}", ms(&good, 0.99) / ms(&report.alone, 0.99)), "≤ 1.5");
    row(
        "p50 and p99 of refusals, ms",
        format!("{:.1}, {:.1}", ms(&refused, 0.5), ms(&refused, 0.99)),
        "≤ 10",
    );
    row("refused", format!("{}", refused.len()), "");
    row("other statuses, broken connections", format!("{other}, {}", storm.broken), "0, 0");
    row(
        "resident before, most during, peak ever, MB",
        format!("{}, {}, {}", report.rest / 1_000, storm.most_kb / 1_000, report.peak_kb / 1_000),
        "bounded",
    );
    let recovery = report
        .recovery
        .map_or_else(|| "NOT within 60 s".to_owned(), |time| format!("{:.2}", time.as_secs_f64()));
    row("recovery, s", recovery, "≤ 10");
}
