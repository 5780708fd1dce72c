//! Bounds how many asks of one source are in flight.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tower::{Layer, Service};
use tributary_model::{FaultClass, SourceFault};

/// The source already has as many asks in flight as it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("guard full")]
pub struct GuardFull;

impl From<GuardFull> for SourceFault {
    fn from(_: GuardFull) -> Self {
        Self::new(FaultClass::Guard)
    }
}

/// Lets a bounded number of asks through and refuses the others at once: a queue would only hide the load.
///
/// Clones of the layer, and of what it wraps, share one count.
#[derive(Clone, Debug)]
pub struct GuardLayer {
    permits: Arc<Semaphore>,
}

impl GuardLayer {
    /// A guard for at most `max_in_flight` asks.
    pub fn new(max_in_flight: usize) -> Self {
        let permits = Semaphore::new(max_in_flight.min(Semaphore::MAX_PERMITS));
        Self { permits: Arc::new(permits) }
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = GuardService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardService { inner, permits: Arc::clone(&self.permits) }
    }
}

/// See [`GuardLayer`].
#[derive(Clone, Debug)]
pub struct GuardService<S> {
    inner: S,
    permits: Arc<Semaphore>,
}

impl<S, R> Service<R> for GuardService<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
    S::Error: From<GuardFull> + Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return Box::pin(std::future::ready(Err(GuardFull.into())));
        };
        let answer = self.inner.call(request);
        Box::pin(async move {
            // Dropped with this future too, so a cancelled ask gives its place back.
            let _permit = permit;
            answer.await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::Duration;

    use tokio::time::{Instant, sleep};
    use tower::{ServiceExt as _, service_fn};

    type Answer = Result<(), SourceFault>;

    async fn slow(_question: ()) -> Answer {
        sleep(Duration::from_secs(1)).await;
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn one_too_many_is_refused_at_once() {
        let guarded = GuardLayer::new(2).layer(service_fn(slow));
        let begun = Instant::now();
        let third = async {
            tokio::task::yield_now().await;
            let answer = guarded.clone().oneshot(()).await;
            assert_eq!(begun.elapsed(), Duration::ZERO);
            answer
        };
        let (first, second, third) =
            tokio::join!(guarded.clone().oneshot(()), guarded.clone().oneshot(()), third);
        assert_eq!((first, second), (Ok(()), Ok(())));
        assert_eq!(third, Err(SourceFault::new(FaultClass::Guard)));
        // The places are free again.
        assert_eq!(guarded.oneshot(()).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_ask_gives_its_place_back() {
        let guarded = GuardLayer::new(1).layer(service_fn(slow));
        let cancelled = guarded.clone().oneshot(());
        assert!(tokio::time::timeout(Duration::from_millis(1), cancelled).await.is_err());
        assert_eq!(guarded.oneshot(()).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn two_stacks_of_one_layer_share_the_count() {
        let layer = GuardLayer::new(1);
        let (ask, relay) = (layer.layer(service_fn(slow)), layer.layer(service_fn(slow)));
        let (first, second) = tokio::join!(ask.oneshot(()), relay.oneshot(()));
        assert_eq!(first, Ok(()));
        assert_eq!(second, Err(SourceFault::new(FaultClass::Guard)));
    }
}
