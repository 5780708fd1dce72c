//! A GP Connect call, passed on to one GP system and to nobody else.

mod readdress;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tower::ServiceExt as _;
use tributary_fhir::{Passed, Relayed};
use tributary_model::{
    Clock as _, Completeness, FaultClass, Interaction, Lease, NhsNumber, Practice as Registration, Redacted,
    RelayAsk, SectionSet, SourceFault, SourceKind, SourceStatus, Tally,
};

use crate::admission::{self, Answered};
use crate::answer::{RelayAnswer, RelayRequest, Subject};
use crate::asking::{Asking, Brought};
use crate::broker::Room;
use crate::gather::source_deadline;
use crate::ledger::{self, Contribution, Received};
use crate::links::{Attachment, LinkFault};
use crate::memory::{self, Way};
use crate::parts::SourcePort;
use crate::refusal::{Refusal, RelayFailure};
use crate::renumber::renumbered;
use crate::signals::Glance;
use readdress::{Incoming, Readdressed, readdressed};

pub(crate) async fn relay(room: &Arc<Room>, request: RelayRequest) -> Result<RelayAnswer, Refusal> {
    let asking = ledger::relay_access(room, &request, patient(&request, None), None);
    let (sections, deadline) = (SectionSet::all(), request.deadline);
    let answered = Answered::AsItIs(SourceKind::Gp);
    let rule = admission::permitted(room, &asking, sections, answered, deadline).await?.rule;
    let Addressed { request, port, asked_as } = addressed(room, request).await?;
    let attachment = attachment(room, &request, &port)?;
    let patient = patient(&request, attachment.as_ref());
    let access = ledger::relay_access(room, &request, patient, asked_as);
    let lease = room.memory.reserve([&port], Way::Relay)?;
    let expected = vec![port.card.id.clone()];
    let glance = Glance::of(&access, None);
    let intent = ledger::intend(room, access, rule, expected, request.deadline).await?;
    let began = Instant::now();
    let call = Call { port: &port, request: &request, patient, attachment };
    let outcome = call.pass(room, lease).await;
    let elapsed = began.elapsed();
    let fault = outcome.as_ref().map_or_else(|fault| Some(*fault), |reply| reply.refused);
    let status = fault.map_or(SourceStatus::Ok, |fault| fault.status());
    call.count(room, fault, elapsed);
    let reply = outcome.as_ref().ok();
    let body = reply.map(|reply| reply.received);
    let http = match &outcome {
        Ok(reply) => reply.status,
        Err(fault) => failure(&request, *fault).http(),
    };
    let told =
        ledger::outcome(http, completeness(status), reply.map(|reply| reply.body.as_ref()), Vec::new());
    let entry = Contribution { source: &port.card.id, status, fault, body, elapsed, fetch: None }.entry();
    let found = reply.and_then(|reply| reply.found);
    let audit = intent.disclose(vec![entry], told, found, request.deadline).await?;
    room.saw(&glance);
    let reply = outcome.map_err(|fault| Refusal::Source(fault, failure(&request, fault)))?;
    let Passing { status, body, etag, mut lease, .. } = reply;
    memory::hold(&mut lease, body.len());
    Ok(RelayAnswer { status, body, etag, audit, lease })
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

fn says_patient_not_found(fault: SourceFault) -> bool {
    fault.spine.is_some_and(|code| code.as_str() == "PATIENT_NOT_FOUND")
}

fn completeness(status: SourceStatus) -> Completeness {
    Tally::of([status]).completeness()
}

/// A request and the GP system that it goes to.
struct Addressed {
    /// For the patient's present number.
    request: RelayRequest,
    port: Arc<SourcePort>,
    /// The number that the caller used, where it was replaced.
    asked_as: Option<NhsNumber>,
}

/// Finds the GP system that is meant: of the patient, or of the practice that was named, or the only one there is.
async fn addressed(room: &Arc<Room>, request: RelayRequest) -> Result<Addressed, Refusal> {
    let Subject::Patient(asked) = request.subject else {
        let port = of_practice(room, &request)?;
        return Ok(Addressed { request, port, asked_as: None });
    };
    let access = ledger::relay_access(room, &request, Some(asked), None);
    let located = admission::located(room, &access, asked, request.deadline).await?;
    let is_believed = located.practice == Registration::AsConfigured;
    let port = match &request.practice {
        // Where nobody traces patients, the caller knows the practice.
        Some(_) if is_believed => of_practice(room, &request)?,
        practice => Arc::clone(located.gp(practice.as_ref())?),
    };
    if located.patient == asked {
        return Ok(Addressed { request, port, asked_as: None });
    }
    let request = renumbered(request, asked, located.patient).ok_or(Refusal::Internal)?;
    Ok(Addressed { request, port, asked_as: Some(asked) })
}

fn of_practice(room: &Room, request: &RelayRequest) -> Result<Arc<SourcePort>, Refusal> {
    if let Some(practice) = &request.practice {
        return room.gp_at(practice).ok_or(Refusal::NoSuchSource);
    }
    let mut gps = room.ports.values().filter(|port| port.is_gp());
    match (gps.next(), gps.next()) {
        (Some(only), None) => Ok(Arc::clone(only)),
        (None, _) => Err(Refusal::NoSuchSource),
        (Some(_), Some(_)) => Err(Refusal::PracticeNotNamed),
    }
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

/// What a call came to, for operators.
fn brought(reply: &Relayed) -> Result<Brought, SourceFault> {
    let bytes = match &reply.said {
        Passed::Document(document) => document.text().len(),
        Passed::Refusal(_, fault) => return Err(*fault),
    };
    Ok(Brought { bytes: u64::try_from(bytes).unwrap_or(u64::MAX), http: reply.status })
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
    /// The body as it came.
    received: Received,
    /// A GP system's own refusal, passed on, is on record as what it was.
    refused: Option<SourceFault>,
    /// Whose record it turned out to be.
    found: Option<NhsNumber>,
    /// The memory that it takes.
    lease: Lease,
}

impl Call<'_> {
    async fn pass(&self, room: &Arc<Room>, mut lease: Lease) -> Result<Passing, SourceFault> {
        let (port, request) = (self.port, self.request);
        if room.mixups.is_off(&port.card.id) {
            return Err(SourceFault::new(FaultClass::IdentitySwitch));
        }
        let Some(service) = port.relay.clone() else { return Err(SourceFault::new(FaultClass::SwitchedOff)) };
        let ask = self.ask();
        let _in_flight = room.in_flight(port);
        let deadline = ask.deadline;
        let asking = Asking::begin(room, port);
        let asked = asking.of(tokio::time::timeout_at(deadline.instant(), service.oneshot(ask))).await;
        let reply = asked.unwrap_or(Err(SourceFault::new(FaultClass::NoHead)));
        asking.ended(reply.as_ref().map_or_else(|fault| Err(*fault), brought));
        let Relayed { status, etag, attempts, said, held } = reply?;
        match said {
            // Whether a patient is unknown, gone or restricted must not show, so no source's words for it pass.
            Passed::Refusal(_, fault) if says_patient_not_found(fault) => Err(fault),
            Passed::Refusal(body, fault) => {
                // The body goes on as it came, and what it takes goes with it.
                lease.absorb(held);
                let received = Received { attempts, ..Received::of(&body) };
                Ok(Passing { status, etag, body, received, refused: Some(fault), found: None, lease })
            }
            Passed::Document(document) => {
                room.memory.work_on_reply(&mut lease, (port, Way::Relay), document.weight())?;
                let incoming = Incoming { document, held, patient: self.patient, lease };
                let done = readdressed(room, incoming, request, port).await?;
                let Readdressed { body, received, found, lease } = done;
                let received = Received { attempts, ..received };
                Ok(Passing { status, etag, body, received, refused: None, found, lease })
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
        let counted_as = &self.port.counted_as;
        let class = fault.map(|fault| fault.class);
        room.metrics.sources().asked(counted_as, status, class, elapsed.as_secs_f64());
        match fault {
            Some(fault) => room.metrics.sources().failed(counted_as, fault.class),
            None => room.note_answer(&card.id, room.clock.now()),
        }
        if status == SourceStatus::IdentityMismatch {
            let reason = fault.map_or(FaultClass::IdentityNumber, |fault| fault.class);
            room.quarantine(self.request.id, self.patient, &card.id, (None, reason));
        }
    }
}
