//! CRC-32C (Castagnoli, RFC 3720 B.4): finds torn and flipped bytes at once; the hash chain finds the rest.

const LANES: usize = 8;
const TABLES: [[u32; 256]; LANES] = tables();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks it")]
#[expect(clippy::cast_possible_truncation, reason = "a table has 256 places")]
const fn tables() -> [[u32; 256]; LANES] {
    let mut tables = [[0_u32; 256]; LANES];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0x82F6_3B78 } else { 0 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut lane = 1;
    while lane < LANES {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[lane - 1][byte];
            tables[lane][byte] = (crc >> 8) ^ tables[0][(crc & 0xFF) as usize];
            byte += 1;
        }
        lane += 1;
    }
    tables
}

#[expect(clippy::indexing_slicing, reason = "a byte is a place in a table of 256")]
const fn look_up(lane: usize, byte: u8) -> u32 {
    TABLES[lane][byte as usize]
}

/// The checksum of some bytes.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    // Eight bytes a step: the verifier's speed is mostly this loop and SHA-256.
    let (words, rest) = bytes.as_chunks::<LANES>();
    let mut crc = !0_u32;
    for word in words {
        let mixed = u64::from_le_bytes(*word) ^ u64::from(crc);
        let lanes = mixed.to_le_bytes().into_iter().zip((0..LANES).rev());
        crc = lanes.fold(0, |crc, (byte, lane)| crc ^ look_up(lane, byte));
    }
    !rest.iter().fold(crc, |crc, byte| step(crc, *byte))
}

/// The length of the first prefix of `bytes` that ends in `last` and has this checksum.
pub(crate) fn prefix_with(bytes: &[u8], sum: u32, last: u8) -> Option<usize> {
    let mut crc = !0_u32;
    bytes
        .iter()
        .position(|byte| {
            crc = step(crc, *byte);
            *byte == last && !crc == sum
        })
        .map(|place| place + 1)
}

const fn step(crc: u32, byte: u8) -> u32 {
    let [low, ..] = crc.to_le_bytes();
    (crc >> 8) ^ look_up(0, low ^ byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_vectors_hold() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(&[0xFF; 32]), 0x62A8_AB43);
        assert_eq!(crc32c(b""), 0);
    }

    #[test]
    fn prefix_is_found_by_its_sum() {
        assert_eq!(prefix_with(b"123456789abc", 0xE306_9283, b'9'), Some(9));
        assert_eq!(prefix_with(b"12345678", 0xE306_9283, b'9'), None);
    }
}
