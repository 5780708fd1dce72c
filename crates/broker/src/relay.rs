//! A GP Connect call, passed on to one GP system and to nobody else.

mod readdress;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tower::ServiceExt as _;
use tributary_fhir::{Passed, Relayed};
use tributary_model::{
    Clock as _, Completeness, Facts, FaultClass, Interaction, NhsNumber, Purpose, Redacted, RelayAsk,
    SectionSet, SourceFault, SourceKind, SourceStatus, Tally,
};

use crate::answer::{RelayAnswer, RelayRequest, Subject};
use crate::broker::Room;
use crate::gather::source_deadline;
use crate::ledger::{self, Contribution, Received};
use crate::links::{Attachment, LinkFault};
use crate::parts::{Mode, SourcePort};
use crate::refusal::{Refusal, RelayFailure};
use readdress::readdressed;

pub(crate) async fn relay(room: &Arc<Room>, request: RelayRequest) -> Result<RelayAnswer, Refusal> {
    let rule = permitted(room, &request).await?;
    let port = gp_of(room, &request).await?;
    let attachment = attachment(room, &request, &port)?;
    let patient = patient(&request, attachment.as_ref());
    let access = ledger::relay_access(&request, patient);
    let expected = vec![port.card.id.clone()];
    let intent = ledger::intend(room, access, rule, expected, request.deadline).await?;
    let began = Instant::now();
    let call = Call { port: &port, request: &request, patient, attachment };
    let outcome = call.pass(room).await;
    let elapsed = began.elapsed();
    let fault = outcome.as_ref().map_or_else(|fault| Some(*fault), |reply| reply.refused);
    let status = fault.map_or(SourceStatus::Ok, |fault| fault.status());
    call.count(room, fault, elapsed);
    let reply = outcome.as_ref().ok();
    let body = reply.map(|reply| Received::of(&reply.body));
    let http = match &outcome {
        Ok(reply) => reply.status,
        Err(fault) => failure(&request, *fault).http(),
    };
    let told =
        ledger::outcome(http, completeness(status), reply.map(|reply| reply.body.as_ref()), Vec::new());
    let entry = Contribution { source: &port.card.id, status, fault, body, elapsed, fetch: None }.entry();
    let found = reply.and_then(|reply| reply.found);
    let audit = intent.disclose(vec![entry], told, found, request.deadline).await?;
    let reply = outcome.map_err(|fault| Refusal::Source(fault, failure(&request, fault)))?;
    Ok(RelayAnswer { status: reply.status, body: reply.body, etag: reply.etag, audit })
}

/// What a failure means to the caller of this interaction.
fn failure(request: &RelayRequest, fault: SourceFault) -> RelayFailure {
    let is_attachment = request.interaction == Interaction::ReadBinary;
    if is_attachment && fault.class == FaultClass::TooLarge {
        RelayFailure::TooLarge
    } else {
        RelayFailure::of(fault)
    }
}

/// The policy's word; a refusal is on record before it is told.
async fn permitted(room: &Arc<Room>, request: &RelayRequest) -> Result<&'static str, Refusal> {
    let facts = Facts {
        role: request.requester.role,
        assurance: request.requester.assurance,
        purpose: Purpose::DirectCare,
        sections: SectionSet::all(),
        break_glass: false,
        demo: room.mode == Mode::Demo,
    };
    match room.decide(&facts) {
        Ok(obligations) => Ok(obligations.rule),
        Err(refusal) => {
            if let Refusal::Denied(reason) = refusal {
                let access = ledger::relay_access(request, patient(request, None));
                ledger::deny(room, access, reason, request.deadline).await;
            }
            Err(refusal)
        }
    }
}

fn completeness(status: SourceStatus) -> Completeness {
    Tally::of([status]).completeness()
}

