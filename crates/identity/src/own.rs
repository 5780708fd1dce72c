//! TLS of a listener, in a cell that can be filled anew without closing a connection.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::server::{NoServerSessionStorage, ServerConfig};
use rustls::version::{TLS12, TLS13};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::verifier::{ClientTrust, ClientVerifier, TrustError};

/// HTTP/2 by its name in ALPN.
pub const H2: &[u8] = b"h2";
const HTTP_11: &[u8] = b"http/1.1";

/// Why TLS cannot be offered. It names what is wrong and never what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// No certificate in it, or one that is broken.
    #[error("holds no certificate in PEM form")]
    Certificates,
    /// No private key in it, or one that is broken.
    #[error("holds no private key in PEM form")]
    Key,
    /// The key is of a kind that is not offered, or does not belong to the certificate.
    #[error("does not fit the certificate")]
    Mismatch,
    /// Callers' certificates could not be verified.
    #[error("{0}")]
    Callers(#[from] TrustError),
    /// The library refused what should be right.
    #[error("cannot be used")]
    Library,
}

/// Who we are to callers, checked to be usable.
#[derive(Clone)]
pub struct TlsIdentity(Arc<ServerConfig>);

impl TlsIdentity {
    /// Reads our certificate with its chain, its key and, if callers must show a certificate, whom theirs must come
    /// from; all in PEM form.
    ///
    /// TLS 1.3, or 1.2 with ephemeral keys and authenticated encryption. Nothing is taken before the handshake ends
    /// (0-RTT), since it could be replayed. Sessions resume by tickets, whose key changes every six hours and with
    /// every identity; but where callers show a certificate none does, so that each connection is held against what
    /// was revoked.
    pub fn read(chain: &[u8], key: &[u8], callers: Option<&ClientTrust<'_>>) -> Result<Self, TlsError> {
        let chain = certificates(chain).ok_or(TlsError::Certificates)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_no_key| TlsError::Key)?;
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|_discarded| TlsError::Library)?;
        let builder = match callers {
            None => builder.with_no_client_auth(),
            Some(trust) => builder.with_client_cert_verifier(Arc::new(ClientVerifier::of(trust, provider)?)),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|_discarded| TlsError::Mismatch)?;
        config.alpn_protocols = vec![H2.to_vec(), HTTP_11.to_vec()];
        if callers.is_none() {
            config.ticketer = Ticketer::new().map_err(|_discarded| TlsError::Library)?;
        } else {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        config.max_early_data_size = 0;
        Ok(Self(Arc::new(config)))
    }
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsIdentity")
    }
}

/// At least one certificate.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    all.ok().filter(|all| !all.is_empty())
}

/// The identity in force. Clones are one cell.
#[derive(Clone)]
pub struct Tls(Arc<ArcSwap<ServerConfig>>);

impl Tls {
    /// Begins with an identity.
    pub fn new(identity: TlsIdentity) -> Self {
        Self(Arc::new(ArcSwap::new(identity.0)))
    }

    /// Takes another identity from the next handshake on. Connections that stand are left alone.
    pub fn swap(&self, identity: TlsIdentity) {
        self.0.store(identity.0);
    }

    /// What the next handshake is made with.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.0.load_full()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}
