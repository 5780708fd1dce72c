//! A large registry: what thousands of sources cost that nobody asks, and how soon the first answer is there.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use clap::Args;

use crate::desk::Target;
use crate::federation::Federation;
use crate::figures::Spread;
use crate::peers::{self, Peer};
use crate::servers::{self, Server, Setup};
use crate::stage::Stage;
use crate::wire::Connection;
use crate::{Done, told};

/// What of it is wanted.
#[derive(Debug, Args)]
pub(crate) struct Wish {
    /// Registered sources besides those that are asked.
    #[arg(long, default_value_t = 7_000)]
    sources: usize,
    /// Programs beside it.
    #[arg(long, value_delimiter = ',', default_value = "lua,go,node,python")]
    peers: Vec<Peer>,
}

#[derive(Default)]
struct Figures {
    ready: Vec<f64>,
    first: Vec<f64>,
    resident: Vec<f64>,
}

/// Measures the broker with and without them, then the peers, which know only the three that are asked.
pub(crate) fn measure(stage: &Stage, wish: &Wish) -> Done<()> {
    let federation = Federation::start("3xr4-5k")?;
    let asked = federation.config("")?;
    let locator = "[locator]\nacute = [\"s0\", \"s1\", \"s2\"]\n";
    let crowd = format!("{locator}{asked}{}", unasked(wish.sources)?);
    let named = format!("Tributary, {} more sources", wish.sources);
    let mut rows: Vec<(String, Figures)> = vec![("Tributary".to_owned(), Figures::default())];
    rows.push((named, Figures::default()));
    let peers = peers::present(&wish.peers);
    rows.extend(peers.iter().map(|peer| (peer.name().to_owned(), Figures::default())));
    for round in 0..stage.rounds {
        for (at, (_, figures)) in rows.iter_mut().enumerate() {
            let dir = stage.folder(&format!("registry-{round}-{at}"))?;
            let began = Instant::now();
            let server = match at {
                0 => servers::broker(stage, &Setup::wide(dir, format!("{locator}{asked}")))?,
                1 => servers::broker(stage, &Setup::wide(dir, crowd.clone()))?,
                _ => match peers.get(at - 2) {
                    Some(peer) => peer.start(stage, &dir, &federation)?,
                    None => continue,
                },
            };
            figures.take(&server, began)?;
        }
    }
    told(&format!(
        "Three sources of 5 kB are asked; median (least–greatest) over {} starts.\n",
        stage.rounds
    ));
    told("| server | ready, ms | first merged 200, ms | resident after it, MB |");
    told("|---|--:|--:|--:|");
    for (name, figures) in rows {
        told(&format!(
            "| {name} | {} | {} | {} |",
            Spread::of(&figures.ready).fine(),
            Spread::of(&figures.first).fine(),
            Spread::of(&figures.resident).fine()
        ));
    }
    Ok(())
}

impl Figures {
    fn take(&mut self, server: &Server, began: Instant) -> Done<()> {
        let target = Target::record(server.address);
        let mut connection = Connection::open(server.address)?;
        for message in target.messages() {
            connection.send(&message)?;
        }
        if !connection.receive()?.is_some_and(|answer| answer.is_ok()) {
            return Err("a server gives no record".into());
        }
        self.first.push(began.elapsed().as_secs_f64() * 1e3);
        self.ready.push(server.ready.as_secs_f64() * 1e3);
        self.resident.push(Duration::from_millis(server.resident_kb()?).as_secs_f64());
        Ok(())
    }
}

/// Sources at addresses where nobody listens.
fn unasked(count: usize) -> Done<String> {
    let mut text = String::new();
    for number in 0..count {
        writeln!(
            text,
            "[[source]]\nid = \"crowd-{number}\"\nkind = \"acute\"\nprotocol = \"fhir-r4\"\n\
             base_url = \"https://crowd-{number}.example.test/fhir\"\n"
        )?;
    }
    Ok(text)
}
