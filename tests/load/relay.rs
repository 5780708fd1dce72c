//! GP Connect pass-through: the broker beside `HAProxy`, both before one GP system.

pub(crate) mod request;
mod table;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::desk::Target;
use crate::figures::each;
use crate::rounds::{self, OpenRound};
use crate::servers::{self, Server, Setup};
use crate::source::Bound;
use crate::stage::Stage;
use crate::wire::Connection;
use crate::{Done, practice, told};
use table::Tables;

/// Lets caches, pools and branch predictors of everybody settle.
const WARM_UP: Duration = Duration::from_millis(700);
/// How long one target is asked as fast as answers come, in a round.
const CLOSED: Duration = Duration::from_secs(2);
/// Connections to each target while asking at a fixed rate: far more than are ever busy.
const LANES: usize = 8;

/// What of it is wanted.
#[derive(Debug, Args)]
pub(crate) struct Wish {
    /// Sizes of the record, in kB.
    #[arg(long, value_delimiter = ',', default_value = "50,500")]
    kb: Vec<usize>,
    /// How long the GP system takes before it answers, in milliseconds.
    #[arg(long, value_delimiter = ',', default_value = "0,10")]
    wait_ms: Vec<u64>,
    /// Seconds that each round asks at a fixed rate.
    #[arg(long, default_value_t = 4.0)]
    secs: f64,
    /// Requests a second over all targets. Absent: 240 below 200 kB, 90 above.
    #[arg(long)]
    rate: Option<u32>,
    /// Connections that ask as fast as answers come.
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Where the audit log is kept. Absent: in memory.
    #[arg(long)]
    audit: Option<PathBuf>,
}

/// Measures all cells.
pub(crate) fn measure(stage: &Stage, wish: &Wish) -> Done<()> {
    let haproxy = servers::haproxy_version();
    let absent = "HAProxy IS ABSENT: no ratio to it is told (Debian: apt-get install haproxy).";
    told(&format!("- {}", haproxy.as_deref().unwrap_or(absent)));
    told(&format!("\nmedian (least–greatest) over {} rounds; times in µs\n", stage.rounds));
    let mut tables = Tables::default();
    for kb in &wish.kb {
        for wait_ms in &wish.wait_ms {
            let name = format!("{kb}-{wait_ms}");
            let elsewhere = wish.audit.as_ref().map(|audit| audit.join(&name));
            let audit = elsewhere.map(std::path::absolute).transpose()?;
            let dir = stage.folder(&name)?;
            let cell = Cell {
                kb: *kb,
                wait: Duration::from_millis(*wait_ms),
                rate: wish.rate.unwrap_or(if *kb < 200 { 240 } else { 90 }),
                connections: wish.connections,
                rounds: stage.rounds,
                lasting: Duration::from_secs_f64(wish.secs),
            };
            let setup = Setup { dir, audit, server: String::new(), rest: String::new() };
            tables.add(&format!("{kb} kB, {wait_ms} ms"), &cell.measure(stage, setup, haproxy.is_some())?);
        }
    }
    told(&tables.told());
    Ok(())
}

/// What is measured.
#[derive(Debug)]
struct Cell {
    /// Size of the record.
    kb: usize,
    /// How long the GP system takes.
    wait: Duration,
    /// Requests a second, over all targets.
    rate: u32,
    /// Connections that ask as fast as answers come.
    connections: usize,
    /// Rounds.
    rounds: usize,
    /// How long each round asks at the fixed rate.
    lasting: Duration,
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
    fn measure(&self, stage: &Stage, mut setup: Setup, has_haproxy: bool) -> Done<Measured> {
        let body = practice::bundle(self.kb * 1_000);
        let source = Bound::new()?.answer("getstructuredrecord", &body, true).start();
        source.wait(self.wait);
        setup.rest = format!(
            "[[source]]\nid = \"gp\"\nkind = \"gp\"\nprotocol = \"gpconnect-structured\"\nods = \"A99901\"\n\
             asid = \"{}\"\nbase_url = \"http://{}{}\"\n",
            request::ASID,
            source.address,
            request::ROOT
        );
        let mut between = vec![Between::new("broker", servers::broker(stage, &setup)?)];
        if has_haproxy {
            between.push(Between::new("HAProxy", servers::haproxy(stage, &setup.dir, source.address)?));
        }
        for one in &between {
            prove(&one.target(), &body, one.name)?;
        }
        let mut targets = vec![passed(source.address)];
        targets.extend(between.iter().map(Between::target));
        for target in &targets {
            rounds::closed(target, self.connections, WARM_UP)?;
        }
        let opened = source.opened();
        let mut paced = Vec::new();
        for _ in 0..self.rounds {
            let before: Vec<_> = between.iter().map(|one| one.server.cpu()).collect::<Result<_, _>>()?;
            let round = rounds::open(&targets, self.rate, LANES, self.lasting);
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
        let own = (self.rounds * LANES) as u64;
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

    fn target(&self) -> Target {
        passed(self.server.address)
    }

    fn without_pause(&mut self, connections: usize) -> Done<()> {
        let before = self.server.cpu()?;
        let round = rounds::closed(&self.target(), connections, CLOSED);
        self.server.lives(self.name)?;
        let round = round?;
        let used = self.server.cpu()?.saturating_sub(before);
        self.cpu.push(each(used.as_secs_f64() * 1e6, round.answered));
        self.rate.push(1.0 / each(round.lasted.as_secs_f64(), round.answered));
        self.failed += round.failed;
        Ok(())
    }
}

/// Asked for the record of one patient, with a token of its own each time.
fn passed(address: SocketAddr) -> Target {
    Target::new(address, move || vec![request::request(address)])
}

/// What comes through is the GP system's record, but for its id; otherwise nothing is measured.
fn prove(target: &Target, body: &str, name: &str) -> Done<()> {
    let mut connection = Connection::open(target.address)?;
    for message in target.messages() {
        connection.send(&message)?;
    }
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
