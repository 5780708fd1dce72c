//! What changes in a GP system's answer on its way through: the Bundle's id and the addresses of what is
//! attached. Every other byte stays as it came.

use std::sync::Arc;

use bytes::Bytes;
use tributary_fhir::bundle::{self, Edit};
use tributary_fhir::{Bundle, Document};
use tributary_merge::identity;
use tributary_model::{
    Capability, Clock as _, FaultClass, Interaction, Lease, NhsNumber, Scope, SourceFault,
};

use crate::answer::{DocumentsRoot, RelayRequest};
use crate::attachment::MOST_BYTES;
use crate::broker::Room;
use crate::ledger::Received;
use crate::links::Attachment;
use crate::parts::SourcePort;

/// An answer that may be passed on.
pub(super) struct Readdressed {
    /// With the caller's addresses.
    pub(super) body: Bytes,
    /// As it came.
    pub(super) received: Received,
    /// Whose it turned out to be, where the request did not say.
    pub(super) found: Option<NhsNumber>,
    /// The memory that it takes.
    pub(super) lease: Lease,
}

/// An answer as it came, with the memory that working on it takes.
pub(super) struct Incoming {
    pub(super) document: Document,
    /// What the document itself takes.
    pub(super) held: Lease,
    /// Whose it must be, where the request says so.
    pub(super) patient: Option<NhsNumber>,
    pub(super) lease: Lease,
}

/// Proves whose answer it is, and gives it the caller's addresses.
pub(super) async fn readdressed(
    room: &Arc<Room>,
    incoming: Incoming,
    request: &RelayRequest,
    port: &SourcePort,
) -> Result<Readdressed, SourceFault> {
    let is_small = incoming.document.text().len() as u64 <= room.limits.merge_inline_bytes;
    let shop = room.workshop.clone();
    let (room, request, port) = (Arc::clone(room), request.clone(), port.clone());
    let work = move || Work { room: &room, request: &request, port: &port }.done(incoming);
    let done = if is_small { Ok(work()) } else { shop.done(work).await };
    done.unwrap_or(Err(FaultClass::Internal)).map_err(SourceFault::new)
}

struct Work<'w> {
    room: &'w Room,
    request: &'w RelayRequest,
    port: &'w SourcePort,
}

impl Work<'_> {
    fn done(&self, incoming: Incoming) -> Result<Readdressed, FaultClass> {
        let Incoming { document, held, patient, lease } = incoming;
        let received = Received::of(document.text().as_bytes());
        let (body, found) = self.passed(document, patient)?;
        // The document is gone; what was made of it is counted by the other one.
        drop(held);
        Ok(Readdressed { body, received, found, lease })
    }

    fn passed(
        &self,
        document: Document,
        patient: Option<NhsNumber>,
    ) -> Result<(Bytes, Option<NhsNumber>), FaultClass> {
        let base_url = self.port.base_url();
        let base_url = base_url.as_deref();
        let interaction = self.request.interaction;
        if interaction == Interaction::GetStructuredRecord {
            let number = patient.ok_or(FaultClass::IdentityUnproven)?;
            let documents = [document];
            identity::prove_all(&documents, number, base_url)?;
            let [document] = documents;
            return Ok((self.bundle(&document, Some(number))?, None));
        }
        if interaction == Interaction::ReadBinary {
            within_limit(&document)?;
            return Ok((Bytes::from(document.text().to_owned()), None));
        }
        let found = identity::whose(&document, patient, base_url)?;
        if found.is_some() && interaction.scope() != Scope::Patient {
            return Err(FaultClass::IdentityMixed);
        }
        let is_bundle = document.root().says("resourceType", "Bundle");
        let body =
            if is_bundle { self.bundle(&document, found)? } else { Bytes::from(document.text().to_owned()) };
        Ok((body, found))
    }

    /// A Bundle with the caller's trace id, and with attachments where the caller can find them.
    fn bundle(&self, document: &Document, patient: Option<NhsNumber>) -> Result<Bytes, FaultClass> {
        let mut edits = vec![Edit::id(document, &self.request.trace)];
        if let Some(patient) = patient {
            let urls = bundle::attachment_urls(Bundle::of(document)?);
            edits.extend(urls.filter_map(|url| Some(Edit::string(url, &self.link(&url.text()?, patient)?))));
        }
        Ok(Bytes::from(bundle::edited(document, edits)))
    }

    /// The address under which the caller finds an attachment. Only an address below the practice's own root
    /// of Access Document is ours to give out; any other stays what it is.
    fn link(&self, url: &str, patient: NhsNumber) -> Option<String> {
        let root = self.port.root(Capability::Documents)?;
        let root = root.trim_end_matches('/');
        let id = url.strip_prefix(root)?.strip_prefix("/Binary/")?;
        let is_id =
            !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
        let attachment = is_id.then(|| Attachment { patient, id: id.to_owned() })?;
        let sealed = self.room.links.seal(&self.port.card.id, &attachment, self.room.link_clock.now())?;
        match &self.request.documents_root {
            DocumentsRoot::Theirs => Some(format!("{root}/Binary/{sealed}")),
            DocumentsRoot::Ours(base) => {
                let practice = self.port.card.ods.as_ref()?;
                Some(format!("{base}/{practice}/STU3/1/gpconnect/documents/fhir/Binary/{sealed}"))
            }
        }
    }
}

/// The limit holds for what is encoded: four characters for three bytes.
fn within_limit(binary: &Document) -> Result<(), FaultClass> {
    let content = binary.root().get("content").map_or("", tributary_fhir::Json::raw);
    let encoded = content.trim_matches('"').trim_end_matches('=').len();
    if encoded.saturating_mul(3) / 4 > MOST_BYTES { Err(FaultClass::TooLarge) } else { Ok(()) }
}
