//! Tells an observer when an ask begins and how it ends.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;
use tower::{Layer, Service};
use tributary_model::{FaultClass, SourceFault};

use crate::breaker::BreakerState;

/// Hears of every ask of one source, and of what its limits do. Whoever wants to hear of a part writes that part.
///
/// It is called while an ask is served, so it counts and returns; it never waits, and never asks the source.
pub trait Observer: Send + Sync + 'static {
    /// An ask began. It ends with `finished` or with `cancelled`.
    fn started(&self) {}

    /// It ended, with an answer or a fault.
    fn finished(&self, _outcome: Result<(), FaultClass>, _elapsed: Duration) {}

    /// Whoever waited for it has gone.
    fn cancelled(&self, _elapsed: Duration) {}

    /// The breaker is in this state from now on.
    fn breaker(&self, _state: BreakerState) {}

    /// So many requests may be at the source from now on.
    fn limit(&self, _requests: usize) {}

    /// A request waits for a place at the source, until `waited`.
    fn waits(&self) {}

    /// It waits no more, with a place or without.
    fn waited(&self) {}

    /// A second attempt is made.
    fn retried(&self) {}
}

/// An observer that listens to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}

/// Reports every ask to an [`Observer`].
#[derive(Clone)]
pub struct ObserveLayer {
    observer: Arc<dyn Observer>,
}

impl fmt::Debug for ObserveLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObserveLayer").finish_non_exhaustive()
    }
}

impl ObserveLayer {
    /// A layer that reports to `observer`.
    pub fn new(observer: Arc<dyn Observer>) -> Self {
        Self { observer }
    }
}

impl<S> Layer<S> for ObserveLayer {
    type Service = ObserveService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ObserveService { inner, observer: Arc::clone(&self.observer) }
    }
}

/// See [`ObserveLayer`].
#[derive(Clone)]
pub struct ObserveService<S> {
    inner: S,
    observer: Arc<dyn Observer>,
}

impl<S: fmt::Debug> fmt::Debug for ObserveService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObserveService").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S, R> Service<R> for ObserveService<S>
where
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
        let watch = Watch::start(Arc::clone(&self.observer));
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            watch.finish(answer.as_ref().map(drop).map_err(|fault| fault.class));
            answer
        })
    }
}

/// One ask under observation. Dropped before it was finished, it was cancelled.
struct Watch {
    observer: Option<Arc<dyn Observer>>,
    begun: Instant,
}

impl Watch {
    fn start(observer: Arc<dyn Observer>) -> Self {
        observer.started();
        Self { observer: Some(observer), begun: Instant::now() }
    }

    fn finish(mut self, outcome: Result<(), FaultClass>) {
        if let Some(observer) = self.observer.take() {
            observer.finished(outcome, self.begun.elapsed());
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(observer) = self.observer.take() {
            observer.cancelled(self.begun.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Mutex;

    use tokio::time::sleep;
    use tower::{ServiceExt as _, service_fn};

    #[derive(Debug, PartialEq)]
    enum Heard {
        Started,
        Finished(Result<(), FaultClass>, u128),
        Cancelled(u128),
    }

    #[derive(Default)]
    struct Notebook(Mutex<Vec<Heard>>);

    impl Notebook {
        fn note(&self, heard: Heard) {
            self.0.lock().unwrap().push(heard);
        }
    }

    impl Observer for Notebook {
        fn started(&self) {
            self.note(Heard::Started);
        }

        fn finished(&self, outcome: Result<(), FaultClass>, elapsed: Duration) {
            self.note(Heard::Finished(outcome, elapsed.as_millis()));
        }

        fn cancelled(&self, elapsed: Duration) {
            self.note(Heard::Cancelled(elapsed.as_millis()));
        }
    }

    async fn check(answer: Result<(), SourceFault>, patience_millis: u64, expected: Heard) {
        let notebook = Arc::new(Notebook::default());
        let layer = ObserveLayer::new(Arc::<Notebook>::clone(&notebook));
        let source = layer.layer(service_fn(move |_question: ()| async move {
            sleep(Duration::from_millis(40)).await;
            answer
        }));
        let patience = Duration::from_millis(patience_millis);
        let _answer_or_gone = tokio::time::timeout(patience, source.oneshot(())).await;
        assert_eq!(*notebook.0.lock().unwrap(), [Heard::Started, expected]);
    }

    #[tokio::test(start_paused = true)]
    async fn every_ask_is_heard_to_begin_and_to_end() {
        let denied = FaultClass::Denied;
        check(Ok(()), 100, Heard::Finished(Ok(()), 40)).await;
        check(Err(SourceFault::new(denied)), 100, Heard::Finished(Err(denied), 40)).await;
        check(Ok(()), 10, Heard::Cancelled(10)).await;
    }
}
