//! One tag, read as XML would read it.

const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// Most attributes that are looked at; a tag with more is none.
const MOST_ATTRIBUTES: usize = 64;

/// A start or end tag.
pub(super) struct Tag<'t> {
    /// Its bytes, angle brackets included.
    pub(super) raw: &'t str,
    pub(super) name: &'t str,
    pub(super) attributes: Vec<Attribute<'t>>,
    /// `</…>`
    pub(super) is_end: bool,
    /// `<…/>`
    pub(super) is_empty: bool,
}

/// One attribute.
pub(super) struct Attribute<'t> {
    /// Its bytes.
    pub(super) raw: &'t str,
    pub(super) name: &'t str,
    /// What stands between the quotes.
    pub(super) value: &'t str,
}

/// Reads the tag that a text begins with, and gives what follows it. `None` when it is no tag: then no reader
/// agrees with another on what it is. No tag reaches over the next `<`, so no text is searched twice.
pub(super) fn read(text: &str) -> Option<(Tag<'_>, &str)> {
    let inside = text.strip_prefix('<')?;
    let (is_end, inside) = inside.strip_prefix('/').map_or((false, inside), |inside| (true, inside));
    let (name, mut rest) = name(inside)?;
    let mut attributes: Vec<Attribute<'_>> = Vec::new();
    loop {
        let next = rest.trim_start_matches(SPACE);
        let end = next.strip_prefix("/>").map(|after| (true, after));
        if let Some((is_empty, after)) = end.or_else(|| Some((false, next.strip_prefix('>')?))) {
            let raw = text.get(..text.len() - after.len())?;
            let is_sound = !is_end || (attributes.is_empty() && !is_empty);
            return is_sound.then_some((Tag { raw, name, attributes, is_end, is_empty }, after));
        }
        // An attribute is set apart by space.
        if next.len() == rest.len() || attributes.len() == MOST_ATTRIBUTES {
            return None;
        }
        let (one, after) = attribute(next)?;
        if attributes.iter().any(|before| before.name.eq_ignore_ascii_case(one.name)) {
            return None;
        }
        attributes.push(one);
        rest = after;
    }
}

fn name(text: &str) -> Option<(&str, &str)> {
    let is_part =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | ':' | '_' | '.');
    let end = text.find(|character| !is_part(character))?;
    let (name, rest) = text.split_at(end);
    name.starts_with(|first: char| first.is_ascii_alphabetic()).then_some((name, rest))
}

fn attribute(text: &str) -> Option<(Attribute<'_>, &str)> {
    let (name, rest) = name(text)?;
    let rest = rest.trim_start_matches(SPACE).strip_prefix('=')?.trim_start_matches(SPACE);
    let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let inside = rest.get(1..)?;
    let end = inside.find([quote, '<'])?;
    let (value, after) = inside.split_at(end);
    let after = after.strip_prefix(quote)?;
    let raw = text.get(..text.len() - after.len())?;
    Some((Attribute { raw, name, value }, after))
}
