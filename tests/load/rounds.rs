//! The two ways of asking: at a fixed rate for latency, as fast as answers come for processor time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::desk::Target;
use crate::wire::Connection;
use crate::{Done, pause};

/// What one target gave in one round at a fixed rate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lap {
    /// From the instant at which the request was due until its last byte was read, in µs and in the order of
    /// the groups; `None` where it failed.
    pub(crate) took: Vec<Option<f64>>,
}

/// One round at a fixed rate.
#[derive(Debug)]
pub(crate) struct OpenRound {
    /// By target.
    pub(crate) laps: Vec<Lap>,
    /// How late requests were sent, in µs: the generator's own share, equal for all targets.
    pub(crate) late: Vec<f64>,
}

struct Sample {
    ticket: usize,
    late: f64,
    took: Option<f64>,
}

/// Asks the targets in turn, `rate` requests a second over all of them.
///
/// Request *i* belongs to group *i / n* and goes to one of the *n* targets; which of them is first changes from
/// group to group. Neighbours share whatever the machine was doing, so their difference is what a target adds.
///
/// There are `lanes` connections to each target, which should be far more than are ever busy.
pub(crate) fn open(targets: &[Target], rate: u32, lanes: usize, lasting: Duration) -> Done<OpenRound> {
    let count = targets.len();
    let interval = Duration::from_secs(1) / rate;
    let groups = usize::try_from(lasting.as_nanos() / interval.as_nanos().max(1))? / count;
    let tickets = AtomicUsize::new(0);
    let begin = Instant::now() + Duration::from_millis(50);
    let lane = || -> Done<Vec<Sample>> {
        let mut kept =
            targets.iter().map(|target| Connection::open(target.address)).collect::<Result<Vec<_>, _>>()?;
        let mut samples = Vec::new();
        loop {
            let ticket = tickets.fetch_add(1, Ordering::Relaxed);
            if ticket >= groups * count {
                return Ok(samples);
            }
            let at = (ticket + ticket / count) % count;
            let (Some(target), Some(connection)) = (targets.get(at), kept.get_mut(at)) else { continue };
            let messages = target.messages();
            let due = begin + interval * u32::try_from(ticket)?;
            pause(due.saturating_duration_since(Instant::now()));
            let late = micros(due.elapsed());
            let is_ok = ask(connection, &messages);
            let took = is_ok.then(|| micros(due.elapsed()));
            samples.push(Sample { ticket, late, took });
            if !is_ok {
                *connection = Connection::open(target.address)?;
            }
        }
    };
    let samples = together(lanes, &lane)?;
    let mut laps = vec![Lap { took: vec![None; groups] }; count];
    for sample in &samples {
        let (group, at) = (sample.ticket / count, (sample.ticket + sample.ticket / count) % count);
        if let Some(slot) = laps.get_mut(at).and_then(|lap| lap.took.get_mut(group)) {
            *slot = sample.took;
        }
    }
    Ok(OpenRound { laps, late: samples.into_iter().map(|sample| sample.late).collect() })
}

/// What asking as fast as answers come gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closed {
    /// Requests answered.
    pub(crate) answered: usize,
    /// Requests that failed.
    pub(crate) failed: usize,
    /// How long it lasted.
    pub(crate) lasted: Duration,
}

/// Asks one target over so many connections, each again as soon as it was answered.
pub(crate) fn closed(target: &Target, connections: usize, lasting: Duration) -> Done<Closed> {
    let (answered, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let is_over = AtomicBool::new(false);
    let began = Instant::now();
    let lane = || -> Done<Vec<()>> {
        let mut connection = Connection::open(target.address)?;
        while !is_over.load(Ordering::Relaxed) {
            if ask(&mut connection, &target.messages()) {
                answered.fetch_add(1, Ordering::Relaxed);
            } else {
                failed.fetch_add(1, Ordering::Relaxed);
                connection = Connection::open(target.address)?;
            }
            if began.elapsed() >= lasting {
                is_over.store(true, Ordering::Relaxed);
            }
        }
        Ok(Vec::new())
    };
    together(connections, &lane)?;
    Ok(Closed { answered: answered.into_inner(), failed: failed.into_inner(), lasted: began.elapsed() })
}

/// Whether every answer was there, whole and with status 200.
fn ask(connection: &mut Connection, messages: &[Vec<u8>]) -> bool {
    messages.iter().all(|bytes| {
        connection.send(bytes).is_ok()
            && connection.receive().is_ok_and(|message| message.is_some_and(|message| message.is_ok()))
    })
}

/// Runs so many lanes at once, and gives all they gave.
pub(crate) fn together<T: Send>(lanes: usize, lane: &(impl Fn() -> Done<Vec<T>> + Sync)) -> Done<Vec<T>> {
    thread::scope(|scope| {
        let running: Vec<_> = (0..lanes).map(|_| scope.spawn(lane)).collect();
        let mut all = Vec::new();
        for one in running {
            all.extend(one.join().map_err(|_panic| "a lane died")??);
        }
        Ok(all)
    })
}

/// In µs.
pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
