//! TLS: what is spoken, who is let in, and how the certificate changes under running connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::bench::{FakeDesk, Say, settings};
use super::sockets::{Server, raw, start_with};
use crate::settings::{Limits, Settings};
use crate::{Tls, TlsError, TlsIdentity};
use tributary_identity::{ClientTrust, TrustError};

/// An authority of the test's own.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate and its key.
    pub(super) fn issue(&self) -> (String, String) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    pub(super) fn identity(&self, clients: Option<&Self>) -> TlsIdentity {
        let (chain, key) = self.issue();
        let authorities = clients.map(|clients| clients.0.pem());
        let trust = authorities.as_deref().map(trust);
        TlsIdentity::read(chain.as_bytes(), key.as_bytes(), trust.as_ref()).unwrap()
    }

    /// Shakes hands as a client that believes this authority.
    pub(super) async fn connect(
        &self,
        address: SocketAddr,
        alpn: &[&str],
        shows: Option<(String, String)>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let mut config = match shows {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain =
                    CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<_, _>>().unwrap();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}

fn trust(authorities: &str) -> ClientTrust<'_> {
    ClientTrust { authorities: authorities.as_bytes(), revoked: None, grace: Duration::ZERO }
}

pub(super) async fn secured(identity: TlsIdentity, limits: Limits) -> (Server, Tls) {
    let tls = Tls::new(identity);
    let settings = Settings { tls: Some(tls.clone()), limits, ..settings() };
    (start_with(&FakeDesk::new(Say::Record), settings).await, tls)
}

async fn ping(stream: &mut TlsStream<TcpStream>) -> std::io::Result<String> {
    stream.write_all(b"GET /_ping HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
    let mut answer = vec![0; 4 << 10];
    let mut size = 0;
    while !answer[..size].ends_with(b"}") {
        let more = stream.read(&mut answer[size..]).await?;
        if more == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        size += more;
    }
    Ok(String::from_utf8_lossy(&answer[..size]).into_owned())
}

#[tokio::test]
async fn the_handshake_chooses_the_protocol() {
    let authority = Authority::new();
    let (server, _tls) = secured(authority.identity(None), Limits::default()).await;
    for (offers, chosen) in [
        (&["h2", "http/1.1"][..], Some(&b"h2"[..])),
        (&["http/1.1"][..], Some(&b"http/1.1"[..])),
        (&[][..], None),
    ] {
        let mut stream = authority.connect(server.data, offers, None).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), chosen);
        if chosen != Some(b"h2") {
            assert!(ping(&mut stream).await.unwrap().starts_with("HTTP/1.1 200 "));
        }
    }
    assert!(authority.connect(server.data, &["h3"], None).await.is_err(), "nothing is guessed");
    assert_eq!(
        raw(server.data, "GET /_ping HTTP/1.1\r\nHost: localhost\r\n\r\n").await.matches("HTTP").count(),
        0
    );
    assert!(
        raw(server.admin, "GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await
            .contains("live")
    );
}

#[tokio::test]
async fn only_certificates_of_the_authority_that_is_asked_for_are_let_in() {
    let (authority, callers, others) = (Authority::new(), Authority::new(), Authority::new());
    let (server, _tls) = secured(authority.identity(Some(&callers)), Limits::default()).await;
    for (shows, is_let_in) in [(None, false), (Some(others.issue()), false), (Some(callers.issue()), true)] {
        // In TLS 1.3 a client learns of its refusal with the first answer.
        let answer = match authority.connect(server.data, &["http/1.1"], shows).await {
            Ok(mut stream) => ping(&mut stream).await,
            Err(refused) => Err(refused),
        };
        assert_eq!(answer.is_ok(), is_let_in, "{answer:?}");
    }
}

#[tokio::test]
async fn another_certificate_is_taken_without_closing_a_connection() {
    let (old, new) = (Authority::new(), Authority::new());
    let (server, tls) = secured(old.identity(None), Limits::default()).await;
    let mut stands = old.connect(server.data, &["http/1.1"], None).await.unwrap();
    assert!(ping(&mut stands).await.is_ok());
    tls.swap(new.identity(None));
    assert!(old.connect(server.data, &["http/1.1"], None).await.is_err());
    assert!(ping(&mut new.connect(server.data, &["http/1.1"], None).await.unwrap()).await.is_ok());
    assert!(ping(&mut stands).await.is_ok(), "who was there stays");
}

#[tokio::test]
async fn a_handshake_that_does_not_come_ends() {
    let limits = Limits { handshake: Duration::from_millis(50), ..Limits::default() };
    let (server, _tls) = secured(Authority::new().identity(None), limits).await;
    for bytes in ["", "\u{16}\u{3}\u{1}"] {
        assert_eq!(raw(server.data, bytes).await, "");
    }
}

#[test]
fn what_cannot_be_used_is_told_by_its_part() {
    let (authority, other) = (Authority::new(), Authority::new());
    let ((chain, key), (_, other_key)) = (authority.issue(), other.issue());
    let read = |chain: &str, key: &str, clients: Option<&str>| {
        TlsIdentity::read(chain.as_bytes(), key.as_bytes(), clients.map(trust).as_ref()).err()
    };
    assert_eq!(read(&chain, &key, None), None);
    assert_eq!(read("", &key, None), Some(TlsError::Certificates));
    assert_eq!(read(&chain, &chain, None), Some(TlsError::Key));
    assert_eq!(read(&chain, &other_key, None), Some(TlsError::Mismatch));
    assert_eq!(read(&chain, &key, Some("")), Some(TlsError::Callers(TrustError::Authorities)));
}
