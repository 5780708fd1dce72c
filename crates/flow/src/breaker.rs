//! Refuses at once while a source is failing, and looks from time to time whether it is well again.

mod machine;
mod window;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;
use tower::{Layer, Service};
use tributary_model::{FaultClass, Retry, SourceFault};

use crate::chance::Chance;
use crate::classify::{Time, Verdict};
use crate::deadline::HasDeadline;
use crate::latency::Latency;
use crate::observe::Observer;
use machine::{Leave, Machine};

/// What a breaker does with asks. Named so that nobody can read it the wrong way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// It lets them pass.
    Passing,
    /// It refuses them.
    Shut,
    /// It lets one pass, to see.
    Probing,
}

/// The source failed too often just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("breaker shut")]
pub struct Shut {
    /// When it may be worth asking again.
    pub left: Duration,
}

impl From<Shut> for SourceFault {
    fn from(shut: Shut) -> Self {
        Self::new(FaultClass::Breaker).with_retry(Retry::Later(shut.left))
    }
}

/// The breaker of one source. Clones are one breaker.
#[derive(Clone)]
pub struct Breaker {
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
    machine: Machine,
    /// Of asks that were answered.
    latency: Latency,
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("state", &self.state()).finish_non_exhaustive()
    }
}

impl Breaker {
    /// A breaker that lets everybody pass, of a source whose asks take at most `cap`.
    pub fn new(cap: Duration, chance: Chance, observer: Arc<dyn Observer>) -> Self {
        // What was built anew begins anew, and whoever looks on must see that.
        observer.breaker(BreakerState::Passing);
        let inner = Mutex::new(Inner { machine: Machine::new(chance), latency: Latency::default() });
        Self { shared: Arc::new(Shared { cap, observer, inner }) }
    }

    /// What it does with asks now.
    pub fn state(&self) -> BreakerState {
        self.shared.lock().machine.state()
    }

    fn admit(&self, ends: Instant) -> Result<Leave, Shut> {
        self.shared.change(|inner| inner.machine.admit(Instant::now(), ends))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something that may change the state, and tells of the change while nobody else can make another.
    fn change<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self.lock();
        let before = inner.machine.state();
        let done = work(&mut inner);
        let after = inner.machine.state();
        if after != before {
            self.observer.breaker(after);
        }
        done
    }
}

/// Asks the breaker before each ask, and tells it what came of it.
#[derive(Clone, Debug)]
pub struct BreakerLayer {
    breaker: Breaker,
}

impl BreakerLayer {
    /// A layer around this breaker; several stacks of one source share it.
    pub const fn new(breaker: Breaker) -> Self {
        Self { breaker }
    }
}

impl<S> Layer<S> for BreakerLayer {
    type Service = BreakerService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        BreakerService { inner, breaker: self.breaker.clone() }
    }
}

/// See [`BreakerLayer`].
#[derive(Clone, Debug)]
pub struct BreakerService<S> {
    inner: S,
    breaker: Breaker,
}

impl<S, R> Service<R> for BreakerService<S>
where
    R: HasDeadline,
    S: Service<R, Error = SourceFault>,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
{
    type Response = S::Response;
    type Error = SourceFault;
    type Future = BoxFuture<'static, Result<S::Response, SourceFault>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let deadline = request.deadline().capped(self.breaker.shared.cap);
        let leave = match self.breaker.admit(deadline.instant()) {
            Ok(leave) => leave,
            Err(shut) => return Box::pin(std::future::ready(Err(shut.into()))),
        };
        let watch = Watch {
            shared: Arc::clone(&self.breaker.shared),
            leave: Some(leave),
            begun: Instant::now(),
            ends: deadline.instant(),
        };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            watch.finish(answer.as_ref().map(drop).map_err(|fault| *fault));
            answer
        })
    }
}

/// One ask that the breaker let pass.
struct Watch {
    shared: Arc<Shared>,
    leave: Option<Leave>,
    begun: Instant,
    ends: Instant,
}

impl Watch {
    fn finish(mut self, outcome: Result<(), SourceFault>) {
        self.tell(outcome);
    }

    fn tell(&mut self, outcome: Result<(), SourceFault>) {
        let Some(leave) = self.leave.take() else { return };
        let now = Instant::now();
        let (cap, took) = (self.shared.cap, now.duration_since(self.begun));
        let given = self.ends.duration_since(self.begun);
        let class = outcome.map_err(|fault| fault.class);
        let hold = match outcome {
            Err(SourceFault { retry: Retry::Later(wait), .. }) => Some(wait),
            Ok(()) | Err(SourceFault { retry: Retry::Never | Retry::Elsewhere, .. }) => None,
        };
        self.shared.change(|inner| {
            let verdict = Verdict::of(class, || Time::of(given, cap, inner.latency.p95()));
            if verdict == Verdict::Success {
                inner.latency.note(took);
            }
            // Only a source can ask to be left alone; what our own limits say is not its word.
            let hold = hold.filter(|_| verdict == Verdict::Soft);
            inner.machine.heard(now, leave, verdict, hold);
        });
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Whoever waited to the end and then left was waiting for the source.
        let is_over = Instant::now() >= self.ends;
        let class = if is_over { FaultClass::NoHead } else { FaultClass::Internal };
        self.tell(Err(SourceFault::new(class)));
    }
}

#[cfg(test)]
mod tests;
