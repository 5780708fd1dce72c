//! Values that must never reach a log, a span, a metric or an error text.

use std::fmt;

/// Holds a value that identifies or describes a patient or a secret.
///
/// It has no `Display`, and its `Debug` prints `[redacted]`. [`Redacted::expose`] is the only way in,
/// so a search for that word finds every place where such a value is used.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Redacted<T>(T);

impl<T> Redacted<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Use it where the value is needed for its purpose, never to print it.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// Unwraps the value.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_the_value() {
        assert_eq!(format!("{:?}", Redacted::new("9990000107")), "[redacted]");
    }
}
