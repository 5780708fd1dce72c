//! A GP Connect call, passed on to the patient's own GP system and to nobody else.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tower::ServiceExt as _;
use tributary_audit::Access;
use tributary_fhir::{Document, Limits};
use tributary_merge::identity;
use tributary_model::{
    Completeness, Facts, FaultClass, Purpose, RelayAsk, RelayReply, SectionSet, SourceFault, SourceStatus,
    Tally,
};

use crate::answer::{RelayAnswer, RelayRequest};
use crate::broker::Room;
use crate::gather::source_deadline;
use crate::ledger::{self, Contribution, Received};
use crate::parts::{Mode, SourcePort};
use crate::refusal::{Refusal, RelayFailure};
use crate::renumber::renumber;

pub(crate) async fn relay(room: &Arc<Room>, request: RelayRequest) -> Result<RelayAnswer, Refusal> {
    let access = ledger::relay_access(&request);
    let facts = Facts {
        role: request.requester.role,
        assurance: request.requester.assurance,
        purpose: Purpose::DirectCare,
        sections: SectionSet::all(),
        break_glass: false,
        demo: room.mode == Mode::Demo,
    };
    let obligations = match room.decide(&facts) {
        Ok(obligations) => obligations,
        Err(refusal) => {
            if let Refusal::Denied(reason) = refusal {
                ledger::deny(room, access, reason, request.deadline).await;
            }
            return Err(refusal);
        }
    };
    let (request, access, port) = locate(room, request, access).await?;
    let port = port.as_ref();
    let expected = vec![port.card.id.clone()];
    let intent = ledger::intend(room, access, obligations.rule, expected, request.deadline).await?;
    let began = Instant::now();
    let outcome = pass(room, port, &request).await;
    let elapsed = began.elapsed();
    // A GP system's own refusal, passed on to the caller, is on record as what it was.
    let fault = outcome.as_ref().map_or_else(|fault| Some(*fault), |reply| reply.refused);
    let status = fault.map_or(SourceStatus::Ok, |fault| fault.status());
    count(room, port, &request, fault, elapsed);
    let reply = outcome.as_ref().ok();
    let body = reply.map(|reply| Received::of(&reply.body));
    let http = reply.map_or_else(|| RelayFailure::of(status).http(), |reply| reply.status);
    let told =
        ledger::outcome(http, completeness(status), reply.map(|reply| reply.body.as_ref()), Vec::new());
    let entry = Contribution { source: &port.card.id, status, fault, body, elapsed, fetch: None }.entry();
    let audit = intent.disclose(vec![entry], told, request.deadline).await?;
    let reply = outcome.map_err(Refusal::Source)?;
    Ok(RelayAnswer { status: reply.status, body: reply.body, audit })
}

fn completeness(status: SourceStatus) -> Completeness {
    Tally::of([status]).completeness()
}

/// The patient's GP system; the request and what is recorded of it are for the patient's present number then.
async fn locate(
    room: &Arc<Room>,
    request: RelayRequest,
    access: Arc<Access>,
) -> Result<(RelayRequest, Arc<Access>, Arc<SourcePort>), Refusal> {
    let located = room.locate(request.patient, &request.requester, request.deadline).await;
    let located = match located {
        Ok(located) => located,
        Err(refusal) => {
            ledger::barred(room, access, refusal, request.deadline).await;
            return Err(refusal);
        }
    };
    let port = Arc::clone(located.gp(request.practice.as_ref())?);
    if located.patient == request.patient {
        return Ok((request, access, port));
    }
    let body = renumber(&request.body, located.patient).ok_or(Refusal::Internal)?;
    let access = ledger::now_known_as(access, located.patient);
    Ok((RelayRequest { patient: located.patient, body, ..request }, access, port))
}

async fn pass(room: &Room, port: &SourcePort, request: &RelayRequest) -> Result<RelayReply, SourceFault> {
    if room.mixups.is_off(&port.card.id) {
        return Err(SourceFault::new(FaultClass::IdentitySwitch));
    }
    let Some(service) = port.relay.clone() else { return Err(SourceFault::new(FaultClass::SwitchedOff)) };
    let ask = RelayAsk {
        patient: request.patient,
        body: request.body.clone(),
        requester: Arc::clone(&request.requester),
        deadline: source_deadline(request.deadline).capped(port.timeout),
    };
    let _in_flight = room.in_flight(port);
    let deadline = ask.deadline;
    let reply = tokio::time::timeout_at(deadline.instant(), service.oneshot(ask)).await;
    let reply = reply.unwrap_or(Err(SourceFault::new(FaultClass::NoHead)))?;
    if reply.status != 200 {
        return Ok(reply);
    }
    let RelayReply { status, body, refused } = reply;
    let body = readdress(body, request, port.base_url())?;
    Ok(RelayReply { status, body, refused })
}

/// Proves whose bundle it is, and gives it the caller's trace id. Every other byte stays as it came.
fn readdress(body: Bytes, request: &RelayRequest, base_url: Option<&str>) -> Result<Bytes, SourceFault> {
    let document = Document::scan(Vec::from(body), &Limits::default())
        .map_err(|refused| SourceFault::new(refused.class))?;
    let documents = [document];
    identity::prove_all(&documents, request.patient, base_url).map_err(SourceFault::new)?;
    let [document] = documents;
    Ok(Bytes::from(tributary_fhir::bundle::with_id(&document, &request.trace)))
}

fn count(
    room: &Room,
    port: &SourcePort,
    request: &RelayRequest,
    fault: Option<SourceFault>,
    elapsed: Duration,
) {
    let source = &port.card.id;
    let status = fault.map_or(SourceStatus::Ok, |fault| fault.status());
    room.metrics.source_ask(&port.counted_as, port.card.kind, status, elapsed.as_secs_f64());
    match fault {
        Some(fault) => room.metrics.source_fault(&port.counted_as, fault.class),
        None => room.note_answer(source, room.clock.now()),
    }
    if status == SourceStatus::IdentityMismatch {
        room.quarantine(request.id, request.patient, source);
    }
}
