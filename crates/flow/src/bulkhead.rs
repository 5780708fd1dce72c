//! Places at a source, one for each request on its way there. A source that agreed to so many is never asked
//! more at once, whoever asks.

mod limit;
mod places;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use tower::{Layer, Service, ServiceExt as _};
use tributary_model::{Deadline, FaultClass, OdsCode, Priority, SourceFault};

use crate::chance::Chance;
use crate::classify::{Time, Verdict};
use crate::deadline::HasDeadline;
use crate::latency::Latency;
use crate::observe::Observer;
use places::{Arrival, Places, Who};

/// The part of what is left to the deadline that may be spent waiting: the source needs the rest.
const PART_WAITING: u32 = 4;

/// The source has as many requests of ours as it may have, and none ended in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no place at the source")]
pub struct BulkheadFull;

impl From<BulkheadFull> for SourceFault {
    fn from(_: BulkheadFull) -> Self {
        Self::new(FaultClass::Guard)
    }
}

/// The places at one source. Clones share them.
#[derive(Clone)]
pub struct Bulkhead {
    shared: Arc<Shared>,
}

struct Shared {
    /// Longest time for one ask.
    cap: Duration,
    observer: Arc<dyn Observer>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    places: Places<oneshot::Sender<()>>,
    /// Of requests that were answered.
    latency: Latency,
}

/// How full a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occupancy {
    /// Requests that may be at the source now.
    pub limit: usize,
    /// Requests that are.
    pub used: usize,
    /// Requests that wait for a place.
    pub waiting: usize,
}

impl fmt::Debug for Bulkhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulkhead").field("occupancy", &self.occupancy()).finish_non_exhaustive()
    }
}

/// What came of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    pub(crate) begun: Instant,
    /// How long it might have taken.
    pub(crate) given: Duration,
    pub(crate) outcome: Result<(), FaultClass>,
}

impl Bulkhead {
    /// At most `most` places, at a source whose asks take at most `cap`.
    pub fn new(most: usize, cap: Duration, chance: Chance, observer: Arc<dyn Observer>) -> Self {
        let places = Places::new(most, chance, Instant::now());
        observer.limit(places.limit());
        let inner = Mutex::new(Inner { places, latency: Latency::default() });
        Self { shared: Arc::new(Shared { cap, observer, inner }) }
    }

    /// How full it is now.
    pub fn occupancy(&self) -> Occupancy {
        self.shared.with(|inner| {
            let places = &inner.places;
            Occupancy { limit: places.limit(), used: places.used(), waiting: places.waiting() }
        })
    }

    /// Begins an ask: each of its requests is made in its name. It is over when all clones are dropped.
    pub fn errand(&self, priority: Priority, organisation: OdsCode) -> Errand {
        let ask = self.shared.with(|inner| inner.places.number());
        let (shared, who) = (Arc::clone(&self.shared), Who { ask, priority, organisation });
        Errand { ask: Arc::new(Running { shared, who }) }
    }

    pub(crate) fn heard(&self, heard: Heard) {
        let Heard { begun, given, outcome } = heard;
        let (now, cap) = (Instant::now(), self.shared.cap);
        let took = now.saturating_duration_since(begun);
        self.shared.with(|inner| {
            let verdict = Verdict::of(outcome, || Time::of(given, cap, inner.latency.p95()));
            match verdict {
                Verdict::Success => {
                    inner.latency.note(took);
                    tell(inner.places.took(now, begun, took));
                }
                Verdict::Soft => inner.places.cut(now, begun),
                // Who did not answer in good time was slow, at least. What fails at once says nothing of load.
                Verdict::Hard if given <= took => tell(inner.places.took(now, begun, took)),
                Verdict::Hard | Verdict::Neutral => {}
            }
        });
    }
}

impl Shared {
    /// Does something with the places, and tells if the limit is another afterwards.
    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let before = inner.places.limit();
        let done = work(&mut inner);
        let after = inner.places.limit();
        if after != before {
            self.observer.limit(after);
        }
        done
    }

    fn leave(&self, who: &Who) {
        self.with(|inner| tell(inner.places.leave(Instant::now(), who)));
    }
}

/// Tells those who wait that they have a place. Whoever has gone in the meantime gives it back himself.
fn tell(placed: Vec<oneshot::Sender<()>>) {
    for one in placed {
        let _gone = one.send(());
    }
}

/// One ask, as far as the places are concerned. Clones are the same ask.
#[derive(Clone, Debug)]
pub struct Errand {
    ask: Arc<Running>,
}

struct Running {
    shared: Arc<Shared>,
    who: Who,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("priority", &self.who.priority).finish_non_exhaustive()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.with(|inner| tell(inner.places.over(Instant::now(), &self.who)));
    }
}

impl Errand {
    /// Waits for a place, though not for long.
    async fn place(&self, deadline: Deadline) -> Result<Place, BulkheadFull> {
        let Running { shared, who } = &*self.ask;
        let now = Instant::now();
        let expires = now + deadline.remaining() / PART_WAITING;
        let (tell, told) = oneshot::channel();
        let number = match shared.with(|inner| inner.places.arrive(now, who.clone(), expires, tell)) {
            Arrival::Placed => return Ok(Place { ask: Arc::clone(&self.ask) }),
            Arrival::Refused => return Err(BulkheadFull),
            Arrival::Waits(number) => number,
        };
        shared.observer.waits();
        let mut waiting = Waiting { ask: Arc::clone(&self.ask), number, told: Some(told) };
        let Some(told) = &mut waiting.told else { return Err(BulkheadFull) };
        match timeout_at(expires, told).await {
            Ok(Ok(())) => {
                // From here on the place is given back by whoever has it.
                waiting.told = None;
                Ok(Place { ask: Arc::clone(&self.ask) })
            }
            Ok(Err(_displaced)) => Err(BulkheadFull),
            Err(_expired) => Err(BulkheadFull),
        }
    }
}

/// A place at the source. It is given back when dropped.
#[derive(Debug)]
struct Place {
    ask: Arc<Running>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.ask.shared.leave(&self.ask.who);
    }
}

/// Somebody who waits, and may be gone before he is told.
struct Waiting {
    ask: Arc<Running>,
    number: u64,
    told: Option<oneshot::Receiver<()>>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Running { shared, who } = &*self.ask;
        shared.observer.waited();
        let Some(mut told) = self.told.take() else { return };
        let still_waited = shared.with(|inner| inner.places.forget(self.number));
        // Told in the very moment in which he went: the place is nobody's.
        if !still_waited && told.try_recv().is_ok() {
            shared.leave(who);
        }
    }
}

/// A request that is made as part of an ask.
pub trait HasErrand: HasDeadline {
    /// As part of which.
    fn errand(&self) -> &Errand;
}

/// Gives each request a place at the source for as long as it lasts.
#[derive(Clone, Copy, Debug, Default)]
pub struct BulkheadLayer;

impl<S> Layer<S> for BulkheadLayer {
    type Service = BulkheadService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        BulkheadService { inner }
    }
}

/// See [`BulkheadLayer`].
#[derive(Clone, Debug)]
pub struct BulkheadService<S> {
    inner: S,
}

impl<S, R> Service<R> for BulkheadService<S>
where
    R: HasErrand + Send + 'static,
    S: Service<R> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: From<BulkheadFull> + Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // What is inside is asked for readiness once there is a place.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        let inner = self.inner.clone();
        Box::pin(async move {
            let errand = request.errand().clone();
            let place = errand.place(request.deadline()).await?;
            let answer = inner.oneshot(request).await;
            drop(place);
            answer
        })
    }
}

#[cfg(test)]
mod tests;
