//! Asks a witness to cosign checkpoints of the audit log (C2SP tlog-witness).

use std::time::Duration;

use reqwest::Url;
use reqwest::header::CONTENT_TYPE;

use crate::client::{self, of_send};
use crate::error::ClientError;
use crate::tls;

/// Cosignatures of sixteen keys have a fifth of it.
const MAX_BODY: usize = 16 << 10;
/// A witness answers after one sync of its disk.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A client of one witness. What it sends is public and signed, and so is what it gets, so plain HTTP will do.
#[derive(Clone, Debug)]
pub struct WitnessClient {
    http: reqwest::Client,
    add_checkpoint: Url,
}

/// What a witness answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessReply {
    /// HTTP status.
    pub status: u16,
    /// The body, which is short.
    pub body: String,
}

impl WitnessClient {
    /// A client of the witness below this address. It follows no redirect and uses no proxy.
    pub fn new(prefix: &str) -> Result<Self, ClientError> {
        let prefix = format!("{}/", prefix.trim_end_matches('/'));
        let add_checkpoint = Url::parse(&prefix)
            .and_then(|prefix| prefix.join("add-checkpoint"))
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some())
            .ok_or(ClientError::Address)?;
        Ok(Self { http: client::http(tls::plain()?)?, add_checkpoint })
    }

    /// Sends a request to `add-checkpoint`.
    pub async fn add_checkpoint(&self, request: String) -> Result<WitnessReply, ClientError> {
        let request = self
            .http
            .post(self.add_checkpoint.clone())
            .header(CONTENT_TYPE, "text/plain; charset=utf-8")
            .timeout(TIMEOUT)
            .body(request);
        let response = request.send().await.map_err(|error| of_send(&error))?;
        let status = response.status().as_u16();
        let body = client::read(response, MAX_BODY).await?;
        let body = String::from_utf8(body).map_err(|_binary| ClientError::BrokenOff)?;
        Ok(WitnessReply { status, body })
    }
}
