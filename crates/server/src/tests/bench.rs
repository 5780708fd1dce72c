//! What the tests share: a desk that can be told what to say, and ways to ask.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tower::ServiceExt as _;
use tributary_broker::label::AllergyLabel;
use tributary_broker::view::{
    DiscrepancyView, Era, LineView, MemberView, PatientView, RecordView, SectionView, SourceRow,
    SourceStanding,
};
use tributary_broker::{
    Answer, AttachmentAnswer, AttachmentRequest, Delivery, Moment, Practice, Pulse, Refusal, RelayAnswer,
    RelayRequest, SourceSummary, TurnedAway, Verdict,
};
use tributary_model::{
    Capability, Lease, OdsCode, RecordRequest, RequestId, Requester, Section, SectionSet, SectionState,
    SourceId, SourceKind, SourceStatus, StreamId, Tally,
};
use tributary_telemetry::{BreakerState, Metrics};

use crate::desk::{Desk, Moments};
use crate::exchange::{BoxFuture, Edge, Inbound, ReadError, Reply};
use crate::layers;
use crate::settings::Settings;

/// What the stand-in does when asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Say {
    Record,
    Verdict(Verdict),
    Refuse(Refusal),
    Panic,
    Never,
    /// The record, once the gate lets it through.
    Gated,
}

/// Stands in for the broker.
#[derive(Debug)]
pub(crate) struct FakeDesk {
    pub(crate) say: Say,
    pub(crate) asked: Mutex<Vec<RecordRequest>>,
    pub(crate) relayed: Mutex<Vec<RelayRequest>>,
    pub(crate) delivered: Mutex<Vec<(String, u64, Delivery)>>,
    pub(crate) turned_away: Mutex<Vec<TurnedAway>>,
    pub(crate) body: Bytes,
    pub(crate) gate: Arc<Semaphore>,
    pub(crate) moments: Mutex<Option<UnboundedReceiver<Result<Moment, Refusal>>>>,
}

pub(crate) const BODY: &str = r#"{"resourceType":"Bundle","type":"collection"}"#;

impl FakeDesk {
    pub(crate) fn new(say: Say) -> Arc<Self> {
        Self::with_body(say, Bytes::from_static(BODY.as_bytes()))
    }

    pub(crate) fn with_body(say: Say, body: Bytes) -> Arc<Self> {
        Arc::new(Self {
            say,
            asked: Mutex::default(),
            relayed: Mutex::default(),
            delivered: Mutex::default(),
            turned_away: Mutex::default(),
            body,
            gate: Arc::new(Semaphore::new(0)),
            moments: Mutex::default(),
        })
    }

    /// What is sent is what the next stream shows.
    pub(crate) fn shows(&self) -> UnboundedSender<Result<Moment, Refusal>> {
        let (show, shown) = tokio::sync::mpsc::unbounded_channel();
        *self.moments.lock().unwrap() = Some(shown);
        show
    }
}

impl Desk for FakeDesk {
    fn stream(
        &self,
        request: RecordRequest,
        _ids: (StreamId, Option<StreamId>),
    ) -> BoxFuture<Result<Moments, Refusal>> {
        self.asked.lock().unwrap().push(request);
        let moments = self.moments.lock().unwrap().take();
        let next = |moments: Option<UnboundedReceiver<_>>| async move {
            let mut moments = moments?;
            Some((moments.recv().await?, Some(moments)))
        };
        Box::pin(async move { Ok(futures_util::stream::unfold(moments, next).boxed()) })
    }

    fn answer(&self, request: RecordRequest) -> BoxFuture<Result<Answer, Refusal>> {
        self.asked.lock().unwrap().push(request);
        let (say, body, gate) = (self.say, self.body.clone(), Arc::clone(&self.gate));
        Box::pin(async move {
            match say {
                Say::Gated => {
                    drop(gate.acquire().await);
                    Ok(answer(Verdict::Record, body))
                }
                Say::Record => Ok(answer(Verdict::Record, body)),
                Say::Verdict(verdict) => Ok(answer(verdict, body)),
                Say::Refuse(refusal) => Err(refusal),
                Say::Panic => panic!("9990000107 takes warfarin"),
                Say::Never => std::future::pending().await,
            }
        })
    }

    fn answer_in_words(&self, request: RecordRequest) -> BoxFuture<Result<(Answer, RecordView), Refusal>> {
        let answer = self.answer(request);
        Box::pin(async move { Ok((answer.await?, view("Penicillin"))) })
    }

    fn seal_form(&self, _who: &Requester, form: &str) -> Option<String> {
        Some(form.bytes().fold(String::new(), |sealed, byte| format!("{sealed}{byte:02x}")))
    }

