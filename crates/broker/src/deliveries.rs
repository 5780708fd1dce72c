//! Answers on their way: what was disclosed, and whether it arrived.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;
use tributary_audit::{Delivered, Delivery, Receipt};
use tributary_model::RequestId;

/// More answers than this on their way at once would mean that somebody forgets to close them.
const MOST_OPEN: usize = 10_000;

/// Open deliveries by the sequence id of their disclosure.
#[derive(Debug)]
pub(crate) struct Deliveries {
    open: Mutex<BTreeMap<String, Open>>,
    log_is_well: AtomicBool,
}

#[derive(Debug)]
struct Open {
    request: RequestId,
    receipt: Receipt,
    since: Instant,
}

impl Default for Deliveries {
    fn default() -> Self {
        Self { open: Mutex::default(), log_is_well: AtomicBool::new(true) }
    }
}

impl Deliveries {
    /// Notes that an answer is about to leave; gives the sequence id that names it.
    pub(crate) fn begin(&self, request: RequestId, receipt: Receipt) -> String {
        let name = receipt.to_string();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= MOST_OPEN {
            open.pop_first();
        }
        open.insert(name.clone(), Open { request, receipt, since: Instant::now() });
        name
    }

    /// The record of how a delivery ended; `None` when it is not open.
    pub(crate) fn close(&self, name: &str, bytes: u64, delivered: Delivered) -> Option<Delivery> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(name)?;
        let elapsed_ms = u64::try_from(open.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        Some(Delivery { request: open.request, disclosure: open.receipt, delivered, bytes, elapsed_ms })
    }

    /// Remembers whether the log took its last record.
    pub(crate) fn note_log(&self, is_well: bool) {
        self.log_is_well.store(is_well, Ordering::Relaxed);
    }

    /// Whether the log took its last record.
    pub(crate) fn log_is_well(&self) -> bool {
        self.log_is_well.load(Ordering::Relaxed)
    }
}
