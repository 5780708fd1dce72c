//! GP Connect Access Record: Structured. A request gives one STU3 bundle, which is converted; some asks take
//! two requests.

mod areas;
mod lists;
mod request;
mod second;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{OptionFuture, try_join};
use tributary_fhir::convert::convert_bundle;
use tributary_fhir::{Bundle, Document, FhirVersion, Reply};
use tributary_model::{Ask, FaultClass, Interaction, Redacted, Section, SectionSet, SourceFault};

use super::answer::Absence;
use super::wire::{Call, STRUCTURED_RECORD, Wire};
use super::{answer, apart, fingerprint, holding, version};
use crate::directory::Endpoint;
use crate::egress::Received;
use crate::exchange::Exchange;
use areas::{AREAS, Area};
use second::Second;

const INTERACTION: Interaction = Interaction::GetStructuredRecord;

/// The operation, asked with these `Parameters`.
fn operation(endpoint: Endpoint, ask: &Ask, body: Bytes) -> Call {
    let requester = Arc::clone(&ask.requester);
    let tail = Redacted::new(STRUCTURED_RECORD.to_owned());
    Call { interaction: INTERACTION, endpoint, requester, tail, body }
}

/// The sections this protocol can serve.
pub(crate) fn sections() -> SectionSet {
    AREAS.iter().flat_map(|area| area.sections.iter().copied()).collect()
}

/// Asks a GP system.
pub(crate) struct Structured {
    wire: Arc<Wire>,
    exchange: Exchange,
}

impl Structured {
    pub(crate) const fn new(wire: Arc<Wire>, exchange: Exchange) -> Self {
        Self { wire, exchange }
    }

    pub(crate) async fn ask(self: Arc<Self>, ask: Ask) -> Result<Reply, SourceFault> {
        let areas = Area::implied_by(ask.sections);
        if areas.is_empty() {
            return Err(SourceFault::new(FaultClass::NothingAsked));
        }
        let wire = &self.wire;
        let since = ask.since.map(|since| request::not_after(since, wire.today()));
        let body = Bytes::from(request::parameters(ask.patient, &areas, since.as_deref()));
        let endpoint = wire.endpoint(INTERACTION, &ask.requester, Some(ask.patient), ask.deadline).await?;
        let second = Second::of(&areas, ask.sections);
        let calls = (
            operation(endpoint.clone(), &ask, body),
            second.as_ref().map(|second| operation(endpoint, &ask, second.parameters(ask.patient))),
        );
        let errand = self.exchange.errand(&ask.requester);
        let (bounds, other) = (wire.bounds(ask.deadline), errand.clone());
        let also = calls.1.map(|call| self.exchange.send(other, second::bounds(bounds), wire.written(call)));
        let first = self.exchange.send(errand, bounds, wire.written(calls.0));
        let (first, also) = (async { granted(first.await?) }, OptionFuture::from(also));
        // A refused first question ends the second one.
        let (first, also) = try_join(first, async { Ok(also.await) }).await?;
        let also_bytes = also.iter().flatten().map(|received| received.body.len());
        let bytes = first.body.len() + also_bytes.sum::<usize>();
        let asked = ask.sections;
        apart(bytes, move || {
            let mut heard = read(first, asked)?;
            if let (Some(second), Some(received)) = (second, also) {
                second.join(&mut heard, received);
            }
            heard.finish()
        })
        .await
    }
}

/// An answer worth reading. A refusal ends the ask at once, whatever else is under way.
fn granted(received: Received) -> Result<Received, SourceFault> {
    if received.status == 200 {
        Ok(received)
    } else {
        Err(answer::refusal(received, Absence::Outcome).into())
    }
}

/// An answer that was read, and what the source sent.
#[derive(Debug)]
struct Heard {
    reply: Reply,
    sent: Vec<Document>,
}

impl Heard {
    /// The reply, with the fingerprint of all that was sent.
    fn finish(mut self) -> Result<Reply, SourceFault> {
        let (digest, bytes) = fingerprint(&self.sent);
        drop(self.sent);
        let held = holding(std::mem::take(&mut self.reply.held), self.reply.weight())?;
        Ok(Reply { digest, bytes, held, ..self.reply })
    }
}

/// Reads an answer: gate, shape, version, lists, conversion, in this order.
fn read(mut received: Received, asked: SectionSet) -> Result<Heard, SourceFault> {
    let (attempts, held) = (received.attempts, std::mem::take(&mut received.held));
    let at_200 = |class| SourceFault::new(class).with_http(200);
    let document = answer::document(received, Absence::Outcome)?;
    let bundle = Bundle::of(&document).map_err(at_200)?;
    version::check(bundle, FhirVersion::Stu3).map_err(at_200)?;
    let report = lists::read(bundle, asked);
    let converted = convert_bundle(&document).map_err(at_200)?;
    let reply = Reply {
        documents: vec![converted.document],
        asked,
        states: report.states,
        notices: report.notices,
        losses: converted.losses,
        carried: converted.carried,
        converted: true,
        truncated: false,
        attempts,
        held,
        ..Reply::default()
    };
    Ok(Heard { reply, sent: vec![document] })
}

/// Whether a section is beyond this protocol.
fn is_beyond(section: Section) -> bool {
    !sections().contains(section)
}
