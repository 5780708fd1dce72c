//! Asks a broker over HTTP.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap};
use reqwest::{RequestBuilder, Response, Url};
use tokio::time::Instant;
use tributary_model::{FaultClass, Freshness, Handling, NhsNumber};

use crate::answer::{self, Attachment, RecordAnswer, Source, SummaryAnswer};
use crate::error::ClientError;
use crate::options::{Options, Token};
use crate::query::{self, Query, Terms};
use crate::retry::{RetryBudget, spread};
use crate::stream::RecordStream;
use crate::tls;

/// No answer is longer than this.
const MAX_BODY: usize = 64 << 20;
/// What the network may cost on top of the broker's deadline.
pub(crate) const SLACK: Duration = Duration::from_secs(3);
/// The least that a broker can be given; with less left nothing is asked again.
const LEAST: Duration = Duration::from_millis(300);
/// How long questions may take that are about no patient.
const SMALL: Duration = Duration::from_secs(8);
const FHIR_JSON: &str = "application/fhir+json";
/// A document as it is, whatever it is, and not as a FHIR resource.
const DOCUMENT: &str = "application/pdf, image/*, text/*, application/octet-stream, */*;q=0.1";
/// Where a broker gives out what is attached.
const BINARY: &str = "fhir/R4/Binary/";

/// A client of one broker. Clones share its connections, and how often they may ask again.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: Token,
    budget: Arc<RetryBudget>,
}

impl Client {
    /// A client of the broker at this address. It follows no redirect and uses no proxy.
    pub fn new(base_url: &str) -> Result<Self, ClientError> {
        Self::with(base_url, Options::default())
    }

    /// The same, which believes these authorities, in PEM form, and no other.
    pub fn believing(base_url: &str, authorities: &[u8]) -> Result<Self, ClientError> {
        Self::with(base_url, Options { authorities_pem: Some(authorities.to_vec()), ..Options::default() })
    }

    /// The same, set up with these options.
    pub fn with(base_url: &str, options: Options) -> Result<Self, ClientError> {
        let base = format!("{}/", base_url.trim_end_matches('/'));
        let base = Url::parse(&base).map_err(|_| ClientError::Address)?;
        let has_host = base.host_str().is_some_and(|host| !host.is_empty());
        if !matches!(base.scheme(), "http" | "https") || !has_host {
            return Err(ClientError::Address);
        }
        if base.scheme() == "http" && !is_loopback(&base) {
            return Err(ClientError::Plain);
        }
        // What cannot be sent is told now, and not when somebody waits for a record.
        options.token.header()?;
        let tls = tls::config(options.authorities_pem.as_deref(), options.certificate.as_ref())?;
        let budget = Arc::new(RetryBudget::new(options.retries));
        Ok(Self { http: http(tls)?, base, token: options.token, budget })
    }

    /// The same client for another user: it shares connections and the account of repeats.
    #[must_use]
    pub fn bearing(&self, token: Token) -> Self {
        Self { token, ..self.clone() }
    }

    /// Asks for one record.
    pub async fn record(&self, query: &Query) -> Result<RecordAnswer, ClientError> {
        let body = query::of_record(query);
        let (headers, body) = self.post("fhir/R4/Patient/$record", &query.terms, &body).await?;
        answer::record(&headers, body)
    }

    /// Asks for one record, piece by piece as its sources answer. A broker that has no stream refuses with 406.
    pub async fn stream(&self, query: &Query) -> Result<RecordStream, ClientError> {
        RecordStream::open(self.clone(), query.clone()).await
    }

    /// Asks for the International Patient Summary of one patient.
    pub async fn summary(&self, nhs_number: &NhsNumber, terms: &Terms) -> Result<SummaryAnswer, ClientError> {
        let body = query::of_summary(nhs_number, terms);
        let (headers, body) = self.post("fhir/R4/Patient/$summary", terms, &body).await?;
        answer::summary(&headers, body)
    }

