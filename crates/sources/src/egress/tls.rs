//! Whom we believe, and who we are, when we speak TLS.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SignatureScheme, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};

use super::EgressError;
use super::authorities::Machine;

/// HTTP/2 in the handshake.
pub(super) const H2: &[u8] = b"h2";
/// Handshakes remembered to be resumed, eight for each host: four fifths of a handshake's work saved. No content.
const RESUMABLE: usize = 2048;

/// What one source demands of TLS. The name in its certificate must be the host of its address in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceTls {
    /// The authorities believed for this source, and no other; empty for those of the machine.
    pub roots: Vec<CertificateDer<'static>>,
    /// Certificates that were called back. With a list, one whose status it cannot tell is refused, and so is
    /// everyone once the list has expired.
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
#[derive(PartialEq, Eq)]
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

/// What tells one set of demands from another: a digest, since a key is among them.
pub(super) fn fingerprint(tls: &SourceTls) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut add = |kind: u8, bytes: &[u8]| {
        hash.update([kind]);
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    tls.roots.iter().for_each(|root| add(1, root));
    tls.revoked.iter().for_each(|list| add(2, list));
    if let Some(identity) = &tls.identity {
        identity.chain.iter().for_each(|one| add(3, one));
        add(4, identity.key.secret_der());
    }
    add(5, &[u8::from(tls.versions == TlsVersions::Only12)]);
    hash.finalize().into()
}

/// The client's configuration; the machine's authorities are believed where the source names none.
pub(super) fn config(tls: &SourceTls, machine: &Arc<Machine>) -> Result<ClientConfig, EgressError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions: &[&SupportedProtocolVersion] = match tls.versions {
        TlsVersions::Both => &[&TLS13, &TLS12],
        TlsVersions::Only12 => &[&TLS12],
    };
    let presented = Presented::of(tls.identity.as_deref(), &provider)?;
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|_discarded| EgressError::Tls)?;
    let builder = if tls.roots.is_empty() {
        let machine = Arc::clone(machine);
        builder.dangerous().with_custom_certificate_verifier(machine)
    } else {
        builder.with_webpki_verifier(own_verifier(tls, provider)?)
    };
    let mut config = builder.with_client_cert_resolver(Arc::new(presented));
    config.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
    config.resumption = Resumption::in_memory_sessions(RESUMABLE);
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
        // A list that nobody renews says nothing of who was called back since.
        .enforce_revocation_expiration()
        .build()
        .map_err(|_discarded| EgressError::Tls)
}

/// Whether a server wanted a certificate of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Yes,
    No,
}

tokio::task_local! {
    /// Set while a handshake is under way, when the server asks who we are.
    static ASKED: AtomicBool;
}

/// Waits for a handshake and tells whether the server wanted a certificate of ours.
pub(super) async fn noting_whether_we_were_asked<T>(handshake: impl Future<Output = T>) -> (T, Asked) {
    let noted = async {
        let ended = handshake.await;
        let asked = ASKED.try_with(|asked| asked.load(Ordering::Relaxed)).unwrap_or(false);
        (ended, if asked { Asked::Yes } else { Asked::No })
    };
    ASKED.scope(AtomicBool::new(false), noted).await
}

/// Our certificate, if there is one for the source, and a note of being asked for it.
#[derive(Debug)]
struct Presented(Option<Arc<CertifiedKey>>);

impl Presented {
    fn of(identity: Option<&ClientIdentity>, provider: &CryptoProvider) -> Result<Self, EgressError> {
        let certified = identity.map(|identity| {
            let key = identity.key.clone_key();
            CertifiedKey::from_der(identity.chain.clone(), key, provider).map(Arc::new)
        });
        Ok(Self(certified.transpose().map_err(|_do_not_fit| EgressError::Tls)?))
    }
}

impl ResolvesClientCert for Presented {
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        // Outside of a handshake of ours there is nothing to note.
        let _noted = ASKED.try_with(|asked| asked.store(true, Ordering::Relaxed));
        self.0.clone()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}
