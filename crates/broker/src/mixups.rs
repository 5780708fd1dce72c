//! The identity switch: a source that mixes up patients is not asked again until somebody has looked.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tributary_model::{SourceId, TraceId};

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
    recent: Vec<(Instant, Option<TraceId>)>,
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
    /// Counts a proven mix-up, once for each fetch: everybody who shared it proves it again.
    pub(crate) fn count(&self, source: &SourceId, fetch: Option<TraceId>) -> Consequence {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = all.entry(source.clone()).or_default();
        let now = Instant::now();
        seen.recent.retain(|(at, _)| now.duration_since(*at) < WINDOW);
        if fetch.is_some() && seen.recent.iter().any(|(_, known)| *known == fetch) {
            return Consequence::Counted;
        }
        seen.recent.push((now, fetch));
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
        assert_eq!(mixups.count(&gp, None), Consequence::Counted);
        tokio::time::advance(WINDOW).await;
        assert_eq!(mixups.count(&gp, None), Consequence::Counted);
        assert_eq!(mixups.count(&gp, None), Consequence::Counted);
        assert!(!mixups.is_off(&gp));
        assert_eq!(mixups.count(&gp, None), Consequence::SwitchedOff);
        assert!(mixups.is_off(&gp));
        tokio::time::advance(WINDOW * 2).await;
        assert!(mixups.is_off(&gp) && !mixups.is_off(&other));
    }

    #[tokio::test(start_paused = true)]
    async fn one_answer_to_many_is_one_mixup() {
        let (mixups, gp) = (MixUps::default(), SourceId::parse("gp").unwrap());
        let fetch = Some(TraceId::random());
        for _ in 0..5 {
            assert_eq!(mixups.count(&gp, fetch), Consequence::Counted);
        }
        assert!(!mixups.is_off(&gp));
        assert_eq!(mixups.count(&gp, Some(TraceId::random())), Consequence::Counted);
        assert_eq!(mixups.count(&gp, Some(TraceId::random())), Consequence::SwitchedOff);
    }
}
