//! From an address to a connection: name, check, connection, handshake, each within a budget of its own.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tributary_model::{FaultClass, Retry, SourceFault};

use super::address::{Loopback, is_allowed};
use super::line::{Io, Line, Peer, Scrubbed};
use super::lobby::{Lobby, Spoken, Standing};
use super::names::Names;
use super::{classify, race, tls};

/// Longest TLS handshake, from the connection on.
const LONGEST_HANDSHAKE: Duration = Duration::from_secs(1);

/// Why there is no connection. It names neither host nor address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no connection")]
pub(super) struct NoConnection(pub(super) SourceFault);

impl From<FaultClass> for NoConnection {
    fn from(class: FaultClass) -> Self {
        Self(SourceFault::new(class))
    }
}

/// Makes connections. Clones share everything.
#[derive(Clone)]
pub(super) struct Connector(Arc<Means>);

/// What it takes to make one.
pub(super) struct Means {
    pub(super) names: Arc<Names>,
    pub(super) lobby: Arc<Lobby>,
    pub(super) tls: TlsConnector,
    /// Longest time for a connection to one of the addresses.
    pub(super) connect_timeout: Duration,
}

impl Connector {
    pub(super) fn new(means: Means) -> Self {
        Self(Arc::new(means))
    }
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<Line>;
    type Error = NoConnection;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, NoConnection>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), NoConnection>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let means = Arc::clone(&self.0);
        Box::pin(async move { means.connect(&target).await.map(TokioIo::new) })
    }
}

impl Means {
    async fn connect(&self, target: &Uri) -> Result<Line, NoConnection> {
        let host = target.host().ok_or(FaultClass::OurRequest)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let is_tls = target.scheme() == Some(&Scheme::HTTPS);
        let port = target.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let addresses = self.addresses(host, port).await?;
        let stream = timeout(self.connect_timeout, race::connect(&addresses))
            .await
            .map_err(|_elapsed| FaultClass::ConnectTimeout)?
            .map_err(|error| unconnected(&error))?;
        if is_tls { self.with_tls(host, stream).await } else { Ok(self.plain(stream)) }
    }

    /// The addresses that may be asked. When there are only others, nothing is sent anywhere.
    async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, FaultClass> {
        let loopback = Loopback::of(host);
        let found: Arc<[IpAddr]> = match host.parse::<IpAddr>() {
            Ok(literal) => Arc::from([literal]),
            Err(_name) => self.names.find(host).await?,
        };
        let allowed = found.iter().filter(|address| is_allowed(**address, loopback));
        let allowed: Vec<_> = allowed.map(|address| SocketAddr::new(*address, port)).collect();
        if allowed.len() < found.len() {
            tracing::warn!("the name of a source leads to an address that no source may have");
        }
        if allowed.is_empty() { Err(FaultClass::AddressBlocked) } else { Ok(allowed) }
    }

    fn plain(&self, stream: TcpStream) -> Line {
        let standing = Standing::new(Arc::clone(&self.lobby), Spoken::Http1);
        Line::new(Io::Plain(stream), Peer { certificate: None, standing })
    }

    async fn with_tls(&self, host: &str, stream: TcpStream) -> Result<Line, NoConnection> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_no_name| FaultClass::OurRequest)?;
        let handshake = tls::noting_whether_we_were_asked(self.tls.connect(name, Scrubbed(stream)));
        let (ended, asked) =
            timeout(LONGEST_HANDSHAKE, handshake).await.map_err(|_elapsed| FaultClass::TlsTimeout)?;
        let stream = ended.map_err(|error| classify::in_handshake(&error, asked))?;
        let (_, session) = stream.get_ref();
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let certificate = certificate.map(|one| Arc::new(one.clone()));
        let is_h2 = session.alpn_protocol() == Some(tls::H2);
        let spoken = if is_h2 { Spoken::Http2 } else { Spoken::Http1 };
        let standing = Standing::new(Arc::clone(&self.lobby), spoken);
        Ok(Line::new(Io::Tls(Box::new(stream)), Peer { certificate, standing }))
    }
}

/// Why no address took the connection.
fn unconnected(error: &io::Error) -> NoConnection {
    if error.kind() == io::ErrorKind::TimedOut {
        return FaultClass::ConnectTimeout.into();
    }
    NoConnection(SourceFault::new(FaultClass::Connect).with_retry(Retry::Elsewhere))
}

#[cfg(test)]
mod tests;
