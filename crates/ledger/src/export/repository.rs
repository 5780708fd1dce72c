//! An audit repository that takes events over HTTP (ITI-20, RESTful).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tributary_model::Redacted;
use url::Url;

use super::{AuditEvent, Handed};
use crate::tls::ClientTls;

/// What is read of an answer, so that the connection can be used again.
const MOST_OF_AN_ANSWER: usize = 64 << 10;

/// Where events are posted, one after the other over one connection.
pub struct Repository {
    url: Url,
    tls: ClientTls,
    bearer: Option<Redacted<String>>,
    timeout: Duration,
    connection: Option<Connection>,
}

struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl std::fmt::Debug for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repository").finish_non_exhaustive()
    }
}

impl Repository {
    /// Posts to this address, which is https, or http on loopback; at most so long for each event.
    pub fn new(url: Url, tls: ClientTls, bearer: Option<Redacted<String>>, timeout: Duration) -> Self {
        Self { url, tls, bearer, timeout, connection: None }
    }

    /// Posts one event.
    pub async fn post(&mut self, event: &AuditEvent) -> Handed {
        let timeout = self.timeout;
        let posted = tokio::time::timeout(timeout, self.try_post(event)).await;
        let status = posted.ok().flatten();
        let Some(status) = status else {
            self.connection = None;
            return Handed::Away;
        };
        match status.as_u16() {
            200..=299 => Handed::Taken,
            // Who we are, where we post and how often is nothing that this event could be at fault for.
            401 | 403 | 404 | 405 | 407 | 408 | 421 | 425 | 429 => Handed::Away,
            status @ 400..=499 => Handed::Refused(status),
            _ => Handed::Away,
        }
    }

    async fn try_post(&mut self, event: &AuditEvent) -> Option<StatusCode> {
        let request = self.request(event)?;
        // A connection that was closed meanwhile is worth one more.
        for _ in 0..2 {
            let is_fresh = self.connection.is_none();
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            if connection.sender.ready().await.is_err() {
                if is_fresh {
                    return None;
                }
                continue;
            }
            let Ok(answer) = connection.sender.send_request(request.clone()).await else {
                if is_fresh {
                    return None;
                }
                continue;
            };
            let status = answer.status();
            if Limited::new(answer.into_body(), MOST_OF_AN_ANSWER).collect().await.is_ok() {
                self.connection = Some(connection);
            }
            return Some(status);
        }
        None
    }

    fn request(&self, event: &AuditEvent) -> Option<Request<Full<Bytes>>> {
        let host = self.url.host_str()?;
        let authority = self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let mut request = Request::post(self.url.path())
            .header(HOST, authority)
            .header(CONTENT_TYPE, "application/fhir+json")
            .header("X-Request-ID", &event.id)
            .body(Full::new(Bytes::from(event.json.clone())))
            .ok()?;
        if let Some(bearer) = &self.bearer {
            let mut value = HeaderValue::try_from(format!("Bearer {}", bearer.expose())).ok()?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Some(request)
    }

    async fn connect(&self) -> Option<Connection> {
        let host = self.url.host_str()?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((bare, self.url.port_or_known_default()?)).await.ok()?;
        if self.url.scheme() != "https" {
            return speak(stream).await;
        }
        let name = ServerName::try_from(bare.to_owned()).ok()?;
        speak(TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await.ok()?).await
    }
}

async fn speak<S>(stream: S) -> Option<Connection>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
    // What breaks is told to whoever sends.
    let driver = tokio::spawn(async move { drop(connection.await) });
    Some(Connection { sender, driver })
}
