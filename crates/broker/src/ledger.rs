//! What the audit log is told, and when: intent before the first ask, disclosure before the first byte.

use std::sync::Arc;
use std::time::Duration;

use tributary_audit::{
    Access, AuditError, BreakGlass, Denied, Digest, Disclosure, Event, Intent, Interaction, Outcome, Receipt,
    SecurityEvent, SecurityKind, SourceEntry,
};
use tributary_model::{
    Completeness, Deadline, DenyReason, NhsNumber, RecordRequest, RequestId, SectionSet, SourceFault,
    SourceId, SourceStatus, TraceId,
};

use crate::answer::RelayRequest;
use crate::broker::Room;
use crate::mixups::Consequence;
use crate::refusal::Refusal;

/// "The client closed the request": the status of answers that nobody waited for.
const NOBODY_WAITED: u16 = 499;

/// The access of a record request.
pub(crate) fn access(request: &RecordRequest, sections: SectionSet) -> Arc<Access> {
    Arc::new(Access {
        request: request.id,
        requester: Arc::clone(&request.requester),
        patient: request.patient,
        purpose: request.purpose,
        break_glass: if request.break_glass.is_some() {
            BreakGlass::ReasonGiven
        } else {
            BreakGlass::NotAsked
        },
        interaction: Interaction::Record,
        sections,
    })
}

/// The access of a call that is passed on.
pub(crate) fn relay_access(request: &RelayRequest) -> Arc<Access> {
    Arc::new(Access {
        request: request.id,
        requester: Arc::clone(&request.requester),
        patient: request.patient,
        purpose: tributary_model::Purpose::DirectCare,
        break_glass: BreakGlass::NotAsked,
        interaction: Interaction::GpConnectStructured,
        sections: SectionSet::EMPTY,
    })
}

/// An intent that is on record and not yet answered. Dropped unanswered, it is closed as "nobody waited".
pub(crate) struct OpenIntent {
    room: Arc<Room>,
    access: Arc<Access>,
    rule: &'static str,
    receipt: Option<Receipt>,
}

/// Writes a record inside the deadline, and remembers whether the log is well.
async fn write(room: &Room, event: Event, deadline: Deadline) -> Result<Receipt, Refusal> {
    let written = tokio::time::timeout_at(deadline.instant(), room.trail.record(event)).await;
    room.deliveries.note_log(matches!(written, Ok(Ok(_))));
    match written {
        Ok(Ok(receipt)) => Ok(receipt),
        Ok(Err(error)) => {
            complain(&error);
            Err(Refusal::AuditUnavailable)
        }
        Err(_late) => Err(Refusal::AuditUnavailable),
    }
}

fn complain(error: &AuditError) {
    tracing::error!({ error.kind = %error }, "an audit record could not be written");
}

/// Puts the intent on record. Nothing may be asked before this returns.
pub(crate) async fn intend(
    room: &Arc<Room>,
    access: Arc<Access>,
    rule: &'static str,
    expected: Vec<SourceId>,
    deadline: Deadline,
) -> Result<OpenIntent, Refusal> {
    let event = Event::Intent(Intent { access: Arc::clone(&access), rule, expected });
    let receipt = write(room, event, deadline).await?;
    Ok(OpenIntent { room: Arc::clone(room), access, rule, receipt: Some(receipt) })
}

/// Puts a refusal of the policy on record. The refusal stands whether or not it can be written.
pub(crate) async fn deny(room: &Room, access: Arc<Access>, reason: DenyReason, deadline: Deadline) {
    let _stands = write(room, Event::Denied(Denied { access, intent: None, reason }), deadline).await;
}

impl Room {
    /// A source answered with another patient's record: counted, recorded, and in the end switched off.
    pub(crate) fn quarantine(&self, request: RequestId, patient: NhsNumber, source: &SourceId) {
        self.metrics.quarantined(source);
        self.warn(SecurityKind::IdentityMismatch, request, patient, source);
        if self.mixups.count(source) == Consequence::SwitchedOff {
            tracing::error!({ source.id = source.as_str() }, "source switched off after proven mix-ups");
            self.warn(SecurityKind::IdentitySwitch, request, patient, source);
        }
    }

    fn warn(&self, what: SecurityKind, request: RequestId, patient: NhsNumber, source: &SourceId) {
        let (request, source, patient) = (Some(request), Some(source.clone()), Some(patient));
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
        deadline: Deadline,
    ) -> Result<String, Refusal> {
        let Some(intent) = self.receipt else { return Err(Refusal::Internal) };
        let event = self.disclosure(intent, sources, outcome);
        let receipt = write(&self.room, event, deadline).await?;
        self.receipt = None;
        Ok(self.room.deliveries.begin(self.access.request, receipt))
    }

    fn disclosure(&self, intent: Receipt, sources: Vec<SourceEntry>, outcome: Outcome) -> Event {
        Event::Disclosure(Disclosure {
            access: Arc::clone(&self.access),
            intent,
            rule: self.rule,
            sources,
            outcome,
        })
    }
}

impl Drop for OpenIntent {
    fn drop(&mut self) {
        let Some(intent) = self.receipt.take() else { return };
        let event =
            self.disclosure(intent, Vec::new(), outcome(NOBODY_WAITED, Completeness::None, None, Vec::new()));
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
    }
}

/// What one source contributed.
pub(crate) struct Contribution<'a> {
    pub(crate) source: &'a SourceId,
    pub(crate) status: SourceStatus,
    pub(crate) fault: Option<SourceFault>,
    pub(crate) body: Option<(u64, &'a str, u32)>,
    pub(crate) elapsed: Duration,
    pub(crate) fetch: Option<TraceId>,
}

impl Contribution<'_> {
    /// The entry of the disclosure record.
    pub(crate) fn entry(&self) -> SourceEntry {
        let (bytes, digest, attempts) = self.body.unwrap_or((0, "", 0));
        SourceEntry {
            source: self.source.clone(),
            status: self.status,
            fault: self.fault.map(|fault| fault.class),
            http: self.fault.and_then(|fault| fault.http),
            spine: self.fault.and_then(|fault| fault.spine),
            bytes,
            elapsed_ms: u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX),
            fetch_id: self.fetch,
            digest: Digest::from_hex(digest),
            attempts,
        }
    }
}
