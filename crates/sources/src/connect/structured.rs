//! GP Connect Access Record: Structured. One request gives one STU3 bundle, which is converted.

mod areas;
mod lists;
mod request;

use std::sync::Arc;

use bytes::Bytes;
use tributary_fhir::convert::convert_bundle;
use tributary_fhir::{Bundle, FhirVersion, Reply};
use tributary_model::{Ask, FaultClass, Interaction, Section, SectionSet, SourceFault};

use super::answer::Absence;
use super::wire::{Call, STRUCTURED_RECORD, Wire};
use super::{answer, apart, fingerprint, version};
use crate::egress::Received;
use areas::{AREAS, Area};

/// The sections this protocol can serve.
pub(crate) fn sections() -> SectionSet {
    AREAS.iter().flat_map(|area| area.sections.iter().copied()).collect()
}

/// Asks a GP system.
pub(crate) struct Structured {
    wire: Wire,
}

impl Structured {
    pub(crate) const fn new(wire: Wire) -> Self {
        Self { wire }
    }

    pub(crate) async fn ask(self: Arc<Self>, ask: Ask) -> Result<Reply, SourceFault> {
        let areas = Area::implied_by(ask.sections);
        if areas.is_empty() {
            return Err(SourceFault::new(FaultClass::NothingAsked));
        }
        let wire = &self.wire;
        let since = ask.since.map(|since| request::not_after(since, wire.today()));
        let body = Bytes::from(request::parameters(ask.patient, &areas, since.as_deref()));
        let interaction = Interaction::GetStructuredRecord;
        let endpoint = wire.endpoint(interaction, &ask.requester, Some(ask.patient)).await?;
        let call = Call {
            interaction,
            endpoint: &endpoint,
            requester: &ask.requester,
            tail: STRUCTURED_RECORD,
            body,
        };
        let make = || wire.outgoing(&call);
        let received = wire.egress.send(wire.bounds(ask.deadline), &make).await?;
        let asked = ask.sections;
        apart(received.body.len(), move || read(received, asked)).await
    }
}

/// Reads an answer: gate, shape, version, lists, conversion, in this order.
fn read(received: Received, asked: SectionSet) -> Result<Reply, SourceFault> {
    let attempts = received.attempts;
    let at_200 = |class| SourceFault::new(class).with_http(200);
    let document = answer::document(received, Absence::Outcome)?;
    let bundle = Bundle::of(&document).map_err(at_200)?;
    version::check(bundle, FhirVersion::Stu3).map_err(at_200)?;
    let report = lists::read(bundle, asked);
    let converted = convert_bundle(&document).map_err(at_200)?;
    let (digest, bytes) = fingerprint([&document]);
    Ok(Reply {
        documents: vec![converted.document],
        asked,
        states: report.states,
        notices: report.notices,
        losses: converted.losses,
        carried: converted.carried,
        converted: true,
        truncated: false,
        bytes,
        digest,
        attempts,
    })
}

/// Whether a section is beyond this protocol.
fn is_beyond(section: Section) -> bool {
    !sections().contains(section)
}
