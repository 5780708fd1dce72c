//! Asks a broker over HTTP.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use reqwest::{Response, Url};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tributary_fhir::{Document, Limits, Writer};
use tributary_model::nhs_number::NHS_NUMBER_SYSTEM;
use tributary_model::{Completeness, FaultClass, NhsNumber, SectionSet};

use crate::bundle;
use crate::error::{ClientError, Refusal};
use crate::table::RecordTable;

/// No answer is longer than this.
const MAX_BODY: usize = 64 << 20;
/// What the network may cost on top of the broker's deadline.
const SLACK: Duration = Duration::from_secs(3);
const FHIR_JSON: &str = "application/fhir+json";

/// Bounds on an answer: a merged record is as large as all its sources together.
const LIMITS: Limits =
    Limits { depth: 80, tokens: 16_000_000, string_bytes: 16 << 20, key_bytes: 256, number_bytes: 512 };

/// One question.
#[derive(Clone, Debug)]
pub struct Query {
    /// Whose record.
    pub nhs_number: NhsNumber,
    /// Which sections; none means all.
    pub sections: SectionSet,
    /// How long the broker may take: 300 ms to 30 s.
    pub deadline: Duration,
}

/// A record, as it came and as a table.
#[derive(Clone, Debug)]
pub struct RecordAnswer {
    /// Whether it is whole.
    pub completeness: Completeness,
    /// Sources that answered, and sources that were expected.
    pub sources: (usize, usize),
    /// Number of the audit record of this disclosure.
    pub audit: String,
    /// The merged Bundle, byte for byte.
    pub bundle_json: String,
    /// The same for reading.
    pub table: RecordTable,
}

/// A client of one broker. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    record: Url,
}

impl Client {
    /// A client of the broker at this address. It follows no redirect and uses no proxy.
    pub fn new(base_url: &str) -> Result<Self, ClientError> {
        Self::with(base_url, tls)
    }

    /// The same, which believes these authorities, in PEM form, and no other.
    pub fn believing(base_url: &str, authorities: &[u8]) -> Result<Self, ClientError> {
        Self::with(base_url, || tls_of(authorities))
    }

    fn with(
        base_url: &str,
        tls: impl FnOnce() -> Result<rustls::ClientConfig, ClientError>,
    ) -> Result<Self, ClientError> {
        let base = format!("{}/", base_url.trim_end_matches('/'));
        let record = Url::parse(&base)
            .and_then(|base| base.join("fhir/R4/Patient/$record"))
            .map_err(|_| ClientError::Address)?;
        let has_host = record.host_str().is_some_and(|host| !host.is_empty());
        if !matches!(record.scheme(), "http" | "https") || !has_host {
            return Err(ClientError::Address);
        }
        if record.scheme() == "http" && !is_loopback(&record) {
            return Err(ClientError::Plain);
        }
        Ok(Self { http: http(tls()?)?, record })
    }

    /// Asks for one record.
    pub async fn record(&self, query: &Query) -> Result<RecordAnswer, ClientError> {
        let deadline_ms = query.deadline.as_millis();
        let request = self
            .http
            .post(self.record.clone())
            .header(CONTENT_TYPE, FHIR_JSON)
            .header(ACCEPT, FHIR_JSON)
            .header("Tributary-Deadline-Ms", deadline_ms.to_string())
            .timeout(query.deadline.saturating_add(SLACK))
            .body(parameters(query));
        let response = request.send().await.map_err(|error| of_send(&error))?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = read(response, MAX_BODY).await?;
        if status == 200 { record(&headers, body) } else { Err(refused(status, body)) }
    }
}

/// A client with this TLS. It follows no redirect and uses no proxy.
#[expect(clippy::disallowed_methods, reason = "the client of our own services, with explicit limits")]
pub(crate) fn http(tls: rustls::ClientConfig) -> Result<reqwest::Client, ClientError> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(SLACK)
        .build()
        .map_err(|_| ClientError::Tls)
}

/// A number is asked for and a record comes back: neither crosses a network in the clear. The settings of the
/// broker hold its sources to the same.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || literal.is_ok_and(|address| address.is_loopback())
}

/// TLS with the system's roots. The provider is named here, so that none has to be installed for the process.
pub(crate) fn tls() -> Result<rustls::ClientConfig, ClientError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(|_| ClientError::Tls)?;
    // A machine without root certificates can still ask a broker on loopback; every https address fails there.
    let config = match rustls_platform_verifier::Verifier::new(provider) {
        Ok(verifier) => builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)),
        Err(_no_roots) => builder.with_root_certificates(RootCertStore::empty()),
    };
    Ok(config.with_no_client_auth())
}

