//! Reads a body chunk by chunk, under a size, a rate and a deadline.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::time::{Instant, timeout_at};
use tributary_model::{Deadline, FaultClass, Lease, MemoryBudget};

use super::classify;
use super::decode::{Coding, Sink};
use super::torrent::{FREE_BYTES, Torrent};

/// Slower than this, after the grace, is a stalled body.
const MIN_BYTES_PER_SEC: u64 = 8 << 10;
/// A body may take this long to get going.
const GRACE: Duration = Duration::from_secs(1);
/// Taken at a time: a hundred times as much when it is decoded.
const PART_BYTES: usize = 4 << 10;
/// After so many bytes it is somebody else's turn: about a tenth of a millisecond.
const TURN_BYTES: usize = 256 << 10;

/// What the head said of the body, and what we allow.
pub(super) struct Expected {
    pub(super) coding: Coding,
    pub(super) declared_bytes: Option<u64>,
    pub(super) max_bytes: u64,
    pub(super) deadline: Deadline,
}

/// Says which fault an error of the body is.
pub(super) trait BodyError {
    fn class(&self) -> FaultClass;
}

impl BodyError for hyper::Error {
    fn class(&self) -> FaultClass {
        classify::in_body(self)
    }
}

/// Reads the whole body, decoded, and says what it holds of the memory budget.
pub(super) async fn read<S, E>(
    chunks: S,
    expected: &Expected,
    memory: &MemoryBudget,
    torrent: impl Fn() -> Option<Arc<Torrent>>,
) -> Result<(Vec<u8>, Lease), FaultClass>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: BodyError,
{
    if expected.declared_bytes.is_some_and(|bytes| bytes > expected.max_bytes) {
        return Err(FaultClass::TooLarge);
    }
    let mut chunks = std::pin::pin!(chunks);
    let mut sink = Sink::new(expected.coding, expected, memory)?;
    let begun = Instant::now();
    let mut received = 0_u64;
    let mut since_yield = 0_usize;
    let mut shared = None;
    loop {
        // By then, more must have come.
        let due = begun + GRACE + Duration::from_millis(received.saturating_mul(1000) / MIN_BYTES_PER_SEC);
        let patience = expected.deadline.instant().min(due);
        let next = timeout_at(patience, chunks.next());
        let chunk = match next.await.map_err(|_elapsed| FaultClass::SlowBody)? {
            None => return sink.finish().await,
            Some(Err(error)) => return Err(error.class()),
            Some(Ok(chunk)) => chunk,
        };
        received += chunk.len() as u64;
        if received > expected.max_bytes {
            return Err(FaultClass::TooLarge);
        }
        for part in chunk.chunks(PART_BYTES) {
            let before = sink.len();
            sink.take(part, received)?;
            since_yield += part.len().max(sink.len() - before);
            // A source that always has more to say must not keep the processor from the others.
            if since_yield < TURN_BYTES {
                continue;
            }
            tokio::task::yield_now().await;
            if received > FREE_BYTES {
                shared = shared.or_else(&torrent);
                if let Some(torrent) = &shared {
                    torrent.turn(since_yield, expected.deadline.instant()).await;
                }
            }
            since_yield = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use futures_util::stream;
    use tokio::time::sleep;

    impl BodyError for FaultClass {
        fn class(&self) -> FaultClass {
            *self
        }
    }

    fn expected() -> Expected {
        Expected {
            coding: Coding::Identity,
            declared_bytes: None,
            max_bytes: 100_000,
            deadline: Deadline::after(Duration::from_secs(5)),
        }
    }

    /// A body of chunks of `bytes`, one each `millis`, for ever.
    fn drip(bytes: usize, millis: u64) -> impl Stream<Item = Result<Bytes, FaultClass>> {
        stream::repeat_with(move || vec![b'x'; bytes]).then(move |chunk| async move {
            sleep(Duration::from_millis(millis)).await;
            Ok(Bytes::from(chunk))
        })
    }

    async fn read<S>(chunks: S, expected: &Expected) -> Result<Vec<u8>, FaultClass>
    where
        S: Stream<Item = Result<Bytes, FaultClass>>,
    {
        let (bytes, held) = super::read(chunks, expected, &MemoryBudget::default(), || None).await?;
        assert!(held.bytes() >= bytes.len() as u64);
        Ok(bytes)
    }

    #[tokio::test(start_paused = true)]
    async fn a_drip_is_cut_by_the_rate_soon_after_the_grace() {
        let begun = Instant::now();
        let read = read(drip(1, 1000), &expected()).await;
        assert_eq!(read, Err(FaultClass::SlowBody));
        assert!(begun.elapsed() < Duration::from_millis(1100));
    }

    #[tokio::test(start_paused = true)]
    async fn a_drip_above_the_rate_lives_until_the_deadline() {
        let begun = Instant::now();
        let read = read(drip(900, 100), &expected()).await;
        assert_eq!(read, Err(FaultClass::SlowBody));
        assert_eq!(begun.elapsed(), Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn an_endless_body_stops_at_the_cap() {
        assert_eq!(read(drip(9000, 1), &expected()).await, Err(FaultClass::TooLarge));
    }

    #[tokio::test(start_paused = true)]
    async fn a_declared_length_above_the_cap_is_refused_unread() {
        let expected = Expected { declared_bytes: Some(10_000_000_000), ..expected() };
        let never = stream::pending::<Result<Bytes, FaultClass>>();
        assert_eq!(read(never, &expected).await, Err(FaultClass::TooLarge));
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_body_gives_nothing() {
        let chunks = stream::iter([Ok(Bytes::from_static(b"{")), Err(FaultClass::Reset)]);
        assert_eq!(read(chunks, &expected()).await, Err(FaultClass::Reset));
    }

    #[tokio::test(start_paused = true)]
    async fn a_whole_body_is_joined() {
        let chunks = ["{\"a\"", ":1}"].map(|part| Ok::<_, FaultClass>(Bytes::from_static(part.as_bytes())));
        let read = read(stream::iter(chunks), &expected()).await;
        assert_eq!(read.as_deref(), Ok(b"{\"a\":1}".as_slice()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_spent_memory_budget_ends_the_body_and_gives_back_what_it_took() {
        let memory = MemoryBudget::new(50_000);
        let ended = super::read(drip(9000, 1), &expected(), &memory, || None).await;
        assert_eq!(ended.err(), Some(FaultClass::Memory));
        assert_eq!(memory.taken(), 0);
    }
}
