//! `tributary serve`: the broker, until it is told to stop.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tributary_guard::Hardening;
use tributary_model::SystemClock;

use super::{BAD_CONFIGURATION, Done, check, say};
use crate::checked::{Asked, Checked, Reading};
use crate::protection::{Shelter, protect};
use crate::running::Running;

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Believe every caller, as [demo] insecure = true does: on loopback only, for invented patients.
    #[arg(long)]
    insecure_demo: bool,
}

/// A process that is shut in as far as its configuration says, and that configuration.
#[derive(Debug)]
pub(super) struct Sheltered {
    shelter: Shelter,
    reading: Reading,
}

/// Reads the configuration, and shuts the process in.
pub(super) fn shelter(arguments: &Arguments) -> Sheltered {
    let reading = Reading::of(&arguments.config);
    Sheltered { shelter: Shelter::enter(&arguments.config, &reading), reading }
}

/// Reads the configuration in a process that shares its memory with others, such as tests.
pub(super) fn unsheltered(arguments: &Arguments) -> Sheltered {
    Sheltered { shelter: Shelter::none(), reading: Reading::of(&arguments.config) }
}

pub(super) async fn run(arguments: Arguments, hardening: &Hardening, sheltered: Sheltered) -> Done {
    let asked = if arguments.insecure_demo { Asked::InsecureDemo } else { Asked::AsConfigured };
    let Sheltered { shelter, reading } = sheltered;
    let Some(Checked { settings, rules }) = check::sound(&arguments.config, reading, asked) else {
        return Ok(BAD_CONFIGURATION);
    };
    tributary_telemetry::init_logs(settings.log.format, settings.log.level, Arc::new(SystemClock))?;
    protect(settings.process, hardening)?;
    shelter.suffices(settings.process.sandbox)?;
    // Listened for before anything else starts, so that no signal is lost.
    let stopped = stop_signal()?;
    let mut hangup = signal(SignalKind::hangup())?;
    let audit = settings.audit.clone();
    let scheme = settings.server.scheme();
    let is_demo = settings.demo.is_some();
    let mut running = Running::start_by(settings, rules).await?;
    running.is_sheltered(shelter);
    say(format_args!("records  {scheme}://{}", running.data_addr()));
    say(format_args!("admin    http://{}", running.admin_addr()));
    if let Some(address) = running.gpconnect_addr() {
        say(format_args!("gpconnect https://{address}"));
    }
    if let Some(address) = running.launch_addr() {
        say(format_args!("launch   https://{address}"));
    }
    say(format_args!("audit    {}", audit.place()));
    if is_demo {
        say("callers are not proven: invented patients only");
    }
    reload_until(stopped, &mut running, &mut hangup, &arguments.config).await;
    running.stop().await?;
    Ok(0)
}

/// A hangup asks to read the configuration again, one after the other: one that comes while it is being read asks
/// once more, so the last file is the one in force. To stop comes before all that.
async fn reload_until(
    stopped: impl Future<Output = ()>,
    running: &mut Running,
    hangup: &mut Signal,
    config: &Path,
) {
    let reloads = async {
        while hangup.recv().await.is_some() {
            // What became of it is in the log and counted.
            let _told = running.reload(config).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        () = stopped => {}
        () = reloads => {}
    }
}

/// Ends with the first interrupt or request to terminate.
pub(super) fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
