//! Passes a caller's GP Connect request to a GP system, and its answer back.

use std::sync::Arc;

use tributary_fhir::{Bundle, Document, FhirVersion, Limits, Passed, Relayed};
use tributary_model::{FaultClass, Interaction, RelayAsk, SourceFault};

use super::answer::{self, Absence, Said};
use super::wire::{Call, Wire};
use super::{apart, version};
use crate::egress::Received;
use crate::exchange::Exchange;

/// Longest base64 text that is read: more than the five megabytes which may be passed on, so that what is too
/// large is told from what is broken.
pub(crate) const BINARY_STRING_BYTES: usize = 12 << 20;

/// Passes requests through.
pub(crate) struct Relay {
    wire: Arc<Wire>,
    exchange: Exchange,
}

impl Relay {
    pub(crate) const fn new(wire: Arc<Wire>, exchange: Exchange) -> Self {
        Self { wire, exchange }
    }

    pub(crate) async fn pass(self: Arc<Self>, ask: RelayAsk) -> Result<Relayed, SourceFault> {
        let wire = &self.wire;
        let interaction = ask.interaction;
        let endpoint = wire.endpoint(interaction, &ask.requester, ask.patient, ask.deadline).await?;
        let errand = self.exchange.errand(&ask.requester);
        let call = Call { interaction, endpoint, requester: ask.requester, tail: ask.tail, body: ask.body };
        let bounds = wire.bounds(ask.deadline);
        let received = self.exchange.send(errand, bounds, wire.written(call)).await?;
        apart(received.body.len(), move || judge(received, interaction)).await
    }
}

/// What the interaction gives and a source's own refusal are passed on; anything else is a fault.
fn judge(mut received: Received, interaction: Interaction) -> Result<Relayed, SourceFault> {
    let (status, attempts) = (received.status, received.attempts);
    let held = std::mem::take(&mut received.held);
    // A throttled ask is ours to hold back, not the caller's error.
    if (400..500).contains(&status) && status != 429 {
        let body = received.body.clone();
        let held = super::holding(held, body.len())?;
        let refused = answer::refusal(received, Absence::Outcome);
        return match refused.said {
            Said::Outcome => Ok(Relayed {
                status,
                etag: None,
                attempts,
                said: Passed::Refusal(body.into(), refused.fault),
                held,
            }),
            Said::Nothing => Err(refused.fault),
        };
    }
    let etag = received.etag.clone();
    let document = answer::document_within(received, Absence::Outcome, &limits(interaction))?;
    shape(&document, interaction).map_err(|class| SourceFault::new(class).with_http(200))?;
    let etag = etag.or_else(|| version_tag(&document, interaction));
    let held = super::holding(held, document.weight())?;
    Ok(Relayed { status, etag, attempts, said: Passed::Document(document), held })
}

/// A document of five megabytes is one string of seven.
fn limits(interaction: Interaction) -> Limits {
    let usual = Limits::default();
    if interaction == Interaction::ReadBinary {
        return Limits { string_bytes: BINARY_STRING_BYTES, ..usual };
    }
    usual
}

/// What a read without `ETag` would have had there.
fn version_tag(document: &Document, interaction: Interaction) -> Option<String> {
    let is_read = resource_of(interaction) != "Bundle";
    let version = document.root().path(&["meta", "versionId"]).filter(|_| is_read)?.text()?;
    let plain = version.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    (plain && !version.is_empty()).then(|| format!("W/\"{version}\""))
}

/// Whether a document is what the interaction gives, in STU3.
fn shape(document: &Document, interaction: Interaction) -> Result<(), FaultClass> {
    match resource_of(interaction) {
        "Bundle" => version::check(Bundle::of(document)?, FhirVersion::Stu3),
        resource if document.root().says("resourceType", resource) => Ok(()),
        _ => Err(FaultClass::Shape),
    }
}

/// The type that an interaction gives.
const fn resource_of(interaction: Interaction) -> &'static str {
    match interaction {
        Interaction::GetStructuredRecord
        | Interaction::DocumentsFindPatient
        | Interaction::SearchDocuments
        | Interaction::FindPatient
        | Interaction::FindPractitioner
        | Interaction::FindOrganization => "Bundle",
        Interaction::StructuredMetadata
        | Interaction::DocumentsMetadata
        | Interaction::FoundationsMetadata => "CapabilityStatement",
        Interaction::ReadBinary => "Binary",
        Interaction::ReadPatient => "Patient",
        Interaction::ReadPractitioner => "Practitioner",
        Interaction::ReadOrganization => "Organization",
        Interaction::ReadLocation => "Location",
    }
}
