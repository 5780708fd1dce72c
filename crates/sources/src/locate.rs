//! Which sources are expected to hold a part of a patient's record.

mod fixed;
mod traced;

use tower::util::BoxCloneSyncService;
use tributary_model::{Locate, LocateFault, Located};

use crate::national::practice::PracticeSource;

pub use fixed::Fixed;
pub use traced::Traced;

/// Names the expected sources of a patient. Every one of them is reported in the answer.
pub type Locator = BoxCloneSyncService<Locate, Located<PracticeSource>, LocateFault>;

#[cfg(test)]
mod tests;
