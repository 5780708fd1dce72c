//! What the edge asks of the broker, as a seam that tests can stand in for.

use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt as _};
use tributary_broker::{
    Answer, AttachmentAnswer, AttachmentRequest, Broker, Delivery, Moment, Practice, RecordStream, Refusal,
    RelayAnswer, RelayRequest, SourceSummary, TurnedAway,
};
use tributary_model::{Capability, OdsCode, RecordRequest, RequestId, StreamId};

use crate::exchange::BoxFuture;

/// The states of a record as it grows. Dropped, it ends what was begun for it.
pub(crate) type Moments = BoxStream<'static, Result<Moment, Refusal>>;

/// The broker as the edge sees it.
pub(crate) trait Desk: Send + Sync + 'static {
    /// Answers one record request.
    fn answer(&self, request: RecordRequest) -> BoxFuture<Result<Answer, Refusal>>;
    /// Begins a record that is shown as it grows, under this id; it goes on with the other one.
    fn stream(
        &self,
        request: RecordRequest,
        ids: (StreamId, Option<StreamId>),
    ) -> BoxFuture<Result<Moments, Refusal>>;
    /// Passes a GP Connect call on.
    fn relay(&self, request: RelayRequest) -> BoxFuture<Result<RelayAnswer, Refusal>>;
    /// Fetches what is attached to a record.
    fn attachment(&self, request: AttachmentRequest) -> BoxFuture<Result<AttachmentAnswer, Refusal>>;
    /// Puts on record that somebody was not let in.
    fn turned_away(&self, request: RequestId, why: TurnedAway) -> BoxFuture<()>;
    /// Notes how a delivery ended.
    fn delivered(&self, audit: &str, bytes: u64, delivery: Delivery);
    /// A practice whose GP system is served here.
    fn practice(&self, ods: &OdsCode) -> Option<Practice>;
    /// Every registered GP Connect endpoint: practice, capability and service root as registered.
    fn endpoints(&self) -> Vec<(OdsCode, Capability, String)>;
    /// The registered sources.
    fn sources(&self) -> Vec<SourceSummary>;
    /// Whether requests can be served.
    fn is_ready(&self) -> bool;
    /// For how long the longest waiting piece of its work has waited for a processor.
    fn behind(&self) -> Duration;
}

impl Desk for Broker {
    fn answer(&self, request: RecordRequest) -> BoxFuture<Result<Answer, Refusal>> {
        let broker = self.clone();
        Box::pin(async move { Self::answer(&broker, request).await })
    }

    fn stream(
        &self,
        request: RecordRequest,
        ids: (StreamId, Option<StreamId>),
    ) -> BoxFuture<Result<Moments, Refusal>> {
        let broker = self.clone();
        Box::pin(async move {
            let record = Self::stream(&broker, request, ids).await?;
            let next = |mut record: RecordStream| async move { Some((record.next().await?, record)) };
            Ok(futures_util::stream::unfold(record, next).boxed())
        })
    }

    fn relay(&self, request: RelayRequest) -> BoxFuture<Result<RelayAnswer, Refusal>> {
        let broker = self.clone();
        Box::pin(async move { Self::relay(&broker, request).await })
    }

    fn attachment(&self, request: AttachmentRequest) -> BoxFuture<Result<AttachmentAnswer, Refusal>> {
        let broker = self.clone();
        Box::pin(async move { Self::attachment(&broker, request).await })
    }

    fn turned_away(&self, request: RequestId, why: TurnedAway) -> BoxFuture<()> {
        let broker = self.clone();
        Box::pin(async move { Self::turned_away(&broker, request, why).await })
    }

    fn delivered(&self, audit: &str, bytes: u64, delivery: Delivery) {
        Self::delivered(self, audit, bytes, delivery);
    }

    fn practice(&self, ods: &OdsCode) -> Option<Practice> {
        Self::practice(self, ods)
    }

    fn endpoints(&self) -> Vec<(OdsCode, Capability, String)> {
        Self::endpoints(self)
    }

    fn sources(&self) -> Vec<SourceSummary> {
        Self::sources(self)
    }

    fn is_ready(&self) -> bool {
        Self::is_ready(self)
    }

    fn behind(&self) -> Duration {
        Self::behind(self)
    }
}
