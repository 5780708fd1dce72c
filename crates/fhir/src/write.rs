//! Writes JSON of our own making.

use std::fmt::Write as _;

use crate::json::escape_into;

/// Builds JSON text; commas are put where they belong.
///
/// It trusts its caller for the nesting, not for the text: strings are escaped.
#[derive(Default)]
pub struct Writer {
    out: String,
}

impl Writer {
    /// A writer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { out: String::with_capacity(capacity) }
    }

    fn comma(&mut self) {
        let follows =
            self.out.as_bytes().last().is_some_and(|last| !matches!(last, b'{' | b'[' | b':' | b','));
        if follows {
            self.out.push(',');
        }
    }

    /// Writes an object whose members `fill` writes.
    pub fn object(&mut self, fill: impl FnOnce(&mut Self)) {
        self.comma();
        self.out.push('{');
        fill(self);
        self.out.push('}');
    }

    /// Writes an array whose items `fill` writes.
    pub fn array(&mut self, fill: impl FnOnce(&mut Self)) {
        self.comma();
        self.out.push('[');
        fill(self);
        self.out.push(']');
    }

    /// Writes a key; its value must follow. Keys are our own or have passed the gate: they need no escapes.
    pub fn key(&mut self, key: &str) -> &mut Self {
        debug_assert!(!key.contains(['"', '\\']), "a key without escapes");
        self.comma();
        self.out.push('"');
        self.out.push_str(key);
        self.out.push_str("\":");
        self
    }

    /// Writes a string value.
    pub fn string(&mut self, text: &str) {
        self.comma();
        self.out.push('"');
        escape_into(&mut self.out, text);
        self.out.push('"');
    }

    /// Writes a string member.
    pub fn text(&mut self, key: &str, text: &str) {
        self.key(key).string(text);
    }

    /// Writes a string member when there is one.
    pub fn text_if(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }

    /// Writes an object of string members.
    pub fn record<const N: usize>(&mut self, members: [(&str, &str); N]) {
        self.object(|object| members.iter().for_each(|(key, text)| object.text(key, text)));
    }

    /// Writes a whole number.
    pub fn number(&mut self, number: u64) {
        self.comma();
        // Writing to a String cannot fail.
        let _infallible = write!(self.out, "{number}");
    }

    /// Writes a boolean.
    pub fn truth(&mut self, truth: bool) {
        self.comma();
        self.out.push_str(if truth { "true" } else { "false" });
    }

    /// Lets `copy` append JSON text that is known to be whole.
    pub fn raw(&mut self, copy: impl FnOnce(&mut String)) {
        self.comma();
        copy(&mut self.out);
    }

    /// Bytes written so far.
    pub const fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing was written.
    pub const fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// The finished text.
    pub fn finish(self) -> String {
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_and_escapes() {
        let mut json = Writer::default();
        json.object(|o| {
            o.text("a", "x\"\n");
            o.key("b").array(|list| {
                list.number(1);
                list.truth(true);
                list.object(|_| {});
                list.string("");
            });
            o.text_if("c", None);
        });
        assert_eq!(json.finish(), r#"{"a":"x\"\n","b":[1,true,{},""]}"#);
    }
}
