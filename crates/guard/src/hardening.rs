//! A process that leaves no dump, is read by nobody, and is not swapped out.

use std::io;

/// What of the hardening took effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hardening {
    failed: Vec<NotHardened>,
}

impl Hardening {
    /// A hardening of which this did not take effect.
    pub fn of(failed: impl IntoIterator<Item = NotHardened>) -> Self {
        Self { failed: failed.into_iter().collect() }
    }

    /// What did not. Empty when all is well.
    pub fn failed(&self) -> &[NotHardened] {
        &self.failed
    }

    /// The first thing that did not, as an error.
    pub fn whole(&self) -> Result<(), NotHardened> {
        self.failed.first().map_or(Ok(()), |failed| Err(*failed))
    }
}

/// What the system would not do for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotHardened {
    /// A crash could write the memory to a file.
    #[error("core dumps cannot be switched off ({0})")]
    CoreDumps(io::ErrorKind),
    /// Other processes of the same user can read the memory.
    #[error("other processes of this user cannot be kept from reading this one's memory ({0})")]
    Dumpable(io::ErrorKind),
    /// A program started from here could gain rights.
    #[error("the process cannot give up gaining privileges ({0})")]
    NewPrivileges(io::ErrorKind),
    /// This system has no such switches, or we do not know them.
    #[error("this system does not offer to protect the memory of a process")]
    Unsupported,
}

/// Why memory is not locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotLocked {
    /// The limit would end the process later, in the middle of a request.
    #[error(
        "memory may not be locked without limit: give the process CAP_IPC_LOCK or an unlimited RLIMIT_MEMLOCK \
         (LimitMEMLOCK=infinity)"
    )]
    Limited,
    /// The system refused.
    #[error("memory cannot be locked ({0})")]
    Refused(io::ErrorKind),
    /// This system has no such switch, or we do not know it.
    #[error("this system does not offer to lock memory")]
    Unsupported,
}

/// Whether memory can be written to a disk behind our back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// There is none.
    Off,
    /// There is some.
    On,
    /// It cannot be told.
    Unknown,
}

impl Swap {
    /// A word for the log.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
            Self::Unknown => "unknown",
        }
    }

    /// Reads the kernel's table of swap areas: a head, then a line for each.
    fn read(table: &str) -> Self {
        if table.lines().skip(1).any(|line| !line.trim().is_empty()) { Self::On } else { Self::Off }
    }
}

/// Switches off core dumps, reading by others (`ptrace`, `/proc/PID/mem`) and gaining of privileges.
///
/// Everything is tried; what failed is told in the result. The last of the three is inherited by threads and does
/// not reach those that run already, so it is called before any is started.
#[cfg(target_os = "linux")]
pub fn harden() -> Hardening {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let steps = [
        setrlimit(Resource::Core, none)
            .map_err(|error| NotHardened::CoreDumps(io::Error::from(error).kind())),
        set_dumpable_behavior(DumpableBehavior::NotDumpable)
            .map_err(|error| NotHardened::Dumpable(io::Error::from(error).kind())),
        rustix::thread::set_no_new_privs(true)
            .map_err(|error| NotHardened::NewPrivileges(io::Error::from(error).kind())),
    ];
    Hardening { failed: steps.into_iter().filter_map(Result::err).collect() }
}

/// Nothing can be done here.
#[cfg(not(target_os = "linux"))]
pub fn harden() -> Hardening {
    Hardening { failed: vec![NotHardened::Unsupported] }
}

/// Keeps all memory of the process, present and future, out of the swap.
///
/// Refused unless the process may lock without limit: otherwise it would end at the first block beyond.
#[cfg(target_os = "linux")]
pub fn lock_memory() -> Result<(), NotLocked> {
    use rustix::mm::{MlockAllFlags, mlockall};
    use rustix::process::{Resource, getrlimit};
    use rustix::thread::{CapabilitySet, capabilities};

    let has_capability =
        capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK));
    let is_unlimited = getrlimit(Resource::Memlock).current.is_none();
    if !has_capability && !is_unlimited {
        return Err(NotLocked::Limited);
    }
    // On fault: the unused rest of every stack would otherwise be brought in.
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)
        .map_err(|error| NotLocked::Refused(io::Error::from(error).kind()))
}

/// Nothing can be done here.
#[cfg(not(target_os = "linux"))]
pub fn lock_memory() -> Result<(), NotLocked> {
    Err(NotLocked::Unsupported)
}

/// Whom this process acts as: its effective user.
#[cfg(unix)]
pub fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Whether this machine swaps.
pub fn swap() -> Swap {
    std::fs::read_to_string("/proc/swaps").map_or(Swap::Unknown, |table| Swap::read(&table))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_swap_areas_is_read() {
        let head = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        assert_eq!(Swap::read(head), Swap::Off);
        assert_eq!(Swap::read(""), Swap::Off);
        assert_eq!(Swap::read(&format!("{head}/dev/vda2 partition 999 0 -2\n")), Swap::On);
    }

    #[test]
    fn what_failed_is_told_in_words() {
        let hardening = Hardening { failed: vec![NotHardened::CoreDumps(io::ErrorKind::PermissionDenied)] };
        let told = hardening.whole().unwrap_err().to_string();
        assert_eq!(told, "core dumps cannot be switched off (permission denied)");
        assert_eq!(Hardening::default().whole(), Ok(()));
    }
}
