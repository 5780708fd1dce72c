//! `[cache]`: the memory of replies. Whether a source's replies are kept at all, its own entry says.

use super::reader::Reader;

/// Bounds of the memory of replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// Most bytes kept, keys and bookkeeping included.
    pub max_bytes: u64,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { max_bytes: tributary_broker::Limits::default().cache_bytes }
    }
}

pub(super) fn read(mut table: Reader<'_>) -> CacheSettings {
    let usual = CacheSettings::default();
    let settings =
        CacheSettings { max_bytes: table.number("max_bytes", 0..=64 << 30).unwrap_or(usual.max_bytes) };
    table.close();
    settings
}

#[cfg(test)]
mod tests {
    use crate::Settings;

    #[test]
    fn the_bound_is_read() {
        let read = |text: &str| Settings::parse(text).map(|settings| settings.cache.max_bytes).ok();
        assert_eq!(read("[cache]\nmax_bytes = 0\n"), Some(0));
        assert_eq!(read("[cache]\nmax_bytes = 1048576\n"), Some(1 << 20));
        assert_eq!(read("[cache]\nmax_bytes = -1\n"), None);
        assert_eq!(read("[cache]\nmost = 1\n"), None);
    }
}
