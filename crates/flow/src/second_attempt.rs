//! Tries a second time, and never a third, where that can help and costs the source little.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::sleep;
use tower::{Layer, Service, ServiceExt as _};
use tributary_model::{Deadline, FaultClass, Retry, SourceFault};

use crate::breaker::{Breaker, BreakerState};
use crate::budget::RetryBudget;
use crate::chance::Chance;
use crate::deadline::HasDeadline;
use crate::observe::Observer;

/// Between two attempts: long enough for a restart's last breath, short enough to be of use.
const LEAST_PAUSE: Duration = Duration::from_millis(25);
const MOST_PAUSE: Duration = Duration::from_millis(150);
/// A source that asks to wait is given a second attempt only if it asks for less than this part of what is left.
const PART_LEFT: u32 = 3;

/// An answer of a source, as far as its limits must understand it.
pub trait Answer {
    /// What the answer says went wrong, if it says so.
    fn fault(&self) -> Option<SourceFault>;

    /// The same answer, got at the second attempt.
    #[must_use]
    fn at_second_attempt(self) -> Self;
}

/// What a second attempt is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// Nothing was heard, for reasons of the connection.
    Silence,
    /// That, and a gateway that could not reach what is behind it: 502 and 503.
    SilenceOrGateway,
}

/// Makes second attempts, each afresh: the request is cloned, so whatever must not be used twice (tokens, trace
/// ids) is made where the request is sent, not here.
#[derive(Clone)]
pub struct SecondAttemptLayer {
    shared: Arc<Shared>,
}

struct Shared {
    occasion: Occasion,
    budget: RetryBudget,
    /// No second attempts while it is not passing.
    breaker: Option<Breaker>,
    observer: Arc<dyn Observer>,
    chance: Mutex<Chance>,
}

impl fmt::Debug for SecondAttemptLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecondAttemptLayer").field("occasion", &self.shared.occasion).finish_non_exhaustive()
    }
}

impl SecondAttemptLayer {
    /// A layer that draws on this budget.
    pub fn new(
        occasion: Occasion,
        budget: RetryBudget,
        breaker: Option<Breaker>,
        chance: Chance,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let chance = Mutex::new(chance);
        Self { shared: Arc::new(Shared { occasion, budget, breaker, observer, chance }) }
    }
}

impl<S> Layer<S> for SecondAttemptLayer {
    type Service = SecondAttemptService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SecondAttemptService { inner, shared: Arc::clone(&self.shared) }
    }
}

/// See [`SecondAttemptLayer`].
#[derive(Clone)]
pub struct SecondAttemptService<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S: fmt::Debug> fmt::Debug for SecondAttemptService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecondAttemptService").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S, R> Service<R> for SecondAttemptService<S>
where
    R: HasDeadline + Clone + Send + 'static,
    S: Service<R, Error = SourceFault> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Response: Answer + Send + 'static,
{
    type Response = S::Response;
    type Error = SourceFault;
    type Future = BoxFuture<'static, Result<S::Response, SourceFault>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        // The clone is not known to be ready; the one that is makes the first attempt.
        let again = self.inner.clone();
        let (deadline, second) = (request.deadline(), request.clone());
        shared.budget.deposit();
        let first = self.inner.call(request);
        Box::pin(async move {
            let answer = first.await;
            let fault = match &answer {
                Ok(answer) => answer.fault(),
                Err(fault) => Some(*fault),
            };
            let Some(pause) = fault.and_then(|fault| shared.pause(fault, deadline)) else { return answer };
            if !shared.is_granted() {
                return answer;
            }
            sleep(pause).await;
            shared.observer.retried();
            match again.oneshot(second).await {
                Ok(answer) => Ok(answer.at_second_attempt()),
                // Our own limits stood in the way: what the source did the first time says more.
                Err(SourceFault { class: FaultClass::Guard, .. }) => answer,
                Err(fault) => Err(fault),
            }
        })
    }
}

impl Shared {
    /// How long to wait before a second attempt; nothing if there should be none.
    fn pause(&self, fault: SourceFault, deadline: Deadline) -> Option<Duration> {
        let left = deadline.remaining();
        let is_gateway = self.occasion == Occasion::SilenceOrGateway && matches!(fault.http, Some(502 | 503));
        let asked = match fault.retry {
            Retry::Elsewhere => Duration::ZERO,
            Retry::Never if is_gateway => Duration::ZERO,
            Retry::Later(wait) if is_gateway && wait < left / PART_LEFT => wait,
            Retry::Never | Retry::Later(_) => return None,
        };
        let drawn = {
            let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
            chance.between(LEAST_PAUSE, MOST_PAUSE)
        };
        let pause = drawn.max(asked);
        (pause < left).then_some(pause)
    }

    fn is_granted(&self) -> bool {
        let passes = self.breaker.as_ref().is_none_or(|breaker| breaker.state() == BreakerState::Passing);
        passes && self.budget.withdraw()
    }
}

#[cfg(test)]
mod tests;