/// TLS with these roots.
fn tls_of(authorities: &[u8]) -> Result<rustls::ClientConfig, ClientError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(authorities) {
        let authority = authority.map_err(|_| ClientError::Authorities)?;
        roots.add(authority).map_err(|_| ClientError::Authorities)?;
    }
    if roots.is_empty() {
        return Err(ClientError::Authorities);
    }
    let builder = rustls::ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().map_err(|_| ClientError::Tls)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn parameters(query: &Query) -> String {
    let mut json = Writer::default();
    json.object(|parameters| {
        parameters.text("resourceType", "Parameters");
        parameters.key("parameter").array(|list| {
            list.object(|patient| {
                patient.text("name", "patient");
                patient.key("valueIdentifier").object(|identifier| {
                    identifier.text("system", NHS_NUMBER_SYSTEM);
                    identifier.text("value", query.nhs_number.expose());
                });
            });
            for section in query.sections.iter() {
                list.object(|parameter| {
                    parameter.text("name", "section");
                    parameter.text("valueCode", section.code());
                });
            }
        });
    });
    json.finish()
}

/// The library's own error text names the address, so only its kind is kept.
pub(crate) fn of_send(error: &reqwest::Error) -> ClientError {
    if error.is_timeout() && !error.is_connect() {
        ClientError::TimedOut
    } else if error.is_connect() {
        ClientError::Unreachable
    } else {
        ClientError::BrokenOff
    }
}

/// Reads a body of at most so many bytes.
pub(crate) async fn read(mut response: Response, most: usize) -> Result<Vec<u8>, ClientError> {
    let mut body = Vec::new();
    loop {
        let chunk = response.chunk().await.map_err(|error| {
            if error.is_timeout() { ClientError::TimedOut } else { ClientError::BrokenOff }
        })?;
        let Some(chunk) = chunk else { return Ok(body) };
        if body.len() + chunk.len() > most {
            return Err(ClientError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
}

fn record(headers: &HeaderMap, body: Vec<u8>) -> Result<RecordAnswer, ClientError> {
    let document = scan(body)?;
    let mut table = bundle::table(&document).map_err(ClientError::Unreadable)?;
    timings(headers, &mut table);
    // Without these headers nobody can say whether the record is whole: then it is not an answer of a broker.
    let header = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.ok_or(ClientError::Unreadable(FaultClass::Shape))
    };
    Ok(RecordAnswer {
        completeness: completeness(header("Tributary-Completeness")?)?,
        sources: answered(header("Tributary-Sources")?)?,
        audit: header("Tributary-Audit")?.to_owned(),
        bundle_json: document.text().to_owned(),
        table,
    })
}

/// How long each source took stands in `Server-Timing`: the bundle of a broker with a fixed clock does not say so.
fn timings(headers: &HeaderMap, table: &mut RecordTable) {
    let header = headers.get("Server-Timing").and_then(|value| value.to_str().ok()).unwrap_or_default();
    for (id, rest) in header.split(',').filter_map(|item| item.trim().split_once(';')) {
        let duration = rest.split(';').find_map(|parameter| parameter.trim().strip_prefix("dur="));
        let latency_ms = duration.and_then(|text| text.parse().ok());
        if let (Some(row), Some(_)) = (table.sources.iter_mut().find(|row| row.id == id), latency_ms) {
            row.latency_ms = latency_ms;
        }
    }
}

fn refused(status: u16, body: Vec<u8>) -> ClientError {
    // An answer that is no outcome at all still has its status.
    let refusal = scan(body).map(|document| bundle::refusal(document.root())).unwrap_or_default();
    ClientError::Refused(Box::new(Refusal { status, ..refusal }))
}

fn scan(body: Vec<u8>) -> Result<Document, ClientError> {
    Document::scan(body, &LIMITS).map_err(|rejection| ClientError::Unreadable(rejection.class))
}

fn completeness(header: &str) -> Result<Completeness, ClientError> {
    let code = header.split(';').next().unwrap_or_default().trim();
    let found = Completeness::ALL.iter().copied().find(|completeness| completeness.code() == code);
    found.ok_or(ClientError::Unreadable(FaultClass::Shape))
}

fn answered(header: &str) -> Result<(usize, usize), ClientError> {
    let counts = header.split_once('/').and_then(|(answered, expected)| {
        Some((answered.trim().parse().ok()?, expected.trim().parse().ok()?))
    });
    counts.ok_or(ClientError::Unreadable(FaultClass::Shape))
}

#[cfg(test)]
mod tests;
