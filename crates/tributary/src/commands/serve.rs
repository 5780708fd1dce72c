//! `tributary serve`: the broker, until it is told to stop.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tributary_guard::Hardening;
use tributary_model::SystemClock;

use super::{BAD_CONFIGURATION, Done, check, say};
use crate::protection::protect;
use crate::running::Running;

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(super) async fn run(arguments: Arguments, hardening: &Hardening) -> Done {
    let Some(settings) = check::load(&arguments.config) else { return Ok(BAD_CONFIGURATION) };
    tributary_telemetry::init_logs(settings.log.format, settings.log.level, Arc::new(SystemClock))?;
    protect(settings.process, hardening)?;
    // Listened for before anything else starts, so that no signal is lost.
    let stopped = stop_signal()?;
    keep_through_hangups()?;
    let audit = settings.audit.dir.clone();
    let running = Running::start(settings).await?;
    say(format_args!("records  http://{}", running.data_addr()));
    say(format_args!("admin    http://{}", running.admin_addr()));
    // It exists by now, so that its plain name can be told.
    say(format_args!("audit    {}", audit.canonicalize().unwrap_or(audit).display()));
    say("callers are not proven: invented patients only");
    stopped.await;
    running.stop().await?;
    Ok(0)
}

/// A hangup asks to read the configuration again. It would end the process if nobody listened.
fn keep_through_hangups() -> io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            tracing::warn!("reading the configuration again is not offered yet; the old one is kept");
        }
    });
    Ok(())
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
