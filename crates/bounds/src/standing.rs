//! How far a node is on its way out.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// How far a listener is on its way out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    #[default]
    Serving,
    /// It serves, and asks callers to go elsewhere.
    Leaving,
    /// It finishes what it has.
    Draining,
}

/// Whether requests should come here, and whether they may.
#[derive(Debug, Default)]
pub struct Standing {
    phase: watch::Sender<Phase>,
    /// No connection can be accepted: too many files are open.
    is_strained: AtomicBool,
}

impl Standing {
    /// From now on callers are asked to go elsewhere. Whoever comes is still served.
    pub fn leave(&self) {
        self.phase.send_replace(Phase::Leaving);
    }

    /// From now on no connection is taken.
    pub fn drain(&self) {
        self.phase.send_replace(Phase::Draining);
    }

    /// Whether connections can be accepted.
    pub fn strained(&self, is_strained: bool) {
        self.is_strained.store(is_strained, Ordering::Release);
    }

    /// Whether requests should be sent here.
    pub fn is_ready(&self) -> bool {
        !self.is_leaving() && !self.is_strained.load(Ordering::Acquire)
    }

    /// Whether callers are asked to go elsewhere.
    pub fn is_leaving(&self) -> bool {
        *self.phase.borrow() >= Phase::Leaving
    }

    /// Ends when callers are asked to go elsewhere.
    pub async fn left(&self) {
        self.reached(Phase::Leaving).await;
    }

    /// Ends when no connection is taken any more.
    pub async fn drained(&self) {
        self.reached(Phase::Draining).await;
    }

    async fn reached(&self, phase: Phase) {
        let mut phases = self.phase.subscribe();
        // The sender is ours, so the wait cannot be cut short.
        drop(phases.wait_for(|now| *now >= phase).await);
    }
}
