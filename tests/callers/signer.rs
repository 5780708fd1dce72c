//! Keys of issuers, and tokens signed with them: rightly, or in whatever way is tried.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Every key of a scene.
pub(crate) struct Signer {
    rsa: RsaKeyPair,
    other: RsaKeyPair,
    p256: EcdsaKeyPair,
    p256_der: EcdsaKeyPair,
    p384: EcdsaKeyPair,
    ed: Ed25519KeyPair,
}

pub(crate) fn part(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Modulus and exponent: the two numbers of a key of 2,048 bits in DER, which are always at these places.
fn numbers(key: &RsaKeyPair) -> (&[u8], &[u8]) {
    let der = key.public_key().as_ref();
    assert_eq!((der.len(), &der[265..267]), (270, &[2, 3][..]));
    (&der[9..265], &der[267..])
}

impl Signer {
    pub(crate) fn new() -> Self {
        let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let document = p256.to_pkcs8v1().unwrap();
        let p256_der = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref()).unwrap();
        Self {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            other: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            p256,
            p256_der,
            p384: EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap(),
            ed: Ed25519KeyPair::generate().unwrap(),
        }
    }

    /// The modulus, as it stands in the published set: what a confused verifier would take for a secret.
    pub(crate) fn modulus(&self) -> String {
        part(numbers(&self.rsa).0)
    }

    fn rsa_jwk(key: &RsaKeyPair, kid: &str, alg: &str) -> Value {
        let (n, e) = numbers(key);
        let (n, e) = (part(n), part(e));
        json!({"kty": "RSA", "use": "sig", "kid": kid, "alg": alg, "n": n, "e": e})
    }

    fn ec_jwk(key: &EcdsaKeyPair, kid: &str, crv: &str) -> Value {
        let point = &key.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        json!({"kty": "EC", "kid": kid, "crv": crv, "x": part(x), "y": part(y)})
    }

    /// The published set.
    pub(crate) fn set(&self) -> Value {
        json!({"keys": [
            Self::rsa_jwk(&self.rsa, "rs512", "RS512"),
            Self::rsa_jwk(&self.rsa, "ps256", "PS256"),
            Self::rsa_jwk(&self.rsa, "rs256", "RS256"),
            Self::ec_jwk(&self.p256, "es256", "P-256"),
            Self::ec_jwk(&self.p384, "es384", "P-384"),
            {"kty": "OKP", "crv": "Ed25519", "kid": "eddsa", "x": part(self.ed.public_key().as_ref())},
            {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"},
        ]})
    }

    /// The set of another issuer, which signs with RS256 only.
    pub(crate) fn sign_in_set(&self) -> Value {
        json!({"keys": [Self::rsa_jwk(&self.other, "sign-in", "RS256")]})
    }

    /// The key that no scene publishes for its caller.
    pub(crate) fn foreign_jwk(&self) -> Value {
        Self::rsa_jwk(&self.other, "foreign", "RS512")
    }

    /// A signature by this way of signing.
    pub(crate) fn sign(&self, way: &str, message: &str) -> Vec<u8> {
        let (message, random) = (message.as_bytes(), SystemRandom::new());
        let rsa = |key: &RsaKeyPair, padding: &'static dyn aws_lc_rs::signature::RsaEncoding| {
            let mut signature = vec![0; key.public_modulus_len()];
            key.sign(padding, &random, message, &mut signature).unwrap();
            signature
        };
        match way {
            "RS512" => rsa(&self.rsa, &RSA_PKCS1_SHA512),
            "RS256" => rsa(&self.rsa, &RSA_PKCS1_SHA256),
            "PS256" => rsa(&self.rsa, &RSA_PSS_SHA256),
            "other RS512" => rsa(&self.other, &RSA_PKCS1_SHA512),
            "other RS256" => rsa(&self.other, &RSA_PKCS1_SHA256),
            "ES256" => self.p256.sign(&random, message).unwrap().as_ref().to_vec(),
            "ES256 DER" => self.p256_der.sign(&random, message).unwrap().as_ref().to_vec(),
            "ES384" => self.p384.sign(&random, message).unwrap().as_ref().to_vec(),
            "EdDSA" => self.ed.sign(message).as_ref().to_vec(),
            "HS256 modulus" => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, self.modulus().as_bytes());
                hmac::sign(&key, message).as_ref().to_vec()
            }
            "HS256 set" => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, self.set().to_string().as_bytes());
                hmac::sign(&key, message).as_ref().to_vec()
            }
            "HS256 secret" => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
                hmac::sign(&key, message).as_ref().to_vec()
            }
            "zeros" => vec![0; 64],
            "empty" => Vec::new(),
            other => panic!("no way of signing is called {other}"),
        }
    }
}
