//! One request and the head of its response, over the pool of connections.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Extensions, HeaderValue, Request, Response, Uri, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout_at;
use tributary_model::{Deadline, FaultClass, SourceFault};

use super::connect::Connector;
use super::line::Peer;
use super::lobby::{LONGEST_IDLE, Visit};
use super::{Outgoing, classify};

/// Who we say we are.
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("tributary/", env!("CARGO_PKG_VERSION")));
/// Room for reading, and so the longest head; twice what proxies commonly take. Every source that has not answered yet
/// keeps one connection with it waiting. It never grows: room that had been larger for a while would keep, out of reach
/// of what overwrites it, what an answer left there.
const READ_BYTES: usize = 8 << 10;
/// Most header fields of a response.
const MOST_FIELDS: usize = 64;
/// Most bytes of header fields over HTTP/2.
const MOST_FIELD_BYTES: u32 = 64 << 10;
/// What may be under way to us before we have read it, over HTTP/2.
const WINDOW_BYTES: u32 = 1 << 20;
/// Idle connections kept for one host: as many as a source is asked at once, unless its entry says otherwise. With fewer,
/// each exchange beyond them would make a connection and close it again.
const MOST_IDLE_OF_ONE_HOST: usize = 32;
/// Between two questions over HTTP/2 whether the peer is there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(5);

/// The library's client with our connections.
pub(super) type HttpClient = Client<Connector, Full<Bytes>>;

#[expect(clippy::disallowed_methods, reason = "the one egress client, with its limits")]
pub(super) fn client(connector: Connector) -> HttpClient {
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(LONGEST_IDLE)
        .pool_max_idle_per_host(MOST_IDLE_OF_ONE_HOST)
        .http1_read_buf_exact_size(READ_BYTES)
        .http1_max_headers(MOST_FIELDS)
        .http2_max_header_list_size(MOST_FIELD_BYTES)
        .http2_initial_stream_window_size(WINDOW_BYTES)
        .http2_initial_connection_window_size(WINDOW_BYTES)
        .http2_keep_alive_interval(PING)
        .http2_keep_alive_timeout(PING)
        .build(connector)
}

/// The head of a response, and its body to come.
pub(super) struct Answer {
    pub(super) response: Response<Incoming>,
    /// Keeps the connection from being taken for idle. To be dropped after the body and its chunks.
    pub(super) visit: Option<Visit>,
}

impl Answer {
    /// Who answered.
    pub(super) fn peer(&self) -> Option<&Peer> {
        self.response.extensions().get()
    }
}

/// Sends a request and waits for the head of its response.
pub(super) async fn exchange(
    client: &HttpClient,
    outgoing: Outgoing,
    deadline: Deadline,
) -> Result<Answer, SourceFault> {
    let mut request = request(outgoing)?;
    let chosen = capture_connection(&mut request);
    let mut visit = None;
    let mut response = pin!(client.request(request));
    let response = std::future::poll_fn(|cx| {
        let polled = response.as_mut().poll(cx);
        attend(&chosen, &mut visit);
        polled
    });
    let response = timeout_at(deadline.instant(), response)
        .await
        .map_err(|_elapsed| SourceFault::new(FaultClass::NoHead))?
        .map_err(|error| classify::before_head(&error))?;
    Ok(Answer { response, visit })
}

fn request(outgoing: Outgoing) -> Result<Request<Full<Bytes>>, SourceFault> {
    let our_request = || SourceFault::new(FaultClass::OurRequest);
    let target: Uri = outgoing.url.as_str().parse().map_err(|_no_target| our_request())?;
    let mut request = Request::new(Full::new(outgoing.body));
    *request.method_mut() = outgoing.method;
    *request.uri_mut() = target;
    *request.headers_mut() = outgoing.headers;
    let headers = request.headers_mut();
    headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    headers.entry(header::USER_AGENT).or_insert(USER_AGENT);
    Ok(request)
}

/// Visits the connection that the request goes over. It is another one when the first turns out to be closed.
fn attend(chosen: &CaptureConnection, visit: &mut Option<Visit>) {
    let mut extras = Extensions::new();
    match &*chosen.connection_metadata() {
        Some(connected) => connected.get_extras(&mut extras),
        None => return,
    }
    let Some(Peer { standing, .. }) = extras.get() else { return };
    if !visit.as_ref().is_some_and(|visit| visit.is_on(standing)) {
        *visit = Some(Visit::begin(standing));
    }
}
