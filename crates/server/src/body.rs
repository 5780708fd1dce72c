//! The body of every response: whole in memory, handed over piece by piece, and a note of how that ended.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tributary_broker::Delivery;
use tributary_model::Lease;

use crate::admission::Admitted;
use crate::desk::Desk;
use crate::layers::Watch;
use crate::listener::Turn;

/// The connection takes a new piece only when it has room, so that "handed over" stays close to "sent".
const PIECE: usize = 16 << 10;

/// A response body.
#[derive(Default)]
pub(crate) struct ReplyBody {
    rest: Bytes,
    sent: u64,
    receipt: Option<Receipt>,
    turn: Option<Turn>,
    permit: Option<OwnedSemaphorePermit>,
    lease: Option<Lease>,
    admitted: Option<Admitted>,
    watch: Option<Watch>,
}

/// Whom to tell how the delivery ended, and under which audit id.
struct Receipt {
    desk: Arc<dyn Desk>,
    audit: String,
}

impl ReplyBody {
    pub(crate) fn of(bytes: Bytes) -> Self {
        let mut body = Self::default();
        body.rest = bytes;
        body
    }

    /// How many bytes are still to be sent.
    pub(crate) const fn len(&self) -> usize {
        self.rest.len()
    }

    /// What is still to be sent.
    pub(crate) fn bytes(&self) -> Bytes {
        self.rest.clone()
    }

    /// Sends other bytes instead. Only before the first has gone.
    pub(crate) fn replace(&mut self, bytes: Bytes) {
        self.rest = bytes;
    }

    /// Tells the desk how the delivery of this body ended.
    #[must_use]
    pub(crate) fn disclosed(mut self, desk: Arc<dyn Desk>, audit: String) -> Self {
        self.receipt = Some(Receipt { desk, audit });
        self
    }

    /// Holds a place in the in-flight cap until the body is gone.
    #[must_use]
    pub(crate) fn holding(mut self, permit: OwnedSemaphorePermit) -> Self {
        self.permit = Some(permit);
        self
    }

    /// Holds the memory that the body takes until it is gone.
    #[must_use]
    pub(crate) fn leased(mut self, lease: Lease) -> Self {
        self.lease = Some(lease);
        self
    }

    /// Holds its place among the admitted until the body is gone.
    #[must_use]
    pub(crate) fn admitted(mut self, admitted: Admitted) -> Self {
        self.admitted = Some(admitted);
        self
    }

    /// Keeps the request's line in the log open until the body is gone.
    #[must_use]
    pub(crate) fn watched_by(mut self, watch: Watch) -> Self {
        self.watch = Some(watch);
        self
    }

    /// Lets the connection's timers know how the body goes, and when it is gone.
    #[must_use]
    pub(crate) fn on(mut self, turn: Turn) -> Self {
        turn.sending();
        self.turn = Some(turn);
        self
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let size = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(size);
        self.sent += piece.len() as u64;
        if let Some(turn) = &self.turn {
            turn.sent(piece.len());
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

impl Drop for ReplyBody {
    fn drop(&mut self) {
        if let Some(Receipt { desk, audit }) = self.receipt.take() {
            let delivery = if self.rest.is_empty() { Delivery::Whole } else { Delivery::Aborted };
            desk.delivered(&audit, self.sent, delivery);
        }
    }
}
