//! What a caller's certificate says, and when a revocation list holds: read from their DER form (RFC 5280).
//!
//! Nothing is verified here: the TLS library has done that, or will.

mod der;

use std::fmt;

use jiff::Timestamp;

use crate::issuer::sha256;
use der::{Reader, Tag};

/// `id-ce-subjectAltName`, `id-ce-extKeyUsage`, `id-kp-clientAuth`, `id-at-commonName`.
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1D, 0x11];
const KEY_PURPOSES: &[u8] = &[0x55, 0x1D, 0x25];
const CLIENT_AUTH: &[u8] = &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// More names than anybody has.
const MOST_NAMES: usize = 100;

/// A name in a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CertificateName {
    /// A subject alternative name that is a URI, letter by letter.
    Uri(String),
    /// A subject alternative name that is a host, in small letters. A wildcard is no host.
    Dns(String),
    /// The common name of the subject, where there are no alternative names.
    Common(String),
}

impl CertificateName {
    /// Reads `uri:…`, `dns:…` or `cn:…`.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (kind, name) = text.split_once(':').ok_or(UNNAMED)?;
        let is_sound =
            (1..=253).contains(&name.len()) && name.bytes().all(|byte| matches!(byte, 0x20..=0x7E));
        if !is_sound || name.contains('*') {
            return Err("is no exact name of printable letters; there are no wildcards");
        }
        match kind {
            "uri" => Ok(Self::Uri(name.to_owned())),
            "dns" if !name.contains(' ') => Ok(Self::Dns(name.to_ascii_lowercase())),
            "cn" => Ok(Self::Common(name.to_owned())),
            _ => Err(UNNAMED),
        }
    }
}

const UNNAMED: &str = "is no name of a certificate, as in \"uri:…\", \"dns:…\" or \"cn:…\"";

/// A caller's certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    sha256: [u8; 32],
    spki_sha256: [u8; 32],
    names: Vec<CertificateName>,
    holds: (Timestamp, Timestamp),
    is_for_clients: bool,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Certificate {
    /// Reads one; nothing if it cannot be read to its end.
    pub fn read(der: &[u8]) -> Option<Self> {
        let mut fields = Reader::of(der).inside(Tag::SEQUENCE)?.inside(Tag::SEQUENCE)?;
        let _version = fields.optional(Tag::VERSION);
        let _serial = fields.take(Tag::INTEGER)?;
        let _algorithm = fields.take(Tag::SEQUENCE)?;
        let _issuer = fields.take(Tag::SEQUENCE)?;
        let mut validity = fields.inside(Tag::SEQUENCE)?;
        let holds = (validity.time()?, validity.time()?);
        let subject = fields.take(Tag::SEQUENCE)?;
        let spki = fields.whole(Tag::SEQUENCE)?;
        let mut read = Self {
            sha256: sha256(der),
            spki_sha256: sha256(spki),
            names: Vec::new(),
            holds,
            is_for_clients: false,
        };
        let _ids = (fields.optional(Tag::ISSUER_ID), fields.optional(Tag::SUBJECT_ID));
        if let Some(extensions) = fields.optional(Tag::EXTENSIONS) {
            read.extend(Reader::of(extensions).inside(Tag::SEQUENCE)?)?;
        }
        if read.names.is_empty() {
            read.names = common_names(subject)?;
        }
        Some(read)
    }

    fn extend(&mut self, mut extensions: Reader<'_>) -> Option<()> {
        while !extensions.is_done() {
            let mut extension = extensions.inside(Tag::SEQUENCE)?;
            let id = extension.take(Tag::OBJECT_ID)?;
            let _critical = extension.optional(Tag::BOOLEAN);
            let value = extension.take(Tag::OCTETS)?;
            if id == ALTERNATIVE_NAMES {
                self.names = alternative_names(value)?;
            } else if id == KEY_PURPOSES {
                self.is_for_clients = is_for_clients(value)?;
            }
        }
        Some(())
    }

    /// SHA-256 of the whole certificate: `x5t#S256`.
    pub const fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    /// SHA-256 of its public key (`SubjectPublicKeyInfo`).
    pub const fn spki_sha256(&self) -> [u8; 32] {
        self.spki_sha256
    }

    /// Its names.
    pub fn names(&self) -> &[CertificateName] {
        &self.names
    }

    /// Whether it says that it is for clients. One that does not say what it is for does not.
    pub const fn is_for_clients(&self) -> bool {
        self.is_for_clients
    }

    /// Whether it holds at this moment.
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.holds.0 <= now && now <= self.holds.1
    }
}

fn alternative_names(value: &[u8]) -> Option<Vec<CertificateName>> {
    let mut names = Reader::of(value).inside(Tag::SEQUENCE)?;
    let mut found = Vec::new();
    while !names.is_done() {
        let (tag, content) = names.next()?;
        let text = std::str::from_utf8(content).ok().filter(|text| text.is_ascii());
        match (tag, text) {
            (Tag::URI, Some(text)) => found.push(CertificateName::Uri(text.to_owned())),
            (Tag::DNS, Some(text)) => found.push(CertificateName::Dns(text.to_ascii_lowercase())),
            (Tag::URI | Tag::DNS, None) => return None,
            (_other_kind, _) => {}
        }
        if found.len() > MOST_NAMES {
            return None;
        }
    }
    Some(found)
}

fn is_for_clients(value: &[u8]) -> Option<bool> {
    let mut purposes = Reader::of(value).inside(Tag::SEQUENCE)?;
    let mut found = false;
    while !purposes.is_done() {
        found |= purposes.take(Tag::OBJECT_ID)? == CLIENT_AUTH;
    }
    Some(found)
}

fn common_names(subject: &[u8]) -> Option<Vec<CertificateName>> {
    let mut parts = Reader::of(subject);
    let mut found = Vec::new();
    while !parts.is_done() {
        let mut set = parts.inside(Tag::SET)?;
        while !set.is_done() {
            let mut part = set.inside(Tag::SEQUENCE)?;
            let id = part.take(Tag::OBJECT_ID)?;
            let (tag, content) = part.next()?;
            let is_text = tag == Tag::UTF8 || tag == Tag::PRINTABLE;
            if id == COMMON_NAME && is_text {
                found.push(CertificateName::Common(std::str::from_utf8(content).ok()?.to_owned()));
            }
        }
    }
    Some(found)
}

/// When a revocation list was made, and when the next is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListDates {
    /// `thisUpdate`.
    pub made: Timestamp,
    /// `nextUpdate`.
    pub next: Timestamp,
}

impl ListDates {
    /// Reads the dates of a revocation list; nothing if it does not say when the next is due.
    pub fn read(der: &[u8]) -> Option<Self> {
        let mut fields = Reader::of(der).inside(Tag::SEQUENCE)?.inside(Tag::SEQUENCE)?;
        let _version = fields.optional(Tag::INTEGER);
        let _algorithm = fields.take(Tag::SEQUENCE)?;
        let _issuer = fields.take(Tag::SEQUENCE)?;
        Some(Self { made: fields.time()?, next: fields.time()? })
    }
}

#[cfg(test)]
mod tests;
