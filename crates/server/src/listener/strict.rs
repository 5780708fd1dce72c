//! A stream of HTTP/1.1 whose every head is looked at before hyper sees it.
//!
//! A head that passes is handed on as it came. In place of one that does not, hyper gets a request of ours: so
//! the refusal is answered after what was asked before it, and is named, counted and logged like any other.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::framing::{Framing, Step};
use super::head::{Bounds, Refused};
use tributary_bounds::{Patience, Problem, scrub};

/// Requests that may wait behind the one being answered, with that one.
const PIPELINED: u64 = 8;
/// What hyper reads in place of a head that is refused.
const IN_ITS_PLACE: &[u8] = b"GET /-refused HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
/// What hyper reads in place of a chunk, or of the end of all chunks, that is none; it refuses either, and the
/// body with it.
const NO_CHUNK: &[u8] = b"-\r\n\r\n";
/// How long, and for how many bytes, we go on listening after a refusal. Closed at once, the connection would
/// be reset by what the caller is still sending, and the answer lost (RFC 9112, 9.6).
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 << 10;

/// What the stream and the one who answers tell each other.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    passed: AtomicU64,
    asked: AtomicU64,
    /// Requests that have been handed on to their last byte.
    whole: AtomicU64,
    refused: Mutex<Option<(u64, Box<Refused>)>>,
}

/// All of a request has been read, so its answer need not wait for the rest of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whole;

/// What is known of the request that hyper has read next.
#[derive(Debug)]
pub(super) struct Known {
    /// What it stands for, if that was refused.
    pub(super) refused: Option<Box<Refused>>,
    /// Said of a request whose body came in one piece with its head.
    pub(super) whole: Option<Whole>,
}

impl Ledger {
    fn refuse(&self, refused: Box<Refused>) {
        let at = self.passed.fetch_add(1, Ordering::AcqRel);
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, refused));
    }

    /// Counts the request that hyper has read next, and tells what is known of it.
    pub(super) fn next(&self) -> Known {
        let asked = self.asked.fetch_add(1, Ordering::AcqRel);
        let whole = (self.whole.load(Ordering::Acquire) > asked).then_some(Whole);
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = refused.take_if(|(at, _)| *at == asked).map(|(_, refused)| refused);
        Known { refused, whole }
    }
}

/// The stream.
#[derive(Debug)]
pub(super) struct Strict<S> {
    stream: S,
    framing: Framing,
    patience: Arc<Patience>,
    ledger: Arc<Ledger>,
    /// Read, and not followed yet.
    held: Vec<u8>,
    /// Followed, and not handed on yet.
    passing: Vec<u8>,
    /// Nothing that comes now is looked at any more.
    ended: bool,
    linger: Option<(Pin<Box<Sleep>>, usize)>,
}

impl<S: AsyncRead + Unpin> Strict<S> {
    pub(super) fn new(stream: S, bounds: Bounds, patience: Arc<Patience>, ledger: Arc<Ledger>) -> Self {
        Self {
            stream,
            framing: Framing::new(bounds),
            patience,
            ledger,
            held: Vec::new(),
            passing: Vec::new(),
            ended: false,
            linger: None,
        }
    }

    /// Follows what is held as far as it goes.
    fn follow(&mut self) {
        let mut at = 0;
        while !self.ended {
            let bytes = self.held.get(at..).unwrap_or_default();
            let (size, hand_on) = match self.framing.step(bytes) {
                Step::Wait => break,
                Step::Skip(size) => (size, false),
                Step::Body(size) => (size, true),
                Step::Head(_) if self.is_crowded() => {
                    let problem = Problem::bad("Too many requests wait for the one before them.");
                    self.refuse(Box::new(problem.into()));
                    break;
                }
                Step::Head(size) => {
                    self.ledger.passed.fetch_add(1, Ordering::AcqRel);
                    (size, true)
                }
                Step::Refused(refused) => {
                    self.refuse(refused);
                    break;
                }
                Step::Broken => {
                    self.passing.extend_from_slice(NO_CHUNK);
                    self.ended = true;
                    break;
                }
            };
            if hand_on {
                self.passing.extend_from_slice(bytes.get(..size).unwrap_or_default());
            }
            at += size;
        }
        // An idle connection keeps no room for what it may be sent one day.
        if self.ended || at == self.held.len() {
            self.held = Vec::new();
        } else {
            drop(self.held.drain(..at));
        }
        if !self.held.is_empty() && self.framing.is_before_a_body() && self.patience.open() == 0 {
            self.patience.head_begins();
        }
    }

