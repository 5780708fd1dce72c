//! One core for the server under measurement, another for everything else.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Where processes run.
#[derive(Debug)]
pub(crate) struct Cores {
    /// The core of the server under measurement, and that of generator and sources; `None`: wherever there is room.
    pinned: Option<(usize, usize)>,
}

impl Cores {
    /// Puts this process, which must not have started any thread yet, on the last core it may use.
    pub(crate) fn take() -> Self {
        let allowed = allowed();
        let pair = allowed.first().copied().zip(allowed.last().copied());
        let pinned = pair.filter(|(first, last)| first != last && pin_this(*last));
        Self { pinned }
    }

    /// In words.
    pub(crate) fn told(&self) -> String {
        match self.pinned {
            Some((server, rest)) => {
                format!("servers on core {server}, generator and sources on core {rest}")
            }
            None => "NOT PINNED (one core only, or no `taskset`): the figures say little".to_owned(),
        }
    }

    /// A command that runs on the server's core. The process keeps the command's id.
    pub(crate) fn server(&self, program: &Path) -> Command {
        let Some((core, _)) = self.pinned else { return Command::new(program) };
        let mut command = Command::new("taskset");
        command.arg("-c").arg(core.to_string()).arg(program);
        command
    }
}

fn pin_this(core: usize) -> bool {
    let mut command = Command::new("taskset");
    command.args(["-c", "-p", &core.to_string(), &std::process::id().to_string()]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// The cores that this process may use, as the kernel lists them: `0-3,8`.
fn allowed() -> Vec<usize> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let listed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?)
    };
    listed.trim().split(',').filter_map(range).flatten().collect()
}
