//! The body of every response: handed over piece by piece, whole in memory or as it grows, and a note of how that
//! ended.

use std::convert::Infallible;
use std::io::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream::{BoxStream, StreamExt as _};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tributary_bounds::{Admitted, Turn};
use tributary_broker::Delivery;
use tributary_model::Lease;

use crate::desk::Desk;
use crate::layers::Watch;

/// The connection takes a new piece only when it has room, so that "handed over" stays close to "sent".
const PIECE: usize = 16 << 10;

/// Part of a body that grows.
pub(crate) struct Grown {
    /// What is sent.
    pub(crate) bytes: Bytes,
    /// Sequence id of the disclosure that it is.
    pub(crate) audit: Option<String>,
    /// The memory that it takes until it is gone.
    pub(crate) lease: Lease,
}

impl Grown {
    /// A part that discloses nothing.
    pub(crate) fn idle(bytes: &'static [u8]) -> Self {
        Self { bytes: Bytes::from_static(bytes), audit: None, lease: Lease::default() }
    }
}

/// A response body.
#[derive(Default)]
pub(crate) struct ReplyBody {
    rest: Bytes,
    growth: Option<Growth>,
    sent: u64,
    receipt: Option<Receipt>,
    turn: Option<Turn>,
    permit: Option<OwnedSemaphorePermit>,
    lease: Option<Lease>,
    admitted: Option<Admitted>,
    watch: Option<Watch>,
}

/// Where the rest of a body comes from.
struct Growth {
    parts: BoxStream<'static, Grown>,
    desk: Arc<dyn Desk>,
    /// Not packed yet.
    plain: Bytes,
    packer: Option<GzEncoder<Vec<u8>>>,
    has_ended: bool,
}

impl Growth {
    /// Packs the next piece of what there is to pack. What a part has come to can be read when all of it is packed.
    fn pack(&mut self) -> Bytes {
        let size = self.plain.len().min(PIECE);
        let piece = self.plain.split_to(size);
        let Some(packer) = &mut self.packer else { return piece };
        // Writing to memory cannot fail.
        let _infallible = packer.write_all(&piece);
        if self.plain.is_empty() {
            let _infallible = packer.flush();
        }
        Bytes::from(std::mem::take(packer.get_mut()))
    }

    /// The end of what is packed.
    fn end(&mut self) -> Bytes {
        let packed = self.packer.take().and_then(|packer| packer.finish().ok());
        packed.map(Bytes::from).unwrap_or_default()
    }
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

    /// A body that is sent part by part, as each is there; `desk` is told how the delivery of each disclosure ended.
    pub(crate) fn growing(desk: Arc<dyn Desk>, parts: BoxStream<'static, Grown>) -> Self {
        let growth = Growth { parts, desk, plain: Bytes::new(), packer: None, has_ended: false };
        let mut body = Self::default();
        body.growth = Some(growth);
        body
    }

    /// Packs what it grows by, with this much effort. Nothing for a body that is whole.
    pub(crate) fn packed(&mut self, effort: Compression) -> bool {
        let Some(growth) = &mut self.growth else { return false };
        growth.packer = Some(GzEncoder::new(Vec::new(), effort));
        true
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

impl ReplyBody {
    /// Waits for something to send; nothing when all of it has been.
    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.rest.is_empty() {
            let Some(growth) = &mut self.growth else { return Poll::Ready(()) };
            if !growth.plain.is_empty() {
                self.rest = growth.pack();
                continue;
            }
            if growth.has_ended {
                self.growth = None;
                return Poll::Ready(());
            }
            match growth.parts.poll_next_unpin(context) {
                Poll::Ready(Some(part)) => self.begin(part),
                Poll::Ready(None) => {
                    growth.has_ended = true;
                    self.rest = growth.end();
                    self.sent_whole();
                }
                Poll::Pending => {
                    // Nobody is slow to read what is not there.
                    self.sent_whole();
                    if let Some(turn) = &self.turn {
                        turn.waiting();
                    }
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(())
    }

    fn begin(&mut self, part: Grown) {
        self.sent_whole();
        if let Some(turn) = &self.turn {
            turn.sending();
        }
        let Some(growth) = &mut self.growth else { return };
        growth.plain = part.bytes;
        self.receipt = part.audit.map(|audit| Receipt { desk: Arc::clone(&growth.desk), audit });
        self.lease = Some(part.lease);
    }

    /// The last part has been handed over.
    fn sent_whole(&mut self) {
        if let Some(Receipt { desk, audit }) = self.receipt.take() {
            desk.delivered(&audit, self.sent, Delivery::Whole);
        }
        self.sent = 0;
        self.lease = None;
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.growth.is_some() && self.poll_rest(context).is_pending() {
            return Poll::Pending;
        }
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
        self.rest.is_empty() && self.growth.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.growth.is_some() { SizeHint::default() } else { SizeHint::with_exact(self.rest.len() as u64) }
    }
}

impl Drop for ReplyBody {
    fn drop(&mut self) {
        if let Some(Receipt { desk, audit }) = self.receipt.take() {
            let is_unpacked = self.growth.as_ref().is_some_and(|growth| !growth.plain.is_empty());
            let is_whole = self.rest.is_empty() && !is_unpacked;
            let delivery = if is_whole { Delivery::Whole } else { Delivery::Aborted };
            desk.delivered(&audit, self.sent, delivery);
        }
    }
}
