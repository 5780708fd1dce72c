//! `[process]`: what the process demands of the system for its memory, and how far it shuts itself in.

use super::reader::Reader;

/// What the process demands of the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessSettings {
    /// Keep all memory out of the swap, or do not start.
    pub lock_memory: bool,
    /// Start even where memory cannot be protected.
    pub accept_unprotected: bool,
    /// How far it must be shut in.
    pub sandbox: SandboxDemand,
}

/// How far the process must be shut in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SandboxDemand {
    /// Files and system calls, or it does not start.
    #[default]
    Required,
    /// As far as the system offers.
    BestEffort,
    /// Not at all: something around it does that.
    Off,
}

fn demand(text: &str) -> Result<SandboxDemand, &'static str> {
    match text {
        "required" => Ok(SandboxDemand::Required),
        "best-effort" => Ok(SandboxDemand::BestEffort),
        "off" => Ok(SandboxDemand::Off),
        _ => Err("is none of \"required\", \"best-effort\" and \"off\""),
    }
}

/// Only a demo, whose patients are invented, may go without protection.
pub(super) fn read(mut table: Reader<'_>, is_demo: bool) -> ProcessSettings {
    let settings = ProcessSettings {
        lock_memory: table.truth("lock_memory").unwrap_or_default(),
        accept_unprotected: table.truth("accept_unprotected").unwrap_or_default(),
        sandbox: table.parsed("sandbox", demand).unwrap_or_default(),
    };
    if settings.accept_unprotected && !is_demo {
        table.wrong("accept_unprotected", "is for a [demo] only: real records are kept in protected memory");
    }
    table.close();
    settings
}
