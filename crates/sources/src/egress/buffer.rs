//! A body while it grows; every byte of it is taken from the memory budget first.
//!
//! It is kept in pieces: making room never copies more than one piece, however long the body becomes, so a source
//! that floods holds nobody up.

use tributary_model::{FaultClass, Lease, MemoryBudget};

/// Most room set aside on the word of a head alone: whoever promises much and sends nothing must not hold the
/// budget. Records have half of that.
const FIRST_ROOM_BYTES: u64 = 1 << 20;
/// Least room added at a time.
const LEAST_ROOM_BYTES: usize = 8 << 10;
/// A piece that has this length is followed by the next.
const PIECE_BYTES: usize = 256 << 10;
/// More than this is wiped and given back on a thread of its own: that takes a millisecond for four megabytes.
const LET_GO_BYTES: usize = 1 << 20;

/// The bytes so far. No `Debug`: it would show clinical text.
pub(super) struct Buffer {
    pieces: Vec<Vec<u8>>,
    bytes: usize,
    held: Lease,
}

impl Buffer {
    /// Room for as many bytes as are expected, within reason.
    pub(super) fn new(memory: &MemoryBudget, expected: u64) -> Result<Self, FaultClass> {
        let held = memory.take(0).map_err(|_spent| FaultClass::Memory)?;
        let mut buffer = Self { pieces: Vec::new(), bytes: 0, held };
        let first = usize::try_from(expected.min(FIRST_ROOM_BYTES)).unwrap_or(0);
        if first > 0 {
            buffer.add_piece(first)?;
        }
        Ok(buffer)
    }

    pub(super) const fn len(&self) -> usize {
        self.bytes
    }

    pub(super) fn extend(&mut self, mut more: &[u8]) -> Result<(), FaultClass> {
        while !more.is_empty() {
            let spare = self.pieces.last().map_or(0, |last| last.capacity() - last.len());
            if spare == 0 {
                self.add_room(more.len())?;
                continue;
            }
            let (now, rest) = more.split_at(spare.min(more.len()));
            if let Some(piece) = self.pieces.last_mut() {
                piece.extend_from_slice(now);
            }
            self.bytes += now.len();
            more = rest;
        }
        Ok(())
    }

    /// The bytes in one piece, and what they hold of the budget. Many pieces are joined on a thread of their own.
    pub(super) async fn into_parts(mut self) -> Result<(Vec<u8>, Lease), FaultClass> {
        if self.pieces.len() <= 1 {
            return Ok((self.pieces.pop().unwrap_or_default(), std::mem::take(&mut self.held)));
        }
        // For a moment there are both, the pieces and the whole.
        self.held.grow(self.bytes as u64).map_err(|_spent| FaultClass::Memory)?;
        let join = move || {
            let whole = std::mem::take(&mut self.pieces).concat();
            let mut held = std::mem::take(&mut self.held);
            // It becomes less, which is always granted.
            let _granted = held.resize(whole.capacity() as u64);
            (whole, held)
        };
        tokio::task::spawn_blocking(join).await.map_err(|_panicked| FaultClass::Internal)
    }

    /// Twice as much room as there is while the last piece is small, another piece when it is not. Where there is no
    /// room for so much there may be room for `least`.
    fn add_room(&mut self, least: usize) -> Result<(), FaultClass> {
        let length = self.pieces.last().map_or(0, Vec::capacity);
        if length == 0 || length * 2 > PIECE_BYTES {
            let wanted = if length == 0 { least.max(LEAST_ROOM_BYTES) } else { PIECE_BYTES };
            return self.add_piece(wanted).or_else(|_spent| self.add_piece(least.min(wanted)));
        }
        let taken = self.held.grow(length as u64).map(|()| length);
        let taken = taken.or_else(|_spent| self.held.grow(least as u64).map(|()| least));
        let more = taken.map_err(|_spent| FaultClass::Memory)?;
        if let Some(piece) = self.pieces.last_mut() {
            piece.reserve_exact(more);
        }
        Ok(())
    }

    fn add_piece(&mut self, bytes: usize) -> Result<(), FaultClass> {
        self.held.grow(bytes as u64).map_err(|_spent| FaultClass::Memory)?;
        self.pieces.push(Vec::with_capacity(bytes));
        Ok(())
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let (pieces, held) = (std::mem::take(&mut self.pieces), std::mem::take(&mut self.held));
        if self.bytes > LET_GO_BYTES
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            // In this order: what is held counts until it is gone.
            drop(runtime.spawn_blocking(move || {
                drop(pieces);
                drop(held);
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_byte_is_held_that_was_not_taken() {
        let memory = MemoryBudget::new(40_000);
        let mut buffer = Buffer::new(&memory, 1000).unwrap();
        assert_eq!(memory.taken(), 1000);
        for _ in 0..39 {
            buffer.extend(&[b'x'; 1000]).unwrap();
            let room: usize = buffer.pieces.iter().map(Vec::capacity).sum();
            assert!(room as u64 <= memory.taken());
        }
        buffer.extend(&[b'x'; 1000]).unwrap();
        assert_eq!(buffer.extend(b"x"), Err(FaultClass::Memory));
        let (bytes, held) = buffer.into_parts().await.unwrap();
        assert_eq!((bytes.len(), held.bytes()), (40_000, 40_000));
        drop(held);
        assert_eq!(memory.taken(), 0);
    }

    #[test]
    fn a_promise_alone_takes_little() {
        let memory = MemoryBudget::default();
        let _promised = Buffer::new(&memory, 10_000_000_000).unwrap();
        assert_eq!(memory.taken(), FIRST_ROOM_BYTES);
    }

    #[tokio::test]
    async fn a_long_body_is_joined_and_holds_what_it_has() {
        let memory = MemoryBudget::default();
        let mut buffer = Buffer::new(&memory, 0).unwrap();
        let text: Vec<u8> = (0..3_000_001_u32).map(|number| number.to_le_bytes()[0]).collect();
        text.chunks(16_000).for_each(|chunk| buffer.extend(chunk).unwrap());
        assert_eq!(buffer.len(), text.len());
        assert!(
            buffer.pieces.iter().all(|piece| piece.capacity() <= PIECE_BYTES),
            "nothing longer was copied"
        );
        let (whole, held) = buffer.into_parts().await.unwrap();
        assert!(whole == text);
        assert_eq!((held.bytes(), memory.taken()), (whole.capacity() as u64, whole.capacity() as u64));
    }

    #[tokio::test]
    async fn what_is_let_go_elsewhere_counts_until_it_is_gone() {
        let memory = MemoryBudget::default();
        let mut buffer = Buffer::new(&memory, 0).unwrap();
        (0..200).for_each(|_| buffer.extend(&[b'x'; 16_000]).unwrap());
        drop(buffer);
        while memory.taken() > 0 {
            tokio::task::yield_now().await;
        }
    }
}
