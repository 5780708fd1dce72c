//! Names of registered systems.

use std::fmt;
use std::sync::Arc;

/// Why a text cannot be a source id or an ODS code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A source id is 1 to 64 of `a-z`, `0-9` and `-`, beginning with a letter.
    #[error("a source id is 1 to 64 lower-case letters, digits and hyphens, beginning with a letter")]
    SourceId,
    /// An ODS code is 3 to 12 upper-case letters and digits.
    #[error("an ods code is 3 to 12 upper-case letters and digits")]
    OdsCode,
}

/// Maintenance that a source's operators announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// From then on.
    pub from: jiff::Timestamp,
    /// Until then; that moment is not part of it.
    pub until: jiff::Timestamp,
    /// What readers are told besides the time; empty when nothing.
    pub words: String,
}

impl Maintenance {
    /// Whether it is under way.
    pub fn is_on(&self, at: jiff::Timestamp) -> bool {
        self.from <= at && at < self.until
    }

    /// What is told of it to programs, by name. Words that are empty are not told.
    pub fn told(&self) -> Vec<(&'static str, String)> {
        let instants = [("from", self.from.to_string()), ("until", self.until.to_string())];
        let words = (!self.words.is_empty()).then(|| ("words", self.words.clone()));
        instants.into_iter().chain(words).collect()
    }
}

/// The id of a registered source. Safe in metrics, logs and addresses.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(Arc<str>);

impl SourceId {
    /// Checks and takes an id.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let shape = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(shape)
            && text.starts_with(|first: char| first.is_ascii_lowercase());
        if fits { Ok(Self(text.into())) } else { Err(NameError::SourceId) }
    }

    /// The id of whoever could not be found.
    pub fn unlocated() -> Self {
        Self("unlocated".into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The code of an organisation in the Organisation Data Service.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OdsCode(Arc<str>);

impl OdsCode {
    /// Checks and takes a code.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let shape = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        let fits = (3..=12).contains(&text.len()) && text.bytes().all(shape);
        if fits { Ok(Self(text.into())) } else { Err(NameError::OdsCode) }
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OdsCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for OdsCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What kind of organisation a source belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// A general practice.
    Gp,
    /// A hospital.
    Acute,
    /// A community trust or a walk-in centre.
    Community,
    /// Another broker of this kind.
    Broker,
}

impl SourceKind {
    /// Every kind.
    pub const ALL: &[Self] = &[Self::Gp, Self::Acute, Self::Community, Self::Broker];

    /// The code used in configuration and metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Gp => "gp",
            Self::Acute => "acute",
            Self::Community => "community",
            Self::Broker => "broker",
        }
    }

    /// Reads a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.code() == code)
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct KindSet(u8);

impl KindSet {
    /// No kind.
    pub const EMPTY: Self = Self(0);

    /// This set with one more kind.
    #[must_use]
    pub const fn with(self, kind: SourceKind) -> Self {
        Self(self.0 | 1 << kind as u8)
    }

    /// Whether the kind is in the set.
    pub const fn contains(self, kind: SourceKind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }
}

impl FromIterator<SourceKind> for KindSet {
    fn from_iter<I: IntoIterator<Item = SourceKind>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::EMPTY, Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_safe_words() {
        assert!(SourceId::parse("gp-a99901").is_ok());
        for bad in ["", "GP", "1gp", "gp_1", "gp/1", "-gp"] {
            assert_eq!(SourceId::parse(bad), Err(NameError::SourceId), "{bad}");
        }
        assert!(SourceId::parse(&"a".repeat(65)).is_err());
    }

    #[test]
    fn ods_codes_are_upper_case() {
        assert!(OdsCode::parse("A99901").is_ok());
        assert!(OdsCode::parse("a99901").is_err());
        assert!(OdsCode::parse("A9").is_err());
    }
}
