//! A checked JSON document that is read in place: no value is ever copied, rounded or re-ordered.
//!
//! [`Document::scan`] is the safety gate for bytes from outside. Once it has passed, a document is valid
//! UTF-8 and valid JSON, no deeper than allowed, with no key twice in one object; and every value is a
//! slice of the text that was received, so decimals, dates and codes stay what the source wrote.

mod scan;
mod sheet;
mod text;

use std::borrow::Cow;
use std::ops::Range;

use tributary_model::FaultClass;

pub use sheet::{Rewrite, Sheet};
pub use text::{escape_into, has_byte, quoted};

/// Bounds on a document from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Deepest nesting of objects and arrays.
    pub depth: usize,
    /// Most values and keys together.
    pub tokens: usize,
    /// Longest string, in bytes of its JSON form.
    pub string_bytes: usize,
    /// Longest key, in bytes.
    pub key_bytes: usize,
    /// Longest number, in bytes.
    pub number_bytes: usize,
}

impl Default for Limits {
    /// The limits of the ingest gate.
    fn default() -> Self {
        Self { depth: 64, tokens: 2_000_000, string_bytes: 5 << 20, key_bytes: 256, number_bytes: 512 }
    }
}

/// Why a text was refused. It names the class and the place, never the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} at byte {offset}", .class.code())]
pub struct Rejection {
    /// What is wrong.
    pub class: FaultClass,
    /// Byte offset at which it was noticed.
    pub offset: usize,
}

/// What a JSON value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// A number, kept as text.
    Number,
    /// `true`
    True,
    /// `false`
    False,
    /// `null`
    Null,
}

/// One value on the tape: where its text begins and ends, and where the next value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Node {
    start: u32,
    end: u32,
    /// Index of the node after this value and everything inside it.
    next: u32,
    kind: NodeKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NodeKind {
    Value(Kind),
    /// An object key; `start..end` is its text without the quotes.
    Key,
}

/// A place that later steps rewrite, noted while scanning so that nobody has to search for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A string under the key `reference`.
    Reference,
    /// A string under the key `system` that begins with `http://hl7.org/fhir/`, or with the address to which
    /// R4 moved such systems.
    System,
    /// A string under the key `url` that names a `Binary`: what is attached.
    Attachment,
    /// A string under the key `div`: a narrative.
    Narrative,
}

impl Mark {
    /// The key that such a string stands under.
    const fn key(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::System => "system",
            Self::Attachment => "url",
            Self::Narrative => "div",
        }
    }
}

/// A scanned text and the tape of its values.
pub struct Document {
    text: String,
    tape: Vec<Node>,
    marks: Vec<(Mark, u32)>,
}

impl Document {
    /// Checks a text from outside and indexes it.
    pub fn scan(bytes: Vec<u8>, limits: &Limits) -> Result<Self, Rejection> {
        let text = String::from_utf8(bytes).map_err(|error| Rejection {
            class: FaultClass::Utf8,
            offset: error.utf8_error().valid_up_to(),
        })?;
        scan::scan(text, limits)
    }

    /// The outermost value.
    pub const fn root(&self) -> Json<'_> {
        Json { doc: self, at: 0 }
    }

    /// The value at a place that [`Json::place`] gave of this document.
    pub fn at(&self, place: u32) -> Option<Json<'_>> {
        self.node(place).map(|_| Json { doc: self, at: place })
    }

    /// Whether a value is one of this document.
    pub fn holds(&self, value: Json<'_>) -> bool {
        std::ptr::eq(self, value.doc)
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Bytes this document keeps in memory: text, tape and marks.
    pub const fn weight(&self) -> usize {
        self.text.capacity()
            + self.tape.capacity() * size_of::<Node>()
            + self.marks.capacity() * size_of::<(Mark, u32)>()
    }

    fn node(&self, at: u32) -> Option<&Node> {
        self.tape.get(at as usize)
    }

    /// The marked strings in a part of the tape.
    fn marks_of(&self, nodes: Range<u32>) -> impl Iterator<Item = (Mark, Json<'_>)> {
        let first = self.marks.partition_point(|(_, at)| *at < nodes.start);
        let rest = self.marks.get(first..).unwrap_or_default();
        let inside = rest.iter().take_while(move |(_, at)| *at < nodes.end);
        inside.map(|(mark, at)| (*mark, Json { doc: self, at: *at }))
    }
}

