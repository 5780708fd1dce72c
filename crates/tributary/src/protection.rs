//! How the process is protected from being dumped, read and swapped out.

use tributary_guard::{Hardening, NotHardened, NotLocked};

use crate::settings::ProcessSettings;

/// Why a broker does not start for want of protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotProtected {
    /// The process can be dumped or read.
    #[error("the memory of this process would not be protected")]
    Hardening(#[from] NotHardened),
    /// The memory can be swapped out.
    #[error("[process] lock_memory is set")]
    Locking(#[from] NotLocked),
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
}
