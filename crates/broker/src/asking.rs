//! An ask as a span: part of the trace of the request that it was made for, and the parent of what the source does.

use tokio::time::Instant;
use tributary_model::{Requests, SourceFault, SourceStatus, TraceContext};
use tributary_telemetry::{SourceAsk, Work};

use crate::broker::Room;
use crate::parts::SourcePort;

/// An ask under way. Dropped before it ended, nobody waited for it any longer.
pub(crate) struct Asking<'r> {
    room: &'r Room,
    began: Instant,
    /// Its own span; nothing outside of any trace.
    context: Option<TraceContext>,
    requests: Requests,
    /// What is told of it; nothing where nobody keeps the trace, and once it was told.
    ask: Option<SourceAsk>,
}

/// What an ask came to, for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Brought {
    /// Bytes received, decoded.
    pub(crate) bytes: u64,
    /// The HTTP status.
    pub(crate) http: u16,
}

impl<'r> Asking<'r> {
    /// An ask of this source begins, for the request that the running task works for.
    pub(crate) fn begin(room: &'r Room, port: &SourcePort) -> Self {
        let context = TraceContext::current().map(TraceContext::child);
        let is_wanted = context.is_some_and(|context| room.metrics.spans().are_wanted(context));
        let ask = is_wanted.then(|| SourceAsk {
            source: port.counted_as.clone(),
            status: None,
            fault: None,
            http: None,
            breaker: port.feel_pulse.as_ref().map(|pulse| pulse.now().breaker),
            requests: 0,
            bytes: 0,
        });
        Self { room, began: Instant::now(), context, requests: Requests::default(), ask }
    }

    /// Does the work of it.
    pub(crate) async fn of<F: Future>(&self, work: F) -> F::Output {
        // In a box: what goes round it would hold it once more each, for as long as a source thinks.
        let work = Box::pin(work);
        match self.context {
            Some(context) => self.requests.of(context.within(work)).await,
            None => work.await,
        }
    }

    /// It is over.
    pub(crate) fn ended(mut self, outcome: Result<Brought, SourceFault>) {
        let Some(ask) = self.ask.take() else { return };
        self.tell(match outcome {
            Ok(Brought { bytes, http }) => {
                SourceAsk { status: Some(SourceStatus::Ok), http: Some(http), bytes, ..ask }
            }
            Err(fault) => {
                SourceAsk { status: Some(fault.status()), fault: Some(fault.class), http: fault.http, ..ask }
            }
        });
    }

    fn tell(&self, ask: SourceAsk) {
        let Some(context) = self.context else { return };
        let ask = SourceAsk { requests: self.requests.count(), ..ask };
        self.room.metrics.spans().note_as(context, self.began.elapsed(), || Work::Ask(ask));
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if let Some(ask) = self.ask.take() {
            self.tell(ask);
        }
    }
}
