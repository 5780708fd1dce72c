//! Characters in XML 1.0.

use std::fmt::Write as _;

/// Whether XML 1.0 can carry a character at all, be it as a reference.
pub(super) const fn is_char(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// Appends `text` as the inside of a double-quoted attribute; false if a character cannot be carried.
///
/// White space other than blanks becomes a reference: a reader turns it into blanks otherwise.
pub(super) fn attribute_into(out: &mut String, text: &str) -> bool {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => {
                // Writing to a String cannot fail.
                let _infallible = write!(out, "&#{};", u32::from(c));
            }
            c if is_char(c) => out.push(c),
            _ => return false,
        }
    }
    true
}
