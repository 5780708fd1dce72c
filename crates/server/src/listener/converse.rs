//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::hash::{BuildHasher as _, RandomState};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Request, Response, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tributary_bounds::{Frames, Patience};

use super::Answering;
use super::head::Bounds;
use super::strict::{Ledger, Strict};
use crate::body::ReplyBody;
use crate::exchange::{Inbound, ReadError};
use crate::house::Standing;
use crate::settings::Limits;

/// Room for a head and for one piece of a response; the write buffer must stay small, or a delivery would
/// count as whole long before it is.
const BUFFER: usize = 32 << 10;
/// Room for a body on one stream of HTTP/2, and on all of them: requests are small.
const STREAM_WINDOW: u32 = (64 << 10) - 1;
const CONNECTION_WINDOW: u32 = 256 << 10;
/// Streams reset by the caller that the library may still hold; reset by us for the caller's mistakes.
const PENDING_RESETS: usize = 20;
const LOCAL_RESETS: usize = 100;
/// How long a connection of HTTP/2 may rest: the library's buffer of frames, which cannot be reached, keeps what it
/// carried last, and two seconds after its use nothing of a patient is in memory.
const H2_REST: Duration = Duration::from_millis(1_500);
/// How much longer the other side has to hear that it ends.
const H2_FAREWELL: Duration = Duration::from_millis(400);
/// How often we ask whether the other side is there, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_WITHIN: Duration = Duration::from_secs(10);

/// What serving a connection takes.
#[derive(Clone)]
pub(crate) struct Talk {
    pub(crate) limits: Limits,
    pub(crate) answer: Answering,
    pub(crate) standing: Arc<Standing>,
}

/// What one connection knows of itself.
struct Call {
    answer: Answering,
    standing: Arc<Standing>,
    patience: Arc<Patience>,
    most_requests: u64,
    /// The next answer is the last.
    enough: Notify,
}

impl Call {
    fn new(talk: &Talk) -> Arc<Self> {
        Arc::new(Self {
            answer: Arc::clone(&talk.answer),
            standing: Arc::clone(&talk.standing),
            patience: Arc::new(Patience::new(&talk.limits.waits())),
            most_requests: talk.limits.requests_per_connection,
            enough: Notify::new(),
        })
    }

    /// Whether this request is the last that is taken here.
    fn is_last(&self) -> bool {
        self.standing.is_leaving() || self.patience.requests() >= self.most_requests
    }

    async fn reply(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<ReplyBody>, Infallible> {
        let turn = self.patience.turn();
        let is_last = self.is_last();
        let is_h1 = request.version() < http::Version::HTTP_2;
        let reply = (self.answer)(request.map(|body| Inbound::new(body.map_err(|_| ReadError)))).await;
        let mut reply = reply.map(|body| body.on(turn));
        // HTTP/2 has a frame for this, and no such header (RFC 9113, 8.2.2).
        let asks_to_close = reply.headers_mut().remove(header::CONNECTION).is_some();
        if is_h1 && (asks_to_close || is_last || self.is_last()) {
            reply.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        } else if is_last {
            self.enough.notify_one();
        }
        Ok(reply)
    }

    /// Drives a connection to its end. `leaving` ends when it shall take no more requests.
    async fn attend<C: GracefulConnection>(&self, connection: C, leaving: impl Future<Output = ()>) {
        let (mut connection, mut leaving) = (pin!(connection), pin!(leaving));
        let mut lost = pin!(self.patience.lost());
        let mut is_told = false;
        loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => {
                    if ended.is_err() {
                        tracing::debug!("connection ended badly");
                    }
                    return;
                }
                () = lost.as_mut() => return tracing::debug!("connection closed for silence"),
                () = leaving.as_mut(), if !is_told => {
                    is_told = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// The age at which a connection is asked to end.
fn age(limits: &Limits) -> Duration {
    // Hashed with another key for every one: between four and six fifths.
    let chance = RandomState::new().hash_one(()) % 1_000;
    limits.connection_age.mul_f64(0.8 + 0.4 * f64::from(u32::try_from(chance).unwrap_or(0)) / 1_000.0)
}

/// Serves one connection of HTTP/1.1.
pub(crate) async fn converse<S>(stream: S, talk: Talk)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let call = Call::new(&talk);
    let limits = &talk.limits;
    let bounds = Bounds { head: limits.head_bytes, fields: limits.head_fields, target: limits.uri_bytes };
    let ledger = Arc::new(Ledger::default());
    let strict = Strict::new(stream, bounds, Arc::clone(&call.patience), Arc::clone(&ledger));
    let told = Arc::clone(&call);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let known = ledger.next();
        if let Some(refused) = known.refused {
            request.extensions_mut().insert(Arc::<super::Refused>::from(refused));
        }
        // Chunks are put together piece by piece, so they are never there at once.
        if let Some(whole) =
            known.whole.filter(|_| !request.headers().contains_key(header::TRANSFER_ENCODING))
        {
            request.extensions_mut().insert(whole);
        }
        Arc::clone(&told).reply(request)
    });
    let mut builder = http1::Builder::new();
    builder
        .header_read_timeout(None)
        .max_headers(limits.head_fields)
        .max_header_size(limits.head_bytes)
        .max_buf_size(BUFFER.max(limits.head_bytes));
    let connection = builder.serve_connection(TokioIo::new(strict), service);
    let leaving = async {
        tokio::select! {
            () = call.standing.drained() => {}
            () = tokio::time::sleep(age(limits)) => {}
        }
        // hyper would close on a head that we still hold.
        call.patience.settled().await;
    };
    call.attend(connection, leaving).await;
}

/// Serves one connection of HTTP/2.
pub(crate) async fn converse_h2<S>(stream: S, mut talk: Talk)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    talk.limits.keep_alive_idle = talk.limits.keep_alive_idle.min(H2_REST + H2_FAREWELL);
    let call = Call::new(&talk);
    let limits = &talk.limits;
    let frames = Frames::new(stream, Arc::clone(&call.patience));
    let told = Arc::clone(&call);
    let service = service_fn(move |mut request: Request<Incoming>| {
        name_host(&mut request);
        Arc::clone(&told).reply(request)
    });
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        // A table of headers would keep what earlier requests said.
        .header_table_size(0)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(LOCAL_RESETS)
        .max_send_buf_size(BUFFER)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_WITHIN);
    let connection = builder.serve_connection(TokioIo::new(frames), service);
    let leaving = async {
        let asked_to_leave = async {
            call.standing.left().await;
            // A connection that is new is let ask once; its answer tells it to go.
            if call.patience.requests() == 0 {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = asked_to_leave => {}
            () = call.standing.drained() => call.patience.settled().await,
            () = call.enough.notified() => {}
            () = call.patience.rested(H2_REST) => {}
            () = tokio::time::sleep(age(limits)) => {}
        }
    };
    call.attend(connection, leaving).await;
}

/// HTTP/2 names the host beside the headers; everything behind this reads it among them.
fn name_host<B>(request: &mut Request<B>) {
    let authority = request.uri().authority().map(|authority| HeaderValue::from_str(authority.as_str()));
    if let Some(Ok(authority)) = authority.filter(|_| !request.headers().contains_key(header::HOST)) {
        request.headers_mut().insert(header::HOST, authority);
    }
}
