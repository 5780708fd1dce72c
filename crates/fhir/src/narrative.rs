//! Narratives that reach a reader: scripts, links and remote images are taken out, every word stays.
//!
//! A narrative comes from outside and is shown by whoever reads the record. What an allow-list knows to be plain
//! formatting is copied byte for byte, and so is all text. Everything else loses its markup and keeps its words;
//! only the inside of a script or a style sheet, which is no text, goes with it. Tags that do not fit together
//! are left out or closed, so that what follows the narrative on a page cannot be drawn into it.
//!
//! The work is one pass; nothing is read twice but the inside of one tag.

mod tag;

use tag::{Attribute, Tag};

/// Deepest nesting that is kept; what is deeper keeps its words alone.
const DEEPEST: usize = 64;

/// Elements that FHIR allows in a narrative (R4 narrative, rule txt-1), those for documents and forms left out.
const ELEMENTS: &[&str] = &[
    "a",
    "abbr",
    "acronym",
    "b",
    "big",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "samp",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "u",
    "ul",
    "var",
];

/// Elements without content.
const VOID: &[&str] = &["br", "col", "hr", "img"];

/// Elements whose content is no text.
const WORDLESS: &[&str] = &["script", "style"];
/// The end mark of those, for the list of marks that do not come.
const WORDLESS_END: &str = "</script>";

/// Attributes that only say how something looks or what it is called.
const ATTRIBUTES: &[&str] = &[
    "abbr",
    "align",
    "alt",
    "axis",
    "border",
    "cellpadding",
    "cellspacing",
    "char",
    "charoff",
    "class",
    "colspan",
    "dir",
    "headers",
    "height",
    "id",
    "lang",
    "name",
    "nowrap",
    "rowspan",
    "rules",
    "frame",
    "scope",
    "span",
    "start",
    "summary",
    "title",
    "type",
    "valign",
    "value",
    "width",
    "xml:lang",
    "xml:space",
];

const XHTML: &str = "http://www.w3.org/1999/xhtml";

/// A narrative that no reader can be hurt by; `None` when it is so already, byte for byte.
pub fn tame(narrative: &str) -> Option<String> {
    if !narrative.contains('<') {
        return None;
    }
    let mut tamer = Tamer { out: String::with_capacity(narrative.len()), open: Vec::new(), lost: Vec::new() };
    let mut rest = narrative;
    while let Some(at) = rest.find('<') {
        let (words, markup) = rest.split_at(at);
        tamer.out.push_str(words);
        rest = tamer.markup(markup);
    }
    tamer.out.push_str(rest);
    tamer.close_to(0);
    (tamer.out != narrative).then_some(tamer.out)
}

struct Tamer<'t> {
    out: String,
    /// The elements that are open, outermost first.
    open: Vec<&'t str>,
    /// End marks that do not come any more, so that nobody looks for them twice.
    lost: Vec<&'static str>,
}

impl<'t> Tamer<'t> {
    /// Takes the piece of markup that the text begins with; gives what follows it.
    fn markup(&mut self, text: &'t str) -> &'t str {
        if let Some(inside) = text.strip_prefix("<!--") {
            if let Some((_, after)) = find(inside, "-->", &mut self.lost) {
                return after;
            }
        } else if let Some(inside) = text.strip_prefix("<![CDATA[") {
            if let Some((words, after)) = find(inside, "]]>", &mut self.lost) {
                self.out.push_str(&words.replace('&', "&amp;").replace('<', "&lt;"));
                return after;
            }
        } else if let Some(inside) = text.strip_prefix("<?") {
            if let Some((_, after)) = find(inside, "?>", &mut self.lost) {
                return after;
            }
        } else if let Some((tag, after)) = tag::read(text) {
            return self.tag(&tag, after);
        }
        // No markup after all: `INR <2` is what somebody wrote.
        self.out.push_str("&lt;");
        text.get(1..).unwrap_or_default()
    }

    fn tag(&mut self, tag: &Tag<'t>, after: &'t str) -> &'t str {
        let name = tag.name.to_ascii_lowercase();
        if WORDLESS.contains(&name.as_str()) && !tag.is_end && !tag.is_empty {
            return self.after_wordless(&name, after);
        }
        if !ELEMENTS.contains(&name.as_str()) {
            return after;
        }
        let is_void = VOID.contains(&name.as_str());
        if tag.is_end {
            if !is_void {
                self.end(tag);
            }
        } else if self.open.len() < DEEPEST {
            self.start(tag, &name);
            if !tag.is_empty && !is_void {
                self.open.push(tag.name);
            }
        }
        after
    }

