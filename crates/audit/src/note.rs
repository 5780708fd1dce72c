//! Signed notes (C2SP signed-note) and the keys that sign them: Ed25519, as a log or as a witness of logs.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::chain::Digest;

/// The longest note that is read: a checkpoint with sixteen signatures has a fifth of it.
pub(crate) const MAX_NOTE: usize = 16 << 10;
/// How every signature line begins: an em dash and a space.
const DASH: &str = "\u{2014} ";
const PUBLIC: usize = 32;
const PRIVATE_MARK: &str = "PRIVATE+KEY+";

/// Whose key it is, and so what a signature by it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// A log's: "this is my tree".
    Log,
    /// A witness's (cosignature/v1): "at this time I saw the log grow into this tree".
    Witness,
}

impl KeyKind {
    /// The signature type of C2SP signed-note.
    const fn byte(self) -> u8 {
        match self {
            Self::Log => 1,
            Self::Witness => 4,
        }
    }

    fn of_byte(byte: u8) -> Option<Self> {
        [Self::Log, Self::Witness].into_iter().find(|kind| kind.byte() == byte)
    }
}

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is not written as keys are (C2SP signed-note), or its parts do not belong together.
    #[error("is no key of the form name+id+base64")]
    Malformed,
    /// A name holds no spaces, no plus and no control characters, and is not empty.
    #[error("a key's name is not empty, without spaces, plus and control characters")]
    Name,
    /// The machine gave no random numbers, or the library refused the seed.
    #[error("no key can be made")]
    Unmade,
}

/// A public key with its name. Written as `name+id+base64`, it is what others are given.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct VerifyingKey {
    name: String,
    kind: KeyKind,
    public: [u8; PUBLIC],
}

impl VerifyingKey {
    /// Reads `name+id+base64`.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (name, kind, public) = parts(text.trim())?;
        let key = Self { name, kind, public };
        if key.to_string() == text.trim() { Ok(key) } else { Err(KeyError::Malformed) }
    }

    /// Its name: of a log, the origin line of its checkpoints.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whose key it is.
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    fn id(&self) -> [u8; 4] {
        id(&self.name, self.kind, &self.public)
    }

    /// Whether a signature line is by this key, told by name and id; not whether it is right.
    pub(crate) fn is_named(&self, signature: &Signature<'_>) -> bool {
        signature.name == self.name && signature.id == self.id()
    }

    /// Whether it signed these bytes so.
    fn signed(&self, bytes: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public).verify(bytes, signature).is_ok()
    }

    /// Whether this signature of the note's text is right. Of a witness, gives when it signed: seconds since 1970.
    pub(crate) fn verify(&self, text: &str, signature: &Signature<'_>) -> Option<u64> {
        if !self.is_named(signature) {
            return None;
        }
        match self.kind {
            KeyKind::Log => self.signed(text.as_bytes(), &signature.bytes).then_some(0),
            KeyKind::Witness => {
                let (time, rest) = signature.bytes.split_first_chunk::<8>()?;
                let time = u64::from_be_bytes(*time);
                self.signed(cosigned(time, text).as_bytes(), rest).then_some(time)
            }
        }
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        written(f, &self.name, self.kind, (&self.public, &self.public))
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.name)
    }
}

/// A key that signs. Never shown but by [`SigningKey::secret_text`].
pub struct SigningKey {
    public: VerifyingKey,
    seed: [u8; PUBLIC],
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// Makes a new key.
    pub fn generate(name: &str, kind: KeyKind) -> Result<Self, KeyError> {
        let mut seed = [0; PUBLIC];
        aws_lc_rs::rand::fill(&mut seed).map_err(|_unspecified| KeyError::Unmade)?;
        Self::of_seed(name.to_owned(), kind, seed)
    }

    /// Reads what [`SigningKey::secret_text`] wrote.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let rest = text.strip_prefix(PRIVATE_MARK).ok_or(KeyError::Malformed)?;
        let (name, kind, seed) = parts(rest)?;
        let key = Self::of_seed(name, kind, seed)?;
        if key.secret_text() == text { Ok(key) } else { Err(KeyError::Malformed) }
    }

    fn of_seed(name: String, kind: KeyKind, seed: [u8; PUBLIC]) -> Result<Self, KeyError> {
        if !is_name(&name) {
            return Err(KeyError::Name);
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_refused| KeyError::Unmade)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_length| KeyError::Unmade)?;
        Ok(Self { public: VerifyingKey { name, kind, public }, seed, pair })
    }

    /// The key as its file holds it: `PRIVATE+KEY+name+id+base64`, as other tools of C2SP write it.
    pub fn secret_text(&self) -> String {
        let Self { public: VerifyingKey { name, kind, public }, seed, .. } = self;
        format!("{PRIVATE_MARK}{}", Written { name, kind: *kind, of: public, shown: seed })
    }

    /// The part of it that others are given.
    pub const fn public(&self) -> &VerifyingKey {
        &self.public
    }

    /// The signature line under a note's text. `time` is told by witnesses only: seconds since 1970.
    pub(crate) fn line(&self, text: &str, time: u64) -> String {
        let mut bytes = self.public.id().to_vec();
        match self.public.kind {
            KeyKind::Log => bytes.extend_from_slice(self.pair.sign(text.as_bytes()).as_ref()),
            KeyKind::Witness => {
                bytes.extend_from_slice(&time.to_be_bytes());
                bytes.extend_from_slice(self.pair.sign(cosigned(time, text).as_bytes()).as_ref());
            }
        }
        format!("{DASH}{} {}\n", self.public.name, STANDARD.encode(bytes))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.name)
    }
}

