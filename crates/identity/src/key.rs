//! The keys of an issuer (RFC 7517), each with the one algorithm that it verifies.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::json::Json;

/// Larger sets are not read.
pub const MOST_SET_BYTES: usize = 256 << 10;
/// More keys than any issuer turns over at once.
const MOST_KEYS: usize = 64;
/// Bytes of a modulus: 2,048 to 8,192 bits.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// A signature algorithm by its name in RFC 7518 and RFC 8037. There is no `none`, and none with a shared secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: &[Self] = &[Self::Rs256, Self::Rs512, Self::Ps256, Self::Es256, Self::Es384, Self::EdDsa];

    /// Its name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Reads a name, letter by letter.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.code() == code)
    }

    /// Type and curve of the keys that it takes.
    const fn takes(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Rs256 | Self::Rs512 | Self::Ps256 => ("RSA", None),
            Self::Es256 => ("EC", Some("P-256")),
            Self::Es384 => ("EC", Some("P-384")),
            Self::EdDsa => ("OKP", Some("Ed25519")),
        }
    }
}

/// Why a set of keys cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// Not a set of keys in strict JSON, or too large.
    #[error("is no JSON web key set")]
    Form,
    /// Two keys with one id: which is meant?
    #[error("has two keys with one kid")]
    Ambiguous,
    /// Nothing in it verifies with an algorithm of the issuer.
    #[error(
        "has no key for an algorithm of this issuer (each needs a kid, and an RSA key its alg where several fit)"
    )]
    Nothing,
}

/// A public key.
pub(crate) struct Key {
    id: String,
    algorithm: Algorithm,
    public: ParsedPublicKey,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl Key {
    /// The one algorithm that this key verifies.
    pub(crate) const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether it made this signature.
    pub(crate) fn made(&self, message: &[u8], signature: &[u8]) -> bool {
        self.public.verify_sig(message, signature).is_ok()
    }

    /// Reads a key. One that is not for signatures, or not for these algorithms, is none.
    fn read(jwk: &Json, allowed: &[Algorithm]) -> Option<Self> {
        let kind = jwk.words("kty")?;
        let curve = jwk.words("crv");
        let is_for_signatures = jwk.get("use").is_none_or(|usage| usage.text() == Some("sig"));
        let verifies = |ops: &Json| ops.each().iter().any(|op| op.text() == Some("verify"));
        // A private key that was published is nobody's key any more.
        let is_private = jwk.get("d").is_some();
        if !is_for_signatures || is_private || !jwk.get("key_ops").is_none_or(verifies) {
            return None;
        }
        let fits = |algorithm: &Algorithm| {
            let (kty, crv) = algorithm.takes();
            kty == kind && crv.is_none_or(|crv| curve == Some(crv))
        };
        let mut fitting = allowed.iter().copied().filter(fits);
        let algorithm = match jwk.get("alg") {
            Some(name) => {
                let named = name.text().and_then(Algorithm::from_code)?;
                fitting.find(|algorithm| *algorithm == named)?
            }
            // Pinned only where there is no choice.
            None => match (fitting.next(), fitting.next()) {
                (Some(only), None) => only,
                _ => return None,
            },
        };
        let public = public(jwk, algorithm)?;
        Some(Self { id: jwk.words("kid")?.to_owned(), algorithm, public })
    }
}

fn public(jwk: &Json, algorithm: Algorithm) -> Option<ParsedPublicKey> {
    let part = |key: &str| URL_SAFE_NO_PAD.decode(jwk.words(key)?).ok();
    match algorithm {
        Algorithm::Rs256 => rsa(&part, &RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs512 => rsa(&part, &RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => rsa(&part, &RSA_PSS_2048_8192_SHA256),
        Algorithm::Es256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point(&part, 32)?).ok(),
        Algorithm::Es384 => ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point(&part, 48)?).ok(),
        Algorithm::EdDsa => {
            let point = part("x").filter(|point| point.len() == 32)?;
            ParsedPublicKey::new(&ED25519, point).ok()
        }
    }
}

type Part<'p> = &'p dyn Fn(&str) -> Option<Vec<u8>>;

fn rsa(part: Part<'_>, parameters: &'static aws_lc_rs::signature::RsaParameters) -> Option<ParsedPublicKey> {
    let plain = |bytes: Vec<u8>| bytes.into_iter().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
    let (n, e) = (plain(part("n")?), plain(part("e")?));
    let is_odd = e.last().is_some_and(|last| last % 2 == 1);
    let is_sound = MODULUS_BYTES.contains(&n.len()) && e.len() <= 4 && is_odd && e != [1];
    let components = RsaPublicKeyComponents { n, e };
    is_sound.then(|| components.to_parsed_public_key(parameters).ok()).flatten()
}

/// The uncompressed point (SEC 1, 2.3.3).
fn point(part: Part<'_>, bytes: usize) -> Option<Vec<u8>> {
    let (x, y) = (part("x")?, part("y")?);
    (x.len() == bytes && y.len() == bytes).then(|| [&[4_u8][..], &x, &y].concat())
}

/// The keys of one issuer.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<Key>,
}

