//! Which sources are expected to hold a part of a patient's record.

mod fixed;

use tower::util::BoxCloneSyncService;
use tributary_model::{NhsNumber, SourceId};

pub use fixed::Fixed;

/// Names the expected sources of a patient. Every one of them is reported in the answer.
pub type Locator = BoxCloneSyncService<NhsNumber, Vec<SourceId>, LocateFault>;

/// The expected sources could not be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocateFault {
    /// The service that knows was not reached in time.
    #[error("the locating service gave no answer")]
    Unavailable,
}
