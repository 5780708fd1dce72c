//! `$record` beside programs that do the same fan-out.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::desk::Target;
use crate::federation::{Federation, cell_of};
use crate::figures::{Spread, added, each, quantile, ratio};
use crate::peers::{self, Peer};
use crate::rounds::{self, OpenRound};
use crate::servers::{self, Server, Setup};
use crate::stage::Stage;
use crate::wire::Connection;
use crate::{Done, told};

const WARM_UP: Duration = Duration::from_millis(500);
/// How long the sources take at the fixed rate.
const WAIT: Duration = Duration::from_millis(20);
/// Connections to each target at the fixed rate.
const LANES: usize = 48;

/// What of it is wanted.
#[derive(Debug, Args)]
pub(crate) struct Wish {
    /// S (three sources of 5 kB), R (3 × 50), W (10 × 50), L (3 × 500), X2 (GP Connect of 500 kB and two of 50), or
    /// a name as in the benchmarks, such as 30xr4-5k.
    #[arg(long, value_delimiter = ',', default_value = "S,R,W,L,X2")]
    cells: Vec<String>,
    /// Programs beside it. Absent: all that the machine has.
    #[arg(long, value_delimiter = ',')]
    peers: Vec<Peer>,
    /// Programs beside it at the fixed rate too.
    #[arg(long, value_delimiter = ',', default_value = "lua,concat")]
    paced: Vec<Peer>,
    /// Seconds that each server is asked in a round, without pause and at a fixed rate.
    #[arg(long, default_value_t = 2.0)]
    secs: f64,
    /// Requests a second to each target at the fixed rate. Absent: 400 for S, 200 for R, 100 for W, 20 otherwise.
    #[arg(long)]
    rate: Option<u32>,
    /// Connections that ask as fast as answers come. Absent: 16, and 8 from 400 kB of sources.
    #[arg(long)]
    connections: Option<usize>,
}

/// One server of a cell, with what it gave.
struct Lane {
    name: &'static str,
    peer: Option<Peer>,
    server: Server,
    cpu: Vec<f64>,
    rate: Vec<f64>,
    failed: usize,
    paced: Vec<OpenRound>,
    /// Processor time for each request at the fixed rate, in µs.
    paced_cpu: Vec<f64>,
}

/// Measures all cells.
pub(crate) fn measure(stage: &Stage, wish: &Wish) -> Done<()> {
    let peers = peers::present(&wish.peers);
    told(&format!(
        "`$record` and peers; median (least–greatest) over {} rounds; times in µs. Peers parse and concatenate, \
         run bare, and make the same requests; the broker runs with everything on.\n",
        stage.rounds
    ));
    let mut throughput = Vec::new();
    let mut latency = Vec::new();
    for name in &wish.cells {
        let (one, other) = cell(stage, wish, name, &peers)?;
        throughput.extend(one);
        latency.extend(other);
    }
    told("| cell | server | requests/s | broker's / its | CPU/request | its / broker's | peak MB | failed |");
    told("|---|---|--:|--:|--:|--:|--:|--:|");
    told(&throughput.join("\n"));
    told(&format!("\nAt the fixed rate; the sources wait {} ms.\n", WAIT.as_millis()));
    told(
        "| cell | beside | server | p50 | added p50 | added p99 | broker's added p50 / its | CPU/request | failed |",
    );
    told("|---|---|---|--:|--:|--:|--:|--:|--:|");
    told(&latency.join("\n"));
    Ok(())
}

