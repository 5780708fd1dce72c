//! A connection as the HTTP library sees it: it ends when it was idle for long, and an idle one holds nothing of an
//! answer.
//!
//! Whoever reads from a socket offers room, and keeps what lay in that room. The HTTP library keeps its last chunk,
//! the TLS library its last record, decrypted. Both read once more when an exchange has ended and find nothing; then
//! the room they offered is overwritten with zeros.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::{Connected, Connection};
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_rustls::client::TlsStream;

use super::lobby::{LONGEST_IDLE, Spoken, Standing};

/// What is known of the peer of a connection, on every response that came over it.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// Its certificate; `None` without TLS.
    pub(super) certificate: Option<Arc<CertificateDer<'static>>>,
    pub(super) standing: Arc<Standing>,
}

/// A connection.
pub(super) struct Line {
    io: Io,
    peer: Peer,
    /// Wakes the reader when an idle connection has to go.
    bell: Pin<Box<Sleep>>,
}

/// What the bytes go through.
pub(super) enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<Scrubbed>>),
}

impl Line {
    pub(super) fn new(io: Io, peer: Peer) -> Self {
        Self { io, peer, bell: Box::pin(sleep_until(Instant::now() + LONGEST_IDLE)) }
    }

    /// Whether an idle connection has to go; if not, the reader is called when it has to.
    fn has_to_go(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(ends) = self.peer.standing.ends() else { return false };
        if self.bell.deadline() != ends {
            self.bell.as_mut().reset(ends);
        }
        self.bell.as_mut().poll(cx).is_ready()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.peer.standing.gone();
    }
}

impl Connection for Line {
    fn connected(&self) -> Connected {
        let connected = Connected::new().extra(self.peer.clone());
        match self.peer.standing.spoken() {
            Spoken::Http1 => connected,
            Spoken::Http2 => connected.negotiated_h2(),
        }
    }
}

/// Overwrites the room that a reader offered and that was not filled.
fn scrub(room: &mut ReadBuf<'_>) {
    let with_something = room.initialized().len() - room.filled().len();
    // What never held anything becomes zeros here.
    let all = room.initialize_unfilled();
    if let Some(with_something) = all.get_mut(..with_something) {
        with_something.fill(0);
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.peer.standing.is_closing(cx) {
            return Poll::Ready(Ok(()));
        }
        let read = match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_read(cx, room),
            Io::Tls(stream) => Pin::new(stream).poll_read(cx, room),
        };
        if read.is_pending() && self.peer.standing.ends().is_some() {
            scrub(room);
            if self.has_to_go(cx) {
                return Poll::Ready(Ok(()));
            }
        }
        read
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Io::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Io::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Io::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.io {
            Io::Plain(stream) => stream.is_write_vectored(),
            Io::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
            Io::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
        }
    }
}

/// A socket below TLS: where nothing is to be read, the room that was offered is overwritten.
///
/// The TLS library decrypts a record where it was read. Its room is four kilobytes when it waits for the next one.
pub(super) struct Scrubbed(pub(super) TcpStream);

impl AsyncRead for Scrubbed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.0).poll_read(cx, room);
        if read.is_pending() {
            scrub(room);
        }
        read
    }
}

impl AsyncWrite for Scrubbed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, parts)
    }
}
