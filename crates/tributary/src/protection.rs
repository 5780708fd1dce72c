//! How the process is protected from being dumped, read and swapped out.

use std::path::Path;

use tributary_guard::{Hardening, NotConfined, NotHardened, NotLocked, Reach, Sandbox, Wall};

use tributary_settings::{ProcessSettings, SandboxDemand};

use crate::checked::Reading;

/// Why a broker does not start for want of protection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotProtected {
    /// The process can be dumped or read.
    #[error("the memory of this process would not be protected")]
    Hardening(#[from] NotHardened),
    /// The memory can be swapped out.
    #[error("[process] lock_memory is set")]
    Locking(#[from] NotLocked),
    /// The process could reach more than it needs.
    #[error("[process] sandbox is required, and its wall around {} is missing", .0.code())]
    Sandbox(Wall, #[source] NotConfined),
}

/// How far the process is shut in, and what it may reach then.
#[derive(Clone, Debug)]
pub(crate) struct Shelter {
    pub(crate) sandbox: Sandbox,
    /// Nothing where it is not shut in.
    pub(crate) reach: Option<Reach>,
}

impl Shelter {
    /// Not shut in.
    pub(crate) fn none() -> Self {
        Self { sandbox: Sandbox::none(), reach: None }
    }

    /// Shuts the process in, as its configuration says. Called while there is one thread; one that could not be read
    /// is told later, and nothing is served with it.
    pub(crate) fn enter(config: &Path, reading: &Reading) -> Self {
        let Some(settings) = reading.settings() else { return Self::none() };
        if settings.process.sandbox == SandboxDemand::Off {
            return Self::none();
        }
        // Above it nothing can be made any more. Why it cannot be made is told when the log is opened.
        let _told_later = tributary_audit::make_dir(&settings.audit.dir);
        let reach = settings.reach(config);
        for dir in &reach.write {
            let _told_later = std::fs::create_dir_all(dir);
        }
        Self { sandbox: tributary_guard::confine(&reach), reach: Some(reach) }
    }

    /// Tells how far. Fails where the settings demand more.
    pub(crate) fn suffices(&self, demand: SandboxDemand) -> Result<(), NotProtected> {
        let standing: Vec<_> = self.standing().collect();
        if let (SandboxDemand::Required, Some((wall, why))) = (demand, self.sandbox.gap()) {
            return Err(NotProtected::Sandbox(*wall, why.clone()));
        }
        if standing.is_empty() {
            tracing::warn!("the process is not shut in");
            return Ok(());
        }
        for (wall, why) in self.sandbox.missing() {
            tracing::warn!({ process.missing = wall.code(), error.kind = %why }, "a wall of the sandbox is missing");
        }
        tracing::info!({ process.sandbox = standing.join(" ") }, "the process is shut in");
        Ok(())
    }

    /// The walls that stand.
    pub(crate) fn standing(&self) -> impl Iterator<Item = &'static str> {
        Wall::ALL.iter().filter(|wall| self.sandbox.has(**wall)).map(|wall| wall.code())
    }

    /// Every wall with whether it stands.
    pub(crate) fn walls(&self) -> Vec<(&'static str, bool)> {
        Wall::ALL.iter().map(|wall| (wall.code(), self.sandbox.has(*wall))).collect()
    }
}

/// Locks memory where that is wished, and tells how things stand. Fails where something could not be done that
/// the settings do not accept.
pub(crate) fn protect(settings: ProcessSettings, hardening: &Hardening) -> Result<(), NotProtected> {
    let locked = if settings.lock_memory { tributary_guard::lock_memory() } else { Ok(()) };
    let unlocked = locked.err().map(NotProtected::from);
    let missing = hardening.whole().err().map(NotProtected::from).or(unlocked);
    if let Some(missing) = missing {
        if !settings.accept_unprotected {
            return Err(missing);
        }
        for failed in hardening.failed() {
            tracing::warn!({ process.missing = %failed }, "memory is not protected, as the configuration accepts");
        }
        if let Err(failed) = locked {
            tracing::warn!({ process.missing = %failed }, "memory is not locked, as the configuration accepts");
        }
    }
    let swap = tributary_guard::swap();
    if settings.lock_memory && locked.is_ok() {
        tracing::info!({ process.swap = swap.word() }, "memory is locked");
    } else if swap == tributary_guard::Swap::Off {
        tracing::info!(
            { process.swap = swap.word() },
            "memory is not locked, and this machine does not swap"
        );
    } else {
        tracing::warn!(
            { process.swap = swap.word() },
            "memory is not locked and may be swapped out: set [process] lock_memory, or encrypt the swap"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protection_as_it_should_be_is_accepted() {
        assert_eq!(protect(ProcessSettings::default(), &Hardening::default()), Ok(()));
    }

    #[test]
    fn what_is_missing_is_refused_unless_it_is_accepted() {
        let hardening = Hardening::of([NotHardened::Unsupported]);
        let refused = protect(ProcessSettings::default(), &hardening).unwrap_err();
        assert_eq!(refused, NotProtected::Hardening(NotHardened::Unsupported));
        let accepting = ProcessSettings { accept_unprotected: true, ..ProcessSettings::default() };
        assert_eq!(protect(accepting, &hardening), Ok(()));
    }

    #[test]
    fn a_sandbox_that_is_required_is_whole_or_nothing_starts() {
        let without = |wall| Shelter {
            sandbox: Sandbox::without([(wall, NotConfined::Unsupported)]),
            reach: Some(Reach::default()),
        };
        let (required, lenient) = (SandboxDemand::Required, SandboxDemand::BestEffort);
        for (shelter, demand, is_enough) in [
            (without(Wall::Files), required, false),
            (without(Wall::Calls), required, false),
            (without(Wall::Ports), required, true),
            (without(Wall::Calls), lenient, true),
            (Shelter::none(), required, false),
            (Shelter::none(), SandboxDemand::Off, true),
        ] {
            assert_eq!(shelter.suffices(demand).is_ok(), is_enough, "{shelter:?} {demand:?}");
        }
        let standing: Vec<_> = without(Wall::Ports).standing().collect();
        assert_eq!(standing, ["files", "signals", "system-calls"]);
    }
}
