//! Writes the small part of XHTML that narratives may use. All text is escaped.

/// A narrative while it is written.
pub(super) struct Xhtml {
    out: String,
}

impl Xhtml {
    pub(super) fn new() -> Self {
        let open = "<div xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en-GB\" xml:lang=\"en-GB\">";
        Self { out: open.to_owned() }
    }

    /// An element that holds other elements.
    pub(super) fn within(&mut self, tag: &'static str, fill: impl FnOnce(&mut Self)) {
        self.tag("<", tag);
        fill(self);
        self.tag("</", tag);
    }

    /// An element that holds text.
    pub(super) fn element(&mut self, tag: &'static str, text: &str) {
        self.within(tag, |html| html.escape(text));
    }

    fn tag(&mut self, open: &str, tag: &str) {
        self.out.push_str(open);
        self.out.push_str(tag);
        self.out.push('>');
    }

    fn escape(&mut self, text: &str) {
        for letter in text.chars() {
            match letter {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                // XML 1.0 has no way to write these.
                '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                    self.out.push('\u{fffd}');
                }
                _ => self.out.push(letter),
            }
        }
    }

    pub(super) fn finish(mut self) -> String {
        self.out.push_str("</div>");
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_never_becomes_markup() {
        let mut html = Xhtml::new();
        html.element("p", "<script>alert(\"&amp;\")</script>\u{1}\u{fffe}");
        let text = html.finish();
        let (_, inner) = text.split_once("<p>").unwrap();
        let safe = "&lt;script&gt;alert(&quot;&amp;amp;&quot;)&lt;/script&gt;\u{fffd}\u{fffd}</p></div>";
        assert_eq!(inner, safe);
    }
}
