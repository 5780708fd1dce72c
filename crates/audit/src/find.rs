//! One record of a log, by its number.

use std::io;
use std::path::Path;

use crate::scan::Pieces;
use crate::segment;

/// The record with this number as it is stored, a JSON object; nothing if there is none. Chain and checksums are
/// checked on the way, from the first segment on: what does not follow from what came before is not found.
pub fn find(dir: &Path, seq: u64) -> io::Result<Option<String>> {
    let pieces = Pieces::survey(dir, &segment::list(dir)?)?;
    let (mut link, mut found) = (None, None);
    for piece in &pieces.pieces {
        let walk = piece.walk_whole(&mut link, &mut |head, _leaf, payload| {
            if head.seq == seq {
                found = std::str::from_utf8(payload).ok().map(ToOwned::to_owned);
            }
        })?;
        if found.is_some() || walk.problem.is_some() {
            break;
        }
    }
    Ok(found)
}
