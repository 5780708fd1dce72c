//! Whom to ask, and how: the requests of every kind, made anew for each time they are sent.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use crate::source::NUMBER;

/// The system of NHS numbers, as searches and parameters name it.
const SYSTEM: &str = "https://fhir.nhs.uk/Id/nhs-number";
/// What a search for a patient's statements adds to the patient's id.
const TAIL: &str = "&_count=100";

/// Somebody who is asked.
#[derive(Clone)]
pub(crate) struct Target {
    /// Where.
    pub(crate) address: SocketAddr,
    make: Arc<dyn Fn() -> Vec<Vec<u8>> + Send + Sync>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Target {
    /// Asked with what this makes: one message after the other, each when the one before was answered.
    pub(crate) fn new(address: SocketAddr, make: impl Fn() -> Vec<Vec<u8>> + Send + Sync + 'static) -> Self {
        Self { address, make: Arc::new(make) }
    }

    /// A broker, or a peer in its place, asked for the record of another patient each time.
    pub(crate) fn record(address: SocketAddr) -> Self {
        Self::new(address, move || vec![record(address, &next_number(), "")])
    }

    /// The next request, to the byte.
    pub(crate) fn messages(&self) -> Vec<Vec<u8>> {
        (self.make)()
    }
}

/// `POST /fhir/R4/Patient/$record` for a patient; `headers` are whole lines.
pub(crate) fn record(host: SocketAddr, number: &str, headers: &str) -> Vec<u8> {
    let identifier = json!({"system": SYSTEM, "value": number});
    let body = json!({"resourceType": "Parameters", "parameter": [
        {"name": "patient", "valueIdentifier": identifier},
    ]});
    post(host, "/fhir/R4/Patient/$record", "application/fhir+json", headers, &body.to_string())
}

/// A POST.
pub(crate) fn post(host: SocketAddr, path: &str, media: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\nContent-Type: {media}\r\n\
         Accept: application/fhir+json\r\n{headers}\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A patient whom nobody asked about before: nothing is shared between two requests.
pub(crate) fn next_number() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        let count = NEXT.fetch_add(1, Ordering::Relaxed) % 1_000_000;
        if let Some(number) = number(count) {
            return number;
        }
    }
}

/// The NHS number that begins with 999 and these six digits; none has ten as its check digit.
pub(crate) fn number(count: u64) -> Option<String> {
    let digits = format!("999{count:06}");
    let sum: u32 =
        digits.bytes().zip((2..=10).rev()).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    match 11 - sum % 11 {
        11 => Some(format!("{digits}0")),
        10 => None,
        check => Some(format!("{digits}{check}")),
    }
}

/// The form that searches for a patient.
pub(crate) fn identifier() -> String {
    format!("identifier={}%7C{NUMBER}", SYSTEM.replace(':', "%3A").replace('/', "%2F"))
}

/// The form that searches for a patient's statements.
pub(crate) fn statements(patient: &str) -> String {
    format!("patient={patient}{TAIL}")
}