    fn is_crowded(&self) -> bool {
        let passed = self.ledger.passed.load(Ordering::Acquire);
        let answered = self.patience.requests().saturating_sub(self.patience.open() as u64);
        passed.saturating_sub(answered) >= PIPELINED
    }

    fn refuse(&mut self, refused: Box<Refused>) {
        self.ledger.refuse(refused);
        self.passing.extend_from_slice(IN_ITS_PLACE);
        self.ended = true;
    }

    fn hand_on(&mut self, buffer: &mut ReadBuf<'_>) {
        let size = self.passing.len().min(buffer.remaining());
        buffer.put_slice(self.passing.get(..size).unwrap_or_default());
        if size == self.passing.len() {
            self.passing = Vec::new();
            if self.framing.is_before_a_body() && !self.ended {
                self.ledger.whole.store(self.ledger.passed.load(Ordering::Acquire), Ordering::Release);
            }
        } else {
            drop(self.passing.drain(..size));
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Strict<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if !this.passing.is_empty() {
                this.hand_on(buffer);
                return Poll::Ready(Ok(()));
            }
            // hyper answers what was refused and closes; it must not see an end before that.
            if this.ended {
                return Poll::Pending;
            }
            // The reader's own room is where bytes arrive; it keeps those that pass.
            let before = buffer.filled().len();
            let read = Pin::new(&mut this.stream).poll_read(context, buffer);
            if read.is_pending() && this.patience.open() == 0 {
                scrub(buffer);
            }
            ready!(read)?;
            let fresh = buffer.filled().get(before..).unwrap_or_default();
            if fresh.is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.held.extend_from_slice(fresh);
            buffer.set_filled(before);
            this.follow();
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Strict<S> {
    /// Reads and forgets, until the caller is done or it is enough.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (until, left) =
            self.linger.get_or_insert_with(|| (Box::pin(tokio::time::sleep(LINGER)), LINGER_BYTES));
        let mut room = [0; 1 << 10];
        while until.as_mut().poll(context).is_pending() {
            let mut waste = ReadBuf::new(&mut room);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut waste))?;
            let size = waste.filled().len();
            *left = left.saturating_sub(size);
            if size == 0 || *left == 0 {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Strict<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        }
        if self.ended { self.poll_linger(context) } else { Poll::Ready(Ok(())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::future::poll_fn;

    use crate::settings::Limits;

    #[tokio::test]
    async fn the_room_that_an_idle_connection_offers_is_overwritten() {
        let (_caller, stream) = tokio::io::duplex(64);
        let bounds = Bounds { head: 1_024, fields: 8, target: 64 };
        let patience = Arc::new(Patience::new(&Limits::default().waits()));
        let mut strict = Strict::new(stream, bounds, Arc::clone(&patience), Arc::default());
        let mut room = *b"the last request";
        let mut reads = async |room: &mut [u8]| {
            poll_fn(|context| {
                let mut offered = ReadBuf::new(room);
                assert!(Pin::new(&mut strict).poll_read(context, &mut offered).is_pending());
                Poll::Ready(())
            })
            .await;
        };
        let turn = patience.turn();
        reads(&mut room).await;
        assert_eq!(&room, b"the last request", "nobody pays for it while a request is at work");
        drop(turn);
        reads(&mut room).await;
        assert_eq!(room, [0; 16]);
    }
}