    fn open_form(&self, _who: &Requester, sealed: &str) -> Option<String> {
        let byte = |at| u8::from_str_radix(sealed.get(at..at + 2)?, 16).ok();
        let bytes: Option<Vec<u8>> = (0..sealed.len()).step_by(2).map(byte).collect();
        String::from_utf8(bytes?).ok()
    }

    fn offer(
        &self,
        _visit: tributary_broker::Visit,
        _id: RequestId,
        _deadline: tributary_model::Deadline,
    ) -> BoxFuture<Result<tributary_broker::Offer, Refusal>> {
        let offer = tributary_broker::Offer { sealed: "sealed".to_owned(), audit: "7".to_owned() };
        Box::pin(async { Ok(offer) })
    }

    fn seal_visit(&self, _pass: tributary_broker::Pass, _visit: &tributary_broker::Visit) -> Option<String> {
        Some("sealed".to_owned())
    }

    fn open_visit(&self, _pass: tributary_broker::Pass, _sealed: &str) -> Option<tributary_broker::Visit> {
        None
    }

    fn visit_begins(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn relay(&self, request: RelayRequest) -> BoxFuture<Result<RelayAnswer, Refusal>> {
        self.relayed.lock().unwrap().push(request);
        let (say, body) = (self.say, self.body.clone());
        Box::pin(async move {
            match say {
                Say::Refuse(refusal) => Err(refusal),
                Say::Record | Say::Verdict(_) | Say::Panic | Say::Never | Say::Gated => Ok(RelayAnswer {
                    status: 200,
                    body,
                    etag: Some("W/\"3\"".to_owned()),
                    audit: "7".to_owned(),
                    lease: Lease::default(),
                }),
            }
        })
    }

    fn attachment(&self, _request: AttachmentRequest) -> BoxFuture<Result<AttachmentAnswer, Refusal>> {
        let (say, body) = (self.say, self.body.clone());
        Box::pin(async move {
            match say {
                Say::Refuse(refusal) => Err(refusal),
                Say::Record | Say::Verdict(_) | Say::Panic | Say::Never | Say::Gated => {
                    Ok(AttachmentAnswer {
                        body,
                        content_type: "text/plain".to_owned(),
                        audit: "7".to_owned(),
                        lease: Lease::default(),
                    })
                }
            }
        })
    }

    fn turned_away(&self, _request: RequestId, why: TurnedAway) -> BoxFuture<()> {
        self.turned_away.lock().unwrap().push(why);
        Box::pin(async {})
    }

    fn delivered(&self, audit: &str, bytes: u64, delivery: Delivery) {
        self.delivered.lock().unwrap().push((audit.to_owned(), bytes, delivery));
    }

    fn practice(&self, ods: &OdsCode) -> Option<Practice> {
        (ods.as_str() == "A99901").then(|| Practice { asid: Some("200000000205".to_owned()) })
    }

    fn endpoints(&self) -> Vec<(OdsCode, Capability, String)> {
        let root = "https://gp.example.test/A99901/STU3/1/gpconnect/structured/fhir/";
        vec![(OdsCode::parse("A99901").unwrap(), Capability::Structured, root.to_owned())]
    }

    fn sources(&self) -> Vec<SourceSummary> {
        vec![SourceSummary {
            id: SourceId::parse("gp-a99901").unwrap(),
            name: "Riverside \"Surgery\"".to_owned(),
            kind: SourceKind::Gp,
            sections: SectionSet::EMPTY.with(Section::Allergies),
            last_answered: None,
            maintenance: None,
            in_flight: 2,
            pulse: Some(Pulse { breaker: BreakerState::Shut, limit: 5, used: 4, waiting: 3 }),
        }]
    }

    fn is_ready(&self) -> bool {
        true
    }

    fn behind(&self) -> Duration {
        Duration::ZERO
    }
}

pub(crate) fn answer(verdict: Verdict, body: Bytes) -> Answer {
    let statuses = [SourceStatus::Timeout, SourceStatus::Ok];
    Answer {
        verdict,
        tally: Tally::of(statuses),
        audit: "42".to_owned(),
        body,
        sources: view("Penicillin").sources,
        lease: Lease::default(),
    }
}

/// A small record whose every free text holds `words`.
pub(crate) fn view(words: &str) -> RecordView {
    let gp = SourceId::parse("gp-a99901").unwrap();
    let row = |status| SourceRow {
        id: gp.clone(),
        name: format!("Riverside {words}"),
        status,
        pending: false,
        words: format!("said {words}"),
        latency_ms: 12,
        standing: SourceStanding {
            kind: SourceKind::Gp,
            heard_at: Timestamp::UNIX_EPOCH,
            last_answered: None,
            notices: Vec::new(),
            states: BTreeMap::new(),
        },
    };
    let member = MemberView {
        in_error: false,
        era: Era::Current,
        dated: None,
        ended: None,
        author: format!("Dr {words}"),
        original: None,
        source: gp.clone(),
        source_name: format!("Riverside {words}"),
        origin: "AllergyIntolerance/a1".to_owned(),
        title: format!("{words} (own)"),
        date: format!("02-Mar-2026 {words}"),
        facts: vec![format!("active {words}")],
        copy: Some("echo"),
        detail: format!("detail {words}"),
        full_url: "urn:uuid:0".to_owned(),
        attachments: vec!["http://broker.test/fhir/R4/Binary/x".to_owned()],
    };
    let line =
        LineView { title: words.to_owned(), key: "k".to_owned(), class: "conflict", members: vec![member] };
    let section =
        |section, state, lines| SectionView { section, state, shown: None, notices: Vec::new(), lines };
    RecordView {
        patient: PatientView {
            nhs_number: "999 000 0107".to_owned(),
            name: format!("ASHWORTH, George {words}"),
            born: "11-Feb-1953 (73y)".to_owned(),
            gender: String::new(),
            died: format!("03-Nov-2024 {words}"),
            ..PatientView::default()
        },
        sources: vec![row(SourceStatus::Timeout), row(SourceStatus::Ok)],
        allergy_label: AllergyLabel::Incomplete,
        sections: vec![
            section(Section::Allergies, SectionState::Content, vec![line]),
            section(Section::Problems, SectionState::Failed, Vec::new()),
        ],
        discrepancies: vec![DiscrepancyView {
            rule: "R1",
            kind: "conflict",
            severity: "high",
            words: format!("one says {words}"),
            members: Vec::new(),
            section: Some(Section::Allergies),
        }],
        tally: Tally::of([SourceStatus::Timeout, SourceStatus::Ok]),
        as_of: "2026-03-10T02:10:00Z".to_owned(),
        entries: (3, 3),
    }
}

pub(crate) fn settings() -> Settings {
    Settings {
        demo_patients: vec![("9990000107".to_owned(), "George <Ashworth>".to_owned())],
        public_base_url: "http://record.example.test".to_owned(),
        lame_duck: Duration::ZERO,
        drain: Duration::from_millis(200),
        ..Settings::default()
    }
}

pub(crate) fn edge(desk: &Arc<FakeDesk>, settings: Settings) -> Arc<Edge> {
    let metrics = Arc::new(Metrics::new(&[]).unwrap());
    Edge::new(Arc::clone(desk) as Arc<dyn Desk>, metrics, settings)
}

/// A request in memory, with the host every request needs.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Inbound> {
    let mut request = Request::builder().method(method).uri(path).header("host", "record.example.test");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = Full::new(Bytes::copy_from_slice(body.as_bytes()));
    request.body(Inbound::new(body.map_err(|never| -> ReadError { match never {} }))).unwrap()
}

