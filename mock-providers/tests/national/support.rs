//! A raw HTTP client and a clock for the tests.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use mock_providers::ProviderHandle;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tributary_model::Clock;

pub(crate) const API_KEY: &str = "test-api-key";
pub(crate) const REQUEST_ID: &str = "60e0b220-8136-4ca5-ae46-1d97ef59d068";
pub(crate) const CORRELATION_ID: &str = "11c46f5f-cdef-4865-94b2-0ee0edcc26da";

/// A clock that moves when it is told to.
#[derive(Debug)]
pub(crate) struct HandClock(AtomicI64);

impl HandClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_760_000_000_000)))
    }

    /// The same clock, as an option wants it.
    pub(crate) fn shared(self: &Arc<Self>) -> Arc<dyn Clock> {
        Arc::<Self>::clone(self)
    }

    pub(crate) fn forward(&self, by: SignedDuration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Status, and severity, issue code and Spine code of the `OperationOutcome`.
    pub(crate) fn outcome(&self) -> (u16, String, String, String) {
        let outcome = self.json();
        assert_eq!(outcome["resourceType"], "OperationOutcome");
        let issue = &outcome["issue"][0];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let code = text(&issue["details"]["coding"][0]["code"]);
        (self.status, text(&issue["severity"]), text(&issue["code"]), code)
    }
}

/// A request being put together.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Call {
    pub(crate) fn get(path: &str) -> Self {
        Self { method: "GET", path: path.to_owned(), headers: Vec::new(), body: String::new() }
    }

    /// The same call with this header instead of any of that name.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(key, _)| key != name);
        self
    }

    pub(crate) async fn send(&self, provider: &ProviderHandle) -> Seen {
        let mut request =
            format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method, self.path, provider.address());
        for (name, value) in &self.headers {
            request.extend([name.as_str(), ": ", value.as_str(), "\r\n"]);
        }
        let length = self.body.len().to_string();
        request.extend(["Content-Length: ", &length, "\r\nConnection: close\r\n\r\n", &self.body]);
        let mut stream = TcpStream::connect(provider.address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        seen(&bytes)
    }
}

fn seen(bytes: &[u8]) -> Seen {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Seen { status, head, body: bytes[end + 4..].to_vec() }
}

/// Collects the rows that are wrong, so that a table is seen as a whole.
#[derive(Debug, Default)]
pub(crate) struct Wrong(Mutex<Vec<String>>);

impl Wrong {
    pub(crate) fn expect<T: PartialEq + std::fmt::Debug>(&self, row: &str, got: &T, wanted: &T) {
        if got != wanted {
            self.0.lock().unwrap().push(format!("{row}: got {got:?}, wanted {wanted:?}"));
        }
    }

    pub(crate) fn none(self) {
        let rows = self.0.into_inner().unwrap();
        assert!(rows.is_empty(), "{}", rows.join("\n"));
    }
}
