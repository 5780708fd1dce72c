//! What the audit log is told, and when: intent before the first ask, disclosure before the first byte.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::Instrument as _;
use tributary_audit::{
    Access, AuditError, BreakGlass, Delivered, Denied, Digest, Disclosure, Event, GlassDecision, GlassEvent,
    Intent, Interaction, Outcome, Proof, Receipt, SecurityEvent, SecurityKind, SourceEntry, TokenKind,
};
use tributary_model::{
    Capability, Completeness, Deadline, Denial, DenyReason, FaultClass, NhsNumber, RecordForm, RecordRequest,
    RequestId, Requester, SectionSet, SourceFault, SourceId, SourceStatus, TraceContext, TraceId, requester,
};
use tributary_telemetry::Work;

use crate::answer::{AttachmentRequest, RelayRequest};
use crate::broker::{Room, TurnedAway};
use crate::flights::forget;
use crate::key::Holding;
use crate::mixups::Consequence;
use crate::parts::Tracing;
use crate::refusal::Refusal;
use crate::visit::Visit;

/// "The client closed the request": the status of answers that nobody waited for.
const NOBODY_WAITED: u16 = 499;

/// What showed who asks.
fn proof(requester: &Requester) -> Proof {
    let Some(proof) = &requester.proof else { return Proof::default() };
    Proof {
        consumer: Some(Arc::from(proof.consumer.as_str())),
        certificate_spki: proof.spki_sha256.map(Digest::from),
        token_issuer: proof.issuer.as_deref().map(Arc::from),
        token_id: proof.jti_sha256.map(Digest::from),
        token_kind: Some(match proof.token {
            requester::TokenKind::Unsigned => TokenKind::AssertedUnsigned,
            requester::TokenKind::Signed => TokenKind::Signed,
            requester::TokenKind::Cis2 => TokenKind::Cis2,
        }),
    }
}

/// The access of a record request.
pub(crate) fn access(room: &Room, request: &RecordRequest, sections: SectionSet) -> Arc<Access> {
    Arc::new(Access {
        request: request.id,
        requester: Arc::clone(&request.requester),
        proof: proof(&request.requester),
        patient: Some(request.patient),
        purpose: request.purpose,
        relationship: request.relationship,
        break_glass: if request.break_glass.is_some() {
            BreakGlass::ReasonGiven
        } else {
            BreakGlass::NotAsked
        },
        interaction: match request.form {
            RecordForm::R4 | RecordForm::Stu3 | RecordForm::Lines => Interaction::Record,
            RecordForm::Summary => Interaction::Summary,
            RecordForm::Print => Interaction::Print,
        },
        sections,
        asked_as: None,
        policy: Some(room.policy.digest),
    })
}

/// The access of a call that is passed on.
pub(crate) fn relay_access(
    room: &Room,
    request: &RelayRequest,
    patient: Option<NhsNumber>,
    asked_as: Option<NhsNumber>,
) -> Arc<Access> {
    Arc::new(Access {
        request: request.id,
        requester: Arc::clone(&request.requester),
        proof: proof(&request.requester),
        patient,
        purpose: tributary_model::Purpose::DirectCare,
        relationship: patient.map(|patient| request.requester.relationship_to(patient)).unwrap_or_default(),
        break_glass: BreakGlass::NotAsked,
        interaction: match request.interaction.capability() {
            Capability::Structured => Interaction::GpConnectStructured,
            Capability::Documents => Interaction::GpConnectDocuments,
            Capability::Foundations => Interaction::GpConnectFoundations,
        },
        sections: SectionSet::EMPTY,
        asked_as,
        policy: Some(room.policy.digest),
    })
}

/// The access of a fetch of what is attached.
pub(crate) fn attachment_access(
    room: &Room,
    request: &AttachmentRequest,
    patient: NhsNumber,
    sections: SectionSet,
) -> Arc<Access> {
    Arc::new(Access {
        request: request.id,
        requester: Arc::clone(&request.requester),
        proof: proof(&request.requester),
        patient: Some(patient),
        purpose: tributary_model::Purpose::DirectCare,
        relationship: request.requester.relationship_to(patient),
        break_glass: BreakGlass::NotAsked,
        interaction: Interaction::Binary,
        sections,
        asked_as: None,
        policy: Some(room.policy.digest),
    })
}

