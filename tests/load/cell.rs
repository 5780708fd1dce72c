//! One size of record, one wait of the GP system: all rounds, and what comes of them.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use crate::cores::Cores;
use crate::figures::each;
use crate::rounds::{self, OpenRound};
use crate::servers::{self, Server, Setup};
use crate::source::Source;
use crate::wire::Connection;
use crate::{Done, record, request};

/// Lets caches, pools and branch predictors of everybody settle.
const WARM_UP: Duration = Duration::from_millis(700);
/// How long one target is asked as fast as answers come, in a round.
const CLOSED: Duration = Duration::from_secs(2);

/// What is measured.
#[derive(Debug)]
pub(crate) struct Cell {
    /// Size of the record.
    pub(crate) kb: usize,
    /// How long the GP system takes.
    pub(crate) wait: Duration,
    /// Requests a second, over all targets.
    pub(crate) rate: u32,
    /// Connections that ask as fast as answers come.
    pub(crate) connections: usize,
    /// Rounds.
    pub(crate) rounds: usize,
    /// How long each round asks at the fixed rate.
    pub(crate) lasting: Duration,
}

/// A server between caller and GP system.
#[derive(Debug)]
pub(crate) struct Between {
    /// What the tables call it.
    pub(crate) name: &'static str,
    server: Server,
    /// Processor time per request in each round without pause, in µs.
    pub(crate) cpu: Vec<f64>,
    /// Requests a second in each of those rounds.
    pub(crate) rate: Vec<f64>,
    /// Requests that failed in those rounds.
    pub(crate) failed: usize,
    /// Processor time at the fixed rate, all rounds together.
    pub(crate) paced: Duration,
    /// Most memory it ever had resident, in kB.
    pub(crate) peak_kb: u64,
}

/// What a cell gave.
#[derive(Debug)]
pub(crate) struct Measured {
    /// The rounds at the fixed rate; target 0 is the GP system itself, the others as in `between`.
    pub(crate) paced: Vec<OpenRound>,
    /// The broker, then `HAProxy`.
    pub(crate) between: Vec<Between>,
    /// Connections to the GP system that were opened by them after the warm-up.
    pub(crate) reopened: u64,
}

impl Cell {
    /// Runs all rounds.
    pub(crate) fn measure(&self, setup: &Setup, cores: &Cores, has_haproxy: bool) -> Done<Measured> {
        let body = record::bundle(self.kb * 1_000);
        let source = Source::start(&body, self.wait)?;
        let mut between = vec![Between::new("broker", servers::broker(setup, cores, source.address)?)];
        if has_haproxy {
            between.push(Between::new("HAProxy", servers::haproxy(&setup.dir, cores, source.address)?));
        }
        for one in &between {
            prove(one.server.address, &body, one.name)?;
        }
        let mut targets: Vec<SocketAddr> = vec![source.address];
        targets.extend(between.iter().map(|one| one.server.address));
        for target in &targets {
            rounds::closed(*target, self.connections, WARM_UP)?;
        }
        let opened = source.opened();
        let mut paced = Vec::new();
        for _ in 0..self.rounds {
            let before: Vec<_> = between.iter().map(|one| one.server.cpu()).collect::<Result<_, _>>()?;
            let round = rounds::open(&targets, self.rate, self.lasting);
            for (one, before) in between.iter_mut().zip(before) {
                one.server.lives(one.name)?;
                one.paced += one.server.cpu()?.saturating_sub(before);
            }
            paced.push(round?);
            for one in &mut between {
                one.without_pause(self.connections)?;
            }
        }
        // The direct connections of each round are the generator's own; any more were opened by those between.
        let own = (self.rounds * rounds::LANES) as u64;
        let reopened = (source.opened() - opened).saturating_sub(own);
        for one in &mut between {
            one.peak_kb = one.server.peak_kb()?;
        }
        Ok(Measured { paced, between, reopened })
    }
}

impl Between {
    fn new(name: &'static str, server: Server) -> Self {
        Self { name, server, cpu: Vec::new(), rate: Vec::new(), failed: 0, paced: Duration::ZERO, peak_kb: 0 }
    }

    fn without_pause(&mut self, connections: usize) -> Done<()> {
        let before = self.server.cpu()?;
        let round = rounds::closed(self.server.address, connections, CLOSED);
        self.server.lives(self.name)?;
        let round = round?;
        let used = self.server.cpu()?.saturating_sub(before);
        self.cpu.push(each(used.as_secs_f64() * 1e6, round.answered));
        self.rate.push(1.0 / each(round.lasted.as_secs_f64(), round.answered));
        self.failed += round.failed;
        Ok(())
    }
}

/// What comes through is the GP system's record, but for its id; otherwise nothing is measured.
fn prove(target: SocketAddr, body: &str, name: &str) -> Done<()> {
    let mut connection = Connection::open(target)?;
    connection.send(&request::request(target))?;
    let answer = connection.receive()?.ok_or("no answer")?;
    if !answer.is_ok() {
        return Err(format!("{name}: {}{}", answer.head, String::from_utf8_lossy(answer.body)).into());
    }
    if name == "broker" && answer.header("Tributary-Audit").is_none() {
        return Err("the broker's answer names no audit record".into());
    }
    let (mut came, mut sent): (Value, Value) =
        (serde_json::from_slice(answer.body)?, serde_json::from_str(body)?);
    for bundle in [&mut came, &mut sent] {
        bundle.as_object_mut().and_then(|bundle| bundle.remove("id")).ok_or("a Bundle without id")?;
    }
    if came == sent { Ok(()) } else { Err(format!("{name} changed the record").into()) }
}