fn cell(stage: &Stage, wish: &Wish, name: &str, peers: &[Peer]) -> Done<(Vec<String>, Vec<String>)> {
    let federation = Federation::start(cell_of(name))?;
    told(&format!(
        "- {name} is {}: {} kB in {} entries from {} sources, {} requests for each record by everybody",
        cell_of(name),
        federation.bytes / 1_000,
        federation.entries(),
        federation.sources.len(),
        federation.requests()
    ));
    let mut lanes = started(stage, name, &federation, peers)?;
    let connections = wish.connections.unwrap_or(if federation.bytes > 400_000 * 2 { 8 } else { 16 });
    let lasting = Duration::from_secs_f64(wish.secs);
    for lane in &lanes {
        rounds::closed(&lane.target(), connections, WARM_UP)?;
    }
    for _ in 0..stage.rounds {
        for lane in &mut lanes {
            lane.without_pause(connections, lasting)?;
        }
    }
    federation.wait(WAIT);
    let rate = wish.rate.unwrap_or(match name {
        "S" => 400,
        "R" => 200,
        "W" => 100,
        _ => 20,
    });
    let paced: Vec<usize> =
        (0..lanes.len()).filter(|at| lanes.get(*at).is_some_and(|lane| lane.is_paced(&wish.paced))).collect();
    let mut latency = Vec::new();
    for at in paced {
        let (broker, rest) = lanes.split_first_mut().ok_or("no broker")?;
        let Some(peer) = rest.get_mut(at - 1) else { continue };
        broker.paced.clear();
        broker.paced_cpu.clear();
        side_by_side(stage.rounds, &federation.direct()?, [broker, peer], (rate, lasting))?;
        latency.extend(latency_rows(name, broker, peer));
    }
    let rows = throughput_rows(name, &mut lanes)?;
    Ok((rows, latency))
}

fn started(stage: &Stage, name: &str, federation: &Federation, peers: &[Peer]) -> Done<Vec<Lane>> {
    let dir = stage.folder(&format!("record-{name}"))?;
    let setup = Setup::wide(dir.clone(), federation.config("timeout_ms = 8000\n")?);
    let mut lanes = vec![Lane::new("Tributary", None, servers::broker(stage, &setup)?)];
    for peer in peers {
        lanes.push(Lane::new(peer.name(), Some(*peer), peer.start(stage, &dir, federation)?));
    }
    for lane in &lanes {
        prove(lane, federation, &dir)?;
    }
    Ok(lanes)
}

impl Lane {
    fn new(name: &'static str, peer: Option<Peer>, server: Server) -> Self {
        Self {
            name,
            peer,
            server,
            cpu: Vec::new(),
            rate: Vec::new(),
            failed: 0,
            paced: Vec::new(),
            paced_cpu: Vec::new(),
        }
    }

    fn target(&self) -> Target {
        Target::record(self.server.address)
    }

    fn is_paced(&self, wished: &[Peer]) -> bool {
        self.peer.is_some_and(|peer| wished.contains(&peer))
    }

    fn without_pause(&mut self, connections: usize, lasting: Duration) -> Done<()> {
        let before = self.server.cpu()?;
        let round = rounds::closed(&self.target(), connections, lasting);
        self.server.lives(self.name)?;
        let round = round?;
        let used = self.server.cpu()?.saturating_sub(before);
        self.cpu.push(each(used.as_secs_f64() * 1e6, round.answered));
        self.rate.push(1.0 / each(round.lasted.as_secs_f64(), round.answered));
        self.failed += round.failed;
        Ok(())
    }
}

/// The slowest source directly, the broker and one peer, in turn.
fn side_by_side(
    count: usize,
    direct: &Target,
    mut lanes: [&mut Lane; 2],
    (rate, lasting): (u32, Duration),
) -> Done<()> {
    let targets = [direct.clone(), lanes[0].target(), lanes[1].target()];
    for number in 0..=count {
        let before: Vec<_> = lanes.iter().map(|lane| lane.server.cpu()).collect::<Result<_, _>>()?;
        let time = if number == 0 { WARM_UP } else { lasting };
        let round = rounds::open(&targets, rate * 3, LANES, time)?;
        for (at, lane) in lanes.iter_mut().enumerate() {
            lane.server.lives(lane.name)?;
            let used = lane.server.cpu()?.saturating_sub(before.get(at).copied().unwrap_or_default());
            let asked = round.laps.get(at + 1).map_or(0, |lap| lap.took.len());
            if number > 0 {
                lane.paced.push(OpenRound {
                    laps: [0, at + 1].iter().filter_map(|at| round.laps.get(*at).cloned()).collect(),
                    late: round.late.clone(),
                });
                lane.paced_cpu.push(each(used.as_secs_f64() * 1e6, asked));
            }
        }
    }
    Ok(())
}

