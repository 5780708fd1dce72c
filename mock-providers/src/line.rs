//! A TCP line in front of a provider, and what can be wrong with lines. Whatever speaks over it, TLS included,
//! knows nothing of it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Most bytes that are carried at once.
const PIECE_BYTES: usize = 16 * 1024;
/// How often in a second a limited line carries something.
const TICKS_PER_SECOND: u32 = 20;

/// What is wrong with a line. What is said of bytes holds for those on their way to the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    #[default]
    Clear,
    /// Every piece comes later.
    Latency {
        /// By so much.
        ms: u64,
        /// And up to so much more, by chance.
        jitter_ms: u64,
    },
    /// Every piece is cut into smaller ones.
    Slices {
        /// Their length.
        bytes: usize,
        /// The pause behind each.
        pause_ms: u64,
    },
    /// It carries so much and no more.
    Rate {
        /// At least 20.
        bytes_per_second: u32,
    },
    /// Connections are taken, and nothing passes in either direction.
    Stall,
    /// Connections are reset once they have carried so much.
    Reset {
        /// Bytes to the caller.
        after_bytes: u64,
    },
}

#[derive(Debug)]
struct Inner {
    target: SocketAddr,
    trouble: watch::Sender<Trouble>,
    /// Connections taken so far.
    opened: AtomicU64,
    /// Connections up to this one carry nothing any more, and are never closed.
    dead_up_to: watch::Sender<u64>,
    /// What jitter is drawn from; the seed is the caller's.
    chance: Mutex<u64>,
}

/// A line that is open. It ends with this value.
#[derive(Debug)]
pub struct Line {
    address: SocketAddr,
    inner: Arc<Inner>,
    _tasks: JoinSet<()>,
}

impl Line {
    /// Opens a line to `target`. The same seed gives the same jitter.
    pub async fn open(target: SocketAddr, seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let inner = Arc::new(Inner {
            target,
            trouble: watch::Sender::default(),
            opened: AtomicU64::new(0),
            dead_up_to: watch::Sender::default(),
            chance: Mutex::new(seed | 1),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept_all(listener, Arc::clone(&inner)));
        Ok(Self { address, inner, _tasks: tasks })
    }

    /// Where callers connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What is wrong from now on, with open connections too.
    pub fn set(&self, trouble: Trouble) {
        self.inner.trouble.send_replace(trouble);
    }

    /// The other side vanishes: connections that are open carry nothing any more and are not closed. New ones
    /// are as good as before.
    pub fn vanish(&self) {
        self.inner.dead_up_to.send_replace(self.opened());
    }

    /// Connections taken so far.
    pub fn opened(&self) -> u64 {
        self.inner.opened.load(Ordering::Relaxed)
    }
}

impl Inner {
    fn trouble(&self) -> Trouble {
        *self.trouble.borrow()
    }

    /// A number below `bound`, or nought.
    fn below(&self, bound: u64) -> u64 {
        let mut state = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        // xorshift: enough to shake a delay.
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        state.checked_rem(bound).unwrap_or(0)
    }

    /// Comes back when a connection may carry something.
    async fn passable(&self, number: u64) {
        // The senders live as long as the line.
        let dead = |up_to: &u64| number > *up_to;
        if self.dead_up_to.subscribe().wait_for(dead).await.is_ok() {
            drop(self.trouble.subscribe().wait_for(|trouble| *trouble != Trouble::Stall).await);
        }
    }
}

async fn accept_all(listener: TcpListener, inner: Arc<Inner>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let number = inner.opened.fetch_add(1, Ordering::Relaxed) + 1;
        let inner = Arc::clone(&inner);
        connections.spawn(async move {
            // However it breaks, both sides see it end.
            drop(carry(stream, number, &inner).await);
        });
    }
}

async fn carry(caller: TcpStream, number: u64, inner: &Inner) -> io::Result<()> {
    inner.passable(number).await;
    let provider = TcpStream::connect(inner.target).await?;
    caller.set_nodelay(true)?;
    provider.set_nodelay(true)?;
    let (from_caller, to_caller) = caller.into_split();
    let (from_provider, to_provider) = provider.into_split();
    tokio::try_join!(
        there(from_caller, to_provider, number, inner),
        back(from_provider, to_caller, number, inner),
    )?;
    Ok(())
}

/// From the caller to the provider: held up, never cut.
async fn there(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    number: u64,
    inner: &Inner,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = from.read(&mut piece).await?;
        inner.passable(number).await;
        if count == 0 {
            // The caller left: the provider is told, and the way back ends with its answer.
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        to.write_all(piece.get(..count).unwrap_or_default()).await?;
    }
}

/// From the provider to the caller, with whatever is wrong.
async fn back(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, number: u64, inner: &Inner) -> io::Result<()> {
    let mut buffer = vec![0; PIECE_BYTES];
    let mut carried = 0;
    loop {
        let count = from.read(&mut buffer).await?;
        inner.passable(number).await;
        if count == 0 {
            return to.shutdown().await;
        }
        let piece = buffer.get(..count).unwrap_or_default();
        let (size, pause) = match inner.trouble() {
            Trouble::Clear | Trouble::Stall => (PIECE_BYTES, Duration::ZERO),
            Trouble::Latency { ms, jitter_ms } => {
                sleep(Duration::from_millis(ms + inner.below(jitter_ms))).await;
                (PIECE_BYTES, Duration::ZERO)
            }
            Trouble::Slices { bytes, pause_ms } => (bytes, Duration::from_millis(pause_ms)),
            Trouble::Rate { bytes_per_second } => {
                let size = usize::try_from(bytes_per_second / TICKS_PER_SECOND).unwrap_or(PIECE_BYTES);
                (size, Duration::from_secs(1) / TICKS_PER_SECOND)
            }
            Trouble::Reset { after_bytes } => {
                let left = usize::try_from(after_bytes.saturating_sub(carried)).unwrap_or(usize::MAX);
                let last = piece.get(..left);
                to.write_all(last.unwrap_or(piece)).await?;
                if last.is_some() {
                    to.as_ref().set_zero_linger()?;
                    // Dropped, it would say goodbye first.
                    to.forget();
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                carried += u64::try_from(count).unwrap_or(u64::MAX);
                continue;
            }
        };
        carried += u64::try_from(count).unwrap_or(u64::MAX);
        for slice in piece.chunks(size.max(1)) {
            to.write_all(slice).await?;
            if !pause.is_zero() {
                sleep(pause).await;
            }
        }
    }
}

/// An address that takes no connection and refuses none: whoever asks for one gets no answer, as behind a
/// firewall that drops what it does not like.
#[derive(Debug)]
pub struct BlackHole {
    address: SocketAddr,
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl BlackHole {
    /// Opens one: the queue of a listener that takes nobody is filled, and the system then drops what comes.
    pub async fn open() -> io::Result<Self> {
        const MOST_QUEUED: usize = 16;
        const ANSWERED_WITHIN: Duration = Duration::from_millis(200);
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let listener = socket.listen(1)?;
        let address = listener.local_addr()?;
        let mut queue = Vec::new();
        while let Ok(connected) = timeout(ANSWERED_WITHIN, TcpStream::connect(address)).await {
            queue.push(connected?);
            if queue.len() > MOST_QUEUED {
                return Err(io::Error::other("this system queues without end"));
            }
        }
        Ok(Self { address, _listener: listener, _queue: queue })
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
