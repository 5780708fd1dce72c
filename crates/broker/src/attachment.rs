//! What is attached to a record, fetched from its source for one caller, who may have lost the right to it since.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tokio::time::Instant;
use tower::ServiceExt as _;
use tributary_fhir::{Attached, Json, Writer};
use tributary_merge::AttachmentLinks;
use tributary_model::{
    AttachmentAsk, Clock as _, FaultClass, Lease, NhsNumber, Redacted, Section, SectionSet, SourceFault,
    SourceId, SourceKind, SourceStatus, Tally,
};

use crate::admission::{self, Answered};
use crate::answer::{AttachmentAnswer, AttachmentForm, AttachmentRequest};
use crate::asking::{Asking, Brought};
use crate::broker::Room;
use crate::gather::source_deadline;
use crate::ledger::{self, Contribution, Received};
use crate::links::{Attachment, LinkFault};
use crate::memory::{self, Way};
use crate::parts::SourcePort;
use crate::refusal::{Refusal, RelayFailure};
use crate::signals::Glance;

/// Largest attachment that is passed on, decoded (GP Connect: five megabytes).
pub(crate) const MOST_BYTES: usize = 5 << 20;

/// Makes the addresses that a record gives out for what is attached to it.
pub(crate) struct Addresses<'r> {
    pub(crate) room: &'r Room,
    pub(crate) patient: NhsNumber,
    /// The address below which they lead to us.
    pub(crate) root: &'r str,
}

impl std::fmt::Debug for Addresses<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Addresses").finish_non_exhaustive()
    }
}

impl AttachmentLinks for Addresses<'_> {
    fn address(&self, source: &SourceId, id: &str) -> Option<String> {
        let port = self.room.ports.get(source)?;
        port.attachments.as_ref()?;
        let attachment = Attachment { patient: self.patient, id: id.to_owned() };
        // Dated as the record is, so that equal records are equal bytes.
        let link = self.room.links.seal_named(source, &attachment, self.room.clock.now())?;
        Some(format!("{}/fhir/R4/Binary/{link}", self.root))
    }
}

/// Fetches an attachment by the id under which it was given out.
pub(crate) async fn attachment(
    room: &Arc<Room>,
    request: AttachmentRequest,
) -> Result<AttachmentAnswer, Refusal> {
    let opened = room.links.open_named(&request.link, room.clock.now());
    let (source, attachment) = opened.map_err(|fault| match fault {
        LinkFault::Unknown => Refusal::NoSuchAttachment,
        LinkFault::Expired => Refusal::AttachmentExpired,
    })?;
    let deadline = request.deadline;
    let access = ledger::attachment_access(room, &request, attachment.patient, sections());
    // The policy's word now, whatever it was when the address was given out: that does not say to whom it was.
    // Who is in no registry is a practice that was found for the patient.
    let kind = room.ports.get(&source).map_or(SourceKind::Gp, |port| port.card.kind);
    let answered = Answered::AsItIs(kind);
    let rule = admission::permitted(room, &access, sections(), answered, deadline).await?.rule;
    let located = admission::located(room, &access, attachment.patient, deadline).await?;
    // Only a source that may still be asked about this patient is.
    let port = located.ports.into_iter().find(|port| port.card.id == source);
    let port = port.ok_or(Refusal::NoSuchAttachment)?;
    let lease = room.memory.reserve([&port], Way::Attachment)?;
    let glance = Glance::of(&access, located.pds.as_ref());
    let intent = ledger::intend(room, access, rule, vec![source.clone()], deadline).await?;
    let began = Instant::now();
    let wanted = Wanted { request: &request, id: &attachment.id };
    let outcome = fetch(room, &port, wanted, lease).await;
    let elapsed = began.elapsed();
    let fault = outcome.as_ref().err().copied();
    count(room, &port, fault, elapsed);
    let status = fault.map_or(SourceStatus::Ok, |fault| fault.status());
    let fetched = outcome.as_ref().ok();
    let http = fault.map_or(200, |fault| failure(fault).http());
    let completeness = Tally::of([status]).completeness();
    let told = ledger::outcome(http, completeness, fetched.map(|one| one.body.as_ref()), Vec::new());
    let body = fetched.map(|one| one.received);
    let entry = Contribution { source: &source, status, fault, body, elapsed, fetch: None }.entry();
    let audit = intent.disclose(vec![entry], told, None, deadline).await?;
    room.saw(&glance);
    let Fetched { body, content_type, mut lease, .. } =
        outcome.map_err(|fault| Refusal::Source(fault, failure(fault)))?;
    memory::hold(&mut lease, body.len());
    Ok(AttachmentAnswer { body, content_type, audit, lease })
}

