//! Whom we believe, and who we are, when we speak TLS.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use super::EgressError;

/// What one source demands of TLS. The name in its certificate must be the host of its address in any case.
#[derive(Clone, Debug, Default)]
pub struct SourceTls {
    /// The authorities believed for this source, and no other; empty for those of the machine.
    pub roots: Vec<CertificateDer<'static>>,
    /// Certificates that were called back. With a list, one whose status it cannot tell is refused.
    pub revoked: Vec<CertificateRevocationListDer<'static>>,
    /// Our certificate, when the source wants to know us.
    pub identity: Option<Arc<ClientIdentity>>,
    /// The versions that may be spoken.
    pub versions: TlsVersions,
}

/// Versions of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersions {
    /// 1.2 and 1.3.
    #[default]
    Both,
    /// 1.2 only, as the Spine speaks it.
    Only12,
}

/// A certificate with its chain, and its key.
pub struct ClientIdentity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl std::fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientIdentity").field("chain", &self.chain.len()).finish_non_exhaustive()
    }
}

/// Why a PEM text is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// No certificate in it, or one that is broken.
    #[error("holds no certificate in PEM form")]
    Certificates,
    /// No private key in it, or one that is broken.
    #[error("holds no private key in PEM form")]
    Key,
    /// No revocation list in it, or one that is broken.
    #[error("holds no revocation list in PEM form")]
    Revocations,
}

/// The certificates of a PEM text; at least one.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    all.ok().filter(|all| !all.is_empty()).ok_or(PemError::Certificates)
}

/// The revocation lists of a PEM text; at least one.
pub fn revocations(pem: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, PemError> {
    let all: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(pem).collect();
    all.ok().filter(|all| !all.is_empty()).ok_or(PemError::Revocations)
}

impl ClientIdentity {
    /// Reads a certificate with its chain, and its key.
    pub fn read(chain: &[u8], key: &[u8]) -> Result<Self, PemError> {
        let chain = certificates(chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_no_key| PemError::Key)?;
        Ok(Self { chain, key })
    }
}

/// The client's configuration.
pub(super) fn config(
    tls: &SourceTls,
    extra_roots: &[CertificateDer<'static>],
) -> Result<ClientConfig, EgressError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions: &[&SupportedProtocolVersion] = match tls.versions {
        TlsVersions::Both => &[&TLS13, &TLS12],
        TlsVersions::Only12 => &[&TLS12],
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|_discarded| EgressError::Tls)?;
    let builder = if tls.roots.is_empty() {
        match rustls_platform_verifier::Verifier::new_with_extra_roots(extra_roots.iter().cloned(), provider)
        {
            Ok(verifier) => builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)),
            Err(_no_roots) if extra_roots.is_empty() => {
                // A machine without root certificates trusts nobody; sources on loopback still work.
                tracing::warn!("no root certificates on this machine, every https source will be refused");
                builder.with_root_certificates(RootCertStore::empty())
            }
            Err(_refused) => return Err(EgressError::Tls),
        }
    } else {
        builder.with_webpki_verifier(own_verifier(tls, provider)?)
    };
    let mut config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder
            .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
            .map_err(|_discarded| EgressError::Tls)?,
    };
    // A ready-made configuration is taken as it is, so the offer of HTTP/2 has to be in it.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Believes the source's own authorities, and nobody they called back.
fn own_verifier(
    tls: &SourceTls,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, EgressError> {
    let mut roots = RootCertStore::empty();
    for root in &tls.roots {
        roots.add(root.clone()).map_err(|_discarded| EgressError::Tls)?;
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .with_crls(tls.revoked.iter().cloned())
        .build()
        .map_err(|_discarded| EgressError::Tls)
}
