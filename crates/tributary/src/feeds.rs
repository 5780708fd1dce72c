//! What is handed on while a broker runs: the audit log and traces. Neither gates anything.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::error::StartError;
use crate::wire::{Ground, TraceFeed, hand_on};
use tributary_settings::Settings;

/// How long the end waits for what was just written to be handed on; the rest follows after the next start.
const LAST_EXPORT: Duration = Duration::from_secs(2);

/// What follows a broker for as long as it runs.
pub(crate) struct Feeds {
    /// Follow the audit log.
    audit: Vec<JoinHandle<()>>,
    /// Tells whoever keeps traces, if anybody does.
    traces: Option<TraceFeed>,
}

impl Feeds {
    /// Starts those that the settings name. `address` is where callers reach the broker.
    pub(crate) fn begin(settings: &Settings, ground: &Ground, address: &str) -> Result<Self, StartError> {
        let traces = TraceFeed::begin(settings, &ground.metrics)?;
        let audit = hand_on(settings, &ground.trail, &ground.metrics, address)?;
        Ok(Self { audit, traces })
    }

    /// Ends them. The audit log is closed by now, so each of its feeds ends when it has handed on what is in it;
    /// whoever is away does not hold us.
    pub(crate) async fn end(self) {
        let end = Instant::now() + LAST_EXPORT;
        for mut feed in self.audit {
            if timeout_at(end, &mut feed).await.is_err() {
                feed.abort();
            }
        }
        // Last, since what was just done is told as well.
        if let Some(traces) = self.traces {
            traces.end().await;
        }
    }
}
