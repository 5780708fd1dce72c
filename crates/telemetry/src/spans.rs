//! Spans: what a request did and how long each part took, for whoever keeps traces.
//!
//! A span is made of what stands in [`Work`] and of nothing else, so nothing of a patient can be in one. Nobody waits
//! for it: where there is no room it is dropped, and counted.

mod feed;
mod otlp;

use std::sync::OnceLock;
use std::time::Duration;

use jiff::Timestamp;
use prometheus::IntCounterVec;
use tokio::sync::mpsc;
use tributary_model::{Clock as _, FaultClass, SourceId, SourceStatus, SystemClock, TraceContext};

use crate::labels::{BreakerState, SpanOutcome};

pub use feed::{Handed, Pace, SpanFeed, SpanReceiver};
pub use otlp::ATTRIBUTES;

/// What a span tells of. Every text is of a closed set or from the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// A request, from its head to the last byte of its answer.
    Request {
        /// The route's template, never a path.
        route: &'static str,
        /// One of the methods that are served.
        method: &'static str,
        /// The HTTP status; nothing if the caller left before.
        code: Option<u16>,
    },
    /// A source that was asked.
    Ask(SourceAsk),
    /// Grouping what the sources said.
    Merge {
        /// How many sources were expected.
        sources: usize,
        /// Bytes of what they sent.
        bytes: u64,
    },
    /// A record of the audit log, until it was durable or could not be made so.
    Audit {
        /// The kind of the record.
        kind: &'static str,
        /// Whether it is durable.
        is_durable: bool,
    },
}

/// What became of a source that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceAsk {
    /// As it is counted: its id, or the one that all practices in no registry share.
    pub source: SourceId,
    /// What it came to; nothing if nobody waited any longer.
    pub status: Option<SourceStatus>,
    /// What went wrong.
    pub fault: Option<FaultClass>,
    /// The HTTP status, where one was read.
    pub http: Option<u16>,
    /// What the breaker did with asks when this one began.
    pub breaker: Option<BreakerState>,
    /// HTTP requests that left for it, second attempts and further pages included.
    pub requests: u32,
    /// Bytes received, decoded.
    pub bytes: u64,
}

/// A span that is over.
#[derive(Clone, Debug)]
struct Span {
    context: TraceContext,
    work: Work,
    ended: Timestamp,
    elapsed: Duration,
}

/// Takes spans, from the moment that somebody wants them.
#[derive(Debug)]
pub struct Spans {
    wanted: OnceLock<Wanted>,
    counts: IntCounterVec,
}

#[derive(Debug)]
struct Wanted {
    queue: mpsc::Sender<Span>,
    /// Of [`LOTS`], so many are kept.
    kept_lots: u64,
}

/// How many values the lot of a trace can have.
const LOTS: u64 = 1 << 56;

impl Spans {
    pub(crate) fn new(counts: IntCounterVec) -> Self {
        for value in SpanOutcome::ALL {
            drop(counts.with_label_values(&[value.code()]));
        }
        Self { wanted: OnceLock::new(), counts }
    }

    /// From now on spans are wanted: of `sample_percent` of the traces that begin here, and of those that a caller
    /// keeps. At most `queue_spans` wait. Nothing if they were wanted already.
    pub fn begin(&self, sample_percent: u8, queue_spans: usize) -> Option<SpanFeed> {
        let (queue, waiting) = mpsc::channel(queue_spans.max(1));
        let kept_lots =
            LOTS / 100 * u64::from(sample_percent.min(100)) + u64::from(sample_percent >= 100) * LOTS;
        self.wanted.set(Wanted { queue, kept_lots }).ok()?;
        Some(SpanFeed::new(waiting, self.counts.clone()))
    }

    /// Whether a trace that begins here is kept. Where nobody wants spans that is left to those whom we ask.
    #[must_use]
    pub fn drawn(&self, begun: TraceContext) -> TraceContext {
        self.wanted.get().map_or(begun, |wanted| begun.kept(begun.lot() < wanted.kept_lots))
    }

    /// Whether spans of this trace are wanted.
    pub fn are_wanted(&self, context: TraceContext) -> bool {
        context.is_sampled() && self.wanted.get().is_some()
    }

    /// A part of what the running task does has taken so long until now.
    pub fn note(&self, elapsed: Duration, work: impl FnOnce() -> Work) {
        if let Some(context) = TraceContext::current().filter(|context| self.are_wanted(*context)) {
            self.note_as(context.child(), elapsed, work);
        }
    }

    /// This span has taken so long until now.
    pub fn note_as(&self, context: TraceContext, elapsed: Duration, work: impl FnOnce() -> Work) {
        let Some(wanted) = self.wanted.get().filter(|_| context.is_sampled()) else { return };
        // Traces tell the true time, whatever clock dates the rules.
        let span = Span { context, work: work(), ended: SystemClock.now(), elapsed };
        if wanted.queue.try_send(span).is_err() {
            self.counts.with_label_values(&[SpanOutcome::Dropped.code()]).inc();
        }
    }
}

#[cfg(test)]
mod tests;
