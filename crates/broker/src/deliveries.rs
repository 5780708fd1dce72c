//! Answers on their way: what was disclosed, and whether it arrived.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tributary_audit::{Delivered, Delivery, Receipt};
use tributary_model::RequestId;

/// More answers than this on their way at once would mean that somebody forgets to close them.
const MOST_OPEN: usize = 10_000;

/// How long a log that refused a record is left alone.
const SICK_LEAVE: Duration = Duration::from_secs(10);

/// Open deliveries by the sequence id of their disclosure.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    open: Mutex<BTreeMap<String, Open>>,
    sick_since: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Open {
    request: RequestId,
    receipt: Receipt,
    since: Instant,
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
        *self.sick_since.lock().unwrap_or_else(PoisonError::into_inner) = (!is_well).then(Instant::now);
    }

    /// Whether the log took its last record, or has been sick for so long that it is worth another try: nobody
    /// else will find out that it is well again.
    pub(crate) fn log_is_well(&self) -> bool {
        let sick_since = *self.sick_since.lock().unwrap_or_else(PoisonError::into_inner);
        sick_since.is_none_or(|since| since.elapsed() > SICK_LEAVE)
    }
}