impl KeySet {
    /// Reads a JSON web key set for an issuer that signs with these algorithms. Keys of other kinds are passed
    /// over.
    pub fn read(bytes: &[u8], allowed: &[Algorithm]) -> Result<Self, KeySetError> {
        if bytes.len() > MOST_SET_BYTES {
            return Err(KeySetError::Form);
        }
        let set = Json::object(bytes).ok_or(KeySetError::Form)?;
        let Some(Json::List(jwks)) = set.get("keys") else { return Err(KeySetError::Form) };
        if jwks.len() > MOST_KEYS {
            return Err(KeySetError::Form);
        }
        let mut ids: Vec<_> = jwks.iter().filter_map(|jwk| jwk.words("kid")).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() < count {
            return Err(KeySetError::Ambiguous);
        }
        let keys: Vec<_> = jwks.iter().filter_map(|jwk| Key::read(jwk, allowed)).collect();
        if keys.is_empty() { Err(KeySetError::Nothing) } else { Ok(Self { keys }) }
    }

    /// The key with this id. Ids are compared, and used for nothing else.
    pub(crate) fn find(&self, id: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// How many keys there are.
    pub const fn count(&self) -> usize {
        self.keys.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED: &str =
        r#"{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    #[track_caller]
    fn check(keys: &[&str], allowed: &[Algorithm], expected: Result<usize, KeySetError>) {
        let set = format!("{{\"keys\":[{}]}}", keys.join(","));
        assert_eq!(KeySet::read(set.as_bytes(), allowed).map(|set| set.count()), expected, "{set}");
    }

    #[test]
    fn only_keys_that_verify_with_an_algorithm_of_the_issuer_are_kept() {
        let ed = [Algorithm::EdDsa];
        check(&[ED], &ed, Ok(1));
        check(&[], &ed, Err(KeySetError::Nothing));
        check(&[ED], &[Algorithm::Rs512, Algorithm::Es256], Err(KeySetError::Nothing));
        for (from, to) in [
            (r#""kid":"a","#, ""),
            (r#""kid":"a","#, r#""kid":"a","use":"enc","#),
            (r#""kid":"a","#, r#""kid":"a","key_ops":["sign"],"#),
            (r#""kid":"a","#, r#""kid":"a","alg":"HS256","#),
            (r#""kid":"a","#, r#""kid":"a","d":"AAAA","#),
            ("OKP", "oct"),
            ("Ed25519", "X25519"),
            ("11qY", "1"),
        ] {
            check(&[&ED.replace(from, to)], &ed, Err(KeySetError::Nothing));
        }
        check(
            &[&ED.replace(r#""kid":"a","#, r#""kid":"a","use":"sig","key_ops":["verify"],"alg":"EdDSA","#)],
            &ed,
            Ok(1),
        );
    }

    #[test]
    fn two_keys_with_one_id_are_nobodys() {
        check(&[ED, &ED.replace("11qY", "21qY")], &[Algorithm::EdDsa], Err(KeySetError::Ambiguous));
    }

    #[test]
    fn an_rsa_key_is_pinned_to_one_algorithm_or_not_used() {
        let n = URL_SAFE_NO_PAD.encode([0xC5; 256]);
        let rsa = |alg: &str| format!(r#"{{"kty":"RSA","kid":"r","n":"{n}","e":"AQAB"{alg}}}"#);
        let both = [Algorithm::Rs512, Algorithm::Ps256];
        check(&[&rsa("")], &both, Err(KeySetError::Nothing));
        check(&[&rsa("")], &[Algorithm::Rs512, Algorithm::Es256], Ok(1));
        check(&[&rsa(r#","alg":"PS256""#)], &both, Ok(1));
        check(&[&rsa(r#","alg":"RS256""#)], &both, Err(KeySetError::Nothing));
        let weak = URL_SAFE_NO_PAD.encode([0xC5; 128]);
        check(&[&rsa("").replace(&n, &weak)], &[Algorithm::Rs512], Err(KeySetError::Nothing));
        for exponent in ["AQ", "AAA", "AQABAQAB", ""] {
            check(&[&rsa("").replace("AQAB", exponent)], &[Algorithm::Rs512], Err(KeySetError::Nothing));
        }
    }

    #[test]
    fn what_is_no_set_is_told() {
        for bad in ["", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
            assert_eq!(KeySet::read(bad.as_bytes(), &[]).unwrap_err(), KeySetError::Form, "{bad}");
        }
        let large = format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(MOST_SET_BYTES));
        assert_eq!(KeySet::read(large.as_bytes(), &[]).unwrap_err(), KeySetError::Form);
    }
}
