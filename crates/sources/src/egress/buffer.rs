//! A body while it grows, in one piece; every byte of it is taken from the memory budget first.

use tributary_model::{FaultClass, Lease, MemoryBudget};

/// Most room set aside on the word of a head alone: whoever promises much and sends nothing must not hold the
/// budget. Records have half of that.
const FIRST_ROOM_BYTES: u64 = 1 << 20;
/// Least room added at a time.
const LEAST_ROOM_BYTES: usize = 8 << 10;

/// The bytes so far. No `Debug`: it would show clinical text.
pub(super) struct Buffer {
    bytes: Vec<u8>,
    held: Lease,
}

impl Buffer {
    /// Room for as many bytes as are expected, within reason.
    pub(super) fn new(memory: &MemoryBudget, expected: u64) -> Result<Self, FaultClass> {
        let held = memory.take(0).map_err(|_spent| FaultClass::Memory)?;
        let mut buffer = Self { bytes: Vec::new(), held };
        buffer.add_room(usize::try_from(expected.min(FIRST_ROOM_BYTES)).unwrap_or(0))?;
        Ok(buffer)
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn extend(&mut self, more: &[u8]) -> Result<(), FaultClass> {
        let spare = self.bytes.capacity() - self.bytes.len();
        if more.len() > spare {
            let twice = self.bytes.capacity().max(LEAST_ROOM_BYTES);
            let least = more.len() - spare;
            // Where there is no room for twice as much there may be room for this.
            self.add_room(twice.max(least)).or_else(|_spent| self.add_room(least))?;
        }
        self.bytes.extend_from_slice(more);
        Ok(())
    }

    /// The bytes, and what they hold of the budget.
    pub(super) fn into_parts(self) -> (Vec<u8>, Lease) {
        (self.bytes, self.held)
    }

    fn add_room(&mut self, bytes: usize) -> Result<(), FaultClass> {
        self.held.grow(bytes as u64).map_err(|_spent| FaultClass::Memory)?;
        let spare = self.bytes.capacity() - self.bytes.len();
        self.bytes.reserve_exact(spare + bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_byte_is_held_that_was_not_taken() {
        let memory = MemoryBudget::new(40_000);
        let mut buffer = Buffer::new(&memory, 1000).unwrap();
        assert_eq!(memory.taken(), 1000);
        for _ in 0..39 {
            buffer.extend(&[b'x'; 1000]).unwrap();
            assert!(buffer.bytes.capacity() as u64 <= memory.taken());
        }
        buffer.extend(&[b'x'; 1000]).unwrap();
        assert_eq!(buffer.extend(b"x"), Err(FaultClass::Memory));
        let (bytes, held) = buffer.into_parts();
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
}
