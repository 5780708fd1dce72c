//! `[policy]`: which table is in force, and which widening of it somebody signed for.

use std::path::PathBuf;

use tributary_audit::Digest;

use super::reader::Reader;

/// Which policy is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicySettings {
    /// The table; without it the one that is part of the product.
    pub file: Option<PathBuf>,
    /// Digest of what a reload may widen, as `tributary policy diff` tells it.
    pub approved: Option<Digest>,
}

pub(super) fn read(mut table: Reader<'_>) -> PolicySettings {
    let settings = PolicySettings {
        file: table.words("file").map(PathBuf::from),
        approved: table.parsed("approved", |text| {
            Digest::from_hex(text)
                .ok_or("is not the hash that `tributary policy diff` prints: 64 hexadecimal digits")
        }),
    };
    table.close();
    settings
}
