//! Tells the places at a source what became of each request, so that their number fits.

use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;
use tower::{Layer, Service};
use tributary_model::{FaultClass, SourceFault};

use crate::bulkhead::{Bulkhead, Heard};
use crate::deadline::HasDeadline;
use crate::second_attempt::Answer;

/// Tells a [`Bulkhead`] how long requests took and how they ended. It stands inside of the wait for a place and
/// of the deadline of one attempt: the source is judged by the time that it had itself.
#[derive(Clone, Debug)]
pub struct FeedbackLayer {
    bulkhead: Bulkhead,
}

impl FeedbackLayer {
    /// A layer that tells these places.
    pub const fn new(bulkhead: Bulkhead) -> Self {
        Self { bulkhead }
    }
}

impl<S> Layer<S> for FeedbackLayer {
    type Service = FeedbackService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        FeedbackService { inner, bulkhead: self.bulkhead.clone() }
    }
}

/// See [`FeedbackLayer`].
#[derive(Clone, Debug)]
pub struct FeedbackService<S> {
    inner: S,
    bulkhead: Bulkhead,
}

impl<S, R> Service<R> for FeedbackService<S>
where
    R: HasDeadline,
    S: Service<R, Error = SourceFault>,
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
        let given = request.deadline().remaining();
        let watch = Watch { bulkhead: Some(self.bulkhead.clone()), begun: Instant::now(), given };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            let fault = match &answer {
                Ok(answer) => answer.fault(),
                Err(fault) => Some(*fault),
            };
            watch.finish(fault.map_or(Ok(()), |fault| Err(fault.class)));
            answer
        })
    }
}

/// One request that is at the source.
struct Watch {
    bulkhead: Option<Bulkhead>,
    begun: Instant,
    given: Duration,
}

impl Watch {
    fn finish(mut self, outcome: Result<(), FaultClass>) {
        self.tell(outcome);
    }

    fn tell(&mut self, outcome: Result<(), FaultClass>) {
        if let Some(bulkhead) = self.bulkhead.take() {
            bulkhead.heard(Heard { begun: self.begun, given: self.given, outcome });
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Whoever waited to the end was waiting for the source; whoever left earlier had a reason of his own.
        if self.begun.elapsed() >= self.given {
            self.tell(Err(FaultClass::NoHead));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;

    use tokio::time::sleep;
    use tower::{ServiceExt as _, service_fn};
    use tributary_model::{Deadline, Retry};

    use crate::chance::Chance;
    use crate::observe::Unobserved;

    #[derive(Debug)]
    struct Question(Deadline);

    impl HasDeadline for Question {
        fn deadline(&self) -> Deadline {
            self.0
        }

        fn set_deadline(&mut self, deadline: Deadline) {
            self.0 = deadline;
        }
    }

    struct Said(Option<SourceFault>);

    impl Answer for Said {
        fn fault(&self) -> Option<SourceFault> {
            self.0
        }

        fn at_second_attempt(self) -> Self {
            self
        }
    }

    async fn limit_after(answer: Result<Option<FaultClass>, FaultClass>) -> usize {
        let bulkhead = Bulkhead::new(10, Duration::from_secs(3), Chance::seeded(1), Arc::new(Unobserved));
        let source = FeedbackLayer::new(bulkhead.clone()).layer(service_fn(move |_: Question| async move {
            sleep(Duration::from_millis(10)).await;
            let fault = |class| SourceFault::new(class).with_retry(Retry::Never);
            answer.map(|said| Said(said.map(fault))).map_err(fault)
        }));
        let _answer = source.oneshot(Question(Deadline::after(Duration::from_secs(3)))).await;
        bulkhead.occupancy().limit
    }

    #[tokio::test(start_paused = true)]
    async fn too_much_is_heard_in_answers_and_in_faults_and_nothing_else_cuts() {
        assert_eq!(limit_after(Ok(Some(FaultClass::Throttled))).await, 7);
        assert_eq!(limit_after(Err(FaultClass::Throttled)).await, 7);
        for other in
            [FaultClass::ServerError, FaultClass::Reset, FaultClass::OurRequest, FaultClass::NoRecord]
        {
            assert_eq!(limit_after(Ok(Some(other))).await, 10);
        }
        assert_eq!(limit_after(Ok(None)).await, 10);
    }
}
