//! Ends an ask when its time is up.

use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tower::{Layer, Service};
use tributary_model::{Ask, AttachmentAsk, Deadline, FaultClass, RelayAsk, SourceFault};

/// A request that must be answered by a known instant.
pub trait HasDeadline {
    /// By when.
    fn deadline(&self) -> Deadline;

    /// Brings the deadline forward.
    fn set_deadline(&mut self, deadline: Deadline);
}

impl HasDeadline for Ask {
    fn deadline(&self) -> Deadline {
        self.deadline
    }

    fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }
}

impl HasDeadline for AttachmentAsk {
    fn deadline(&self) -> Deadline {
        self.deadline
    }

    fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }
}

impl HasDeadline for RelayAsk {
    fn deadline(&self) -> Deadline {
        self.deadline
    }

    fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }
}

/// The deadline passed without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no answer by the deadline")]
pub struct DeadlinePassed;

impl From<DeadlinePassed> for SourceFault {
    fn from(_: DeadlinePassed) -> Self {
        Self::new(FaultClass::NoHead)
    }
}

/// Ends each ask at its own deadline or after `cap`, whichever comes first.
#[derive(Clone, Copy, Debug)]
pub struct DeadlineLayer {
    cap: Duration,
}

impl DeadlineLayer {
    /// A layer that gives no ask more than `cap`.
    pub const fn new(cap: Duration) -> Self {
        Self { cap }
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = DeadlineService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        DeadlineService { inner, cap: self.cap }
    }
}

/// See [`DeadlineLayer`].
#[derive(Clone, Debug)]
pub struct DeadlineService<S> {
    inner: S,
    cap: Duration,
}

impl<S, R> Service<R> for DeadlineService<S>
where
    R: HasDeadline,
    S: Service<R>,
    S::Future: Send + 'static,
    S::Error: From<DeadlinePassed>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: R) -> Self::Future {
        let deadline = request.deadline().capped(self.cap);
        // What is inside sees the shortened deadline. It is polled first, so it can end itself with a
        // more exact fault at the same instant.
        request.set_deadline(deadline);
        let answer = self.inner.call(request);
        Box::pin(async move {
            tokio::time::timeout_at(deadline.instant(), answer)
                .await
                .unwrap_or_else(|_elapsed| Err(DeadlinePassed.into()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::future::pending;

    use tokio::time::{Instant, sleep};
    use tower::{ServiceExt as _, service_fn};

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

    #[track_caller]
    fn ended_after(begun: Instant, millis: u64) {
        assert_eq!(begun.elapsed(), Duration::from_millis(millis));
    }

    async fn silent_source(own: u64, cap: u64) -> Instant {
        let begun = Instant::now();
        let layer = DeadlineLayer::new(Duration::from_millis(cap));
        let silent = layer.layer(service_fn(|_: Question| pending::<Result<(), SourceFault>>()));
        let question = Question(Deadline::after(Duration::from_millis(own)));
        let fault = silent.oneshot(question).await.unwrap_err();
        assert_eq!(fault, SourceFault::new(FaultClass::NoHead));
        begun
    }

    #[tokio::test(start_paused = true)]
    async fn the_earlier_of_deadline_and_cap_ends_an_ask() {
        ended_after(silent_source(300, 2000).await, 300);
        ended_after(silent_source(3000, 2000).await, 2000);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_inside_sees_the_shortened_deadline() {
        let layer = DeadlineLayer::new(Duration::from_millis(200));
        let inner =
            service_fn(|question: Question| async move { Ok::<_, SourceFault>(question.0.remaining()) });
        let question = Question(Deadline::after(Duration::from_secs(9)));
        let left = layer.layer(inner).oneshot(question).await.unwrap();
        assert_eq!(left, Duration::from_millis(200));
    }

    #[tokio::test(start_paused = true)]
    async fn an_exact_fault_from_inside_wins_at_the_same_instant() {
        let layer = DeadlineLayer::new(Duration::from_millis(200));
        let inner = service_fn(|question: Question| async move {
            tokio::time::sleep_until(question.0.instant()).await;
            Err::<(), _>(SourceFault::new(FaultClass::SlowBody))
        });
        let question = Question(Deadline::after(Duration::from_secs(9)));
        let fault = layer.layer(inner).oneshot(question).await.unwrap_err();
        assert_eq!(fault.class, FaultClass::SlowBody);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_in_time_passes() {
        let layer = DeadlineLayer::new(Duration::from_secs(1));
        let inner = service_fn(|_: Question| async {
            sleep(Duration::from_millis(999)).await;
            Ok::<_, SourceFault>("answer")
        });
        let question = Question(Deadline::after(Duration::from_secs(1)));
        assert_eq!(layer.layer(inner).oneshot(question).await, Ok("answer"));
    }
}
