//! What a request costs in memory while it waits for slow sources.

use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use crate::desk::Target;
use crate::federation::Federation;
use crate::figures::each;
use crate::peers::{self, Peer};
use crate::rounds::together;
use crate::servers::{self, Server, Setup};
use crate::stage::Stage;
use crate::wire::Connection;
use crate::{Done, pause, told};

/// What of it is wanted.
#[derive(Debug, Args)]
pub(crate) struct Wish {
    /// Cells, by their names in the benchmarks.
    #[arg(long, value_delimiter = ',', default_value = "3xr4-50k,10xr4-5k")]
    cells: Vec<String>,
    /// Requests in flight.
    #[arg(long, default_value_t = 500)]
    requests: usize,
    /// How long the sources take, in milliseconds.
    #[arg(long, default_value_t = 3_000)]
    wait_ms: u64,
    /// Programs beside it.
    #[arg(long, value_delimiter = ',', default_value = "lua,go,node")]
    peers: Vec<Peer>,
}

/// Measures all cells, the broker first.
pub(crate) fn measure(stage: &Stage, wish: &Wish) -> Done<()> {
    let peers = peers::present(&wish.peers);
    told(&format!(
        "{} requests in flight, sources answer after {} ms; memory over that of the server at rest, for each \
         request. Each server is new, and has answered once.\n",
        wish.requests, wish.wait_ms
    ));
    told("| cell | server | at rest MB | waiting, kB/request | peak, kB/request | answered |");
    told("|---|---|--:|--:|--:|--:|");
    for name in &wish.cells {
        let federation = Federation::start(name)?;
        let dir = stage.folder(&format!("waiting-{name}"))?;
        let setup = Setup::wide(dir.clone(), federation.config("timeout_ms = 20000\n")?);
        row(name, "Tributary", servers::broker(stage, &setup)?, &federation, wish)?;
        for peer in &peers {
            row(name, peer.name(), peer.start(stage, &dir, &federation)?, &federation, wish)?;
        }
    }
    Ok(())
}

fn row(cell: &str, name: &str, mut server: Server, federation: &Federation, wish: &Wish) -> Done<()> {
    let target = Target::record(server.address);
    federation.wait(Duration::ZERO);
    if !once(&target)? {
        return Err(format!("{name} gives no record").into());
    }
    let rest = server.resident_kb()?;
    let wait = Duration::from_millis(wish.wait_ms);
    federation.wait(wait);
    let began = Instant::now();
    let (answered, waiting) = thread::scope(|scope| -> Done<(usize, u64)> {
        let asking = scope.spawn(|| together(wish.requests, &|| Ok(vec![once(&target)?])));
        // By then all have been sent and none has been answered.
        pause((wait * 3 / 4).saturating_sub(began.elapsed()));
        let waiting = server.resident_kb()?;
        let answered = asking.join().map_err(|_panic| "a lane died")??;
        Ok((answered.into_iter().filter(|is_ok| *is_ok).count(), waiting))
    })?;
    server.lives(name)?;
    let over = |kb: u64| each(Duration::from_secs(kb.saturating_sub(rest)).as_secs_f64(), wish.requests);
    told(&format!(
        "| {cell} | {name} | {:.1} | {:.0} | {:.0} | {answered} |",
        Duration::from_millis(rest).as_secs_f64(),
        over(waiting),
        over(server.peak_kb()?)
    ));
    Ok(())
}

fn once(target: &Target) -> Done<bool> {
    let mut connection = Connection::open(target.address)?;
    for message in target.messages() {
        connection.send(&message)?;
    }
    Ok(connection.receive()?.is_some_and(|answer| answer.is_ok()))
}
