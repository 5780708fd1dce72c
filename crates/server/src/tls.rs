//! TLS of the data listener, in a cell that can be filled anew without closing a connection.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::server::{ServerConfig, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// HTTP/2 by its name in ALPN.
pub(crate) const H2: &[u8] = b"h2";
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
    /// No authority in it that could be believed.
    #[error("holds no authority in PEM form")]
    Authorities,
    /// The library refused what should be right.
    #[error("cannot be used")]
    Library,
}

/// Who we are to callers, checked to be usable.
#[derive(Clone)]
pub struct TlsIdentity(Arc<ServerConfig>);

impl TlsIdentity {
    /// Reads our certificate with its chain, its key and, if callers must show a certificate, the authorities
    /// that theirs must come from; all in PEM form.
    ///
    /// TLS 1.3, or 1.2 with ephemeral keys and authenticated encryption. Sessions resume by tickets, whose key
    /// changes with every identity; nothing is taken before the handshake ends (0-RTT), since it could be
    /// replayed.
    pub fn read(chain: &[u8], key: &[u8], client_authorities: Option<&[u8]>) -> Result<Self, TlsError> {
        let chain = certificates(chain).ok_or(TlsError::Certificates)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_no_key| TlsError::Key)?;
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|_discarded| TlsError::Library)?;
        let builder = match client_authorities {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                for root in certificates(pem).ok_or(TlsError::Authorities)? {
                    roots.add(root).map_err(|_discarded| TlsError::Authorities)?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.map_err(|_discarded| TlsError::Authorities)?)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|_discarded| TlsError::Mismatch)?;
        config.alpn_protocols = vec![H2.to_vec(), HTTP_11.to_vec()];
        config.ticketer = Ticketer::new().map_err(|_discarded| TlsError::Library)?;
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
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.0.load_full()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}