/// Puts on record that a page is opened for somebody; gives the id that names it. Nothing is disclosed by it, and what
/// it opens is decided when it is opened.
pub(crate) async fn launched(
    room: &Arc<Room>,
    visit: &Visit,
    request: RequestId,
    deadline: Deadline,
) -> Result<String, Refusal> {
    let access = Arc::new(Access {
        request,
        requester: Arc::clone(&visit.requester),
        proof: proof(&visit.requester),
        patient: Some(visit.patient),
        purpose: visit.purpose,
        relationship: visit.requester.relationship_to(visit.patient),
        break_glass: BreakGlass::NotAsked,
        interaction: Interaction::Launch,
        sections: SectionSet::all(),
        asked_as: None,
        policy: Some(room.policy.digest),
    });
    crate::admission::as_said(room, &access, deadline).await?;
    let (tell, told) = oneshot::channel();
    let owner = Arc::clone(room);
    room.tasks.spawn(in_this_span(async move {
        let written = write(&owner, Event::Launch(access)).await;
        // Whoever waited may have left: what is on record stays.
        let _left = tell.send(written.map(|receipt| receipt.to_string()));
    }));
    awaited(told, deadline).await
}

/// The same access, to the record of the patient's present number.
pub(crate) fn now_known_as(access: Arc<Access>, patient: NhsNumber) -> Arc<Access> {
    if access.patient == Some(patient) {
        return access;
    }
    Arc::new(Access { patient: Some(patient), asked_as: access.patient, ..(*access).clone() })
}

/// The same access, for the purpose that is put on record here.
pub(crate) fn as_recorded(room: &Room, access: Arc<Access>) -> Arc<Access> {
    match room.recorded_purpose {
        None => access,
        Some(purpose) => Arc::new(Access { purpose, ..(*access).clone() }),
    }
}

/// An intent that is on record and not yet answered. Dropped unanswered, it is closed as "nobody waited".
pub(crate) struct OpenIntent {
    room: Arc<Room>,
    access: Arc<Access>,
    rule: Arc<str>,
    receipt: Option<Receipt>,
}

/// Writes a record, however long it takes, and remembers whether the log is well.
async fn write(room: &Room, event: Event) -> Result<Receipt, Refusal> {
    let (began, kind) = (Instant::now(), event.kind().code());
    let written = room.trail.record(event).await;
    let is_durable = written.is_ok();
    room.metrics.spans().note(began.elapsed(), || Work::Audit { kind, is_durable });
    room.deliveries.note_log(written.is_ok());
    written.map_err(|error| {
        complain(&error);
        Refusal::AuditUnavailable
    })
}

/// Waits for a record that a task of its own writes, until the deadline. The task goes on after that: what it
/// wrote too late it takes back in words, since nothing can be unwritten.
async fn awaited<T>(told: oneshot::Receiver<Result<T, Refusal>>, deadline: Deadline) -> Result<T, Refusal> {
    match tokio::time::timeout_at(deadline.instant(), told).await {
        Ok(Ok(written)) => written,
        Ok(Err(_lost)) => Err(Refusal::Internal),
        Err(_late) => Err(Refusal::AuditUnavailable),
    }
}

pub(crate) fn complain(error: &AuditError) {
    tracing::error!({ error.kind = %error }, "an audit record could not be written");
}

/// Work for another task, which belongs to this request in the log and in its trace.
fn in_this_span<F: Future>(work: F) -> impl Future<Output = F::Output> {
    TraceContext::carried(work).in_current_span()
}

/// Puts the intent on record. Nothing may be asked before this returns.
pub(crate) async fn intend(
    room: &Arc<Room>,
    access: Arc<Access>,
    rule: Arc<str>,
    expected: Vec<SourceId>,
    deadline: Deadline,
) -> Result<OpenIntent, Refusal> {
    let event = Event::Intent(Intent { access: Arc::clone(&access), rule: Arc::clone(&rule), expected });
    let (tell, told) = oneshot::channel();
    let owner = Arc::clone(room);
    room.tasks.spawn(in_this_span(async move {
        let written = write(&owner, event).await;
        // An intent that nobody waits for any more is dropped here, and so closed.
        drop(tell.send(written.map(|receipt| OpenIntent {
            room: owner,
            access,
            rule,
            receipt: Some(receipt),
        })));
    }));
    awaited(told, deadline).await
}

/// Puts a refusal of the policy on record. The refusal stands whether or not it can be written.
pub(crate) async fn deny(room: &Room, access: Arc<Access>, denial: Denial, deadline: Deadline) {
    let record = write(room, Event::Denied(Denied { access: Arc::clone(&access), intent: None, denial }));
    let _stands = tokio::time::timeout_at(deadline.instant(), record).await;
    room.refused(&access);
}

