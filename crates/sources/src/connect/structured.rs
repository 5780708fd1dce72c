//! GP Connect Access Record: Structured. One request gives one STU3 bundle, which is converted.

mod areas;
mod lists;
mod request;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, header};
use tributary_fhir::convert::convert_bundle;
use tributary_fhir::{Bundle, FhirVersion, Reply};
use tributary_model::{Ask, FaultClass, Requester, Section, SectionSet, SourceFault};

use super::answer::Absence;
use super::wire::{FHIR_JSON, Wire};
use super::{answer, apart, fingerprint, version};
use crate::egress::{Outgoing, Received};
use areas::{AREAS, Area};

/// Where the record is asked for, below the service root.
const OPERATION: &str = "Patient/$gpc.getstructuredrecord";
const INTERACTION: &str = "urn:nhs:names:services:gpconnect:fhir:operation:gpc.getstructuredrecord-1";

/// The sections this protocol can serve.
pub(crate) fn sections() -> SectionSet {
    AREAS.iter().flat_map(|area| area.sections.iter().copied()).collect()
}

/// One attempt at the operation.
pub(crate) fn outgoing(wire: &Wire, requester: &Requester, body: Bytes) -> Result<Outgoing, SourceFault> {
    let mut headers = wire.spine_headers(requester, INTERACTION)?;
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FHIR_JSON));
    Ok(Outgoing { method: Method::POST, url: wire.address(OPERATION)?, headers, body })
}

/// Asks a GP system.
#[derive(Debug)]
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
        let make = || outgoing(wire, &ask.requester, body.clone());
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
