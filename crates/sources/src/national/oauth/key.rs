//! The key that our assertions are signed with.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::SignatureScheme;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;

/// The platform takes RS512 and nothing else.
const RS512: SignatureScheme = SignatureScheme::RSA_PKCS1_SHA512;

/// Why bytes are no key that can sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Neither PEM nor DER of a private key.
    #[error("holds no private key in PEM or DER form")]
    Form,
    /// A private key of another kind, or too short a one.
    #[error("holds a private key that cannot sign RS512: an RSA key of 2048 bits or more is needed")]
    Kind,
}

/// An RSA private key.
#[derive(Clone)]
pub struct ClientKey(Arc<dyn rustls::sign::SigningKey>);

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl ClientKey {
    /// Reads the bytes of a key file, PEM or DER.
    pub fn read(bytes: &[u8]) -> Result<Self, KeyError> {
        let is_pem = bytes.windows(5).any(|window| window == b"-----");
        let der = if is_pem {
            PrivateKeyDer::from_pem_slice(bytes).map_err(|_discarded| KeyError::Form)?
        } else {
            PrivateKeyDer::try_from(bytes.to_vec()).map_err(|_discarded| KeyError::Form)?
        };
        let key = any_supported_type(&der).map_err(|_discarded| KeyError::Kind)?;
        key.choose_scheme(&[RS512]).map(|_signs| Self(Arc::clone(&key))).ok_or(KeyError::Kind)
    }

    /// A signed token of these JSON texts.
    pub(super) fn signed(&self, head: &str, claims: &str) -> Option<String> {
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.0.choose_scheme(&[RS512])?.sign(text.as_bytes()).ok()?;
        Some(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
