//! Contacts a source or a national service without a patient: is it there, and does it take us?

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tributary_fhir::{Document, Json, Limits};
use tributary_model::{Deadline, FaultClass, Interaction, Redacted, Requester, SourceFault};

use crate::connect::wire::{Call, Wire};
use crate::egress::{Bounds, Contacted, Egress, Outgoing};
use crate::registry::{Context, Protocol, SourceEntry};

const MAX_BODY_BYTES: u64 = 4 << 20;

/// What a contact showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Status of the answer, or why there was none.
    pub answer: Result<u16, FaultClass>,
    /// When its certificate ends; `None` without TLS.
    pub certificate_ends: Option<Timestamp>,
    /// Its own time, if it tells it.
    pub date: Option<Timestamp>,
    /// What the body is.
    pub body: BodyKind,
}

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// What a server can do.
    Capabilities,
    /// An outcome.
    Outcome,
    /// Anything else, or nothing.
    Other,
}

impl Contact {
    pub(crate) async fn make(
        egress: &Egress,
        timeout: Duration,
        outgoing: Result<Outgoing, SourceFault>,
    ) -> Self {
        let bounds = Bounds { deadline: Deadline::after(timeout), max_body_bytes: MAX_BODY_BYTES };
        let contacted = match outgoing {
            Ok(outgoing) => egress.contact(bounds, outgoing).await,
            Err(fault) => Err(fault),
        };
        match contacted {
            Ok(contacted) => Self::of(contacted),
            Err(fault) => {
                let (certificate_ends, date, body) = (None, None, BodyKind::Other);
                Self { answer: Err(fault.class), certificate_ends, date, body }
            }
        }
    }

    fn of(contacted: Contacted) -> Self {
        let Contacted { status, certificate_ends, date, body } = contacted;
        let document = Document::scan(body, &Limits::default()).ok();
        let is =
            |root: Option<Json<'_>>, kind: &str| root.is_some_and(|root| root.says("resourceType", kind));
        let root = document.as_ref().map(Document::root);
        let body = if is(root, "CapabilityStatement") {
            BodyKind::Capabilities
        } else if is(root, "OperationOutcome") {
            BodyKind::Outcome
        } else {
            BodyKind::Other
        };
        Self { answer: Ok(status), certificate_ends, date, body }
    }
}

/// Reads what a source says it can do.
pub async fn contact_source(
    entry: &SourceEntry,
    egress: &Egress,
    context: &Context,
    requester: &Arc<Requester>,
) -> Contact {
    let own = entry.tls.as_ref().map_or_else(|| Ok(egress.clone()), |tls| egress.with_tls(tls));
    let Ok(own) = own else {
        return Contact::make(egress, entry.timeout, Err(SourceFault::new(FaultClass::OurRequest))).await;
    };
    let wire = Wire::new(Arc::new(entry.clone()), context);
    let metadata = metadata(&wire, requester).await;
    Contact::make(&own, entry.timeout, metadata).await
}

async fn metadata(wire: &Wire, requester: &Arc<Requester>) -> Result<Outgoing, SourceFault> {
    if wire.entry.protocol == Protocol::GpConnectStructured {
        let interaction = Interaction::StructuredMetadata;
        let endpoint =
            wire.endpoint(interaction, requester, None, Deadline::after(wire.entry.timeout)).await?;
        let (tail, body) = (Redacted::new("metadata".to_owned()), bytes::Bytes::new());
        let requester = Arc::clone(requester);
        return wire.outgoing(&Call { interaction, endpoint, requester, tail, body });
    }
    let (headers, url) = (wire.search_headers(requester)?, wire.address("metadata")?);
    Ok(Outgoing { method: http::Method::GET, url, headers, body: bytes::Bytes::new() })
}