pub(crate) fn parameters(more: &str) -> String {
    format!(
        r#"{{"resourceType":"Parameters","parameter":[{{"name":"patient","valueIdentifier":{{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000107"}}}}{more}]}}"#
    )
}

pub(crate) const RECORD: &str = "/fhir/R4/Patient/$record";
pub(crate) const FHIR: (&str, &str) = ("content-type", "application/fhir+json");

pub(crate) fn record_request(headers: &[(&str, &str)]) -> Request<Inbound> {
    let mut all = vec![FHIR];
    all.extend(headers);
    request("POST", RECORD, &all, &parameters(""))
}

/// Sends one request through the onion.
pub(crate) async fn send(edge: &Arc<Edge>, request: Request<Inbound>) -> Reply {
    layers::onion(edge).oneshot(request).await.unwrap()
}

/// Status, and the body as text.
pub(crate) async fn read(reply: Reply) -> (StatusCode, String) {
    let status = reply.status();
    let bytes = reply.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

/// The body of an outcome, checked to be one.
pub(crate) async fn outcome(reply: Reply) -> (StatusCode, serde_json::Value) {
    assert_eq!(reply.headers()["content-type"], "application/fhir+json; charset=utf-8");
    let (status, body) = read(reply).await;
    let json: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(json["resourceType"], "OperationOutcome", "{body}");
    assert_eq!(json["issue"][0]["severity"], "error");
    (status, json)
}
