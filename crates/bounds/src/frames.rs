//! A stream of HTTP/2 whose frames are counted (RFC 9113, 4.1), so that cheap frames cannot buy dear work.
//!
//! The library bounds what a caller can make it hold. This bounds what a caller can make it do: streams opened
//! and taken back, pings, settings, updates of windows that nothing was sent through.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::patience::Patience;

const PREFACE: usize = 24;
const HEAD: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const WINDOW_UPDATE: u8 = 8;
const END_HEADERS: u8 = 4;

/// Streams reset within the window, by either side: who makes us reset is no better than who resets.
const RESETS: u32 = 100;
/// Frames within the window that ask for nothing: pings, settings, priorities, parts of heads, empty data.
const IDLE_FRAMES: u32 = 1_000;
/// Updates of windows within it, beside those that our own frames have earned.
const UPDATES: u32 = 1_000;
const UPDATES_EARNED: u32 = 4;
const WINDOW: Duration = Duration::from_secs(10);

/// How long, and for how many bytes, we listen once a caller is sent away, so that it can read why.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1 << 20;

/// Finds the frames in a flow of bytes that comes in any pieces.
#[derive(Debug)]
struct Follower {
    skip: usize,
    head: [u8; HEAD],
    have: usize,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    kind: u8,
    flags: u8,
    length: usize,
    stream: u32,
}

impl Follower {
    const fn new(skip: usize) -> Self {
        Self { skip, head: [0; HEAD], have: 0 }
    }

    const fn is_between_frames(&self) -> bool {
        self.skip == 0 && self.have == 0
    }

    fn follow(&mut self, mut bytes: &[u8], mut each: impl FnMut(Frame)) {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            let wanted = (HEAD - self.have).min(bytes.len());
            let (part, rest) = bytes.split_at_checked(wanted).unwrap_or_default();
            for (to, from) in self.head.iter_mut().skip(self.have).zip(part) {
                *to = *from;
            }
            self.have += wanted;
            bytes = rest;
            if self.have == HEAD {
                let [length @ .., kind, flags, _, _, _, _] = self.head;
                let [_, _, _, _, _, stream @ ..] = self.head;
                let length = length.into_iter().fold(0, |length, byte| length << 8 | usize::from(byte));
                let stream = u32::from_be_bytes(stream) & 0x7FFF_FFFF;
                self.have = 0;
                self.skip = length;
                each(Frame { kind, flags, length, stream });
            }
        }
    }
}

/// What a caller has spent of its patience allowance.
#[derive(Debug)]
struct Count {
    since: Instant,
    resets: u32,
    idle: u32,
    updates: u32,
    earned: u32,
    last_stream: u32,
}

impl Count {
    fn new() -> Self {
        Self { since: Instant::now(), resets: 0, idle: 0, updates: 0, earned: 0, last_stream: 0 }
    }

    fn turn_page(&mut self) {
        if self.since.elapsed() >= WINDOW {
            *self = Self { last_stream: self.last_stream, ..Self::new() };
        }
    }

    fn came(&mut self, frame: Frame) {
        match frame.kind {
            HEADERS => {
                self.last_stream = self.last_stream.max(frame.stream);
                self.idle += u32::from(frame.flags & END_HEADERS == 0);
            }
            DATA => self.idle += u32::from(frame.length == 0),
            RST_STREAM => self.resets += 1,
            WINDOW_UPDATE => self.updates += 1,
            _ => self.idle += 1,
        }
    }

    const fn went(&mut self, frame: Frame) {
        match frame.kind {
            RST_STREAM => self.resets += 1,
            DATA => self.earned = self.earned.saturating_add(UPDATES_EARNED),
            _ => {}
        }
    }

    const fn is_enough(&self) -> bool {
        self.resets > RESETS || self.idle > IDLE_FRAMES || self.updates > UPDATES.saturating_add(self.earned)
    }
}

/// The stream.
#[derive(Debug)]
pub struct Frames<S> {
    stream: S,
    patience: Arc<Patience>,
    inward: Follower,
    outward: Follower,
    count: Count,
    linger: Option<(Pin<Box<Sleep>>, usize)>,
}

impl<S> Frames<S> {
    /// Watches the frames that come in over a stream.
    pub fn new(stream: S, patience: Arc<Patience>) -> Self {
        Self {
            stream,
            patience,
            inward: Follower::new(PREFACE),
            outward: Follower::new(0),
            count: Count::new(),
            linger: None,
        }
    }

    fn came(&mut self, bytes: &[u8]) {
        self.count.turn_page();
        let Self { inward, count, patience, .. } = self;
        inward.follow(bytes, |frame| {
            count.came(frame);
            if frame.kind == HEADERS && frame.flags & END_HEADERS == 0 {
                patience.head_begins();
            }
        });
    }

    fn went(&mut self, bytes: &[u8]) {
        let Self { outward, count, .. } = self;
        outward.follow(bytes, |frame| count.went(frame));
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Frames<S> {
    /// Says why, if a frame can be begun now and there is room for it, and listens no more after that.
    fn send_away(&mut self, context: &mut Context<'_>) {
        tracing::warn!("connection closed for what it asked of us");
        if self.outward.is_between_frames() {
            let [a, b, c, d] = self.count.last_stream.to_be_bytes();
            // GOAWAY with ENHANCE_YOUR_CALM.
            let goaway = [0, 0, 8, 7, 0, 0, 0, 0, 0, a, b, c, d, 0, 0, 0, 0xB];
            let _best_effort = Pin::new(&mut self.stream).poll_write(context, &goaway);
            let _best_effort = Pin::new(&mut self.stream).poll_flush(context);
        }
        self.linger = Some((Box::pin(tokio::time::sleep(LINGER)), LINGER_BYTES));
    }

    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, linger: Some((until, left)), .. } = self else { return Poll::Ready(Ok(())) };
        let mut room = [0; 4 << 10];
        while until.as_mut().poll(context).is_pending() {
            let mut waste = ReadBuf::new(&mut room);
            ready!(Pin::new(&mut *stream).poll_read(context, &mut waste))?;
            let size = waste.filled().len();
            *left = left.saturating_sub(size);
            if size == 0 || *left == 0 {
                break;
            }
        }
        Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Frames<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.linger.is_none() {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
            this.came(buffer.filled().get(before..).unwrap_or_default());
            if !this.count.is_enough() {
                return Poll::Ready(Ok(()));
            }
            buffer.set_filled(before);
            this.send_away(context);
        }
        this.poll_linger(context)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Frames<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.linger.is_some() {
            // Nothing may follow the farewell.
            return Poll::Ready(Ok(bytes.len()));
        }
        let size = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.went(bytes.get(..size).unwrap_or_default());
        Poll::Ready(Ok(size))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.linger.is_some() {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        let size = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices))?;
        let mut left = size;
        for slice in slices {
            let part = slice.get(..left.min(slice.len())).unwrap_or_default();
            self.went(part);
            left -= part.len();
        }
        Poll::Ready(Ok(size))
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
