//! Traces on their way to whoever keeps them: beside the requests that they tell of, and gating nothing.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tributary_model::{Deadline, MemoryBudget};
use tributary_sources::egress::{FetchFault, HandedIn, Parcel};
use tributary_sources::{Egress, EgressSettings, SourceTls};
use tributary_telemetry::{Handed, Metrics, Pace, SpanReceiver};
use url::Url;

use crate::error::StartError;
use tributary_settings::{OtlpSettings, Settings};

/// What is read of an answer: it says how many spans were not taken, and why.
const MOST_OF_AN_ANSWER: u64 = 64 << 10;
/// Memory for answers: one at a time, as received and as decoded, with room to spare.
const MEMORY_BYTES: u64 = 1 << 20;

/// Sends spans for as long as the broker runs.
pub(crate) struct TraceFeed {
    end: oneshot::Sender<()>,
    sending: JoinHandle<()>,
    flush: Duration,
}

/// Who keeps traces.
struct Receiver {
    /// A client of its own: whatever becomes of the receiver, no source waits for it.
    egress: Egress,
    tls: SourceTls,
    url: Url,
    headers: HeaderMap,
    timeout: Duration,
}

impl TraceFeed {
    /// Starts to send spans, if the settings say to whom.
    pub(crate) fn begin(settings: &Settings, metrics: &Metrics) -> Result<Option<Self>, StartError> {
        let Some(otlp) = &settings.telemetry.otlp else { return Ok(None) };
        let receiver = Receiver::new(otlp, settings.limits.connect_timeout)?;
        let Some(feed) = metrics.spans().begin(otlp.sample_percent, otlp.queue_spans) else {
            return Ok(None);
        };
        let pace = Pace { batch_spans: otlp.batch_spans, linger: otlp.linger };
        let (end, ended) = oneshot::channel::<()>();
        let ended = async move {
            // Whoever drops the handle wants spans to be sent on.
            if ended.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let sending = tokio::spawn(feed.run(pace, ended, receiver));
        Ok(Some(Self { end, sending, flush: otlp.flush }))
    }

    /// Sends what waits, and no longer than the settings allow.
    pub(crate) async fn end(self) {
        let Self { end, mut sending, flush } = self;
        // It may have ended by itself.
        let _nobody_sends = end.send(());
        if timeout(flush, &mut sending).await.is_err() {
            sending.abort();
            tracing::warn!("spans were not sent before the end");
        }
    }
}

impl Receiver {
    fn new(otlp: &OtlpSettings, connect_timeout: Duration) -> Result<Self, StartError> {
        let first = |mistakes: Vec<_>| mistakes.into_iter().next().map(StartError::TracesFile);
        let tls = otlp.tls().map_err(|mistakes| {
            first(mistakes).unwrap_or(StartError::Egress(tributary_sources::EgressError::Tls))
        })?;
        let mut headers = HeaderMap::new();
        for (name, value) in otlp.headers().map_err(StartError::TracesFile)? {
            let (Ok(name), Ok(mut value)) =
                (HeaderName::try_from(name), HeaderValue::try_from(value.expose()))
            else {
                continue;
            };
            value.set_sensitive(true);
            headers.append(name, value);
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let settings = EgressSettings {
            connect_timeout,
            memory: MemoryBudget::new(MEMORY_BYTES),
            ..EgressSettings::default()
        };
        let egress = Egress::new(&settings)?;
        Ok(Self { egress, tls, url: otlp.endpoint.clone(), headers, timeout: otlp.timeout })
    }
}

impl SpanReceiver for Receiver {
    async fn post(&mut self, body: Vec<u8>) -> Handed {
        let parcel = Parcel { url: self.url.clone(), headers: self.headers.clone(), body: body.into() };
        let deadline = Deadline::after(self.timeout);
        handed(self.egress.hand_in(&self.tls, parcel, deadline, MOST_OF_AN_ANSWER).await)
    }
}

/// What an answer means: OTLP over HTTP names the statuses after which it may help to try again.
fn handed(answer: Result<HandedIn, FetchFault>) -> Handed {
    match answer {
        Ok(HandedIn { status: 200..=299, body, .. }) => Handed::Taken(body),
        Ok(HandedIn { status: 429 | 502 | 503 | 504, retry_after, .. }) => Handed::Away(retry_after),
        Ok(_) => Handed::Refused,
        Err(FetchFault::Tls(_) | FetchFault::Unreachable(_) | FetchFault::Status(_)) => Handed::Away(None),
    }
}
