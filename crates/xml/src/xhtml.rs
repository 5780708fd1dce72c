//! Whether a narrative can stand inside XML as it is.

use super::escape::is_char;
use super::is_name;

const XHTML: &str = "http://www.w3.org/1999/xhtml";
/// Most attributes of one element; each is compared with those before it.
const MAX_ATTRIBUTES: usize = 64;
const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// Whether a text is one well-formed `div` element in the XHTML namespace, and nothing else.
///
/// Stricter than XML where strictness costs nothing: no prefixes but `xml:`, no processing instructions, no
/// document type and hence no entities but the five of XML itself.
pub(super) fn is_div(text: &str) -> bool {
    let text = text.trim_matches(SPACE);
    let is_named = text.strip_prefix('<').and_then(split_name).is_some_and(|(name, _)| name == "div");
    is_named && text.chars().all(is_char) && walk(text).is_some()
}

/// Steps through the markup; `None` at the first fault.
fn walk(text: &str) -> Option<()> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    loop {
        rest = if let Some(comment) = rest.strip_prefix("<!--") {
            comment.split_once("--")?.1.strip_prefix('>')?
        } else if let Some(section) = rest.strip_prefix("<![CDATA[") {
            section.split_once("]]>")?.1
        } else if let Some(tag) = rest.strip_prefix("</") {
            let (name, after) = tag.split_once('>')?;
            (open.pop()? == name.trim_end_matches(SPACE)).then_some(after)?
        } else if let Some(tag) = rest.strip_prefix('<') {
            let (name, tag) = split_name(tag)?;
            let (nested, after) = attributes(tag, open.is_empty())?;
            if nested {
                open.push(name);
            }
            after
        } else {
            let end = rest.find('<')?;
            let (plain, after) = rest.split_at_checked(end)?;
            (!plain.contains("]]>") && references(plain)).then_some(after)?
        };
        // The outermost element is closed: nothing may follow it.
        if open.is_empty() {
            return rest.is_empty().then_some(());
        }
    }
}

/// The attributes of a start tag; tells whether the element has content, and what follows the tag.
fn attributes(tag: &str, outermost: bool) -> Option<(bool, &str)> {
    let mut seen: Vec<&str> = Vec::new();
    let mut namespace = !outermost;
    let mut rest = tag;
    loop {
        let next = rest.trim_start_matches(SPACE);
        if let Some(after) = next.strip_prefix("/>") {
            return namespace.then_some((false, after));
        }
        if let Some(after) = next.strip_prefix('>') {
            return namespace.then_some((true, after));
        }
        // An attribute stands apart from what is before it.
        let apart = next.len() < rest.len();
        let (name, value, after) = attribute(next)?;
        let fresh = !seen.contains(&name);
        let right_space = name != "xmlns" || value == XHTML;
        let few = seen.len() < MAX_ATTRIBUTES;
        let fine = apart && fresh && few && right_space && !value.contains('<') && references(value);
        namespace |= name == "xmlns";
        seen.push(name);
        rest = fine.then_some(after)?;
    }
}

fn attribute(text: &str) -> Option<(&str, &str, &str)> {
    let after_prefix = text.strip_prefix("xml:").unwrap_or(text);
    let (_, after) = split_name(after_prefix)?;
    let name = text.strip_suffix(after)?;
    let value = after.trim_start_matches(SPACE).strip_prefix('=')?.trim_start_matches(SPACE);
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let (value, after) = value.strip_prefix(quote)?.split_once(quote)?;
    Some((name, value, after))
}

fn split_name(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| SPACE.contains(&c) || matches!(c, '>' | '/' | '='))?;
    let (name, after) = text.split_at_checked(end)?;
    is_name(name).then_some((name, after))
}

/// Whether every `&` begins a reference that XML knows.
fn references(text: &str) -> bool {
    text.split('&').skip(1).all(|after| {
        after.split_once(';').is_some_and(|(name, _)| match name.strip_prefix('#') {
            None => matches!(name, "amp" | "lt" | "gt" | "quot" | "apos"),
            Some(number) => referred(number).is_some_and(is_char),
        })
    })
}

/// The character of a numeric reference.
fn referred(number: &str) -> Option<char> {
    let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |digits| (digits, 16));
    // A sign parses as part of a number, but is none here.
    let plain = digits.chars().all(|c| c.is_digit(radix));
    char::from_u32(plain.then(|| u32::from_str_radix(digits, radix).ok())??)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPACED: &str = r#"<div xmlns="http://www.w3.org/1999/xhtml""#;

    #[test]
    fn a_whole_div_is_taken() {
        for rest in [
            "/>",
            "></div>",
            ">a &amp; b &#10; &#xE9;<br/><p class='x\"y' id = \"z\" xml:lang=\"en\">é</p ></div>",
            "><!-- a - b --><![CDATA[<not>&markup]]><i><b>x</b></i></div>\n",
            "\n\tclass=\"a\"><p xmlns=\"http://www.w3.org/1999/xhtml\">a > b</p></div>",
        ] {
            assert!(is_div(&format!("{SPACED}{rest}")), "{rest}");
        }
    }

    #[test]
    fn attributes_are_bounded() {
        let div = |count: usize| {
            let attributes: Vec<String> = (1..count).map(|number| format!(" a{number}=''")).collect();
            let attributes = attributes.concat();
            format!("{SPACED}{attributes}/>")
        };
        assert!(is_div(&div(MAX_ATTRIBUTES)));
        assert!(!is_div(&div(MAX_ATTRIBUTES + 1)));
    }

    #[test]
    fn what_is_not_well_formed_is_noticed() {
        for rest in [
            "",
            ">",
            "><p></div>",
            "><p></div></p>",
            "></div></div>",
            "></div><div/>",
            "></div>text",
            ">a & b</div>",
            ">a &nbsp; b</div>",
            ">a &amp b</div>",
            ">&#0;</div>",
            ">&#xFFFE;</div>",
            ">&#+65;</div>",
            ">&#;</div>",
            ">a ]]> b</div>",
            "><p class=a/></div>",
            "><p class='a' class='b'/></div>",
            "><p class='a'id='b'/></div>",
            "><p class='<'/></div>",
            "><p class='&'/></div>",
            "><p class/></div>",
            "><x:p/></div>",
            "><p x:y='1'/></div>",
            "><p xmlns='urn:other'/></div>",
            "><!-- a -- b --></div>",
            "><!-- a </div>",
            "><![CDATA[ a </div>",
            "><?php x ?></div>",
            "><!DOCTYPE html></div>",
            ">\u{1}</div>",
            "><1/></div>",
            "></di v>",
        ] {
            assert!(!is_div(&format!("{SPACED}{rest}")), "{rest}");
        }
        for text in [
            "",
            "words",
            "<div>no namespace</div>",
            "<div xmlns='urn:other'/>",
            "<p xmlns=\"http://www.w3.org/1999/xhtml\"/>",
            "<division xmlns=\"http://www.w3.org/1999/xhtml\"></division>",
            "before <div xmlns=\"http://www.w3.org/1999/xhtml\"/>",
        ] {
            assert!(!is_div(text), "{text}");
        }
    }
}