/// Puts on record that somebody broke the glass, or wished to. The reason that they gave is not kept.
pub(crate) async fn glass(
    room: &Room,
    access: &Arc<Access>,
    (decision, reason): (GlassDecision, Option<DenyReason>),
    deadline: Deadline,
) -> Result<(), Refusal> {
    let lasts_secs = match decision {
        GlassDecision::Opened => room.policy.table.glass().life.as_secs(),
        GlassDecision::Refused => 0,
    };
    let event = GlassEvent { access: Arc::clone(access), decision, reason, approver: None, lasts_secs };
    let written = tokio::time::timeout_at(deadline.instant(), write(room, Event::BreakGlass(event))).await;
    written.unwrap_or(Err(Refusal::AuditUnavailable)).map(|_receipt| ())
}

/// Puts on record that a patient is about to be traced. Nobody is asked before this returns.
pub(crate) async fn trace(room: &Arc<Room>, access: &Arc<Access>, deadline: Deadline) -> Result<(), Refusal> {
    if room.tracing == Tracing::Off {
        return Ok(());
    }
    let (tell, told) = oneshot::channel();
    let (owner, event) = (Arc::clone(room), Event::Trace(Arc::clone(access)));
    room.tasks.spawn(in_this_span(async move {
        // Who no longer waits for it is not traced; that it was meant is on record all the same.
        let _nobody_waits = tell.send(write(&owner, event).await.map(|_receipt| ()));
    }));
    awaited(told, deadline).await
}

/// Puts on record that nobody may be asked about a patient; any other refusal is none of the record's.
pub(crate) async fn barred(room: &Room, access: Arc<Access>, refusal: Refusal, deadline: Deadline) {
    if let Refusal::Barred(why) = refusal {
        deny(room, access, DenyReason::Barred(why).into(), deadline).await;
    }
}

impl Room {
    /// Puts on record how far an answer got.
    pub(crate) fn note_delivery(&self, name: &str, bytes: u64, how: Delivered) {
        let Some(event) = self.deliveries.close(name, bytes, how) else { return };
        let trail = self.trail.clone();
        self.tasks.spawn(async move {
            if let Err(error) = trail.record(Event::Delivery(event)).await {
                complain(&error);
            }
        });
    }

    /// A source answered with another patient's record: counted, recorded, and in the end switched off. What it
    /// said of the patient before is forgotten.
    pub(crate) fn quarantine(
        &self,
        request: RequestId,
        patient: Option<NhsNumber>,
        source: &SourceId,
        (fetch, reason): (Option<TraceId>, FaultClass),
    ) {
        self.metrics.sources().quarantined(source, reason);
        self.warn(SecurityKind::IdentityMismatch, request, patient, source);
        if let Some(patient) = patient {
            forget(self, &Holding { source: source.clone(), patient }, self.flights.draw());
        }
        if self.mixups.count(source, fetch) == Consequence::SwitchedOff {
            self.cache.forget_source(source);
            tracing::error!({ source.id = source.as_str() }, "source switched off after proven mix-ups");
            self.warn(SecurityKind::IdentitySwitch, request, patient, source);
        }
    }

    /// A caller was not let in. Waited for, so that nobody can try faster than it can be written down.
    pub(crate) async fn turned_away(&self, request: RequestId, why: TurnedAway) {
        let (what, patient) = match why {
            TurnedAway::Unproven => (SecurityKind::TokenRefused, None),
            TurnedAway::Forbidden => (SecurityKind::CallerRefused, None),
            TurnedAway::Launch(patient) => (SecurityKind::LaunchRefused, patient),
        };
        let event = SecurityEvent { what, request: Some(request), source: None, patient };
        if let Err(error) = self.trail.record(Event::Security(event)).await {
            complain(&error);
        }
    }

    fn warn(&self, what: SecurityKind, request: RequestId, patient: Option<NhsNumber>, source: &SourceId) {
        let (request, source) = (Some(request), Some(source.clone()));
        let event = Event::Security(SecurityEvent { what, request, source, patient });
        let trail = self.trail.clone();
        self.tasks.spawn(async move {
            if let Err(error) = trail.record(event).await {
                complain(&error);
            }
        });
    }
}

impl OpenIntent {
    /// Puts the disclosure on record; gives the id that names it. No byte may leave before this returns.
    pub(crate) async fn disclose(
        mut self,
        sources: Vec<SourceEntry>,
        outcome: Outcome,
        found: Option<NhsNumber>,
        deadline: Deadline,
    ) -> Result<String, Refusal> {
        let Some(intent) = self.receipt else { return Err(Refusal::Internal) };
        let event = self.disclosure(intent, sources, outcome, found);
        let (tell, told) = oneshot::channel();
        let room = Arc::clone(&self.room);
        room.tasks.clone().spawn(in_this_span(async move {
            let written = write(&room, event).await.map(|receipt| {
                self.receipt = None;
                room.deliveries.begin(self.access.request, receipt)
            });
            if let Err(Ok(name)) = tell.send(written) {
                // On record, and too late: the caller was told that there is no answer.
                room.note_delivery(&name, 0, Delivered::NotSent);
            }
        }));
        awaited(told, deadline).await
    }

