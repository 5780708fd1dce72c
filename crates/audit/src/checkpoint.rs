//! Checkpoints: how long a log is, and the root of its tree (C2SP tlog-checkpoint).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::chain::Digest;
use crate::note::{Note, SigningKey};

/// Whose log, how long, and the root of its tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Names the log: `<deployment>/audit/<node>`.
    pub origin: String,
    /// How many records it has. The number of the last one is the same.
    pub size: u64,
    /// Root of the tree over the hashes of its records.
    pub root: Digest,
}

impl Checkpoint {
    /// The text that is signed.
    pub(crate) fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.bytes()))
    }

    /// Reads such a text. What a log adds below is signed with it, and says nothing here.
    pub(crate) fn of_text(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let number: u64 = size.parse().ok()?;
        let root = Digest::from_bytes(STANDARD.decode(root).ok()?.try_into().ok()?);
        let is_plain = !origin.is_empty() && number.to_string() == size && lines.all(|line| !line.is_empty());
        is_plain.then(|| Self { origin: origin.to_owned(), size: number, root })
    }

    /// Reads a note that holds a checkpoint; its signatures are not looked at.
    pub fn of_note(note: &str) -> Option<Self> {
        Self::of_text(Note::parse(note)?.text)
    }

    /// The note, signed if there is a key.
    pub(crate) fn note(&self, key: Option<&SigningKey>) -> String {
        let mut note = self.text();
        let line = key.map(|key| key.line(&note, 0)).unwrap_or_default();
        // Writing to a String cannot fail.
        let _infallible = write!(note, "\n{line}");
        note
    }
}
