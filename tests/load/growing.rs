//! Records that are shown as they grow: when the first lines are there, whatever the slowest source does.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::Args;

use crate::desk;
use crate::federation::Federation;
use crate::figures::quantile;
use crate::rounds::{micros, together};
use crate::servers::{self, Setup};
use crate::stage::Stage;
use crate::{Done, pause, told};

/// Callers at once at the fixed rate: far more than are ever busy.
const LANES: usize = 256;
/// The first line of the first section that has one.
const LINES: &[u8] = b"\"lines\":[{";
/// The end of what is answered in time.
const COMPLETE: &[u8] = b"event: complete";

/// What of it is wanted.
#[derive(Debug, Args)]
pub(crate) struct Wish {
    /// How long the slowest source takes, in milliseconds, one run each.
    #[arg(long, value_delimiter = ',', default_value = "20,1000,3000,8000")]
    slowest_ms: Vec<u64>,
    /// Seconds of each run.
    #[arg(long, default_value_t = 10.0)]
    secs: f64,
    /// Streams begun in a second.
    #[arg(long, default_value_t = 20)]
    rate: u32,
    /// Streams at once in the last run.
    #[arg(long, default_value_t = 500)]
    at_once: usize,
}

/// Measures.
pub(crate) fn measure(stage: &Stage, wish: &Wish) -> Done<()> {
    told(&format!(
        "Five sources of 50 kB: four take 20 ms, the fifth what the row says. {} streams begun a second, {:.0} s a \
         run, each left once its first lines are there; times in ms from when each was due.\n",
        wish.rate, wish.secs
    ));
    told("| slowest source | first lines p50 | p99 | no lines |\n|---|--:|--:|--:|");
    for slowest in &wish.slowest_ms {
        let (federation, mut broker) = started(stage, &format!("growing-{slowest}"))?;
        slow(&federation, Duration::from_millis(*slowest));
        let begin = Instant::now() + Duration::from_millis(50);
        let tickets = AtomicUsize::new(0);
        let lane = || {
            let mut samples = Vec::new();
            loop {
                let due = Duration::from_secs(1) / wish.rate
                    * u32::try_from(tickets.fetch_add(1, Ordering::Relaxed))?;
                if due.as_secs_f64() >= wish.secs {
                    return Ok(samples);
                }
                pause((begin + due).saturating_duration_since(Instant::now()));
                let is_there = until(broker.address, LINES)?;
                samples.push(is_there.then(|| micros((begin + due).elapsed())));
            }
        };
        let samples = together(LANES, &lane)?;
        broker.lives("the broker")?;
        let failed = samples.iter().filter(|one| one.is_none()).count();
        let first: Vec<f64> = samples.into_iter().flatten().collect();
        let ms = |share| quantile(&first, share) / 1e3;
        told(&format!("| {slowest} ms | {:.1} | {:.1} | {failed} |", ms(0.5), ms(0.99)));
    }
    at_once(stage, wish)
}

/// All at once: what became of every one of them, what they take, and what is left of them.
fn at_once(stage: &Stage, wish: &Wish) -> Done<()> {
    let (federation, mut broker) = started(stage, "growing-at-once")?;
    slow(&federation, Duration::from_secs(3));
    let rest = broker.resident_kb()?;
    let began = Instant::now();
    let lane = || {
        let mut first = None;
        let ended = follow(broker.address, |read| {
            if first.is_none() && has(read, LINES) {
                first = Some(micros(began.elapsed()));
            }
            has(read, COMPLETE)
        })?;
        Ok(vec![(ended, first, micros(began.elapsed()))])
    };
    let streams = together(wish.at_once, &lane)?;
    broker.lives("the broker")?;
    let of = |wanted: End| streams.iter().filter(move |(end, ..)| *end == wanted);
    let ended: Vec<f64> = of(End::Reached).map(|(.., at)| *at).collect();
    let first: Vec<f64> = streams.iter().filter_map(|(_, first, _)| *first).collect();
    let second = |samples: &[f64], share| quantile(samples, share) / 1e6;
    told(&format!(
        "\n{} streams at once, the slowest source takes 3 s: {} complete, {} refused at the door, {} broken off; first \
         lines p50 {:.1} s, p99 {:.1} s; complete p50 {:.1} s, the last after {:.1} s; peak {:.1} MB over {:.1} MB at \
         rest; {}.",
        wish.at_once,
        ended.len(),
        of(End::Refused).count(),
        of(End::BrokenOff).count(),
        second(&first, 0.5),
        second(&first, 0.99),
        second(&ended, 0.5),
        second(&ended, 1.0),
        Duration::from_millis(broker.peak_kb()?.saturating_sub(rest)).as_secs_f64(),
        Duration::from_millis(rest).as_secs_f64(),
        left(broker.admin)?,
    ));
    Ok(())
}

