//! The public keys of the applications, and the copy the endpoint keeps of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Refusal, TokenClient};

/// How long the endpoint trusts its copy of a key set.
const COPY_LIFE: SignedDuration = SignedDuration::from_secs(3600);

/// One RSA public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKey {
    kid: String,
    material: Material,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    Spki(Vec<u8>),
    Components { n: Vec<u8>, e: Vec<u8> },
}

impl ClientKey {
    /// A key as `SubjectPublicKeyInfo`, DER.
    pub fn from_spki(kid: &str, der: &[u8]) -> Self {
        Self { kid: kid.to_owned(), material: Material::Spki(der.to_vec()) }
    }

    /// The RSA keys of a JWKS; keys of other kinds, and any without `kid`, are passed over.
    pub fn from_jwks(jwks: &Value) -> Vec<Self> {
        let keys = jwks.get("keys").and_then(Value::as_array);
        keys.into_iter().flatten().filter_map(Self::from_jwk).collect()
    }

    fn from_jwk(jwk: &Value) -> Option<Self> {
        let field = |name: &str| jwk.get(name).and_then(Value::as_str);
        field("kty").filter(|kind| *kind == "RSA")?;
        let number = |name: &str| URL_SAFE_NO_PAD.decode(field(name)?).ok();
        let material = Material::Components { n: number("n")?, e: number("e")? };
        Some(Self { kid: field("kid")?.to_owned(), material })
    }

    /// Whether a signature is RS512 of the message under this key; keys under 2048 bits never verify.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Spki(der) => {
                let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA512, der);
                key.verify(message, signature).is_ok()
            }
            Material::Components { n, e } => {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(&RSA_PKCS1_2048_8192_SHA512, message, signature).is_ok()
            }
        }
    }
}

/// A key pair made on the spot, for a client that has none.
#[derive(Clone)]
pub struct MadeUpKey {
    /// The private key: PKCS#8, DER.
    pub pkcs8: Vec<u8>,
    /// The public key, as the endpoint is told it.
    pub public: ClientKey,
}

impl MadeUpKey {
    /// A new RSA key of 2048 bits; `None` if the machine cannot make one.
    pub fn new(kid: &str) -> Option<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048).ok()?;
        let private: Pkcs8V1Der<'_> = pair.as_der().ok()?;
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().ok()?;
        let public = ClientKey::from_spki(kid, public.as_ref());
        Some(Self { pkcs8: private.as_ref().to_vec(), public })
    }
}

/// Never shows the private key.
impl fmt::Debug for MadeUpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MadeUpKey").field("public", &self.public).finish_non_exhaustive()
    }
}

/// Where an application's keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Jwks {
    /// At the URL it registered.
    Published(Vec<ClientKey>),
    /// The URL does not answer: 403 `public_key error`.
    Unreachable,
    /// No URL was registered: 403 `public_key error`.
    NotRegistered,
}

#[derive(Debug)]
struct KeySet {
    jwks: Jwks,
    copy: Option<(Timestamp, Vec<ClientKey>)>,
}

/// The key sets of all clients, with the copies.
#[derive(Debug)]
pub(super) struct KeySets(Mutex<BTreeMap<String, KeySet>>);

impl KeySets {
    pub(super) fn new(clients: &[TokenClient]) -> Self {
        let set =
            |client: &TokenClient| (client.api_key.clone(), KeySet { jwks: client.jwks.clone(), copy: None });
        Self(Mutex::new(clients.iter().map(set).collect()))
    }

    pub(super) fn set(&self, api_key: &str, jwks: Jwks) {
        let mut sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let copy = match &jwks {
            Jwks::Published(_) => sets.remove(api_key).and_then(|set| set.copy),
            Jwks::Unreachable | Jwks::NotRegistered => None,
        };
        sets.insert(api_key.to_owned(), KeySet { jwks, copy });
    }

    /// The key of that id in the copy of the set, which is fetched when there is none or it is old.
    pub(super) fn find(&self, api_key: &str, kid: &str, now: Timestamp) -> Result<ClientKey, Refusal> {
        let unreachable = |what: &str| Refusal::new(403, "public_key error", what);
        let mut sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let set = sets.get_mut(api_key).ok_or_else(|| unreachable("no JWKS is registered"))?;
        set.copy.take_if(|(fetched, _)| now.duration_since(*fetched) >= COPY_LIFE);
        let keys = match (&set.copy, &set.jwks) {
            (Some((_, keys)), _) | (None, Jwks::Published(keys)) => keys.clone(),
            (None, Jwks::Unreachable) => return Err(unreachable("the JWKS cannot be reached")),
            (None, Jwks::NotRegistered) => return Err(unreachable("no JWKS is registered")),
        };
        let found = keys.iter().find(|key| key.kid == kid).cloned();
        if set.copy.is_none() {
            set.copy = Some((now, keys));
        }
        found.ok_or_else(|| Refusal::new(401, "invalid_request", "the JWKS holds no key of this kid"))
    }
}
