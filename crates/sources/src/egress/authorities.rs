//! The authorities that this machine believes.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use rustls_platform_verifier::Verifier;

use super::EgressError;

/// Believes whom the machine believes, whose hundreds of files are read when they are first needed, and these.
#[derive(Debug)]
pub(super) struct Machine {
    extra_roots: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
    /// Nothing where nobody is believed.
    verifier: OnceLock<Option<Verifier>>,
}

impl Machine {
    pub(super) fn with(extra_roots: &[CertificateDer<'static>]) -> Result<Self, EgressError> {
        let mut store = RootCertStore::empty();
        for root in extra_roots {
            store.add(root.clone()).map_err(|_discarded| EgressError::Tls)?;
        }
        Ok(Self {
            extra_roots: extra_roots.to_vec(),
            provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
            verifier: OnceLock::new(),
        })
    }

    /// Reads the files, if that was not done. Takes milliseconds, for which everybody waits who needs them.
    pub(super) fn read(&self) -> Option<&Verifier> {
        let read = || {
            let (extra, provider) = (self.extra_roots.iter().cloned(), Arc::clone(&self.provider));
            let verifier = Verifier::new_with_extra_roots(extra, provider);
            if verifier.is_err() {
                // A machine without root certificates trusts nobody; sources on loopback still work.
                tracing::warn!("no root certificates on this machine, every https source will be refused");
            }
            verifier.ok()
        };
        self.verifier.get_or_init(read).as_ref()
    }

    /// Draws the first random number, before which the library measures how unsteady the processor is, and reads.
    pub(super) fn make_ready(&self) {
        // Whoever needs one hears that there is none.
        let _first = (self.provider.secure_random.fill(&mut [0; 32]), self.read());
    }

    fn believing(&self) -> Result<&Verifier, Error> {
        self.read().ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))
    }
}

impl ServerCertVerifier for Machine {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.believing()?.verify_server_cert(end_entity, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.believing()?.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.believing()?.verify_tls13_signature(message, cert, signed)
    }

    /// Those of the library, which are known before whom it believes.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_read_before_it_is_needed_and_then_once() {
        let machine = Machine::with(&[]).unwrap();
        assert!(!machine.supported_verify_schemes().is_empty());
        assert!(machine.verifier.get().is_none(), "a handshake that begins needs none of it");
        let first = machine.read().map(std::ptr::from_ref);
        assert!(machine.verifier.get().is_some());
        assert_eq!(machine.read().map(std::ptr::from_ref), first);
    }

    #[test]
    fn a_root_that_is_no_certificate_is_refused_at_once() {
        let broken = CertificateDer::from(vec![0x30, 0x00]);
        assert_eq!(Machine::with(&[broken]).err(), Some(EgressError::Tls));
    }
}
