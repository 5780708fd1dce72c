//! Words that are nowhere but in the records of one run.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tributary_tests::sha256;

/// Bytes of a canary that are looked for: short enough that a torn one is found, long enough that no other bytes
/// are like them.
pub(crate) const WINDOW: usize = 12;

/// A word of 48 hexadecimal digits that no other run has.
#[expect(clippy::disallowed_methods, reason = "chance, not time")]
pub(crate) fn word() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    sha256(&format!("{now} {} {count}", std::process::id()))[..48].to_owned()
}

/// What is looked for: pieces of bytes, each with the name of what it is a piece of.
#[derive(Debug, Default)]
pub(crate) struct Canaries {
    pieces: Mutex<Vec<(Vec<u8>, String)>>,
}

impl Canaries {
    /// Looks for every third window of these bytes, too.
    pub(crate) fn add(&self, name: &str, bytes: &[u8]) {
        let pieces = bytes.windows(WINDOW).step_by(3).map(|piece| (piece.to_vec(), name.to_owned()));
        self.pieces.lock().unwrap().extend(pieces);
    }

    /// A new word that is looked for.
    pub(crate) fn word(&self, name: &str) -> String {
        let word = word();
        self.add(name, word.as_bytes());
        word
    }

    /// More than 150 kB as base64. Looked for as base64 and as what it stands for.
    pub(crate) fn attachment(&self, name: &str) -> String {
        let word = self.word(name);
        self.add(&format!("{name}, decoded"), &STANDARD.decode(&word).unwrap());
        word.repeat(3_200)
    }

    /// A few places of a compressed body; its head and its tail are not its own.
    pub(crate) fn compressed(&self, name: &str, bytes: &[u8]) {
        for part in 1..4 {
            let at = bytes.len() * part / 4;
            if let Some(piece) = bytes.get(at..at + WINDOW).filter(|_| bytes.len() > 400) {
                self.pieces.lock().unwrap().push((piece.to_vec(), name.to_owned()));
            }
        }
    }

    /// What is looked for by now.
    pub(crate) fn pieces(&self) -> Vec<(Vec<u8>, String)> {
        self.pieces.lock().unwrap().clone()
    }
}
