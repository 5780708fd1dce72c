//! How long a connection may be silent, depending on what it is expected to do.
//!
//! hyper's own timer starts with the first byte and cannot tell a rest between requests from a slow head, so
//! the timers stand here, outside it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::settings::Limits;

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// A head must be complete by then.
    Head(Instant),
    /// A request is being answered; the layers hold its limits.
    Busy,
    /// A response is on its way; the caller must read something by then.
    Sending(Instant),
    /// Between requests; the next must begin by then.
    Rest(Instant),
}

/// The timers of one connection.
#[derive(Debug)]
pub(crate) struct Patience {
    phase: watch::Sender<Phase>,
    head: Duration,
    idle: Duration,
    stall: Duration,
}

impl Patience {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            phase: watch::Sender::new(Phase::Head(Instant::now() + limits.first_head)),
            head: limits.first_head,
            idle: limits.keep_alive_idle,
            stall: limits.write_stall,
        }
    }

    /// A whole head has arrived.
    pub(crate) fn busy(&self) {
        self.phase.send_replace(Phase::Busy);
    }

    /// The response has begun.
    pub(crate) fn sending(&self) {
        self.phase.send_replace(Phase::Sending(Instant::now() + self.stall));
    }

    /// The response is over.
    pub(crate) fn rest(&self) {
        self.phase.send_replace(Phase::Rest(Instant::now() + self.idle));
    }

    /// Bytes came in: after a rest they begin a head.
    fn heard(&self) {
        let head = Phase::Head(Instant::now() + self.head);
        self.phase.send_if_modified(|phase| {
            let begins = matches!(phase, Phase::Rest(_));
            if begins {
                *phase = head;
            }
            begins
        });
    }

    /// Bytes went out. The waiting side looks again when its old instant comes, so it need not be woken.
    fn wrote(&self) {
        let later = Instant::now() + self.stall;
        self.phase.send_if_modified(|phase| {
            if let Phase::Sending(until) = phase {
                *until = later;
            }
            false
        });
    }

    /// Ends when the connection has been silent for too long.
    pub(crate) async fn lost(&self) {
        let mut phases = self.phase.subscribe();
        loop {
            let phase = *phases.borrow_and_update();
            let until = match phase {
                Phase::Head(until) | Phase::Sending(until) | Phase::Rest(until) => Some(until),
                Phase::Busy => None,
            };
            if until.is_some_and(|until| until <= Instant::now()) {
                return;
            }
            let alarm = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = alarm => {}
                changed = phases.changed() => if changed.is_err() {
                    return;
                },
            }
        }
    }
}

/// A stream whose traffic is reported to the timers.
#[derive(Debug)]
pub(super) struct Attended<S> {
    stream: S,
    patience: Arc<Patience>,
}

impl<S> Attended<S> {
    pub(super) const fn new(stream: S, patience: Arc<Patience>) -> Self {
        Self { stream, patience }
    }

    fn noted(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(written, Poll::Ready(Ok(count)) if count > 0) {
            self.patience.wrote();
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Attended<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.patience.heard();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Attended<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.noted(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.noted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
