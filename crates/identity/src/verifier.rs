//! Whether a caller's certificate is one that is asked for.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};

use crate::certificate::{Certificate, ListDates};

/// Whose certificates callers must show, and how they are called back. PEM.
#[derive(Clone, Copy, Debug)]
pub struct ClientTrust<'p> {
    /// The authorities that they must come from, and no other.
    pub authorities: &'p [u8],
    /// Revocation lists of these. With a list, a certificate that no list is about is refused.
    pub revoked: Option<&'p [u8]>,
    /// How long a list may be used after the next was due. After that nobody is let in.
    pub grace: Duration,
}

/// Why callers' certificates cannot be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// No authority in it that could be believed.
    #[error("holds no authority in PEM form")]
    Authorities,
    /// No revocation list in it, one that is broken, or one that does not say when the next is due.
    #[error("holds no revocation list in PEM form, or one without a date for the next")]
    Revocations,
}

/// The library's verifier, and what it leaves undone: it takes a certificate that does not say what it is for, and
/// knows no time of grace for lists that are out of date.
#[derive(Debug)]
pub struct ClientVerifier {
    library: Arc<dyn ClientCertVerifier>,
    /// When the first of the lists is too old to be used; `None` without lists.
    lists_end: Option<Timestamp>,
}

impl ClientVerifier {
    /// For callers of these authorities. Our own signature algorithms are those of the provider.
    pub fn of(trust: &ClientTrust<'_>, provider: Arc<CryptoProvider>) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        for root in certificates(trust.authorities).ok_or(TrustError::Authorities)? {
            roots.add(root).map_err(|_discarded| TrustError::Authorities)?;
        }
        let lists = trust.revoked.map(lists).transpose()?.unwrap_or_default();
        let lists_end = lists_end(&lists, trust.grace)?;
        let is_listed = !lists.is_empty();
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).with_crls(lists);
        let wrong = if is_listed { TrustError::Revocations } else { TrustError::Authorities };
        let library = builder.build().map_err(|_discarded| wrong)?;
        Ok(Self { library, lists_end })
    }

    fn is_current(&self, now: UnixTime) -> bool {
        let now = i64::try_from(now.as_secs()).ok().and_then(|now| Timestamp::from_second(now).ok());
        match (self.lists_end, now) {
            (None, _) => true,
            (Some(end), Some(now)) => now <= end,
            (Some(_), None) => false,
        }
    }
}

/// At least one certificate.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    all.ok().filter(|all| !all.is_empty())
}

/// At least one list.
fn lists(pem: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, TrustError> {
    let all: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(pem).collect();
    all.ok().filter(|all| !all.is_empty()).ok_or(TrustError::Revocations)
}

fn lists_end(
    lists: &[CertificateRevocationListDer<'_>],
    grace: Duration,
) -> Result<Option<Timestamp>, TrustError> {
    let dates: Option<Vec<_>> = lists.iter().map(|list| ListDates::read(list)).collect();
    let dates = dates.ok_or(TrustError::Revocations)?;
    let first = dates.iter().map(|dates| dates.next).min();
    first.map(|first| first.checked_add(grace).map_err(|_too_late| TrustError::Revocations)).transpose()
}

impl ClientCertVerifier for ClientVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.library.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if !self.is_current(now) {
            return Err(CertificateError::UnknownRevocationStatus.into());
        }
        let verified = self.library.verify_client_cert(end_entity, intermediates, now)?;
        let certificate = Certificate::read(end_entity).ok_or(CertificateError::BadEncoding)?;
        if certificate.is_for_clients() { Ok(verified) } else { Err(CertificateError::InvalidPurpose.into()) }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.library.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.library.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.library.supported_verify_schemes()
    }
}
