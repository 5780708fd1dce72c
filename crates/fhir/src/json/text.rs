//! Escaping and unescaping of JSON strings.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Appends `text` as a JSON string, quotes included.
pub(super) fn quote_into(out: &mut String, text: &str) {
    out.push('"');
    escape_into(out, text);
    out.push('"');
}

/// `text` as a JSON string, quotes included.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    quote_into(&mut out, text);
    out
}

/// Appends `text` with the characters escaped that JSON demands, without quotes.
pub fn escape_into(out: &mut String, text: &str) {
    let mut rest = text;
    // What is escaped is one byte long, so the text can be cut before and after it.
    while let Some((plain, special, after)) = split(rest) {
        out.push_str(plain);
        match special {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => {
                // Writing to a String cannot fail.
                let _infallible = write!(out, "\\u{control:04x}");
            }
        }
        rest = after;
    }
    out.push_str(rest);
}

/// The text before the first byte that must be escaped, that byte, and what follows it.
fn split(text: &str) -> Option<(&str, u8, &str)> {
    let bytes = text.as_bytes();
    let (words, _) = bytes.as_chunks::<8>();
    let word = words.iter().position(|word| specials(u64::from_le_bytes(*word)) != 0);
    // Flags above the lowest may be echoes of it, so the byte itself is looked for.
    let from = word.unwrap_or(words.len()) * 8;
    let place = from + bytes.get(from..)?.iter().position(|byte| is_special(*byte))?;
    Some((text.get(..place)?, *bytes.get(place)?, text.get(place + 1..)?))
}

const fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..b' ')
}

/// Flags the bytes that are a quote, a backslash or below space, in their highest bit. Only the lowest flag is
/// exact: higher ones may be echoes of it.
pub(super) const fn specials(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let quote = word ^ (ONES * b'"' as u64);
    let slash = word ^ (ONES * b'\\' as u64);
    let zero_in_quote = quote.wrapping_sub(ONES) & !quote;
    let zero_in_slash = slash.wrapping_sub(ONES) & !slash;
    let below_space = word.wrapping_sub(ONES * b' ' as u64) & !word;
    (zero_in_quote | zero_in_slash | below_space) & HIGH
}

/// The text of a scanned string body. Borrowed when there is nothing to resolve.
pub(super) fn unescape(body: &str) -> Cow<'_, str> {
    if !has_byte(body.as_bytes(), [b'\\']) {
        return Cow::Borrowed(body);
    }
    let mut out = String::with_capacity(body.len());
    let mut rest = body;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        out.push_str(plain);
        rest = resolve(escaped, &mut out);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Whether one of some bytes is in a text. Texts are short and looked at more often than anything else: eight bytes at
/// a time, and no call.
#[inline]
pub fn has_byte<const N: usize>(text: &[u8], wanted: [u8; N]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let is_in = |word: &[u8; 8]| {
        let flags = wanted.iter().fold(0, |flags, byte| {
            let found = u64::from_le_bytes(*word) ^ (ONES * u64::from(*byte));
            flags | (found.wrapping_sub(ONES) & !found)
        });
        flags & HIGH != 0
    };
    let (words, rest) = text.as_chunks::<8>();
    // The last eight bytes cover the rest, and some of them twice.
    let is_in_rest = || match text.last_chunk() {
        Some(last) => is_in(last),
        None => rest.iter().any(|byte| wanted.contains(byte)),
    };
    words.iter().any(is_in) || (!rest.is_empty() && is_in_rest())
}

/// Resolves one escape, gives what follows it. The scanner has checked the form.
fn resolve<'a>(escaped: &'a str, out: &mut String) -> &'a str {
    let mut rest = escaped.chars();
    match rest.next() {
        Some('u') => {
            let (high, after) = hex4(rest.as_str());
            if !(0xD800..0xDC00).contains(&high) {
                out.push(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
                return after;
            }
            let (low, after) = after.strip_prefix("\\u").map_or((0, after), hex4);
            let point = 0x1_0000 + ((high - 0xD800) << 10) + low.saturating_sub(0xDC00);
            out.push(char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER));
            return after;
        }
        Some('n') => out.push('\n'),
        Some('r') => out.push('\r'),
        Some('t') => out.push('\t'),
        Some('b') => out.push('\u{8}'),
        Some('f') => out.push('\u{c}'),
        Some(same) => out.push(same),
        None => {}
    }
    rest.as_str()
}

fn hex4(text: &str) -> (u32, &str) {
    let digits = text.get(..4).unwrap_or_default();
    (u32::from_str_radix(digits, 16).unwrap_or(0), text.get(4..).unwrap_or_default())
}
