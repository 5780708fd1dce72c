//! Passes a caller's GP Connect request to the patient's GP system, and its answer back.

use std::sync::Arc;

use tributary_fhir::json::quoted;
use tributary_fhir::{Bundle, Document, FhirVersion};
use tributary_model::{RelayAsk, RelayReply, SourceFault};

use super::answer::{self, Said};
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
        let refused = answer::refusal(received);
        return match refused.said {
            Said::Outcome => Ok(RelayReply { status, body: body.into() }),
            Said::Nothing => Err(refused.fault),
        };
    }
    let at_200 = |class| SourceFault::new(class).with_http(200);
    let document = answer::document(received)?;
    let bundle = Bundle::of(&document).map_err(at_200)?;
    version::check(bundle, FhirVersion::Stu3).map_err(at_200)?;
    Ok(RelayReply { status, body: document.text().to_owned().into() })
}

/// The text of a document with another `id` at its root, and nothing else changed.
pub fn replace_bundle_id(document: &Document, new_id: &str) -> String {
    let text = document.text();
    let root = document.root();
    let (keep_to, insert, resume_at) = if let Some(id) = root.get("id") {
        (id.span().start, quoted(new_id), id.span().end)
    } else {
        let inside = root.span().start + 1;
        let comma = root.members().next().map_or("", |_| ",");
        (inside, format!("\"id\":{}{comma}", quoted(new_id)), inside)
    };
    let before = text.get(..keep_to).unwrap_or_default();
    let after = text.get(resume_at..).unwrap_or_default();
    format!("{before}{insert}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    use tributary_fhir::Limits;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let document = Document::scan(text.as_bytes().to_vec(), &Limits::default()).unwrap();
        assert_eq!(replace_bundle_id(&document, "new"), expected);
    }

    #[test]
    fn only_the_id_of_the_root_changes() {
        check(
            r#"{ "entry":[{"id":"old"}], "id" : "old", "x":1.10}"#,
            r#"{ "entry":[{"id":"old"}], "id" : "new", "x":1.10}"#,
        );
        check(r#"{"x":1}"#, r#"{"id":"new","x":1}"#);
        check(r" {}", r#" {"id":"new"}"#);
    }
}
