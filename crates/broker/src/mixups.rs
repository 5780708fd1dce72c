//! The identity switch: a source that mixes up patients is not asked again until somebody has looked.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tributary_model::SourceId;

/// Proven mix-ups inside the window that switch a source off.
const LIMIT: usize = 3;
/// The window.
const WINDOW: Duration = Duration::from_mins(10);

/// Proven mix-ups by source. Only a restart clears a switched-off source; a new configuration
/// does not.
#[derive(Debug, Default)]
pub(crate) struct MixUps {
    seen: Mutex<BTreeMap<SourceId, Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    recent: Vec<Instant>,
    is_off: bool,
}

/// What a further mix-up led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// It was counted.
    Counted,
    /// The source is switched off from now on.
    SwitchedOff,
}

impl MixUps {
    /// Counts a proven mix-up.
    pub(crate) fn count(&self, source: &SourceId) -> Consequence {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = all.entry(source.clone()).or_default();
        let now = Instant::now();
        seen.recent.retain(|at| now.duration_since(*at) < WINDOW);
        seen.recent.push(now);
        let switches = !seen.is_off && seen.recent.len() >= LIMIT;
        seen.is_off |= switches;
        if switches { Consequence::SwitchedOff } else { Consequence::Counted }
    }

    /// Whether a source is switched off.
    pub(crate) fn is_off(&self, source: &SourceId) -> bool {
        let all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(source).is_some_and(|seen| seen.is_off)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn three_in_ten_minutes_switch_a_source_off() {
        let mixups = MixUps::default();
        let [gp, other] = ["gp", "acute"].map(|id| SourceId::parse(id).unwrap());
        assert_eq!(mixups.count(&gp), Consequence::Counted);
        tokio::time::advance(WINDOW).await;
        assert_eq!(mixups.count(&gp), Consequence::Counted);
        assert_eq!(mixups.count(&gp), Consequence::Counted);
        assert!(!mixups.is_off(&gp));
        assert_eq!(mixups.count(&gp), Consequence::SwitchedOff);
        assert!(mixups.is_off(&gp));
        tokio::time::advance(WINDOW * 2).await;
        assert!(mixups.is_off(&gp) && !mixups.is_off(&other));
    }
}
