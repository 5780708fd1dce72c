//! Passes a caller's GP Connect request to the patient's GP system, and its answer back.

use std::sync::Arc;

use tributary_fhir::{Bundle, FhirVersion};
use tributary_model::{RelayAsk, RelayReply, SourceFault};

use super::answer::{self, Absence, Said};
use super::wire::Wire;
use super::{apart, structured, version};
use crate::egress::Received;

/// Passes requests through.
#[derive(Debug)]
pub(crate) struct Relay {
    wire: Wire,
}

impl Relay {
    pub(crate) const fn new(wire: Wire) -> Self {
        Self { wire }
    }

    pub(crate) async fn pass(self: Arc<Self>, ask: RelayAsk) -> Result<RelayReply, SourceFault> {
        let wire = &self.wire;
        let make = || structured::outgoing(wire, &ask.requester, ask.body.clone());
        let received = wire.egress.send(wire.bounds(ask.deadline), &make).await?;
        apart(received.body.len(), move || judge(received)).await
    }
}

/// A good bundle and a source's own refusal are passed on; anything else is a fault.
fn judge(received: Received) -> Result<RelayReply, SourceFault> {
    let status = received.status;
    // A throttled ask is ours to hold back, not the caller's error.
    if (400..500).contains(&status) && status != 429 {
        let body = received.body.clone();
        let refused = answer::refusal(received, Absence::Outcome);
        return match refused.said {
            Said::Outcome => Ok(RelayReply { status, body: body.into(), refused: Some(refused.fault) }),
            Said::Nothing => Err(refused.fault),
        };
    }
    let at_200 = |class| SourceFault::new(class).with_http(200);
    let document = answer::document(received, Absence::Outcome)?;
    let bundle = Bundle::of(&document).map_err(at_200)?;
    version::check(bundle, FhirVersion::Stu3).map_err(at_200)?;
    Ok(RelayReply { status, body: document.text().to_owned().into(), refused: None })
}
