//! Searches the memory of this process for a word without knowing it in clear.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

const CHUNK: usize = 1 << 20;
const DISGUISE: u8 = 0x5A;

/// A word of which every byte is changed, so that it is not itself found.
pub(crate) struct Disguised(Vec<u8>);

impl Disguised {
    pub(crate) fn of(word: &str) -> String {
        let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap();
        word.bytes()
            .map(|byte| byte ^ DISGUISE)
            .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
            .collect()
    }

    pub(crate) fn read(text: &str) -> Self {
        let pairs = text.as_bytes().chunks(2);
        Self(pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect())
    }

    fn is_at(&self, bytes: &[u8]) -> bool {
        bytes.len() >= self.0.len() && self.0.iter().zip(bytes).all(|(one, other)| one ^ DISGUISE == *other)
    }

    fn count(&self, bytes: &[u8]) -> usize {
        let first = self.0[0] ^ DISGUISE;
        let places = bytes.iter().enumerate().filter(|(_, byte)| **byte == first);
        places.filter(|(at, _)| self.is_at(&bytes[*at..])).count()
    }

    /// How often the word stands anywhere in writable memory.
    pub(crate) fn in_memory(&self) -> usize {
        let memory = File::open("/proc/self/mem").unwrap();
        let mut chunk = vec![0_u8; CHUNK];
        let own = chunk.as_ptr() as u64..chunk.as_ptr() as u64 + CHUNK as u64;
        let mut found = 0;
        for (mut at, to) in writable() {
            while at < to {
                // The buffer holds what was read before, and is no finding.
                if own.contains(&at) {
                    at = own.end;
                    continue;
                }
                let end = if at < own.start { to.min(own.start) } else { to };
                let wanted = usize::try_from(end - at).unwrap().min(CHUNK);
                let read = memory.read_at(&mut chunk[..wanted], at).unwrap_or(0);
                found += self.count(&chunk[..read]);
                let next = at + wanted as u64;
                // A word may lie across two chunks.
                at = if next < end { next - self.0.len() as u64 } else { next };
            }
        }
        found
    }
}

fn writable() -> Vec<(u64, u64)> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let regions = maps.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (from, to) = words.next()?.split_once('-')?;
        let is_writable = words.next()?.starts_with("rw");
        let number = |text| u64::from_str_radix(text, 16).ok();
        is_writable.then(|| Some((number(from)?, number(to)?)))?
    });
    regions.collect()
}
