//! Where records become durable: the seam behind which other stores stand.

use crate::error::AuditError;
use crate::record::{Appended, Draft};

pub(crate) mod local;

/// Gives records their place in a chain and makes them durable.
pub trait Sink: Send {
    /// Appends all of a batch or none of it. When it returns, the records are durable. Blocks; called by one thread
    /// of the trail's own.
    fn append(&mut self, batch: &[Draft]) -> Result<Appended, AuditError>;
}