    /// Skips what is inside a script; without its end there is no telling where it ends, and nothing is skipped.
    fn after_wordless(&mut self, name: &str, inside: &'t str) -> &'t str {
        if self.lost.contains(&WORDLESS_END) {
            return inside;
        }
        let mut rest = inside;
        while let Some(at) = rest.find("</") {
            let end = rest.get(at..).unwrap_or_default();
            if let Some((tag, after)) = tag::read(end)
                && tag.name.eq_ignore_ascii_case(name)
            {
                return after;
            }
            rest = end.get(2..).unwrap_or_default();
        }
        self.lost.push(WORDLESS_END);
        inside
    }

    fn start(&mut self, tag: &Tag<'t>, name: &str) {
        let is_void = VOID.contains(&name);
        let is_whole = tag.attributes.iter().all(|one| is_harmless(name, one)) && (tag.is_empty || !is_void);
        if is_whole {
            self.out.push_str(tag.raw);
            return;
        }
        self.out.push('<');
        self.out.push_str(tag.name);
        for one in tag.attributes.iter().filter(|one| is_harmless(name, one)) {
            self.out.push(' ');
            self.out.push_str(one.raw);
        }
        self.out.push_str(if tag.is_empty || is_void { "/>" } else { ">" });
    }

    /// An end tag closes the innermost element of its name and what is open inside it; without one it goes.
    fn end(&mut self, tag: &Tag<'t>) {
        let Some(depth) = self.open.iter().rposition(|open| *open == tag.name) else { return };
        self.close_to(depth + 1);
        self.open.pop();
        self.out.push_str(tag.raw);
    }

    fn close_to(&mut self, depth: usize) {
        while self.open.len() > depth {
            if let Some(name) = self.open.pop() {
                self.out.push_str("</");
                self.out.push_str(name);
                self.out.push('>');
            }
        }
    }
}

/// The text before and after an end mark; remembers when there is none.
fn find<'t>(text: &'t str, end: &'static str, lost: &mut Vec<&'static str>) -> Option<(&'t str, &'t str)> {
    if lost.contains(&end) {
        return None;
    }
    let found = text.split_once(end);
    if found.is_none() {
        lost.push(end);
    }
    found
}

fn is_harmless(element: &str, one: &Attribute<'_>) -> bool {
    let value = one.value.trim_start();
    match one.name {
        "xmlns" => one.value == XHTML,
        // Inside the narrative itself, and nowhere else.
        "href" => value.starts_with('#'),
        "src" if element == "img" => {
            value.starts_with('#')
                || ["png", "jpeg", "gif"]
                    .iter()
                    .any(|kind| value.starts_with(&format!("data:image/{kind};base64,")))
        }
        "style" => is_plain_style(one.value),
        name => ATTRIBUTES.contains(&name),
    }
}

/// Whether a style only sets colours and sizes. A line through a medicine's name matters, so style is not simply
/// dropped; whatever could load, run or move something is.
fn is_plain_style(style: &str) -> bool {
    let style = style.to_ascii_lowercase();
    let plain = style.replace("rgb(", "").replace("rgba(", "");
    let is_suspect = |character: char| matches!(character, '(' | '\\' | '@' | '&' | '/' | '<' | '\0');
    !plain.contains(is_suspect)
        && !["position", "behavior", "binding", "content"].iter().any(|word| plain.contains(word))
}

#[cfg(test)]
mod tests;
