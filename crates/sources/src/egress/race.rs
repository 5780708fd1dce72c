//! The first of several addresses to take a connection (RFC 8305). Only connections race, never requests.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep_until};

/// An address that has not answered by then gets company (RFC 8305, section 8).
const NEXT_AFTER: Duration = Duration::from_millis(250);
/// Most addresses tried for one connection.
const MOST_ADDRESSES: usize = 8;
/// A peer that vanished is noticed after so long without acknowledgement.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);
/// What the system may hold of a peer's bytes before we read them. Left alone it grows to megabytes, which are in no
/// budget of ours; this much is ten megabytes a second over twenty milliseconds.
const RECEIVE_BYTES: u32 = 256 << 10;
/// First probe of a silent connection, and the time between two.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Connects to the address that answers first; the others are given up. The error is that of the last one.
pub(super) async fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut waiting: VecDeque<SocketAddr> = interleaved(addresses).take(MOST_ADDRESSES).collect();
    let mut running = FuturesUnordered::new();
    let mut error: io::Error = io::ErrorKind::AddrNotAvailable.into();
    while let Some(next) = waiting.pop_front() {
        running.push(dial(next));
        let next_at = Instant::now() + NEXT_AFTER;
        // Until the next one's turn comes, or one of those under way ends.
        tokio::select! {
            biased;
            Some(ended) = running.next() => match ended {
                Ok(stream) => return Ok(stream),
                Err(refused) => error = refused,
            },
            () = sleep_until(next_at), if !waiting.is_empty() => {}
        }
    }
    while let Some(ended) = running.next().await {
        match ended {
            Ok(stream) => return Ok(stream),
            Err(refused) => error = refused,
        }
    }
    Err(error)
}

/// The two families in turn, the family of the first address first.
fn interleaved(addresses: &[SocketAddr]) -> impl Iterator<Item = SocketAddr> {
    let is_first = addresses.first().map(SocketAddr::is_ipv6);
    let (mut own, mut other): (VecDeque<_>, VecDeque<_>) =
        addresses.iter().copied().partition(|address| Some(address.is_ipv6()) == is_first);
    std::iter::from_fn(move || {
        let next = own.pop_front();
        std::mem::swap(&mut own, &mut other);
        next.or_else(|| other.pop_front().or_else(|| own.pop_front()))
    })
}

async fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6() } else { TcpSocket::new_v4() }?;
    socket.set_nodelay(true)?;
    socket.set_recv_buffer_size(RECEIVE_BYTES)?;
    let options = SockRef::from(&socket);
    options.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE))?;
    #[cfg(target_os = "linux")]
    options.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    socket.connect(address).await
}

#[cfg(test)]
pub(super) mod tests;
