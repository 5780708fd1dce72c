//! One small document from an address of the configuration, or to one: nothing of a patient goes out, nothing of one
//! comes back.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use tributary_model::{Deadline, FaultClass};
use url::Url;

use super::{Bounds, Egress, EgressError, Outgoing, Received, SourceTls};

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

/// A document on its way to an address of the configuration.
#[derive(Debug)]
pub struct Parcel {
    /// Where it goes.
    pub url: Url,
    /// What is said of it, and who we are there.
    pub headers: HeaderMap,
    /// The document.
    pub body: Bytes,
}

/// What was said of a document that was handed in.
#[derive(Debug)]
pub struct HandedIn {
    /// The HTTP status. Redirects are not followed.
    pub status: u16,
    /// After which time it may be tried again, if that was said.
    pub retry_after: Option<Duration>,
    /// What else was said.
    pub body: Vec<u8>,
}

impl Egress {
    /// Hands in a document, with demands on TLS of its own, in one attempt. Of the answer at most so many bytes are
    /// read.
    pub async fn hand_in(
        &self,
        tls: &SourceTls,
        parcel: Parcel,
        deadline: Deadline,
        max_bytes: u64,
    ) -> Result<HandedIn, FetchFault> {
        let Parcel { url, headers, body } = parcel;
        let outgoing = Outgoing { method: Method::POST, url, headers, body };
        let bounds = Bounds { deadline, max_body_bytes: max_bytes };
        let attempt = self.with_tls(tls)?.attempt(bounds, outgoing).await;
        let Received { status, retry_after, body, .. } =
            attempt.map_err(|fault| FetchFault::Unreachable(fault.class))?;
        Ok(HandedIn { status, retry_after, body })
    }

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