/// The GP system that is meant: of the practice that was named, or of the patient, or the only one there is.
async fn gp_of(room: &Room, request: &RelayRequest) -> Result<SourcePort, Refusal> {
    if let Some(practice) = &request.practice {
        let found = room.ports.values().find(|port| is_gp(port) && port.card.ods.as_ref() == Some(practice));
        return found.cloned().ok_or(Refusal::NoSuchSource);
    }
    if let Subject::Patient(patient) = request.subject {
        let ports = room.locate(patient).await?;
        return ports.into_iter().find(|port| is_gp(port)).cloned().ok_or(Refusal::NoSuchSource);
    }
    let mut gps = room.ports.values().filter(|port| is_gp(port));
    match (gps.next(), gps.next()) {
        (Some(only), None) => Ok(only.clone()),
        (None, _) => Err(Refusal::NoSuchSource),
        (Some(_), Some(_)) => Err(Refusal::PracticeNotNamed),
    }
}

fn is_gp(port: &SourcePort) -> bool {
    port.card.kind == SourceKind::Gp && port.relay.is_some()
}

/// What an attachment's id stands for.
fn attachment(room: &Room, request: &RelayRequest, port: &SourcePort) -> Result<Option<Attachment>, Refusal> {
    let Subject::Attachment(id) = &request.subject else { return Ok(None) };
    // Links live by the true time, whatever clock dates the rules.
    let opened = room.links.open(&port.card.id, id, room.link_clock.now());
    opened.map(Some).map_err(|fault| match fault {
        LinkFault::Unknown => Refusal::NoSuchAttachment,
        LinkFault::Expired => Refusal::AttachmentExpired,
    })
}

fn patient(request: &RelayRequest, attachment: Option<&Attachment>) -> Option<NhsNumber> {
    match request.subject {
        Subject::Patient(patient) => Some(patient),
        Subject::Attachment(_) => attachment.map(|attachment| attachment.patient),
        Subject::OwnId | Subject::Practice => None,
    }
}

/// One call to one GP system.
struct Call<'r> {
    port: &'r SourcePort,
    request: &'r RelayRequest,
    patient: Option<NhsNumber>,
    attachment: Option<Attachment>,
}

/// What goes back to the caller.
struct Passing {
    status: u16,
    etag: Option<String>,
    body: Bytes,
    /// A GP system's own refusal, passed on, is on record as what it was.
    refused: Option<SourceFault>,
    /// Whose record it turned out to be.
    found: Option<NhsNumber>,
}

impl Call<'_> {
    async fn pass(&self, room: &Arc<Room>) -> Result<Passing, SourceFault> {
        let (port, request) = (self.port, self.request);
        if room.mixups.is_off(&port.card.id) {
            return Err(SourceFault::new(FaultClass::IdentitySwitch));
        }
        let Some(service) = port.relay.clone() else { return Err(SourceFault::new(FaultClass::SwitchedOff)) };
        let ask = self.ask();
        let _in_flight = room.in_flight(&port.card.id);
        let deadline = ask.deadline;
        let reply = tokio::time::timeout_at(deadline.instant(), service.oneshot(ask)).await;
        let Relayed { status, etag, said } = reply.unwrap_or(Err(SourceFault::new(FaultClass::NoHead)))?;
        match said {
            Passed::Refusal(body, fault) => {
                Ok(Passing { status, etag, body, refused: Some(fault), found: None })
            }
            Passed::Document(document) => {
                let (body, found) = readdressed(room, document, request, port, self.patient).await?;
                Ok(Passing { status, etag, body, refused: None, found })
            }
        }
    }

    fn ask(&self) -> RelayAsk {
        let tail = match &self.attachment {
            Some(attachment) => Redacted::new(format!("Binary/{}", attachment.id)),
            None => self.request.tail.clone(),
        };
        RelayAsk {
            interaction: self.request.interaction,
            patient: self.patient,
            tail,
            body: self.request.body.clone(),
            requester: Arc::clone(&self.request.requester),
            deadline: source_deadline(self.request.deadline).capped(self.port.timeout),
        }
    }

    fn count(&self, room: &Arc<Room>, fault: Option<SourceFault>, elapsed: Duration) {
        let card = &self.port.card;
        let status = fault.map_or(SourceStatus::Ok, |fault| fault.status());
        room.metrics.source_ask(&card.id, card.kind, status, elapsed.as_secs_f64());
        match fault {
            Some(fault) => room.metrics.source_fault(&card.id, fault.class),
            None => room.note_answer(&card.id, room.clock.now()),
        }
        if status == SourceStatus::IdentityMismatch {
            room.quarantine(self.request.id, self.patient, &card.id);
        }
    }
}