    /// Puts on record what a part of a stream discloses; gives the id that names it. The intent stays open: more may
    /// follow. No byte of the part may leave before this returns.
    pub(crate) async fn disclose_part(
        &self,
        sources: Vec<SourceEntry>,
        outcome: Outcome,
        deadline: Deadline,
    ) -> Result<String, Refusal> {
        let Some(intent) = self.receipt else { return Err(Refusal::Internal) };
        let event = self.disclosure(intent, sources, outcome, None);
        let (tell, told) = oneshot::channel();
        let (room, request) = (Arc::clone(&self.room), self.access.request);
        room.tasks.clone().spawn(in_this_span(async move {
            let written = write(&room, event).await.map(|receipt| room.deliveries.begin(request, receipt));
            if let Err(Ok(name)) = tell.send(written) {
                room.note_delivery(&name, 0, Delivered::NotSent);
            }
        }));
        awaited(told, deadline).await
    }

    /// Nothing more will be told: what was disclosed in parts is all.
    pub(crate) fn close(mut self) {
        self.receipt = None;
    }

    fn disclosure(
        &self,
        intent: Receipt,
        sources: Vec<SourceEntry>,
        outcome: Outcome,
        found: Option<NhsNumber>,
    ) -> Event {
        Event::Disclosure(Disclosure {
            access: Arc::clone(&self.access),
            intent,
            rule: Arc::clone(&self.rule),
            found,
            sources,
            outcome,
            config: self.room.config,
        })
    }
}

impl Drop for OpenIntent {
    fn drop(&mut self) {
        let Some(intent) = self.receipt.take() else { return };
        let event = self.disclosure(
            intent,
            Vec::new(),
            outcome(NOBODY_WAITED, Completeness::None, None, Vec::new()),
            None,
        );
        let trail = self.room.trail.clone();
        self.room.tasks.spawn(async move {
            if let Err(error) = trail.record(event).await {
                complain(&error);
            }
        });
    }
}

/// The outcome of an answer with this body.
pub(crate) fn outcome(
    http: u16,
    completeness: Completeness,
    body: Option<&[u8]>,
    discrepancies: Vec<&'static str>,
) -> Outcome {
    Outcome {
        http,
        completeness,
        bundle_digest: body.map(Digest::of),
        bytes: body.map_or(0, |body| u64::try_from(body.len()).unwrap_or(u64::MAX)),
        discrepancies,
        made: None,
    }
}

/// What was received of a source.
#[derive(Clone, Copy)]
pub(crate) struct Received {
    pub(crate) bytes: u64,
    pub(crate) digest: Option<Digest>,
    /// Of what it holds, without what is new in each answer.
    pub(crate) content: Option<Digest>,
    pub(crate) attempts: u32,
}

impl Received {
    /// One body, received at the first attempt that answered.
    pub(crate) fn of(body: &[u8]) -> Self {
        let bytes = u64::try_from(body.len()).unwrap_or(u64::MAX);
        Self { bytes, digest: Some(Digest::of(body)), content: None, attempts: 1 }
    }
}

/// What one source contributed.
pub(crate) struct Contribution<'a> {
    pub(crate) source: &'a SourceId,
    pub(crate) status: SourceStatus,
    pub(crate) fault: Option<SourceFault>,
    pub(crate) body: Option<Received>,
    pub(crate) elapsed: Duration,
    pub(crate) fetch: Option<TraceId>,
}

impl Contribution<'_> {
    /// The entry of the disclosure record.
    pub(crate) fn entry(&self) -> SourceEntry {
        let received = self.body.as_ref();
        SourceEntry {
            source: self.source.clone(),
            status: self.status,
            fault: self.fault.map(|fault| fault.class),
            http: self.fault.and_then(|fault| fault.http),
            spine: self.fault.and_then(|fault| fault.spine),
            bytes: received.map_or(0, |body| body.bytes),
            elapsed_ms: u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX),
            fetch_id: self.fetch,
            digest: received.and_then(|body| body.digest),
            content: received.and_then(|body| body.content),
            attempts: received.map_or(0, |body| body.attempts),
        }
    }
}
