//! The tour's pages as markup. Every word from outside is escaped.

use std::fmt::Display;

use super::caption::Caption;

pub(super) const STYLE: &str = include_str!("tour.css");
pub(super) const SCRIPT: &str = include_str!("tour.js");

const OPEN: &str = "<!DOCTYPE html>\n<html lang=\"en-GB\">\n<head>\n<meta charset=\"utf-8\">\n\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
<link rel=\"stylesheet\" href=\"/demo/tour.css\">\n<script src=\"/demo/tour.js\" defer></script>\n<title>";
const HEADER: &str = " - Tributary demo</title>\n</head>\n<body class=\"tour-page\">\n\
<a class=\"tour-skip\" href=\"#main\">Skip to main content</a>\n<header class=\"tour-top\">\n\
<a href=\"/demo\">Tributary <span>demo</span></a></header>\n<main id=\"main\" tabindex=\"-1\">\n<h1>";
const FOOTER: &str = "</main>\n<footer class=\"tour-bottom\"><p>Every patient is invented. Not for clinical use.</p>\
</footer>\n</body>\n</html>\n";

/// A whole page: its heading, and what is below it.
pub(super) fn page(title: &str, content: &str) -> String {
    let title = escaped(title);
    format!("{OPEN}{title}{HEADER}{title}</h1>\n{content}{FOOTER}")
}

/// The rule that a step shows, and its proof.
pub(super) fn caption(caption: Caption) -> String {
    let Caption { rule, file, test } = caption;
    format!(
        "<p class=\"tour-caption\">Rule: {rule} Held by the test <code>{test}</code> in <code>{file}</code>.</p>\n"
    )
}

/// A form that sends these fields by one button.
pub(super) fn button(action: &str, fields: &[(&str, &str)], words: impl Display) -> String {
    let words = escaped(&words.to_string());
    let hidden = |(name, value): &(&str, &str)| {
        ["<input type=\"hidden\" name=\"", name, "\" value=\"", &escaped(value), "\">"].concat()
    };
    let fields: Vec<String> = fields.iter().map(hidden).collect();
    let fields = fields.concat();
    format!(
        "<form class=\"tour-form\" method=\"post\" data-live action=\"{action}\">{fields}<button class=\"tour-button\">{words}</button></form>\n"
    )
}

/// Words that are nothing but words, in content and in quoted attributes.
pub(super) fn escaped(words: &str) -> String {
    let mut safe = String::with_capacity(words.len());
    for character in words.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// A JSON text with a line for each member. No token of it is changed.
pub(super) fn indented(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    for character in json.chars() {
        if in_string {
            out.push(character);
            in_string = is_escaped || character != '"';
            is_escaped = character == '\\' && !is_escaped;
            continue;
        }
        match character {
            '{' | '[' => {
                depth += 1;
                out.push(character);
                new_line(&mut out, depth);
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(character);
            }
            ',' => {
                out.push(character);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            '"' => {
                in_string = true;
                out.push(character);
            }
            blank if blank.is_ascii_whitespace() => {}
            other => out.push(other),
        }
    }
    out
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_indented_is_the_same_json() {
        let json = r#"{"a":[1.0,"x, {y}: \"z\\"],"b":{"c":null}}"#;
        let lines = indented(json);
        assert_eq!(lines.lines().count(), 9, "{lines}");
        let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(parsed(&lines), parsed(json));
        assert!(lines.contains("1.0"));
    }

    #[test]
    fn words_never_become_markup() {
        let form = button("/record", &[("nhs", "\"><script>")], "<b>'&");
        assert!(form.contains("value=\"&quot;&gt;&lt;script&gt;\"") && form.contains("&lt;b&gt;&#39;&amp;"));
    }
}
