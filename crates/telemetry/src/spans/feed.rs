//! Spans on their way to whoever keeps them: in batches, and never in anybody's way.

use std::fmt;
use std::time::Duration;

use prometheus::IntCounterVec;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

use super::Span;
use super::otlp::Resource;
use crate::labels::SpanOutcome;

/// First pause before a batch is sent again; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause, also of those that the receiver asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Tries of one batch, in about a minute; after that it is too old to hold up the next.
const MOST_TRIES: u32 = 6;

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handed {
    /// It was taken, with this answer, which may say that some of it was not.
    Taken(Vec<u8>),
    /// It would not be taken however often it was sent.
    Refused,
    /// Nobody was there, or they are busy, perhaps for so long.
    Away(Option<Duration>),
}

/// Who keeps traces.
pub trait SpanReceiver: Send {
    /// Hands over a body of OTLP over HTTP, in JSON.
    fn post(&mut self, body: Vec<u8>) -> impl Future<Output = Handed> + Send;
}

/// How spans are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Most spans of a batch.
    pub batch_spans: usize,
    /// How long a batch waits for more.
    pub linger: Duration,
}

/// The spans that wait to be sent.
pub struct SpanFeed {
    waiting: mpsc::Receiver<Span>,
    counts: IntCounterVec,
    resource: Resource,
    is_away: bool,
}

impl fmt::Debug for SpanFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpanFeed").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}

impl SpanFeed {
    pub(super) fn new(waiting: mpsc::Receiver<Span>, counts: IntCounterVec) -> Self {
        Self { waiting, counts, resource: Resource::of_this_process(), is_away: false }
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.waiting.len()
    }

    /// Sends batches until `ended`; then what waits, each batch once. To be run outside of any trace.
    pub async fn run<R: SpanReceiver>(
        mut self,
        pace: Pace,
        ended: impl Future<Output = ()>,
        mut receiver: R,
    ) {
        let mut batch = Vec::with_capacity(pace.batch_spans);
        {
            let mut ended = std::pin::pin!(ended);
            loop {
                tokio::select! {
                    biased;
                    () = &mut ended => break,
                    () = self.collect(&mut batch, pace) => {}
                }
                if batch.is_empty() {
                    // Whoever made spans is gone.
                    break;
                }
                let delivered = self.deliver(&batch, &mut receiver);
                tokio::select! {
                    biased;
                    // What was on its way is sent again: rather twice than not at all, since a span has a name.
                    () = &mut ended => break,
                    () = delivered => batch.clear(),
                }
            }
        }
        self.waiting.close();
        self.flush(batch, pace, &mut receiver).await;
    }

    /// Waits for a span, and a while for more. What has come stays in `batch`, whatever becomes of the waiting.
    async fn collect(&mut self, batch: &mut Vec<Span>, pace: Pace) {
        if batch.is_empty() {
            self.waiting.recv_many(batch, pace.batch_spans).await;
        }
        let until = Instant::now() + pace.linger;
        while batch.len() < pace.batch_spans {
            let room = pace.batch_spans - batch.len();
            match timeout_at(until, self.waiting.recv_many(batch, room)).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => break,
            }
        }
    }

    async fn flush<R: SpanReceiver>(mut self, first: Vec<Span>, pace: Pace, receiver: &mut R) {
        let mut batch = first;
        loop {
            let room = pace.batch_spans.saturating_sub(batch.len());
            if room > 0 {
                self.waiting.recv_many(&mut batch, room).await;
            }
            if batch.is_empty() {
                return;
            }
            let handed = receiver.post(self.resource.body(&batch)).await;
            self.tally(&batch, &handed);
            batch.clear();
        }
    }

    /// Sends a batch, again if that may help.
    async fn deliver<R: SpanReceiver>(&mut self, batch: &[Span], receiver: &mut R) {
        let mut pause = FIRST_PAUSE;
        for tries in 1..=MOST_TRIES {
            // Written anew each time: while it waits it is held once.
            let handed = receiver.post(self.resource.body(batch)).await;
            self.tell(&handed);
            let Handed::Away(wanted) = handed else {
                self.tally(batch, &handed);
                return;
            };
            if tries == MOST_TRIES {
                self.tally(batch, &handed);
            } else {
                sleep(wanted.unwrap_or(pause).clamp(pause, LONGEST_PAUSE)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    fn tally(&self, batch: &[Span], handed: &Handed) {
        let all = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let add = |outcome: SpanOutcome, spans| {
            self.counts.with_label_values(&[outcome.code()]).inc_by(spans);
        };
        match handed {
            Handed::Taken(answer) => {
                let refused = rejected(answer).min(all);
                add(SpanOutcome::Refused, refused);
                add(SpanOutcome::Exported, all - refused);
            }
            Handed::Refused => add(SpanOutcome::Refused, all),
            Handed::Away(_) => add(SpanOutcome::Unsent, all),
        }
    }

    /// Says once that nobody is there, and once that somebody is again.
    fn tell(&mut self, handed: &Handed) {
        match handed {
            Handed::Taken(_) if self.is_away => tracing::info!("spans are taken again"),
            Handed::Taken(_) => {}
            Handed::Refused => tracing::warn!("the receiver of spans refuses them"),
            Handed::Away(_) if self.is_away => {}
            Handed::Away(_) => tracing::warn!("the receiver of spans does not take them"),
        }
        self.is_away = matches!(handed, Handed::Away(_));
    }
}

/// How many spans an answer says were not taken: `partialSuccess.rejectedSpans`.
fn rejected(answer: &[u8]) -> u64 {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let rejected = answer.get("partialSuccess").and_then(|partial| partial.get("rejectedSpans"));
    // A whole number of 64 bits is a text, and some write it as a number.
    rejected.and_then(|spans| spans.as_u64().or_else(|| spans.as_str()?.parse().ok())).unwrap_or_default()
}