/// What is in flight when everybody has gone, as the broker tells it. It is looked at until it is nothing, or for ten
/// seconds.
fn left(admin: SocketAddr) -> Done<String> {
    const NAMES: [&str; 3] =
        ["tributary_requests_in_flight", "tributary_source_inflight", "tributary_memory_taken_bytes"];
    let began = Instant::now();
    loop {
        let mut stream = TcpStream::connect(admin)?;
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let sum = |name: &str| {
            let lines = text.lines().filter(|line| line.starts_with(name));
            lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<f64>()
        };
        let [requests, asks, bytes] = NAMES.map(sum);
        if requests + asks + bytes <= 0.0 {
            return Ok("nothing is left of them".to_owned());
        }
        if began.elapsed() > Duration::from_secs(10) {
            return Ok(format!("{requests} requests, {asks} asks and {bytes} bytes are left of them"));
        }
        pause(Duration::from_millis(50));
    }
}

fn started(stage: &Stage, name: &str) -> Done<(Federation, servers::Server)> {
    let federation = Federation::start("5xr4-50k")?;
    let setup = Setup::wide(stage.folder(name)?, federation.config("timeout_ms = 20000\n")?);
    let broker = servers::broker(stage, &setup)?;
    federation.wait(Duration::from_millis(20));
    // The first pays for what is made once.
    until(broker.address, COMPLETE)?;
    Ok((federation, broker))
}

fn slow(federation: &Federation, wait: Duration) {
    if let Some(last) = federation.sources.last() {
        last.source.wait(wait);
    }
}

/// What became of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// What was waited for has come.
    Reached,
    /// It was not let in.
    Refused,
    /// It ended before that.
    BrokenOff,
}

/// Begins a stream, and leaves it when these bytes have come; tells whether they have.
fn until(address: SocketAddr, wanted: &[u8]) -> Done<bool> {
    Ok(follow(address, |read| has(read, wanted))? == End::Reached)
}

fn has(read: &[u8], wanted: &[u8]) -> bool {
    read.windows(wanted.len()).any(|window| window == wanted)
}

/// Begins a stream, and leaves it when what has come is enough: `is_enough` sees what is new, with the end of what came
/// before.
fn follow(address: SocketAddr, mut is_enough: impl FnMut(&[u8]) -> bool) -> Done<End> {
    /// Longer than anything that is looked for.
    const END_BYTES: usize = 32;
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(40)))?;
    let message = desk::record(address, &desk::next_number(), "Tributary-Deadline-Ms: 20000\r\n");
    let message =
        String::from_utf8(message)?.replace("Accept: application/fhir+json", "Accept: text/event-stream");
    stream.write_all(message.as_bytes())?;
    let (mut read, mut room) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        let got = stream.read(&mut room)?;
        // Who is refused keeps the connection, and nothing more comes.
        if read.is_empty() && got > 0 && !room.starts_with(b"HTTP/1.1 200") {
            return Ok(End::Refused);
        }
        let from = read.len().saturating_sub(END_BYTES);
        read.extend_from_slice(room.get(..got).unwrap_or_default());
        let new = read.get(from..).unwrap_or_default();
        if is_enough(new) {
            return Ok(End::Reached);
        }
        // The last chunk: the connection is kept.
        if got == 0 || new.ends_with(b"\r\n0\r\n\r\n") {
            return Ok(End::BrokenOff);
        }
    }
}