/// What a witness signs.
fn cosigned(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|char| char.is_whitespace() || char.is_control() || char == '+')
}

fn id(name: &str, kind: KeyKind, public: &[u8; PUBLIC]) -> [u8; 4] {
    let bytes = [name.as_bytes(), b"\n", &[kind.byte()], public].concat();
    let [a, b, c, d, ..] = *Digest::of(&bytes).bytes();
    [a, b, c, d]
}

struct Written<'a> {
    name: &'a str,
    kind: KeyKind,
    of: &'a [u8; PUBLIC],
    shown: &'a [u8; PUBLIC],
}

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        written(f, self.name, self.kind, (self.of, self.shown))
    }
}

fn written(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    kind: KeyKind,
    (public, shown): (&[u8; PUBLIC], &[u8; PUBLIC]),
) -> fmt::Result {
    let id = u32::from_be_bytes(id(name, kind, public));
    let bytes: Vec<u8> = [kind.byte()].iter().chain(shown).copied().collect();
    write!(f, "{name}+{id:08x}+{}", STANDARD.encode(bytes))
}

fn parts(text: &str) -> Result<(String, KeyKind, [u8; PUBLIC]), KeyError> {
    // The base64 alphabet has a plus, names have none.
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(_id), Some(bytes)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(KeyError::Malformed);
    };
    if !is_name(name) {
        return Err(KeyError::Name);
    }
    let bytes = STANDARD.decode(bytes).map_err(|_no_base64| KeyError::Malformed)?;
    let (kind, bytes) = bytes.split_first().ok_or(KeyError::Malformed)?;
    let kind = KeyKind::of_byte(*kind).ok_or(KeyError::Malformed)?;
    let bytes = bytes.try_into().map_err(|_length| KeyError::Malformed)?;
    Ok((name.to_owned(), kind, bytes))
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signature<'a> {
    pub(crate) name: &'a str,
    id: [u8; 4],
    bytes: Vec<u8>,
    /// The whole line, with its end.
    pub(crate) line: &'a str,
}

impl<'a> Signature<'a> {
    /// Reads one line that ends as lines do.
    pub(crate) fn parse(line: &'a str) -> Option<Self> {
        let (name, base64) = line.strip_prefix(DASH)?.strip_suffix('\n')?.split_once(' ')?;
        let all = STANDARD.decode(base64).ok()?;
        let (id, bytes) = all.split_first_chunk::<4>()?;
        is_name(name).then(|| Self { name, id: *id, bytes: bytes.to_vec(), line })
    }

    /// Reads lines and nothing else.
    pub(crate) fn parse_all(lines: &'a str) -> Option<Vec<Self>> {
        lines.split_inclusive('\n').map(Self::parse).collect()
    }
}

/// A text and who signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note<'a> {
    /// With the end of its last line.
    pub(crate) text: &'a str,
    pub(crate) signatures: Vec<Signature<'a>>,
}

impl<'a> Note<'a> {
    /// Reads a note; the signatures are not looked at yet.
    pub(crate) fn parse(note: &'a str) -> Option<Self> {
        let is_plain = note.len() <= MAX_NOTE && note.chars().all(|char| char >= ' ' || char == '\n');
        let at = note.rfind("\n\n").filter(|_| is_plain)?;
        let (text, rest) = note.split_at_checked(at + 1)?;
        let signatures = Signature::parse_all(rest.strip_prefix('\n')?)?;
        Some(Self { text, signatures })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_were_written() {
        for kind in [KeyKind::Log, KeyKind::Witness] {
            let key = SigningKey::generate("example.test/audit/a", kind).unwrap();
            let again = SigningKey::parse(&format!("{}\n", key.secret_text())).unwrap();
            assert_eq!(again.public(), key.public());
            assert_eq!(&VerifyingKey::parse(&key.public().to_string()).unwrap(), key.public());
            assert!(!format!("{key:?}").contains(&STANDARD.encode(key.seed)));
        }
        assert_eq!(SigningKey::generate("a b", KeyKind::Log).unwrap_err(), KeyError::Name);
        assert_eq!(VerifyingKey::parse("a+00000000+AA==").unwrap_err(), KeyError::Malformed);
    }

    #[test]
    fn the_example_of_the_go_library_is_verified() {
        // From the documentation of golang.org/x/mod/sumdb/note.
        let key = VerifyingKey::parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
            .unwrap();
        let text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
        let line = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        let note = format!("{text}\n{line}");
        let note = Note::parse(&note).unwrap();
        assert_eq!(key.verify(note.text, &note.signatures[0]), Some(0));
        assert_eq!(key.verify("another text\n", &note.signatures[0]), None);
    }

    #[test]
    fn a_cosignature_tells_when() {
        let key = SigningKey::generate("witness.example.test", KeyKind::Witness).unwrap();
        let text = "example.test/audit/a\n1\nroot\n";
        let line = key.line(text, 1_700_000_000);
        let signature = Signature::parse(&line).unwrap();
        assert_eq!(key.public().verify(text, &signature), Some(1_700_000_000));
        let other = SigningKey::generate("witness.example.test", KeyKind::Witness).unwrap();
        assert_eq!(other.public().verify(text, &signature), None);
    }
}