/// A document is a document, whatever else its type makes of it.
fn sections() -> SectionSet {
    [Section::Documents].into_iter().collect()
}

/// An attachment in the caller's form.
struct Fetched {
    body: Bytes,
    content_type: String,
    received: Received,
    /// The memory that it takes.
    lease: Lease,
}

/// An attachment by its id at the source, for a caller.
struct Wanted<'r> {
    request: &'r AttachmentRequest,
    id: &'r str,
}

async fn fetch(
    room: &Arc<Room>,
    port: &SourcePort,
    wanted: Wanted<'_>,
    mut lease: Lease,
) -> Result<Fetched, SourceFault> {
    let request = wanted.request;
    if room.mixups.is_off(&port.card.id) {
        return Err(SourceFault::new(FaultClass::IdentitySwitch));
    }
    let Some(service) = port.attachments.clone() else {
        return Err(SourceFault::new(FaultClass::SwitchedOff));
    };
    let ask = AttachmentAsk {
        id: Redacted::new(wanted.id.to_owned()),
        requester: Arc::clone(&request.requester),
        deadline: source_deadline(request.deadline).capped(port.timeout),
    };
    let _in_flight = room.in_flight(port);
    let deadline = ask.deadline;
    let asking = Asking::begin(room, port);
    let asked = asking.of(tokio::time::timeout_at(deadline.instant(), service.oneshot(ask))).await;
    let reply = asked.unwrap_or(Err(SourceFault::new(FaultClass::NoHead)));
    let bytes = |one: &Attached| u64::try_from(one.document.text().len()).unwrap_or(u64::MAX);
    let brought = reply.as_ref().map(|attached| Brought { bytes: bytes(attached), http: 200 });
    asking.ended(brought.map_err(|fault| *fault));
    let attached = reply?;
    room.memory.work_on_reply(&mut lease, (port, Way::Attachment), attached.document.weight())?;
    let form = request.form;
    // Five megabytes are decoded in the workshop.
    let work = move || written(&attached, form, lease);
    let done = room.workshop.done(work).await;
    done.unwrap_or(Err(FaultClass::Internal)).map_err(|class| SourceFault::new(class).with_http(200))
}

fn written(attached: &Attached, form: AttachmentForm, lease: Lease) -> Result<Fetched, FaultClass> {
    let received =
        Received { attempts: attached.attempts, ..Received::of(attached.document.text().as_bytes()) };
    let root = attached.document.root();
    // R4 says `data`, STU3 says `content`.
    let data = root.get("data").or_else(|| root.get("content")).ok_or(FaultClass::Shape)?;
    let media = root.get("contentType").ok_or(FaultClass::Shape)?;
    let content_type = media.text().ok_or(FaultClass::Shape)?.into_owned();
    let encoded = data.text().ok_or(FaultClass::Shape)?;
    if encoded.trim_end_matches('=').len().saturating_mul(3) / 4 > MOST_BYTES {
        return Err(FaultClass::TooLarge);
    }
    // FHIR lets base64 be broken into lines.
    let plain: String = encoded.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(plain.as_bytes()).map_err(|_no_base64| FaultClass::Shape)?;
    let body = match form {
        AttachmentForm::Native => Bytes::from(bytes),
        AttachmentForm::Fhir => Bytes::from(binary(media, data)),
    };
    Ok(Fetched { body, content_type, received, lease })
}

fn binary(media: Json<'_>, data: Json<'_>) -> String {
    let mut json = Writer::with_capacity(data.raw().len() + 128);
    json.object(|binary| {
        binary.text("resourceType", "Binary");
        binary.key("contentType").raw(|out| out.push_str(media.raw()));
        binary.key("data").raw(|out| out.push_str(data.raw()));
    });
    json.finish()
}

/// What a failure means to the caller. A document that is gone is no fault of the way to it.
fn failure(fault: SourceFault) -> RelayFailure {
    match (fault.class, fault.http) {
        (FaultClass::TooLarge, _) => RelayFailure::TooLarge,
        (FaultClass::BadEndpoint | FaultClass::NoRecord, Some(404 | 410)) => RelayFailure::NoRecord,
        _ => RelayFailure::of(fault),
    }
}

fn count(room: &Room, port: &SourcePort, fault: Option<SourceFault>, elapsed: Duration) {
    let status = fault.map_or(SourceStatus::Ok, |fault| fault.status());
    let class = fault.map(|fault| fault.class);
    room.metrics.sources().asked(&port.counted_as, status, class, elapsed.as_secs_f64());
    if let Some(fault) = fault {
        room.metrics.sources().failed(&port.counted_as, fault.class);
    }
}
