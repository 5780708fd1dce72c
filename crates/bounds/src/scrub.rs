//! An idle connection holds nothing of what went through it.
//!
//! Whoever reads from a socket offers room, and keeps what lay in that room: the HTTP library its last request, the
//! TLS library its last record, decrypted. Both read once more when an exchange has ended and find nothing; then the
//! room they offered is overwritten with zeros.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Overwrites the room that a reader offered and that was not filled.
pub fn scrub(room: &mut ReadBuf<'_>) {
    let with_something = room.initialized().len() - room.filled().len();
    // What never held anything becomes zeros here.
    let all = room.initialize_unfilled();
    if let Some(with_something) = all.get_mut(..with_something) {
        with_something.fill(0);
    }
}

/// A stream below TLS: where nothing is to be read, the room that was offered is overwritten.
///
/// The TLS library decrypts a record where it was read. Its room is four kilobytes when it waits for the next one.
#[derive(Debug)]
pub struct Scrubbed<S>(pub S);

impl<S: AsyncRead + Unpin> AsyncRead for Scrubbed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.0).poll_read(context, room);
        if read.is_pending() {
            scrub(room);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Scrubbed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
