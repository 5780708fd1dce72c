//! System calls of another process that fail as they are told to.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A tracer that is attached. It lets go when dropped.
#[derive(Debug)]
pub struct Strace(Child);

impl Strace {
    /// Attaches to a process and all its threads; `None` where that cannot be done. `arguments` say what to trace
    /// and what to inject.
    pub fn attach(pid: u32, arguments: &[&str]) -> Option<Self> {
        let child = Command::new("strace")
            .args(["-f", "-qq", "-o", "/dev/null", "-p", &pid.to_string()])
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let mut tracer = Self(child.ok()?);
        let began = Instant::now();
        while !is_traced(pid) {
            let ended = tracer.0.try_wait().ok()?.is_some();
            if ended || began.elapsed() > Duration::from_secs(10) {
                return None;
            }
            std::thread::yield_now();
        }
        Some(tracer)
    }
}

/// Whether every thread has a tracer.
fn is_traced(pid: u32) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let mut statuses = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok());
    statuses.all(|status| status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0")))
}

impl Drop for Strace {
    fn drop(&mut self) {
        // Asked to end, it lets every thread go on first.
        let asked = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status();
        drop(asked.and_then(|_| self.0.wait()));
    }
}
