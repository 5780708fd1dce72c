//! What the edge asks of the broker, as a seam that tests can stand in for.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt as _};
use jiff::Timestamp;
use tributary_broker::view::RecordView;
use tributary_broker::{
    Answer, AttachmentAnswer, AttachmentRequest, Broker, Delivery, Moment, Offer, Pass, Practice,
    RecordStream, Refusal, RelayAnswer, RelayRequest, SourceSummary, TurnedAway, Visit,
};
use tributary_model::{
    Capability, Deadline, NhsNumber, OdsCode, RecordRequest, RequestId, Requester, StreamId,
};

use crate::exchange::BoxFuture;

pub use tributary_viewer::log::{LookAside, LookRow, Looked, NotLooked};

/// The states of a record as it grows. Dropped, it ends what was begun for it.
pub(crate) type Moments = BoxStream<'static, Result<Moment, Refusal>>;

/// The broker as the edge sees it.
pub(crate) trait Desk: Send + Sync + 'static {
    /// Answers one record request.
    fn answer(&self, request: RecordRequest) -> BoxFuture<Result<Answer, Refusal>>;
    /// The same, with the record in words, for a page.
    fn answer_in_words(&self, request: RecordRequest) -> BoxFuture<Result<(Answer, RecordView), Refusal>>;
    /// Begins a record that is shown as it grows, under this id; it goes on with the other one.
    fn stream(
        &self,
        request: RecordRequest,
        ids: (StreamId, Option<StreamId>),
    ) -> BoxFuture<Result<Moments, Refusal>>;
    /// What an address says in place of a form.
    fn seal_form(&self, who: &Requester, form: &str) -> Option<String>;
    /// The form that an address stands for.
    fn open_form(&self, who: &Requester, sealed: &str) -> Option<String>;
    /// Puts on record that a page is opened for somebody, and gives what opens it.
    fn offer(&self, visit: Visit, id: RequestId, deadline: Deadline) -> BoxFuture<Result<Offer, Refusal>>;
    /// What stands for a visit, in this way.
    fn seal_visit(&self, pass: Pass, visit: &Visit) -> Option<String>;
    /// The visit that it stands for.
    fn open_visit(&self, pass: Pass, sealed: &str) -> Option<Visit>;
    /// The moment at which visits begin.
    fn visit_begins(&self) -> Timestamp;
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

/// Whoever asks who looked at a record.
#[derive(Clone, Debug)]
pub struct LookedRequest {
    /// Names the request.
    pub id: RequestId,
    /// Who asks.
    pub requester: Arc<Requester>,
    /// About whose record.
    pub patient: NhsNumber,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

/// Tells who looked, and puts that somebody asked on record before it does. Handed in by the wiring. Who may ask is
/// the edge's business.
#[derive(Clone)]
pub struct WhoLooked(Arc<Ask>);

type Ask = dyn Fn(LookedRequest) -> BoxFuture<Result<Looked, NotLooked>> + Send + Sync;

impl WhoLooked {
    /// From a function.
    pub fn new<F>(ask: impl Fn(LookedRequest) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Looked, NotLooked>> + Send + 'static,
    {
        Self(Arc::new(move |request| Box::pin(ask(request))))
    }

    /// Asks it.
    pub(crate) fn ask(&self, request: LookedRequest) -> BoxFuture<Result<Looked, NotLooked>> {
        (self.0)(request)
    }
}

impl fmt::Debug for WhoLooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WhoLooked")
    }
}

impl Desk for Broker {
    fn answer(&self, request: RecordRequest) -> BoxFuture<Result<Answer, Refusal>> {
        let broker = self.clone();
        Box::pin(async move { Self::answer(&broker, request).await })
    }

    fn answer_in_words(&self, request: RecordRequest) -> BoxFuture<Result<(Answer, RecordView), Refusal>> {
        let broker = self.clone();
        Box::pin(async move { Self::answer_in_words(&broker, request).await })
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

    fn seal_form(&self, who: &Requester, form: &str) -> Option<String> {
        Self::seal_form(self, who, form)
    }

    fn open_form(&self, who: &Requester, sealed: &str) -> Option<String> {
        Self::open_form(self, who, sealed)
    }

    fn offer(&self, visit: Visit, id: RequestId, deadline: Deadline) -> BoxFuture<Result<Offer, Refusal>> {
        let broker = self.clone();
        Box::pin(async move { Self::offer(&broker, &visit, id, deadline).await })
    }

    fn seal_visit(&self, pass: Pass, visit: &Visit) -> Option<String> {
        Self::seal_visit(self, pass, visit)
    }

    fn open_visit(&self, pass: Pass, sealed: &str) -> Option<Visit> {
        Self::open_visit(self, pass, sealed)
    }

    fn visit_begins(&self) -> Timestamp {
        Self::visit_begins(self)
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
