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
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => {
                // Writing to a String cannot fail.
                let _infallible = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
}

/// The text of a scanned string body. Borrowed when there is nothing to resolve.
pub(super) fn unescape(body: &str) -> Cow<'_, str> {
    if !body.contains('\\') {
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
