//! The one HTTP client towards sources. Every limit on what a source can do to us over the wire is here.

mod body;
mod certificate;
mod classify;
mod contact;
mod decode;
mod tls;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, header};
use rustls_pki_types::CertificateDer;
use tokio::time::{sleep, timeout_at};
use tributary_model::{Deadline, FaultClass, Retry, SourceFault};
use url::Url;

pub use tls::{ClientIdentity, PemError, SourceTls, TlsVersions, certificates, revocations};

/// Bodies of error answers are read only for their codes.
const ERROR_BODY_BYTES: u64 = 64 << 10;
/// Between an attempt that did not reach the source and the second one.
const SECOND_ATTEMPT_AFTER: Duration = Duration::from_millis(25);
/// A `Retry-After` is believed up to here.
const LONGEST_HOLD: Duration = Duration::from_mins(5);

pub(crate) use contact::Contacted;

/// Why the client could not be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// The TLS library refused the protocol versions or a root certificate.
    #[error("the tls settings of the client were refused")]
    Tls,
    /// The HTTP library refused its settings.
    #[error("the http settings of the client were refused")]
    Http,
}

/// Settings of the client.
#[derive(Clone, Debug)]
pub struct EgressSettings {
    /// Longest time for name, connection and TLS handshake together.
    pub connect_timeout: Duration,
    /// Root certificates trusted besides those of the machine.
    pub extra_roots: Vec<CertificateDer<'static>>,
}

impl Default for EgressSettings {
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(1), extra_roots: Vec::new() }
    }
}

/// One request to a source, made anew for each attempt.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What an answer may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) deadline: Deadline,
    /// Most bytes, as received and again when decoded.
    pub(crate) max_body_bytes: u64,
}

/// A whole answer. Its `Debug` would show clinical text, so it has none.
pub(crate) struct Received {
    pub(crate) status: u16,
    pub(crate) media_type: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    /// The version of a single resource, as sent.
    pub(crate) etag: Option<String>,
    /// Decoded. Empty where an error answer could not be read.
    pub(crate) body: Vec<u8>,
    pub(crate) attempts: u32,
}

/// The client. Clones share one connection pool.
#[derive(Clone, Debug)]
pub struct Egress {
    client: reqwest::Client,
    settings: EgressSettings,
}

impl Egress {
    /// Builds the client.
    pub fn new(settings: &EgressSettings) -> Result<Self, EgressError> {
        Self::build(settings, &SourceTls::default())
    }

    /// A client with a pool of its own, for a source with its own demands.
    pub(crate) fn with_tls(&self, tls: &SourceTls) -> Result<Self, EgressError> {
        Self::build(&self.settings, tls)
    }

    #[expect(clippy::disallowed_methods, reason = "the one egress client, with its limits")]
    fn build(settings: &EgressSettings, tls: &SourceTls) -> Result<Self, EgressError> {
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::config(tls, &settings.extra_roots)?)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            // For the day on which a certificate ends.
            .tls_info(true)
            .referer(false)
            .user_agent(concat!("tributary/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(settings.connect_timeout)
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(8)
            .tcp_keepalive(Duration::from_secs(15))
            .tcp_nodelay(true)
            .http1_max_headers(64)
            .http2_max_header_list_size(64 << 10)
            .http2_keep_alive_interval(Duration::from_secs(5))
            .http2_keep_alive_timeout(Duration::from_secs(5));
        // A peer that vanished is noticed after five seconds without acknowledgement.
        #[cfg(target_os = "linux")]
        let builder = builder.tcp_user_timeout(Duration::from_secs(5));
        let client = builder.build().map_err(|_discarded| EgressError::Http)?;
        Ok(Self { client, settings: settings.clone() })
    }

    /// Sends a request; once more, made afresh, when the first attempt got no answer for reasons of the
    /// connection.
    pub(crate) async fn send(
        &self,
        bounds: Bounds,
        make: &(dyn Fn() -> Result<Outgoing, SourceFault> + Send + Sync),
    ) -> Result<Received, SourceFault> {
        let fault = match self.attempt(bounds, make()?).await {
            Ok(received) => return Ok(received),
            Err(fault) => fault,
        };
        let time_left = bounds.deadline.remaining() > SECOND_ATTEMPT_AFTER;
        if fault.retry != Retry::Elsewhere || !time_left {
            return Err(fault);
        }
        sleep(SECOND_ATTEMPT_AFTER).await;
        let received = self.attempt(bounds, make()?).await?;
        Ok(Received { attempts: 2, ..received })
    }

    async fn attempt(&self, bounds: Bounds, outgoing: Outgoing) -> Result<Received, SourceFault> {
        let mut request = reqwest::Request::new(outgoing.method, outgoing.url);
        *request.headers_mut() = outgoing.headers;
        request.headers_mut().insert(header::ACCEPT_ENCODING, header::HeaderValue::from_static("gzip"));
        *request.body_mut() = Some(outgoing.body.into());
        let response = timeout_at(bounds.deadline.instant(), self.client.execute(request))
            .await
            .map_err(|_elapsed| SourceFault::new(FaultClass::NoHead))?
            .map_err(|error| classify::before_head(&error))?;

        let status = response.status().as_u16();
        let media_type = text_of(response.headers(), &header::CONTENT_TYPE);
        let retry_after = text_of(response.headers(), &header::RETRY_AFTER).map(|text| hold(&text));
        let etag = text_of(response.headers(), &header::ETAG);
        let body = match (status, read(response, status, bounds).await) {
            (_, Ok(body)) => body,
            (200, Err(fault)) => return Err(fault.with_http(200)),
            // The status says enough.
            (_, Err(_unread)) => Vec::new(),
        };
        Ok(Received { status, media_type, retry_after, etag, body, attempts: 1 })
    }
}

async fn read(response: reqwest::Response, status: u16, bounds: Bounds) -> Result<Vec<u8>, SourceFault> {
    let cap = match status {
        200 => bounds.max_body_bytes,
        _ => bounds.max_body_bytes.min(ERROR_BODY_BYTES),
    };
    let expected = body::Expected {
        coding: decode::Coding::of(response.headers()).map_err(SourceFault::new)?,
        declared_bytes: response.content_length(),
        max_bytes: cap,
        deadline: bounds.deadline,
    };
    body::read(response.bytes_stream(), &expected).await.map_err(SourceFault::new)
}

fn text_of(headers: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Reads `Retry-After` in seconds. The date form is rare and needs a clock: it counts as a minute.
fn hold(text: &str) -> Duration {
    let wait = text.trim().parse().map_or(Duration::from_mins(1), Duration::from_secs);
    wait.min(LONGEST_HOLD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_bounded() {
        assert_eq!(hold("120"), Duration::from_mins(2));
        assert_eq!(hold("999999"), LONGEST_HOLD);
        assert_eq!(hold("Wed, 21 Oct 2026 07:28:00 GMT"), Duration::from_mins(1));
    }

    #[test]
    fn the_client_builds() {
        assert!(Egress::new(&EgressSettings::default()).is_ok());
    }
}
