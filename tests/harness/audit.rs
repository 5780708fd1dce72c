//! Reads the audit log from its files by hand, not with our own reader.

use std::path::Path;

use serde_json::Value;

/// Every record of a log, oldest first. Ends where a segment holds no whole record any more.
pub fn records(dir: &Path) -> Vec<Value> {
    let mut found = Vec::new();
    for bytes in segments(dir) {
        let mut at = 0;
        while let Some(head) = bytes.get(at..at + 8) {
            let length = u32::from_le_bytes(head[..4].try_into().expect("four bytes")) as usize;
            let payload = bytes.get(at + 8..at + 8 + length).filter(|payload| !payload.is_empty());
            let Some(record) = payload.and_then(|payload| serde_json::from_slice(payload).ok()) else {
                break;
            };
            found.push(record);
            at += 8 + length;
        }
    }
    found
}

/// The bytes of every segment, oldest first.
pub fn segments(dir: &Path) -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|ext| ext == "log")).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap_or_default()).collect()
}
