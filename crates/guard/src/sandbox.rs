//! A process that opens no file, port or program beyond those it named when it began.

use std::path::PathBuf;

#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod reach;

/// What a process may still reach once it is shut in. A directory stands for all that is below it, whenever it
/// came there; what does not exist is not reached, even if it is made later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Files and directories that may be read.
    pub read: Vec<PathBuf>,
    /// Directories in which files may be made, written, renamed and removed.
    pub write: Vec<PathBuf>,
    /// TCP ports that may be listened on; 0 stands for any that is free.
    pub bind: Vec<u16>,
    /// TCP ports that may be connected to; `None` for all.
    pub connect: Option<Vec<u16>>,
}

/// One wall of the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wall {
    /// Only the files of the [`Reach`] are opened, and no program is started.
    Files,
    /// Only the TCP ports of the [`Reach`] are listened on and connected to.
    Ports,
    /// No signal reaches a process outside, no abstract socket of one is found.
    Signals,
    /// System calls that a server has no use for, tracing and starting of programs among them, are refused.
    Calls,
}

impl Wall {
    /// Every wall.
    pub const ALL: &[Self] = &[Self::Files, Self::Ports, Self::Signals, Self::Calls];

    /// Its name in logs and metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Ports => "ports",
            Self::Signals => "signals",
            Self::Calls => "system-calls",
        }
    }

    /// Whether there is no sandbox without it. The others came later to the kernel, and narrow what is shut
    /// already.
    pub const fn is_bearing(self) -> bool {
        matches!(self, Self::Files | Self::Calls)
    }
}

/// Why a wall does not stand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotConfined {
    /// Nobody asked for it.
    #[error("was not asked for")]
    NotAsked,
    /// This kernel does not offer it, or it is switched off, or we do not know its kind of processor.
    #[error("is not offered by this system")]
    Unsupported,
    /// The kernel refused.
    #[error("was refused by the system ({0})")]
    Refused(String),
}

/// Which walls stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sandbox {
    missing: Vec<(Wall, NotConfined)>,
}

impl Sandbox {
    /// None at all.
    pub fn none() -> Self {
        Self::without(Wall::ALL.iter().map(|wall| (*wall, NotConfined::NotAsked)))
    }

    /// All but these.
    pub fn without(missing: impl IntoIterator<Item = (Wall, NotConfined)>) -> Self {
        Self { missing: missing.into_iter().collect() }
    }

    /// Whether a wall stands.
    pub fn has(&self, wall: Wall) -> bool {
        self.missing.iter().all(|(other, _)| *other != wall)
    }

    /// What does not stand, and why.
    pub fn missing(&self) -> &[(Wall, NotConfined)] {
        &self.missing
    }

    /// The first wall that no sandbox does without and that does not stand.
    pub fn gap(&self) -> Option<&(Wall, NotConfined)> {
        self.missing.iter().find(|(wall, _)| wall.is_bearing())
    }
}

/// Shuts the calling thread in, with every thread that it starts from now on, for good. So it is called while there
/// is no other. What the system does not offer is left out and told.
#[cfg(target_os = "linux")]
pub fn confine(reach: &Reach) -> Sandbox {
    // Rules about files are made with calls that are refused afterwards.
    let mut missing = reach::enclose(reach);
    missing.extend(calls::refuse().err().map(|why| (Wall::Calls, why)));
    Sandbox::without(missing)
}

/// Nothing can be done here.
#[cfg(not(target_os = "linux"))]
pub fn confine(_reach: &Reach) -> Sandbox {
    Sandbox::without(Wall::ALL.iter().map(|wall| (*wall, NotConfined::Unsupported)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bearing_walls_make_a_gap() {
        let unsupported = |wall| (wall, NotConfined::Unsupported);
        let old_kernel = Sandbox::without([unsupported(Wall::Ports), unsupported(Wall::Signals)]);
        assert_eq!((old_kernel.gap(), old_kernel.has(Wall::Files)), (None, true));
        assert!(!old_kernel.has(Wall::Ports));
        let ancient = Sandbox::without([unsupported(Wall::Ports), unsupported(Wall::Files)]);
        assert_eq!(ancient.gap(), Some(&unsupported(Wall::Files)));
        assert_eq!(Sandbox::none().missing().len(), Wall::ALL.len());
    }
}
