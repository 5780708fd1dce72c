//! TLS of the client: whom it believes, and who it says it is.

use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use tributary_model::Redacted;

use crate::error::ClientError;

/// The certificate of a registered system, and its key.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate and what leads from it to its authority, in PEM form.
    pub chain_pem: Vec<u8>,
    /// Its private key, in PEM form.
    pub key_pem: Redacted<Vec<u8>>,
}

/// TLS with the system's roots, and without a certificate of ours.
pub(crate) fn plain() -> Result<ClientConfig, ClientError> {
    config(None, None)
}

/// TLS that believes these authorities, or the system's, and shows this certificate.
pub(crate) fn config(
    authorities: Option<&[u8]>,
    certificate: Option<&Certificate>,
) -> Result<ClientConfig, ClientError> {
    let believing = match authorities {
        Some(authorities) => believing(authorities)?,
        None => believing_the_system()?,
    };
    let Some(certificate) = certificate else { return Ok(believing.with_no_client_auth()) };
    let chain = CertificateDer::pem_slice_iter(&certificate.chain_pem).collect::<Result<Vec<_>, _>>();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(ClientError::Certificate)?;
    let key = PrivateKeyDer::from_pem_slice(certificate.key_pem.expose());
    let key = key.map_err(|_| ClientError::Certificate)?;
    believing.with_client_auth_cert(chain, key).map_err(|_| ClientError::Certificate)
}

type Believing = ConfigBuilder<ClientConfig, WantsClientCert>;

/// The provider is named here, so that none has to be installed for the process.
fn believing_the_system() -> Result<Believing, ClientError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(|_| ClientError::Tls)?;
    // A machine without root certificates can still ask a broker on loopback; every https address fails there.
    Ok(match rustls_platform_verifier::Verifier::new(provider) {
        Ok(verifier) => builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)),
        Err(_no_roots) => builder.with_root_certificates(RootCertStore::empty()),
    })
}

fn believing(authorities: &[u8]) -> Result<Believing, ClientError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(authorities) {
        let authority = authority.map_err(|_| ClientError::Authorities)?;
        roots.add(authority).map_err(|_| ClientError::Authorities)?;
    }
    if roots.is_empty() {
        return Err(ClientError::Authorities);
    }
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().map_err(|_| ClientError::Tls)?;
    Ok(builder.with_root_certificates(roots))
}
