//! TLS towards a database or an audit repository: whom we believe, and who we are.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::error::LedgerError;

/// Certificates and keys, as files hold them.
#[derive(Clone, Default)]
pub struct Pem {
    /// Authorities that are believed; absent means those of the machine.
    pub authorities: Option<Vec<u8>>,
    /// Our certificate with its chain, and its key.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl std::fmt::Debug for Pem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pem").finish_non_exhaustive()
    }
}

/// TLS of a client, ready to be used.
pub type ClientTls = Arc<ClientConfig>;

/// A client that believes these authorities only.
pub fn client_tls(pem: &Pem) -> Result<ClientTls, LedgerError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = match &pem.authorities {
        None => builder.with_platform_verifier()?,
        Some(authorities) => {
            let mut roots = rustls::RootCertStore::empty();
            for certificate in certificates(authorities).ok_or(LedgerError::Certificate("ca_file"))? {
                roots.add(certificate)?;
            }
            builder.with_root_certificates(roots)
        }
    };
    let Some((chain, key)) = &pem.identity else { return Ok(Arc::new(builder.with_no_client_auth())) };
    let chain = certificates(chain).ok_or(LedgerError::Certificate("cert_file"))?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_none| LedgerError::Certificate("key_file"))?;
    Ok(Arc::new(builder.with_client_auth_cert(chain, key)?))
}

/// All certificates of a file; `None` if there are none, or one cannot be read.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    read.ok().filter(|read| !read.is_empty())
}
