//! What is wrong with a configuration, and where.

use std::fmt;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The key, as `source[2].base_url`; empty when the text is not TOML at all.
    pub path: String,
    /// The line it stands in, from 1; `None` for what is missing as a whole.
    pub line: Option<usize>,
    /// What is wrong, and what would be right.
    pub says: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.says)
    }
}
