//! From a bound socket to requests: accepts, bounds, times and drains connections.

mod patience;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::exchange::{BoxFuture, Inbound, ReadError, Reply};
use crate::settings::Limits;
use patience::Attended;

pub(crate) use patience::Patience;

/// What answers a request.
pub(crate) type Answering = Arc<dyn Fn(Request<Inbound>) -> BoxFuture<Reply> + Send + Sync>;

/// Room for a head and for one piece of a response; the write buffer must stay small, or a delivery would
/// count as whole long before it is.
const BUFFER: usize = 32 << 10;
/// The pause after a failed accept: the table of open files is full, and spinning will not empty it.
const BREATHER: Duration = Duration::from_millis(50);

/// Serves a listener until `stop`, then waits at most `drain` for what is in flight.
pub(crate) async fn run(
    listener: TcpListener,
    limits: Limits,
    answer: Answering,
    stop: CancellationToken,
    drain: Duration,
) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        if let Some((stream, slot)) = accepted {
            // A TLS handshake, with its own time limit, belongs here: it takes the stream and gives one.
            let talk = converse(stream, limits.clone(), Arc::clone(&answer), graceful.watcher());
            connections.spawn(async move {
                talk.await;
                drop(slot);
            });
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(failed = connections.len(), "drain limit reached, connections cut");
    }
    connections.shutdown().await;
}

/// The next connection, once there is room for it.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            // Without it small answers wait for acknowledgements; a failure only costs speed.
            let _slower = stream.set_nodelay(true);
            Some((stream, slot))
        }
        Err(error) => {
            tracing::warn!(error.kind = ?error.kind(), "connection not accepted");
            tokio::time::sleep(BREATHER).await;
            None
        }
    }
}

/// Serves one connection. HTTP/1.1 only: the protocol is never guessed from the first bytes.
pub(crate) async fn converse<S>(stream: S, limits: Limits, answer: Answering, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let patience = Arc::new(Patience::new(&limits));
    let attended = TokioIo::new(Attended::new(stream, Arc::clone(&patience)));
    let told = Arc::clone(&patience);
    let service = service_fn(move |request: Request<Incoming>| {
        told.busy();
        let told = Arc::clone(&told);
        let reply = answer(request.map(|body| Inbound::new(body.map_err(|_| ReadError))));
        async move { Ok::<_, Infallible>(reply.await.map(|body| body.on(told))) }
    });
    let mut builder = http1::Builder::new();
    builder
        .header_read_timeout(None)
        .max_headers(limits.head_fields)
        .max_header_size(limits.head_bytes)
        .max_buf_size(BUFFER.max(limits.head_bytes));
    let connection = watcher.watch(builder.serve_connection(attended, service));
    tokio::select! {
        ended = connection => if ended.is_err() {
            tracing::debug!("connection ended badly");
        },
        () = patience.lost() => tracing::debug!("connection closed for silence"),
    }
}
