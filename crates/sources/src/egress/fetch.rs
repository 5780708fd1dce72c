//! One small document from an address of the configuration: nothing of a patient goes out, nothing of one comes back.

use bytes::Bytes;
use http::{HeaderMap, Method};
use tributary_model::{Deadline, FaultClass};
use url::Url;

use super::{Bounds, Egress, EgressError, Outgoing, SourceTls};

/// Why there is no document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchFault {
    /// The demands on TLS cannot be met.
    #[error("{0}")]
    Tls(#[from] EgressError),
    /// No answer.
    #[error("no answer: {}", .0.code())]
    Unreachable(FaultClass),
    /// An answer that is none: another status than 200. Redirects are not followed.
    #[error("http {0}")]
    Status(u16),
}

impl Egress {
    /// Fetches a document of at most so many bytes, with demands on TLS of its own, in one attempt.
    pub async fn fetch(
        &self,
        tls: &SourceTls,
        url: &Url,
        deadline: Deadline,
        max_bytes: u64,
    ) -> Result<Vec<u8>, FetchFault> {
        let outgoing =
            Outgoing { method: Method::GET, url: url.clone(), headers: HeaderMap::new(), body: Bytes::new() };
        let bounds = Bounds { deadline, max_body_bytes: max_bytes };
        let attempt = self.with_tls(tls)?.attempt(bounds, outgoing).await;
        let received = attempt.map_err(|fault| FetchFault::Unreachable(fault.class))?;
        if received.status == 200 { Ok(received.body) } else { Err(FetchFault::Status(received.status)) }
    }
}
