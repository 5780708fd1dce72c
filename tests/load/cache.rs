//! Answers from kept replies, beside nginx serving a file of the same bytes.

use std::fs;
use std::time::Duration;

use clap::Args;

use crate::desk::{self, Target};
use crate::federation::Federation;
use crate::figures::{Spread, each, ratio};
use crate::peers::{self, Peer};
use crate::rounds;
use crate::servers::{self, Server, Setup};
use crate::source::NUMBER;
use crate::stage::Stage;
use crate::wire::Connection;
use crate::{Done, told};

const WARM_UP: Duration = Duration::from_millis(500);

/// What of it is wanted.
#[derive(Debug, Args)]
pub(crate) struct Wish {
    /// Cells, by their names in the benchmarks.
    #[arg(long, value_delimiter = ',', default_value = "1xr4-5k,1xr4-50k,1xr4-500k,3xr4-50k")]
    cells: Vec<String>,
    /// Seconds that each server is asked in a round.
    #[arg(long, default_value_t = 2.0)]
    secs: f64,
    /// Connections.
    #[arg(long, default_value_t = 32)]
    connections: usize,
}

struct Lane {
    name: &'static str,
    server: Server,
    target: Target,
    rate: Vec<f64>,
    cpu: Vec<f64>,
}

/// Measures all cells.
pub(crate) fn measure(stage: &Stage, wish: &Wish) -> Done<()> {
    told(&format!(
        "`$record` when every reply is kept: each answer is merged, and put on record, anew. Median \
         (least–greatest) over {} rounds.\n",
        stage.rounds
    ));
    told("| cell | answer kB | server | requests/s | broker's / its | CPU µs/request |");
    told("|---|--:|---|--:|--:|--:|");
    for name in &wish.cells {
        cell(stage, wish, name)?;
    }
    Ok(())
}

fn cell(stage: &Stage, wish: &Wish, name: &str) -> Done<()> {
    let federation = Federation::start(name)?;
    let dir = stage.folder(&format!("cache-{name}"))?;
    let setup = Setup::wide(dir.clone(), federation.config("cache_ttl_secs = 900\n")?);
    let broker = servers::broker(stage, &setup)?;
    let address = broker.address;
    let target = Target::new(address, move || vec![desk::record(address, NUMBER, "")]);
    let mut connection = Connection::open(address)?;
    let mut body = Vec::new();
    for message in [target.messages(), target.messages()].concat() {
        connection.send(&message)?;
        let answer = connection.receive()?.filter(crate::wire::Message::is_ok).ok_or("no record")?;
        body = answer.body.to_vec();
    }
    fs::write(dir.join("record.json"), &body)?;
    let mut lanes =
        vec![Lane { name: "Tributary", server: broker, target, rate: Vec::new(), cpu: Vec::new() }];
    for (name, has_sendfile) in [("nginx, sendfile", true), ("nginx, no sendfile", false)] {
        if !Peer::Lua.is_there() {
            continue;
        }
        let place = dir.join(name.replace([',', ' '], ""));
        fs::create_dir_all(&place)?;
        let server = peers::nginx(stage, &place, &peers::serving(&dir, has_sendfile))?;
        let host = server.address;
        let get = format!("GET /record.json HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes();
        let target = Target::new(host, move || vec![get.clone()]);
        lanes.push(Lane { name, server, target, rate: Vec::new(), cpu: Vec::new() });
    }
    let asked = federation.asked();
    for round in 0..=stage.rounds {
        for lane in &mut lanes {
            let before = lane.server.cpu()?;
            let time = if round == 0 { WARM_UP } else { Duration::from_secs_f64(wish.secs) };
            let gave = rounds::closed(&lane.target, wish.connections, time)?;
            lane.server.lives(lane.name)?;
            if gave.failed > 0 {
                return Err(format!("{}: {} requests failed", lane.name, gave.failed).into());
            }
            let used = lane.server.cpu()?.saturating_sub(before);
            if round > 0 {
                lane.rate.push(1.0 / each(gave.lasted.as_secs_f64(), gave.answered));
                lane.cpu.push(each(used.as_secs_f64() * 1e6, gave.answered));
            }
        }
    }
    if federation.asked() != asked {
        return Err("a source was asked, although its reply is kept".into());
    }
    let own = lanes.first().map(|lane| lane.rate.clone()).unwrap_or_default();
    for (at, lane) in lanes.iter().enumerate() {
        let faster = if at == 0 { String::new() } else { ratio(&own, &lane.rate).fine() };
        told(&format!(
            "| {name} | {} | {} | {} | {faster} | {} |",
            body.len() / 1_000,
            lane.name,
            Spread::of(&lane.rate).whole(),
            Spread::of(&lane.cpu).whole()
        ));
    }
    Ok(())
}