/// A value inside a [`Document`].
#[derive(Clone, Copy)]
pub struct Json<'d> {
    doc: &'d Document,
    at: u32,
}

impl std::fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The content may be clinical.
        f.debug_struct("Json").field("kind", &self.kind()).field("span", &self.span()).finish()
    }
}

impl<'d> Json<'d> {
    fn node(self) -> Node {
        // A cursor is only made for an existing node; an empty null stands in for the impossible.
        self.doc.node(self.at).copied().unwrap_or(Node {
            start: 0,
            end: 0,
            next: 0,
            kind: NodeKind::Value(Kind::Null),
        })
    }

    /// What the value is.
    pub fn kind(self) -> Kind {
        match self.node().kind {
            NodeKind::Value(kind) => kind,
            NodeKind::Key => Kind::String,
        }
    }

    /// Names the value within its document.
    pub const fn place(self) -> u32 {
        self.at
    }

    /// Where the value stands in the text.
    pub fn span(self) -> Range<usize> {
        let node = self.node();
        node.start as usize..node.end as usize
    }

    /// The value exactly as it was received.
    pub fn raw(self) -> &'d str {
        self.doc.text.get(self.span()).unwrap_or_default()
    }

    /// The member of an object.
    pub fn get(self, key: &str) -> Option<Self> {
        if self.kind() != Kind::Object {
            return None;
        }
        let tape = self.doc.tape.get(..self.node().next as usize)?;
        let text = self.doc.text.as_bytes();
        let mut at = self.at as usize + 1;
        // Looked up more often than anything else: keys of another length are passed over unread.
        while let Some([name, value, ..]) = tape.get(at..) {
            let is_as_long = (name.end - name.start) as usize == key.len();
            if is_as_long && text.get(name.start as usize..name.end as usize) == Some(key.as_bytes()) {
                return Some(Self { doc: self.doc, at: name.next });
            }
            at = value.next as usize;
        }
        None
    }

    /// The value at the end of a chain of keys. Where a step is an array, its first item is taken.
    pub fn path(self, keys: &[&str]) -> Option<Self> {
        keys.iter().try_fold(self, |value, key| value.first_or_self().get(key)).map(Self::first_or_self)
    }

    fn first_or_self(self) -> Self {
        if self.kind() == Kind::Array { self.items().next().unwrap_or(self) } else { self }
    }

    /// The members of an object in their order; nothing for any other value.
    pub fn members(self) -> impl Iterator<Item = (&'d str, Self)> {
        let doc = self.doc;
        self.children(Kind::Object).map(move |at| {
            let key = doc.node(at).map(|node| node.start as usize..node.end as usize).unwrap_or_default();
            (doc.text.get(key).unwrap_or_default(), Self { doc, at: at + 1 })
        })
    }

    /// The items of an array; nothing for any other value.
    pub fn items(self) -> impl Iterator<Item = Self> {
        let doc = self.doc;
        self.children(Kind::Array).map(move |at| Self { doc, at })
    }

    /// The items of an array, or the value itself when it is no array. FHIR versions differ in that.
    pub fn each(self) -> impl Iterator<Item = Self> {
        let single = (self.kind() != Kind::Array).then_some(self);
        self.items().chain(single)
    }

    fn children(self, kind: Kind) -> impl Iterator<Item = u32> {
        let doc = self.doc;
        let end = if self.kind() == kind { self.node().next } else { 0 };
        let mut at = self.at + 1;
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let child = at;
            let node = doc.node(at)?;
            // A key is followed by its value; step over both.
            at = if node.kind == NodeKind::Key { doc.node(at + 1)?.next } else { node.next };
            Some(child)
        })
    }

    /// The text of a string with its escapes resolved.
    pub fn text(self) -> Option<Cow<'d, str>> {
        (self.kind() == Kind::String).then(|| {
            let raw = self.raw();
            text::unescape(raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default())
        })
    }

    /// The text of a string member.
    pub fn text_at(self, key: &str) -> Option<Cow<'d, str>> {
        self.get(key)?.text()
    }

    /// Whether a string member has exactly this text.
    pub fn says(self, key: &str, text: &str) -> bool {
        self.text_at(key).is_some_and(|found| found == text)
    }

    /// A boolean.
    pub fn truth(self) -> Option<bool> {
        match self.kind() {
            Kind::True => Some(true),
            Kind::False => Some(false),
            Kind::Object | Kind::Array | Kind::String | Kind::Number | Kind::Null => None,
        }
    }

    /// The marked strings inside this value, in text order.
    pub fn marks(self) -> impl Iterator<Item = (Mark, Self)> {
        self.doc.marks_of(self.at..self.node().next)
    }

    /// Copies the value to `out`, with marked strings replaced where `rewrite` gives new text.
    ///
    /// Everything else is copied in runs, byte for byte.
    pub fn copy_into(self, out: &mut String, rewrite: &mut Rewrite<'_>) {
        self.copy_adding(out, rewrite, &[]);
    }

    /// As [`Json::copy_into`], with texts put in: each before the byte at its offset in the document. The offsets
    /// ascend and lie in no marked string.
    pub fn copy_adding(self, out: &mut String, rewrite: &mut Rewrite<'_>, additions: &[(usize, String)]) {
        let whole = Run { key: None, doc: self.doc, nodes: self.at..self.node().next, span: self.span() };
        whole.copy_adding(out, rewrite, additions);
    }

    /// The members of an object that `is_kept` names, as few runs of text as possible.
    pub fn runs(self, is_kept: impl Fn(&str) -> bool) -> impl Iterator<Item = Run<'d>> {
        let doc = self.doc;
        let mut members = self.members().filter(move |(key, _)| is_kept(key)).peekable();
        std::iter::from_fn(move || {
            let (key, value) = members.next()?;
            let mut run = Run::of(key, value);
            // Members that stand side by side as we should write them are copied in one go.
            while run.key.is_none()
                && let Some(next) = members.next_if(|(key, value)| {
                    let next = Run::of(key, *value);
                    next.key.is_none() && doc.text.get(run.span.end..next.span.start) == Some(",")
                })
            {
                run.nodes.end = next.1.node().next;
                run.span.end = next.1.span().end;
            }
            Some(run)
        })
    }
}