    /// Fetches what is attached to a record, by the address that stands in it. Only this broker is asked,
    /// whatever host that address names.
    pub async fn attachment(&self, url: &str) -> Result<Attachment, ClientError> {
        let is_plain = |link: &str| {
            let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            !link.is_empty() && link.bytes().all(letter)
        };
        let link = url.rsplit_once(BINARY).map(|(_, link)| link).filter(|link| is_plain(link));
        let path = format!("{BINARY}{}", link.ok_or(ClientError::Link)?);
        let (headers, bytes) = self.get(&path, DOCUMENT).await?;
        let header = |name| answer::text(&headers, name).map(str::to_owned);
        let audit = header("Tributary-Audit").ok_or(ClientError::Unreadable(FaultClass::Shape))?;
        Ok(Attachment { content_type: header("Content-Type").unwrap_or_default(), bytes, audit })
    }

    /// What is registered, as far as this caller may know.
    pub async fn sources(&self) -> Result<Vec<Source>, ClientError> {
        let (_, body) = self.get("sources", "application/json").await?;
        answer::sources(body)
    }

    async fn post(&self, path: &str, terms: &Terms, body: &str) -> Result<(HeaderMap, Vec<u8>), ClientError> {
        let ask = |left: Duration| {
            let request = self.question(path, terms, left)?;
            Ok(request.header(ACCEPT, FHIR_JSON).timeout(left.saturating_add(SLACK)).body(body.to_owned()))
        };
        // An act that is counted is not done twice because of one question.
        let can_repeat = terms.break_glass.is_none() && self.token.can_repeat();
        self.ask(terms.deadline, can_repeat, &ask).await
    }

    async fn get(&self, path: &str, accept: &str) -> Result<(HeaderMap, Vec<u8>), ClientError> {
        let ask = |left: Duration| {
            let request = self.http.get(self.url(path)?).header(ACCEPT, accept);
            Ok(self.identified(request)?.timeout(left.saturating_add(SLACK)))
        };
        self.ask(SMALL, self.token.can_repeat(), &ask).await
    }

    /// Asks, and again where that is safe, within a time and the account of all clones. What was never received
    /// can always be sent again.
    async fn ask(
        &self,
        time: Duration,
        can_repeat: bool,
        request: &(impl Fn(Duration) -> Result<RequestBuilder, ClientError> + Sync),
    ) -> Result<(HeaderMap, Vec<u8>), ClientError> {
        let ends = Instant::now() + time;
        let mut left = time;
        self.budget.note_request();
        loop {
            let error = match once(request(left)?).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let wait = error.repeat_after().filter(|_| can_repeat || error == ClientError::Unreachable);
            let wait = wait.map(spread);
            let by = ends.checked_sub(LEAST).unwrap_or(ends);
            let in_time = wait.filter(|wait| Instant::now() + *wait <= by);
            let Some(wait) = in_time.filter(|_| self.budget.spend()) else { return Err(error) };
            tokio::time::sleep(wait).await;
            left = ends.saturating_duration_since(Instant::now()).max(LEAST);
        }
    }

    /// A POST on these terms, without `Accept` and body.
    pub(crate) fn question(
        &self,
        path: &str,
        terms: &Terms,
        left: Duration,
    ) -> Result<RequestBuilder, ClientError> {
        let request = self
            .http
            .post(self.url(path)?)
            .header(CONTENT_TYPE, FHIR_JSON)
            .header("Tributary-Deadline-Ms", left.as_millis().to_string());
        let request = match terms.handling {
            Handling::Lenient => request,
            Handling::Strict => request.header("Prefer", "handling=strict"),
        };
        let request = match terms.freshness {
            Freshness::Allowed => request,
            Freshness::FetchNow => request.header(CACHE_CONTROL, "no-cache"),
        };
        self.identified(request)
    }

    fn identified(&self, request: RequestBuilder) -> Result<RequestBuilder, ClientError> {
        Ok(match self.token.header()? {
            Some(token) => request.header(AUTHORIZATION, token),
            None => request,
        })
    }

    fn url(&self, path: &str) -> Result<Url, ClientError> {
        self.base.join(path).map_err(|_| ClientError::Address)
    }

    pub(crate) fn budget(&self) -> &RetryBudget {
        &self.budget
    }

    pub(crate) const fn can_repeat(&self) -> bool {
        self.token.can_repeat()
    }
}

async fn once(request: RequestBuilder) -> Result<(HeaderMap, Vec<u8>), ClientError> {
    let response = request.send().await.map_err(|error| of_send(&error))?;
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let body = read(response, MAX_BODY).await?;
    if status == 200 { Ok((headers, body)) } else { Err(answer::refused(status, &headers, body)) }
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

#[cfg(test)]
mod tests;
