//! Time as an argument.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

/// Tells the wall-clock time. Everything dated in an answer comes from here.
///
/// Durations and deadlines never do: they use the monotonic clock ([`crate::Deadline`]).
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The instant now.
    fn now(&self) -> Timestamp;

    /// Whether time stands still. Then no duration is shown in an answer, so that answers can be
    /// compared byte for byte.
    fn is_fixed(&self) -> bool {
        false
    }
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that stands still, for stories and tests.
#[derive(Clone, Copy, Debug)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn is_fixed(&self) -> bool {
        true
    }
}

impl Clock for Arc<dyn Clock> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }

    fn is_fixed(&self) -> bool {
        (**self).is_fixed()
    }
}
