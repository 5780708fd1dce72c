//! What the edge asks of the broker, as a seam that tests can stand in for.

use tributary_broker::{Answer, Broker, Delivery, Refusal, RelayAnswer, RelayRequest, SourceSummary};
use tributary_model::RecordRequest;

use crate::exchange::BoxFuture;

/// The broker as the edge sees it.
pub(crate) trait Desk: Send + Sync + 'static {
    /// Answers one record request.
    fn answer(&self, request: RecordRequest) -> BoxFuture<Result<Answer, Refusal>>;
    /// Passes a GP Connect call on.
    fn relay(&self, request: RelayRequest) -> BoxFuture<Result<RelayAnswer, Refusal>>;
    /// Notes how a delivery ended.
    fn delivered(&self, audit: &str, bytes: u64, delivery: Delivery);
    /// The registered sources.
    fn sources(&self) -> Vec<SourceSummary>;
    /// Whether requests can be served.
    fn is_ready(&self) -> bool;
}

impl Desk for Broker {
    fn answer(&self, request: RecordRequest) -> BoxFuture<Result<Answer, Refusal>> {
        let broker = self.clone();
        Box::pin(async move { Self::answer(&broker, request).await })
    }

    fn relay(&self, request: RelayRequest) -> BoxFuture<Result<RelayAnswer, Refusal>> {
        let broker = self.clone();
        Box::pin(async move { Self::relay(&broker, request).await })
    }

    fn delivered(&self, audit: &str, bytes: u64, delivery: Delivery) {
        Self::delivered(self, audit, bytes, delivery);
    }

    fn sources(&self) -> Vec<SourceSummary> {
        Self::sources(self)
    }

    fn is_ready(&self) -> bool {
        Self::is_ready(self)
    }
}
