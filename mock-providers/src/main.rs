//! Starts mock providers and tells where they are.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use jiff::civil::Date;
use mock_providers::{
    FederationOptions, ReplayOptions, SUITE_ASID, SuiteOptions, start_replay, start_story_federation,
    start_suite_practice,
};
use tributary_model::Capability;

/// Mock source systems on loopback, with the story patients.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Start every story provider. Also the default without --replay.
    #[arg(long)]
    all: bool,
    /// Where the control port listens.
    #[arg(long, value_name = "ADDRESS")]
    control: Option<SocketAddr>,
    /// The port of the first provider; the others follow.
    #[arg(long, value_name = "PORT")]
    base_port: Option<u16>,
    /// Tell the stories as if they happened on this day.
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
    /// Start the practice of the GP Connect provider test suite too.
    #[arg(long)]
    suite: bool,
    /// The port of the suite practice.
    #[arg(long, value_name = "PORT", requires = "suite")]
    suite_port: Option<u16>,
    /// Serve recorded Bundles of a folder or file as one more GP system.
    #[arg(long, value_name = "PATH")]
    replay: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let mut out = io::stdout();
    let mut running = None;
    if arguments.all || arguments.replay.is_none() {
        let options = FederationOptions {
            as_of: arguments.as_of,
            base_port: arguments.base_port,
            control: arguments.control,
            ..FederationOptions::default()
        };
        let federation = start_story_federation(options).await?;
        for facts in federation.source_facts() {
            let asid = facts.asid.unwrap_or("-");
            writeln!(out, "{}\t{}\t{asid}\t{}\t{}", facts.id, facts.protocol, facts.base_url, facts.name)?;
        }
        writeln!(out, "control\thttp\t-\thttp://{}", federation.control_address())?;
        running = Some(federation);
    }
    let mut replay = None;
    if let Some(path) = arguments.replay {
        let (provider, patients) = start_replay(path, ReplayOptions::default()).await?;
        writeln!(out, "{}\tgpconnect-structured\t{}", provider.id, provider.base_url)?;
        for patient in patients {
            writeln!(out, "replay\t{}\t{:?}\t{}", patient.nhs_number, patient.origin, patient.file)?;
        }
        replay = Some(provider);
    }
    let mut suite = None;
    if arguments.suite {
        let port = arguments.suite_port.unwrap_or_default();
        let provider = start_suite_practice(SuiteOptions { port, ..SuiteOptions::default() }).await?;
        for capability in Capability::ALL {
            let (id, root) = (&provider.id, provider.root(*capability));
            writeln!(out, "{id}\tgpconnect-{}\t{SUITE_ASID}\t{root}", capability.code())?;
        }
        suite = Some(provider);
    }
    out.flush()?;
    tokio::signal::ctrl_c().await?;
    drop((running, replay, suite));
    Ok(())
}
