//! Fetches what is attached to a record: one `Binary`, from the source that holds it.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use tributary_fhir::{Attached, Document, Kind, Limits};
use tributary_model::{AttachmentAsk, FaultClass, SourceFault};

use super::answer::{self, Absence};
use super::apart;
use super::relay::BINARY_STRING_BYTES;
use super::wire::Wire;
use crate::egress::{Outgoing, Received};
use crate::exchange::{Exchange, Make};

/// Fetches attachments of one source.
pub(crate) struct Attachments {
    wire: Arc<Wire>,
    exchange: Exchange,
}

impl Attachments {
    pub(crate) const fn new(wire: Arc<Wire>, exchange: Exchange) -> Self {
        Self { wire, exchange }
    }

    pub(crate) async fn fetch(self: Arc<Self>, ask: AttachmentAsk) -> Result<Attached, SourceFault> {
        let wire = &self.wire;
        let url = wire.address(&format!("Binary/{}", ask.id.expose()))?;
        let (errand, bounds) = (self.exchange.errand(&ask.requester), wire.bounds(ask.deadline));
        let (wire, requester) = (Arc::clone(wire), ask.requester);
        let make: Make = Arc::new(move || {
            let headers = wire.search_headers(&requester)?;
            Ok(Outgoing { method: Method::GET, url: url.clone(), headers, body: Bytes::new() })
        });
        let received = self.exchange.send(errand, bounds, make).await?;
        apart(received.body.len(), move || judge(received)).await
    }
}

/// Only a Binary with content is one. In STU3 the content is called `content`, in R4 `data`.
fn judge(mut received: Received) -> Result<Attached, SourceFault> {
    let (attempts, held) = (received.attempts, std::mem::take(&mut received.held));
    let limits = Limits { string_bytes: BINARY_STRING_BYTES, ..Limits::default() };
    // `not-found` speaks of the document here, never of the patient.
    let document = answer::document_within(received, Absence::Searchset, &limits)?;
    if is_binary(&document) {
        let held = super::holding(held, document.weight())?;
        Ok(Attached { document, attempts, held })
    } else {
        Err(SourceFault::new(FaultClass::Shape).with_http(200))
    }
}

fn is_binary(document: &Document) -> bool {
    let root = document.root();
    let has = |key: &str| root.get(key).is_some_and(|content| content.kind() == Kind::String);
    root.says("resourceType", "Binary") && has("contentType") && (has("data") || has("content"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_has_a_type_and_content() {
        let check = |text: &str, expected: bool| {
            let document = Document::scan(text.as_bytes().to_vec(), &Limits::default()).unwrap();
            assert_eq!(is_binary(&document), expected, "{text}");
        };
        check(r#"{"resourceType":"Binary","contentType":"text/plain","data":"eA=="}"#, true);
        check(r#"{"resourceType":"Binary","contentType":"text/plain","content":"eA=="}"#, true);
        check(r#"{"resourceType":"Binary","contentType":"text/plain"}"#, false);
        check(r#"{"resourceType":"Binary","data":"eA=="}"#, false);
        check(r#"{"resourceType":"Patient","contentType":"text/plain","data":"eA=="}"#, false);
        check(r#"{"resourceType":"Binary","contentType":"text/plain","data":7}"#, false);
    }
}
