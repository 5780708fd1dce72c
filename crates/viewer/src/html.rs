//! Builds HTML in which only the program writes markup.

/// A page in the making. Markup comes from constants; every other text goes through [`escape_into`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Html(String);

impl Html {
    /// Markup. The lifetime keeps anything from outside out.
    pub(crate) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Words, escaped.
    pub(crate) fn text(&mut self, words: &str) -> &mut Self {
        escape_into(&mut self.0, words);
        self
    }

    /// A number.
    pub(crate) fn number(&mut self, number: usize) -> &mut Self {
        self.0.push_str(&number.to_string());
        self
    }

    /// An element that holds only words.
    pub(crate) fn element(&mut self, open: &'static str, words: &str, close: &'static str) -> &mut Self {
        self.raw(open).text(words).raw(close)
    }

    /// What was built elsewhere in the same way.
    pub(crate) fn part(&mut self, part: &Self) -> &mut Self {
        self.0.push_str(&part.0);
        self
    }

    /// The finished page.
    pub(crate) fn finish(self) -> String {
        self.0
    }
}

/// Appends words so that they are nothing but words, in content and in quoted attributes.
///
/// Controls and marks that reorder text are shown as replacement characters: on screen they could make one
/// medicine look like another.
pub(crate) fn escape_into(out: &mut String, words: &str) {
    for character in words.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\r' | '\t' => out.push(character),
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => out.push(char::REPLACEMENT_CHARACTER),
            control if control.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_never_become_markup() {
        let mut html = Html::default();
        html.element("<p>", "<script>alert('x' + \"y\") && 1</script>\u{202E}\u{0}", "</p>");
        assert_eq!(
            html.finish(),
            "<p>&lt;script&gt;alert(&#39;x&#39; + &quot;y&quot;) &amp;&amp; 1&lt;/script&gt;\u{FFFD}\u{FFFD}</p>"
        );
    }
}
