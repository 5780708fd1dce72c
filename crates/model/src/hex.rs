//! Bytes in hexadecimal digits: digests, traces. A record has twenty digests, so they are written in one go.

use std::fmt;

const DIGITS: &[u8; 16] = b"0123456789abcdef";
/// Bytes whose digits are written together: a SHA-256 digest.
const TOGETHER: usize = 32;

/// Shows bytes as lower-case hexadecimal digits, two each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hex<'b>(pub &'b [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for bytes in self.0.chunks(TOGETHER) {
            let mut pairs = [[0; 2]; TOGETHER];
            for (pair, byte) in pairs.iter_mut().zip(bytes) {
                *pair = [digit(byte >> 4), digit(byte & 15)];
            }
            let written = pairs.as_flattened().get(..2 * bytes.len()).unwrap_or_default();
            f.write_str(std::str::from_utf8(written).map_err(|_no_digits| fmt::Error)?)?;
        }
        Ok(())
    }
}

fn digit(value: u8) -> u8 {
    DIGITS.get(usize::from(value)).copied().unwrap_or_default()
}

/// Reads lower-case digits, two for each byte; `None` for anything else, and for more or fewer.
pub fn read_hex<const BYTES: usize>(text: &str) -> Option<[u8; BYTES]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut bytes = [0; BYTES];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = value(*high)? << 4 | value(*low)?;
    }
    (pairs.len() == BYTES && rest.is_empty()).then_some(bytes)
}

const fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_shown_as_the_standard_library_shows_it() {
        let all: Vec<u8> = (0..=255).collect();
        for length in [0, 1, 8, 31, 32, 33, 64, 256] {
            let bytes = &all[256 - length..];
            let slow: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(Hex(bytes).to_string(), slow.concat());
        }
    }

    #[test]
    fn what_is_shown_reads_back_and_nothing_else_does() {
        let bytes: [u8; 32] = std::array::from_fn(|at| 255 - u8::try_from(at * 7).unwrap());
        let text = Hex(&bytes).to_string();
        assert_eq!(read_hex(&text), Some(bytes));
        let wrong = [
            String::new(),
            text.to_uppercase(),
            text.replacen('f', "g", 1),
            text.replacen('f', "+", 1),
            format!("{text}0"),
            format!("{text}00"),
            text.split_at(62).0.to_owned(),
            "é".repeat(32),
        ];
        for text in wrong {
            assert_eq!(read_hex::<32>(&text), None, "{text}");
        }
    }
}
