//! What comes back, and what its head says of it.

use std::fmt;
use std::time::Duration;

use reqwest::header::HeaderMap;
use serde::Serialize;
use tributary_fhir::{Document, Json, Limits};
use tributary_model::{Completeness, FaultClass};

use crate::bundle;
use crate::error::{ClientError, Refusal};
use crate::table::RecordTable;

/// Bounds on an answer: a merged record is as large as all its sources together.
const LIMITS: Limits =
    Limits { depth: 80, tokens: 16_000_000, string_bytes: 16 << 20, key_bytes: 256, number_bytes: 512 };

/// What the head of a disclosure says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Whether it is whole.
    pub completeness: Completeness,
    /// Sources that answered, and sources that were expected.
    pub sources: (usize, usize),
    /// Number of the audit record of this disclosure.
    pub audit: String,
}

/// A record, as it came and as a table.
#[derive(Clone)]
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

/// A patient summary (IPS), as it came.
#[derive(Clone)]
pub struct SummaryAnswer {
    /// What its head says.
    pub head: Head,
    /// The document Bundle, byte for byte.
    pub bundle_json: String,
}

/// A document that is attached to a record.
#[derive(Clone)]
pub struct Attachment {
    /// Its media type.
    pub content_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Number of the audit record of this disclosure.
    pub audit: String,
}

/// A registered source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `gp`, `acute`, `community` or `broker`.
    pub kind: String,
    /// Codes of the sections that it serves.
    pub sections: Vec<String>,
    /// When it last gave a good answer to anybody, as RFC 3339.
    pub last_answered: Option<String>,
}

impl fmt::Debug for RecordAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordAnswer")
            .field("completeness", &self.completeness)
            .field("sources", &self.sources)
            .field("audit", &self.audit)
            .field("bytes", &self.bundle_json.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SummaryAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SummaryAnswer")
            .field("head", &self.head)
            .field("bytes", &self.bundle_json.len())
            .finish()
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment")
            .field("content_type", &self.content_type)
            .field("bytes", &self.bytes.len())
            .field("audit", &self.audit)
            .finish()
    }
}

/// Reads the answer to `$record`.
pub(crate) fn record(headers: &HeaderMap, body: Vec<u8>) -> Result<RecordAnswer, ClientError> {
    let document = scan(body)?;
    let mut table = bundle::table(&document).map_err(ClientError::Unreadable)?;
    timings(headers, &mut table);
    let Head { completeness, sources, audit } = head(headers)?;
    Ok(RecordAnswer { completeness, sources, audit, bundle_json: document.text().to_owned(), table })
}

/// Reads the answer to `$summary`.
pub(crate) fn summary(headers: &HeaderMap, body: Vec<u8>) -> Result<SummaryAnswer, ClientError> {
    let document = scan(body)?;
    let is_document =
        document.root().says("resourceType", "Bundle") && document.root().says("type", "document");
    if !is_document {
        return Err(ClientError::Unreadable(FaultClass::Shape));
    }
    Ok(SummaryAnswer { head: head(headers)?, bundle_json: document.text().to_owned() })
}

/// Reads the answer to `GET /sources`.
pub(crate) fn sources(body: Vec<u8>) -> Result<Vec<Source>, ClientError> {
    let document = scan(body)?;
    let list = document.root().get("sources").ok_or(ClientError::Unreadable(FaultClass::Shape))?;
    Ok(list.items().map(source).collect())
}

fn source(entry: Json<'_>) -> Source {
    let text = |key: &str| entry.text_at(key).map(Into::into);
    let sections = entry.get("sections").into_iter().flat_map(Json::items);
    Source {
        id: text("id").unwrap_or_default(),
        name: text("name").unwrap_or_default(),
        kind: text("kind").unwrap_or_default(),
        sections: sections.filter_map(Json::text).map(Into::into).collect(),
        last_answered: text("lastAnswered"),
    }
}

/// Without these headers nobody can say whether a record is whole: then it is not an answer of a broker.
fn head(headers: &HeaderMap) -> Result<Head, ClientError> {
    let unreadable = ClientError::Unreadable(FaultClass::Shape);
    let header = |name| text(headers, name).ok_or_else(|| unreadable.clone());
    Ok(Head {
        completeness: completeness(header("Tributary-Completeness")?).ok_or_else(|| unreadable.clone())?,
        sources: answered(header("Tributary-Sources")?).ok_or_else(|| unreadable.clone())?,
        audit: header("Tributary-Audit")?.to_owned(),
    })
}

/// A header that is text.
pub(crate) fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// How long each source took stands in `Server-Timing`: the bundle of a broker with a fixed clock does not say so.
fn timings(headers: &HeaderMap, table: &mut RecordTable) {
    let header = text(headers, "Server-Timing").unwrap_or_default();
    for (id, rest) in header.split(',').filter_map(|item| item.trim().split_once(';')) {
        let duration = rest.split(';').find_map(|parameter| parameter.trim().strip_prefix("dur="));
        let latency_ms = duration.and_then(|text| text.parse().ok());
        if let (Some(row), Some(_)) = (table.sources.iter_mut().find(|row| row.id == id), latency_ms) {
            row.latency_ms = latency_ms;
        }
    }
}

/// An answer that is no record. One that is no outcome at all still has its status.
pub(crate) fn refused(status: u16, headers: &HeaderMap, body: Vec<u8>) -> ClientError {
    let refusal = scan(body).map(|document| bundle::refusal(document.root())).unwrap_or_default();
    let seconds = text(headers, "Retry-After").and_then(|seconds| seconds.trim().parse().ok());
    let retry_after = seconds.map(Duration::from_secs);
    let request_id = text(headers, "X-Request-ID").map(str::to_owned);
    ClientError::Refused(Box::new(Refusal { status, retry_after, request_id, ..refusal }))
}

/// Checks and indexes what came.
pub(crate) fn scan(body: Vec<u8>) -> Result<Document, ClientError> {
    Document::scan(body, &LIMITS).map_err(|rejection| ClientError::Unreadable(rejection.class))
}

/// `partial; failed=1`, or the code alone.
pub(crate) fn completeness(words: &str) -> Option<Completeness> {
    let code = words.split(';').next().unwrap_or_default().trim();
    Completeness::ALL.iter().copied().find(|completeness| completeness.code() == code)
}

fn answered(header: &str) -> Option<(usize, usize)> {
    let (answered, expected) = header.split_once('/')?;
    Some((answered.trim().parse().ok()?, expected.trim().parse().ok()?))
}
