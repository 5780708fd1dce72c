//! The commands, their arguments and their exit codes.

pub mod audit;
pub mod check;
#[cfg(feature = "demo")]
pub mod demo;
pub mod doctor;
pub mod policy;
pub mod query;
pub mod replay;
pub mod serve;
pub mod witness;

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tributary_guard::Hardening;

use serve::Sheltered;

/// Exit codes that mean the same in every command.
pub(crate) const FAILED: u8 = 1;
/// A configuration with mistakes.
pub(crate) const BAD_CONFIGURATION: u8 = 2;

/// One question, every system that holds part of a patient's record, one answer that says what is missing.
#[derive(Debug, Parser)]
#[command(name = "tributary", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts mock sources and a broker on loopback, and prints one invented patient's merged record.
    #[cfg(feature = "demo")]
    Demo(demo::Arguments),
    /// Runs the broker.
    Serve(serve::Arguments),
    /// Reads a configuration and tells every mistake; contacts nobody.
    Check(check::Arguments),
    /// Contacts every source and national service without a patient; names what is missing, and whose it is.
    Doctor(doctor::Arguments),
    /// Asks a running broker for a record.
    Query(query::Arguments),
    /// Tells who may see what, and why.
    #[command(subcommand)]
    Policy(policy::Action),
    /// Looks after audit logs.
    #[command(subcommand)]
    Audit(audit::Action),
    /// Cosigns the checkpoints of audit logs, other people's as a rule.
    Witness(witness::Arguments),
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    tributary_telemetry::quiet_panics();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no failures; clap knows. If nobody reads them, nobody misses them.
            drop(error.print());
            return ExitCode::from(usage_code(&error));
        }
    };
    // Before there is any thread, and before anything is read that nobody else may read.
    let hardening = tributary_guard::harden();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if std::env::var_os("TOKIO_WORKER_THREADS").is_none() {
        // Read from files that are out of reach afterwards.
        builder.worker_threads(std::thread::available_parallelism().map_or(1, usize::from));
    }
    let sheltered = cli.command.shelter();
    let runtime = match builder.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let done = runtime.block_on(cli.command.run(&hardening, sheltered));
    done.map_or_else(|error| failed(error.as_ref()), ExitCode::from)
}

/// The code for what was no command. Clap's own would be 2, which says "tampered" or "bad configuration" here.
fn usage_code(error: &clap::Error) -> u8 {
    if error.use_stderr() { FAILED } else { 0 }
}

/// What a command comes to: its exit code, or why it could not be done.
pub(crate) type Done = Result<u8, Box<dyn Error + Send + Sync>>;

impl Command {
    /// Shuts the process in, where that can be: only who serves knows beforehand what it will need.
    fn shelter(&self) -> Option<Sheltered> {
        match self {
            Self::Serve(arguments) => Some(serve::shelter(arguments)),
            #[cfg(feature = "demo")]
            Self::Demo(_) => None,
            Self::Check(_)
            | Self::Doctor(_)
            | Self::Query(_)
            | Self::Policy(_)
            | Self::Witness(_)
            | Self::Audit(_) => None,
        }
    }

    async fn run(self, hardening: &Hardening, sheltered: Option<Sheltered>) -> Done {
        match self {
            #[cfg(feature = "demo")]
            Self::Demo(arguments) => Box::pin(demo::run(arguments)).await,
            Self::Serve(arguments) => {
                let sheltered = sheltered.unwrap_or_else(|| serve::unsheltered(&arguments));
                Box::pin(serve::run(arguments, hardening, sheltered)).await
            }
            Self::Check(arguments) => check::run(&arguments),
            Self::Doctor(arguments) => doctor::run(&arguments).await,
            Self::Query(arguments) => query::run(arguments).await,
            Self::Policy(action) => policy::run(&action, &mut io::stdout().lock()),
            Self::Witness(arguments) => witness::run(arguments).await,
            Self::Audit(action) => audit::run(action, hardening, &mut io::stdout()).await,
        }
    }
}

fn failed(error: &(dyn Error + 'static)) -> ExitCode {
    // Whoever closed the pipe has read enough, and needs no words.
    let is_pipe =
        error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
    if is_pipe {
        return ExitCode::from(FAILED);
    }
    say(format_args!("tributary: {}", chain(error)));
    ExitCode::from(FAILED)
}

/// An error and what caused it, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a String cannot fail.
        let _infallible = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

/// Talk goes to standard error. Where nobody listens, it is lost, and that is no failure.
pub(crate) fn say(words: impl std::fmt::Display) {
    drop(writeln!(io::stderr().lock(), "{words}"));
}

#[cfg(test)]
mod tests;
