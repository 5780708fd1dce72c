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

/// One look at a record, in words for the patient.
#[derive(Clone, Debug, Default)]
pub struct LookRow {
    /// When: RFC 3339, UTC.
    pub at: String,
    /// When, as it was on clocks in England.
    pub when: String,
    /// Their name.
    pub who: String,
    /// What they do.
    pub role: String,
    /// Whom they work for.
    pub organisation: String,
    /// What for: a sentence.
    pub why: String,
    /// `shown`, `nothing-shown` or `refused`.
    pub outcome: &'static str,
    /// Why it was allowed or refused.
    pub because: String,
    /// What was looked at or asked for.
    pub asked: String,
    /// Where what was shown came from.
    pub sources: Vec<String>,
    /// What was not shown, in sentences.
    pub not_shown: Vec<String>,
    /// That the emergency override was used or asked for: a sentence.
    pub emergency: Option<String>,
    /// Whether an answer arrived: a sentence.
    pub reached: String,
    /// Names the entry of the audit log.
    pub entry: String,
}

/// Something else that is on record about the patient.
#[derive(Clone, Debug, Default)]
pub struct LookAside {
    /// When: RFC 3339, UTC.
    pub at: String,
    /// When, as it was on clocks in England.
    pub when: String,
    /// What: a sentence.
    pub says: String,
    /// Names the entry of the audit log.
    pub entry: String,
}

/// Who looked at one record, the newest first. Reading it is on record already.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// Every look.
    pub rows: Vec<LookRow>,
    /// What else is on record.
    pub asides: Vec<LookAside>,
    /// How many older records were left out.
    pub older: u64,
    /// Why this may not be all, in sentences; empty where the log that was read is whole.
    pub warnings: Vec<String>,
    /// Which logs were read: a sentence.
    pub covers: String,
    /// The audit record of this reading.
    pub audit: String,
}

/// Why nobody is told who looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotLooked {
    /// As many as may are reading the log.
    Busy,
    /// The reading could not be put on record.
    Unrecorded,
    /// The log could not be read.
    Unreadable,
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
