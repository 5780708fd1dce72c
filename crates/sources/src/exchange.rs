//! One request to a source and its answer: the limits that every request of every connector passes.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue};
use tower::util::BoxCloneSyncService;
use tower::{ServiceBuilder, ServiceExt as _, service_fn};
use tributary_flow::{
    Answer, Breaker, Bulkhead, BulkheadLayer, Chance, DeadlineLayer, Errand, FeedbackLayer, HasDeadline,
    HasErrand, Observer, Occasion, RetryBudget, SecondAttemptLayer,
};
use tributary_model::{Deadline, FaultClass, Requester, Retry, SourceFault};

use crate::egress::{Bounds, Egress, Outgoing, Received};
use crate::registry::SourceEntry;

/// What is left, in milliseconds, for sources that want to know.
const DEADLINE: HeaderName = HeaderName::from_static("tributary-deadline-ms");

/// Writes one attempt at a request: nothing that may be used once only is in two attempts.
pub(crate) type Make = Arc<dyn Fn() -> Result<Outgoing, SourceFault> + Send + Sync>;

/// Makes one attempt: the client, or a stand-in in tests.
pub(crate) type Attempt =
    Arc<dyn Fn(Bounds, Outgoing) -> BoxFuture<'static, Result<Received, SourceFault>> + Send + Sync>;

/// The client as what makes attempts.
pub(crate) fn over(egress: &Egress) -> Attempt {
    let egress = egress.clone();
    Arc::new(move |bounds, outgoing| {
        let egress = egress.clone();
        Box::pin(async move { egress.attempt(bounds, outgoing).await })
    })
}

/// One request.
#[derive(Clone)]
pub(crate) struct Request {
    /// As part of which ask.
    pub(crate) errand: Errand,
    pub(crate) bounds: Bounds,
    pub(crate) make: Make,
}

impl HasDeadline for Request {
    fn deadline(&self) -> Deadline {
        self.bounds.deadline
    }

    fn set_deadline(&mut self, deadline: Deadline) {
        self.bounds.deadline = deadline;
    }
}

impl HasErrand for Request {
    fn errand(&self) -> &Errand {
        &self.errand
    }
}

/// The limits read the status alone: what a body says is for the connector to understand.
impl Answer for Received {
    fn fault(&self) -> Option<SourceFault> {
        let class = match (self.status, self.retry_after) {
            (200..=399, _) => return None,
            (429, _) | (503, Some(_)) => FaultClass::Throttled,
            (408 | 500..=599, _) => FaultClass::ServerError,
            (401 | 403, _) => FaultClass::Denied,
            (404 | 410, _) => FaultClass::NoRecord,
            (400..=499, _) => FaultClass::OurRequest,
            _ => FaultClass::UnexpectedStatus,
        };
        let retry = self.retry_after.map_or(Retry::Never, Retry::Later);
        Some(SourceFault::new(class).with_http(self.status).with_retry(retry))
    }

    fn at_second_attempt(self) -> Self {
        Self { attempts: 2, ..self }
    }
}

/// The way to one source. Clones share its limits.
#[derive(Clone)]
pub(crate) struct Exchange {
    service: BoxCloneSyncService<Request, Received, SourceFault>,
    bulkhead: Bulkhead,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("bulkhead", &self.bulkhead).finish_non_exhaustive()
    }
}

impl Exchange {
    /// The onion around each request, outside in.
    pub(crate) fn new(
        entry: &SourceEntry,
        breaker: &Breaker,
        observer: &Arc<dyn Observer>,
        attempt: Attempt,
    ) -> Self {
        let heard = Arc::clone(observer);
        let bulkhead =
            Bulkhead::new(entry.max_in_flight, entry.timeout, Chance::of_system(), Arc::clone(observer));
        let (occasion, budget) = (Occasion::SilenceOrGateway, RetryBudget::new());
        let breaker = Some(breaker.clone());
        let sends_deadline = entry.sends_deadline;
        let service = ServiceBuilder::new()
            // Outermost: each attempt takes a place of its own, and none is held between the two.
            .layer(SecondAttemptLayer::new(occasion, budget, breaker, Chance::of_system(), heard))
            // Outside of the deadline of an attempt: waiting here takes nothing from the source's own time.
            .layer(BulkheadLayer)
            // Outside of the feedback, which judges the source by the time that this attempt gave it.
            .layer(DeadlineLayer::new(entry.timeout))
            // Innermost: it hears what the source did, and nothing of our own refusals.
            .layer(FeedbackLayer::new(bulkhead.clone()))
            .service(service_fn(move |request: Request| {
                let attempt = Arc::clone(&attempt);
                async move { attempt(request.bounds, write(&request, sends_deadline)?).await }
            }));
        Self { service: BoxCloneSyncService::new(service), bulkhead }
    }

    /// Begins an ask.
    pub(crate) fn errand(&self, requester: &Requester) -> Errand {
        self.bulkhead.errand(requester.priority, requester.organisation.clone())
    }

    /// The places at the source.
    pub(crate) const fn bulkhead(&self) -> &Bulkhead {
        &self.bulkhead
    }

    /// Sends a request as part of an ask.
    pub(crate) async fn send(
        &self,
        errand: Errand,
        bounds: Bounds,
        make: Make,
    ) -> Result<Received, SourceFault> {
        self.service.clone().oneshot(Request { errand, bounds, make }).await
    }
}

/// Writes an attempt, at the last moment, so that what it says of the time is true.
fn write(request: &Request, sends_deadline: bool) -> Result<Outgoing, SourceFault> {
    let mut outgoing = (request.make)()?;
    if sends_deadline {
        let left = request.bounds.deadline.remaining().as_millis();
        let left = HeaderValue::from(u64::try_from(left).unwrap_or(u64::MAX));
        outgoing.headers.insert(DEADLINE, left);
    }
    Ok(outgoing)
}

#[cfg(test)]
pub(crate) mod tests;