fn throughput_rows(name: &str, lanes: &mut [Lane]) -> Done<Vec<String>> {
    let mut rows = Vec::new();
    let broker = lanes.first().map(|lane| (lane.rate.clone(), lane.cpu.clone())).unwrap_or_default();
    for lane in lanes {
        let (faster, dearer) = match lane.peer {
            Some(_) => (ratio(&broker.0, &lane.rate).fine(), ratio(&lane.cpu, &broker.1).fine()),
            None => (String::new(), String::new()),
        };
        rows.push(format!(
            "| {name} | {} | {} | {faster} | {} | {dearer} | {:.0} | {} |",
            lane.name,
            Spread::of(&lane.rate).whole(),
            Spread::of(&lane.cpu).whole(),
            lane.server.peak_kb()? / 1_000,
            lane.failed
        ));
    }
    Ok(rows)
}

fn latency_rows(name: &str, broker: &Lane, peer: &Lane) -> Vec<String> {
    let lap =
        |round: &OpenRound, at: usize| round.laps.get(at).map(|lap| lap.took.clone()).unwrap_or_default();
    let more = |lane: &Lane, share: f64| -> Vec<f64> {
        lane.paced.iter().map(|round| quantile(&added(&lap(round, 1), &lap(round, 0)), share)).collect()
    };
    // The slowest one in a hundred of each, not the hundredth of the differences: those hold the source's own noise.
    let tail = |lane: &Lane| -> Vec<f64> {
        let late = |round: &OpenRound, at: usize| {
            quantile(&lap(round, at).into_iter().flatten().collect::<Vec<_>>(), 0.99)
        };
        lane.paced.iter().map(|round| late(round, 1) - late(round, 0)).collect()
    };
    let own = |lane: &Lane| -> Vec<f64> {
        let middle =
            |round: &OpenRound| quantile(&lap(round, 1).into_iter().flatten().collect::<Vec<_>>(), 0.5);
        lane.paced.iter().map(middle).collect()
    };
    let failed =
        |lane: &Lane| lane.paced.iter().flat_map(|round| lap(round, 1)).filter(Option::is_none).count();
    let row = |lane: &Lane, share: String| {
        format!(
            "| {name} | {} | {} | {} | {} | {} | {share} | {} | {} |",
            peer.name,
            lane.name,
            Spread::of(&own(lane)).whole(),
            Spread::of(&more(lane, 0.5)).whole(),
            Spread::of(&tail(lane)).whole(),
            Spread::of(&lane.paced_cpu).whole(),
            failed(lane)
        )
    };
    vec![row(broker, ratio(&more(broker, 0.5), &more(peer, 0.5)).fine()), row(peer, String::new())]
}

/// Everything that the sources hold comes through; otherwise nothing is measured.
fn prove(lane: &Lane, federation: &Federation, dir: &Path) -> Done<()> {
    let asked = federation.asked();
    let mut connection = Connection::open(lane.server.address)?;
    for message in lane.target().messages() {
        connection.send(&message)?;
    }
    let log = || std::fs::read_to_string(dir.join("broker.log")).unwrap_or_default();
    let answer = connection.receive()?.ok_or("no answer")?;
    let (name, head) = (lane.name, answer.head);
    if !answer.is_ok() {
        return Err(format!("{name}: {head}{}\n{}", String::from_utf8_lossy(answer.body), log()).into());
    }
    let made = federation.asked() - asked;
    if made != federation.requests() as u64 {
        return Err(format!("{name} makes {made} requests, not {}", federation.requests()).into());
    }
    let bundle: Value = serde_json::from_slice(answer.body)?;
    let entries = bundle.get("entry").and_then(Value::as_array).map_or(0, Vec::len);
    let wanted = match lane.peer {
        Some(Peer::Concat) => federation.sources.len(),
        Some(_) | None => federation.entries(),
    };
    // The broker adds entries of its own: the patient, lists, what every source did. Generated records of a GP
    // system lack the Lists that say which areas are whole, so that its answer is called partial; no entry is.
    if entries == wanted || (lane.peer.is_none() && entries > wanted) {
        return Ok(());
    }
    Err(format!("{name}: {entries} entries, {wanted} expected: {head}").into())
}