/// Text of a document with its part of the tape: a value, or members that stand side by side.
#[derive(Clone, Debug)]
pub struct Run<'d> {
    /// The key that has to be written before the text; `None` where the text has its own.
    pub key: Option<&'d str>,
    doc: &'d Document,
    nodes: Range<u32>,
    span: Range<usize>,
}

impl<'d> Run<'d> {
    /// One member: with its key where nothing but a colon stands between key and value.
    fn of(key: &'d str, value: Json<'d>) -> Self {
        let doc = value.doc;
        let (nodes, span) = (value.at..value.node().next, value.span());
        let name = value.at.checked_sub(1).and_then(|at| doc.node(at)).map(|node| (node.start, node.end));
        match name {
            Some((start, end)) if doc.text.get(end as usize..span.start) == Some("\":") => {
                Self { key: None, doc, nodes, span: (start as usize).saturating_sub(1)..span.end }
            }
            _ => Self { key: Some(key), doc, nodes, span },
        }
    }

    /// Those of some ascending additions that lie in this text.
    pub fn within<'t>(&self, additions: &'t [(usize, String)]) -> &'t [(usize, String)] {
        let first = additions.partition_point(|(at, _)| *at < self.span.start);
        let end = additions.partition_point(|(at, _)| *at < self.span.end);
        additions.get(first..end).unwrap_or_default()
    }

    /// Copies the text as [`Json::copy_adding`] does.
    pub fn copy_adding(&self, out: &mut String, rewrite: &mut Rewrite<'_>, additions: &[(usize, String)]) {
        let span = &self.span;
        let mut copied = span.start;
        let mut copy_to = |out: &mut String, to: usize, from: usize| {
            out.push_str(self.doc.text.get(copied..to).unwrap_or_default());
            copied = from;
        };
        let mut additions = additions.iter().peekable();
        for (mark, string) in self.doc.marks_of(self.nodes.clone()) {
            let place = string.span();
            while let Some((at, text)) = additions.next_if(|(at, _)| *at <= place.start) {
                copy_to(out, *at, *at);
                out.push_str(text);
            }
            let Some(text) = string.text() else { continue };
            if let Some(replacement) = rewrite(mark, &text) {
                copy_to(out, place.start, place.end);
                text::quote_into(out, &replacement);
            }
        }
        for (at, text) in additions {
            copy_to(out, *at, *at);
            out.push_str(text);
        }
        copy_to(out, span.end, span.end);
    }
}

#[cfg(test)]
mod tests;
