//! Picks the records of one kind out of a log.

use std::io;
use std::path::Path;

use crate::event::Kind;
use crate::scan::{Frames, Step};
use crate::segment;

/// Hands every record of a kind to `visit`, the oldest first: its number, and its JSON. Checksums are looked at, the
/// chain is not: that is the verifier's. `InvalidData` tells of a record that cannot be read; an unfinished one at the
/// very end, as a crash leaves it, is passed over.
pub fn pick(dir: &Path, kind: Kind, visit: &mut dyn FnMut(u64, &[u8])) -> io::Result<()> {
    let numbers = segment::list(dir)?;
    let last = numbers.last().copied();
    for number in numbers {
        let mut frames = Frames::open(&segment::path(dir, number), None)?;
        loop {
            match frames.step()? {
                Step::Record { head, payload } if head.kind == kind.code() => visit(head.seq, payload),
                Step::Record { .. } => {}
                Step::End => break,
                Step::Bad if Some(number) == last => break,
                Step::Bad => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }
    Ok(())
}
