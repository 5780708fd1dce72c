//! Connectors: one protocol each. An ask goes in, a reply in R4 or a fault comes out.

pub(crate) mod answer;
pub(crate) mod attachment;
pub(crate) mod relay;
pub(crate) mod search;
pub(crate) mod structured;
pub(crate) mod version;
pub(crate) mod wire;

use sha2::{Digest as _, Sha256};
use tributary_fhir::Document;
use tributary_model::{FaultClass, Hex, Lease, SourceFault};

/// Bodies up to this size are read where they arrive; larger ones would hold up other asks.
const READ_AT_ONCE_BYTES: usize = 64 << 10;

/// Does work on `bytes` bytes of text, on a thread of its own when there are many.
async fn apart<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> Result<T, SourceFault> + Send + 'static,
) -> Result<T, SourceFault> {
    if bytes <= READ_AT_ONCE_BYTES {
        return work();
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_panicked| Err(SourceFault::new(FaultClass::Internal)))
}

/// Holds as much memory as is kept; until now it was what was received.
fn holding(mut held: Lease, bytes: usize) -> Result<Lease, SourceFault> {
    held.resize(bytes as u64).map_err(|_spent| SourceFault::new(FaultClass::Memory))?;
    Ok(held)
}

/// SHA-256 over the texts in their order, in hexadecimal, and how many bytes they have.
fn fingerprint<'d>(documents: impl IntoIterator<Item = &'d Document>) -> (String, u64) {
    let mut hash = Sha256::new();
    let mut bytes = 0;
    for document in documents {
        hash.update(document.text().as_bytes());
        bytes += document.text().len() as u64;
    }
    (Hex(&hash.finalize()).to_string(), bytes)
}
