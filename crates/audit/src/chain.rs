//! Each record names the hash of the one before it, so no record can be altered, dropped or moved alone.

use std::fmt;

use sha2::{Digest as _, Sha256};
use tributary_model::{Hex, read_hex};

/// A SHA-256 digest. Shown as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// What stands before the first record.
    pub(crate) const ZERO: Self = Self([0; 32]);

    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    pub(crate) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 hexadecimal digits; `None` for anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        read_hex(&text.to_ascii_lowercase()).map(Self)
    }

    /// The digest of a record: a leaf of RFC 6962 §2.1, so that a tree can be grown over the same hashes.
    pub(crate) fn of_leaf(payload: &[u8]) -> Self {
        let hash = Sha256::new().chain_update([0]).chain_update(payload);
        Self(hash.finalize().into())
    }

    /// Whether `text` is this digest in hex, without writing it out.
    pub(crate) fn is_hex(&self, text: &str) -> bool {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let same = |(byte, [high, low]): (&u8, &[u8; 2])| {
            *high == hex_digit(byte >> 4) && *low == hex_digit(byte & 15)
        };
        rest.is_empty() && pairs.len() == self.0.len() && self.0.iter().zip(pairs).all(same)
    }
}

const fn hex_digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

/// A digest that was taken elsewhere.
impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(&self.0), f)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where the chain stands: what the next record must say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Sequence number of the next record.
    pub seq: u64,
    /// Leaf hash of the record before it.
    pub prev: Digest,
}

impl Link {
    /// Before the first record of all.
    pub const FIRST: Self = Self { seq: 1, prev: Digest::ZERO };

    /// After one more record.
    #[must_use]
    pub fn after(self, payload: &[u8]) -> Self {
        Self { seq: self.seq + 1, prev: Digest::of_leaf(payload) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_of_nothing_is_the_published_one() {
        let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").to_string(), text);
        assert!(Digest::of(b"").is_hex(text));
        assert!(!Digest::of(b"").is_hex(&text.to_uppercase()));
        assert!(!Digest::of(b"").is_hex(""));
    }

    #[test]
    fn leaf_of_nothing_is_that_of_rfc_6962() {
        let text = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
        assert_eq!(Digest::of_leaf(b"").to_string(), text);
    }
}
