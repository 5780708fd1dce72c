//! From a bound socket to requests: accepts, bounds, times and drains connections.

mod converse;
mod framing;
mod head;
mod strict;

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use rustls_pki_types::CertificateDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tributary_bounds::{Place, Places, Scrubbed};
use tributary_identity::{Certificate, H2, Tls};
use tributary_telemetry::{Listener, Metrics, ShedReason};

use crate::exchange::{BoxFuture, Inbound, Reply};
use crate::house::Standing;
use crate::settings::Limits;

pub(crate) use converse::{Talk, converse, converse_h2};
pub(crate) use head::{Refused, has_no_body, not_offered, too_large};
pub(crate) use strict::Whole;

/// What answers a request.
pub(crate) type Answering = Arc<dyn Fn(Request<Inbound>) -> BoxFuture<Reply> + Send + Sync>;

/// The pause after a failed accept, doubled up to the longest while it goes on: the table of open files is full,
/// and spinning will not empty it.
const BREATHER: Duration = Duration::from_millis(50);
const LONGEST_BREATHER: Duration = Duration::from_secs(1);
/// Connections taken at the very end because they had come before it. The queue of the kernel is not longer.
const BACKLOG: usize = 4_096;

/// One listener and what it needs to serve.
pub(crate) struct Port {
    pub(crate) name: Listener,
    pub(crate) limits: Limits,
    pub(crate) tls: Option<Tls>,
    pub(crate) answer: Answering,
    pub(crate) standing: Arc<Standing>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Port {
    /// Serves a listener until it drains, then waits at most `drain` for what is in flight.
    pub(crate) async fn serve(self, listener: TcpListener, drain: Duration) {
        let mut served = Served {
            places: Places::new(self.limits.connections, self.limits.connections_per_address),
            handshakes: Arc::new(Semaphore::new(self.limits.handshakes)),
            connections: JoinSet::new(),
            port: Arc::new(self),
        };
        served.accept(&listener).await;
        served.accept_rest(listener);
        let all = async { while served.connections.join_next().await.is_some() {} };
        if tokio::time::timeout(drain, all).await.is_err() {
            tracing::warn!(failed = served.connections.len(), "drain limit reached, connections cut");
        }
        served.connections.shutdown().await;
    }

    fn talk(&self) -> Talk {
        Talk {
            limits: self.limits.clone(),
            answer: Arc::clone(&self.answer),
            standing: Arc::clone(&self.standing),
        }
    }
}

/// A listener at work.
struct Served {
    port: Arc<Port>,
    places: Arc<Places>,
    handshakes: Arc<Semaphore>,
    connections: JoinSet<()>,
}

impl Served {
    /// Takes connections until the listener drains.
    async fn accept(&mut self, listener: &TcpListener) {
        let mut breather = BREATHER;
        loop {
            let port = Arc::clone(&self.port);
            let accepted = tokio::select! {
                biased;
                () = port.standing.drained() => return,
                accepted = listener.accept() => accepted,
            };
            while self.connections.try_join_next().is_some() {}
            match accepted {
                Ok((stream, _)) => {
                    port.standing.strained(false);
                    breather = BREATHER;
                    self.take(stream);
                }
                Err(error) => {
                    tracing::warn!(error.kind = ?error.kind(), "connection not accepted");
                    port.standing.strained(true);
                    tokio::time::sleep(breather).await;
                    breather = (breather * 2).min(LONGEST_BREATHER);
                }
            }
        }
    }

    /// Takes whoever had come before the end, and closes the listener.
    fn accept_rest(&mut self, listener: TcpListener) {
        let Ok(listener) = listener.into_std() else { return };
        for _ in 0..BACKLOG {
            let Ok((stream, _)) = listener.accept() else { return };
            let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            if let Ok(stream) = stream {
                self.take(stream);
            }
        }
    }

    fn take(&mut self, stream: TcpStream) {
        let port = &self.port;
        let Ok(peer) = stream.peer_addr() else { return };
        let counted = port.metrics.connected(port.name);
        let Some(place) = self.places.take(peer.ip(), counted) else {
            port.metrics.shed(ShedReason::Connections);
            return;
        };
        // Without it small answers wait for acknowledgements; a failure only costs speed.
        let _slower = stream.set_nodelay(true);
        match &port.tls {
            None => drop(self.connections.spawn(plain(stream, port.talk(), place))),
            Some(tls) => {
                let handshake = Handshake {
                    acceptor: TlsAcceptor::from(tls.config()),
                    turns: Arc::clone(&self.handshakes),
                    port: Arc::clone(port),
                };
                drop(self.connections.spawn(secured(stream, handshake, port.talk(), place)));
            }
        }
    }
}

/// HTTP/1.1 only: the protocol is never guessed from the first bytes.
async fn plain(stream: TcpStream, talk: Talk, place: Place) {
    converse(stream, talk).await;
    drop(place);
}

/// What a handshake takes.
struct Handshake {
    acceptor: TlsAcceptor,
    turns: Arc<Semaphore>,
    port: Arc<Port>,
}

/// The protocol is the one that was agreed on in the handshake.
async fn secured(stream: TcpStream, handshake: Handshake, mut talk: Talk, place: Place) {
    let Handshake { acceptor, turns, port } = handshake;
    let agreed = async move {
        let _turn = turns.acquire().await.ok()?;
        acceptor.accept(Scrubbed(stream)).await.ok()
    };
    // Boxed, so that a connection at rest does not keep the room that its handshake took.
    let agreed: BoxFuture<Option<TlsStream<Scrubbed<TcpStream>>>> = Box::pin(agreed);
    let Ok(Some(stream)) = tokio::time::timeout(talk.limits.handshake, agreed).await else {
        port.metrics.handshake_failed(port.name);
        tracing::debug!("no handshake");
        return;
    };
    talk.answer = showing(stream.get_ref().1.peer_certificates(), talk.answer);
    if stream.get_ref().1.alpn_protocol() == Some(H2) {
        Box::pin(converse_h2(stream, talk)).await;
    } else {
        Box::pin(converse(stream, talk)).await;
    }
    drop(place);
}

/// The same answers, to requests that tell which certificate their connection showed.
fn showing(chain: Option<&[CertificateDer<'_>]>, answer: Answering) -> Answering {
    let certificate = chain.and_then(|chain| Certificate::read(chain.first()?)).map(Arc::new);
    let Some(certificate) = certificate else { return answer };
    Arc::new(move |mut request| {
        request.extensions_mut().insert(Arc::clone(&certificate));
        answer(request)
    })
}
