//! The audit log in memory, which can be made to stall and to fail.

use std::io;
use std::sync::{Arc, Condvar, Mutex};

use serde_json::Value;
use tokio::sync::watch;
use tributary_audit::{Files, SegmentFile};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    Stalls,
    Fails,
}

#[derive(Clone)]
pub(crate) struct Log(Arc<Inner>);

struct Inner {
    kept: Mutex<Kept>,
    changed: Condvar,
    stalled: watch::Sender<bool>,
}

struct Kept {
    trouble: Trouble,
    /// Each with the place where it begins.
    records: Vec<(u64, Value)>,
    length: u64,
}

impl Log {
    pub(crate) fn new() -> Self {
        let kept = Kept { trouble: Trouble::None, records: Vec::new(), length: 0 };
        let (kept, stalled) = (Mutex::new(kept), watch::Sender::new(false));
        Self(Arc::new(Inner { kept, changed: Condvar::new(), stalled }))
    }

    pub(crate) fn trouble(&self, what: Trouble) {
        self.0.kept.lock().unwrap().trouble = what;
        self.0.changed.notify_all();
    }

    /// Returns when the writer stands still.
    pub(crate) async fn has_stalled(&self) {
        self.0.stalled.subscribe().wait_for(|stalled| *stalled).await.unwrap();
    }

    pub(crate) fn count(&self) -> usize {
        self.0.kept.lock().unwrap().records.len()
    }

    /// Whether a record of this kind is there that `is_it` knows.
    pub(crate) fn has(&self, kind: &str, is_it: impl Fn(&Value) -> bool) -> bool {
        let kept = self.0.kept.lock().unwrap();
        kept.records.iter().rev().any(|(_, one)| one["kind"] == kind && is_it(one))
    }
}

impl Files for Log {
    fn create(&mut self, _number: u32) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(self.clone()))
    }

    fn remove(&mut self, _number: u32) -> io::Result<()> {
        Ok(())
    }
}

impl SegmentFile for Log {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut kept = self.0.kept.lock().unwrap();
        while kept.trouble == Trouble::Stalls {
            self.0.stalled.send_replace(true);
            kept = self.0.changed.wait(kept).unwrap();
        }
        self.0.stalled.send_replace(false);
        if kept.trouble == Trouble::Fails {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut rest = bytes;
        while let Some((head, after)) = rest.split_at_checked(8) {
            let length = u32::from_le_bytes(head[..4].try_into().unwrap()) as usize;
            let (payload, after) = after.split_at(length);
            let at = kept.length + (bytes.len() - rest.len()) as u64;
            // What the player writes to know that all before it is written is no part of the story.
            if !payload.windows(15).any(|window| window == b"\"kind\":\"config\"") {
                kept.records.push((at, serde_json::from_slice(payload).unwrap()));
            }
            rest = after;
        }
        kept.length += bytes.len() as u64;
        Ok(())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        let mut kept = self.0.kept.lock().unwrap();
        kept.records.retain(|(at, _)| *at < length);
        kept.length = length;
        Ok(())
    }
}
