//! JSON in the making that keeps its own tape, so that what was checked once need not be scanned again.
//!
//! Whatever is copied comes from a document that has passed the gate, with its part of the tape; the rest is of our
//! own making. What comes out is exactly what [`Document::scan`] would make of the text: debug builds check that of
//! every document.

use tributary_model::FaultClass;

use super::scan::{has_key_twice, mark_of, narrow};
use super::{Document, Json, Kind, Limits, Mark, Node, NodeKind, Rejection, text};

/// New text for a marked string, where it changes.
pub type Rewrite<'r> = dyn FnMut(Mark, &str) -> Option<String> + 'r;

/// A document in the making. It trusts its caller for the nesting; commas are put where they belong.
#[derive(Default)]
pub struct Sheet {
    text: String,
    tape: Vec<Node>,
    marks: Vec<(Mark, u32)>,
    /// How many containers are open, and were at most.
    depth: usize,
    deepest: usize,
    /// Whether the next value stands under a key.
    keyed: bool,
    /// What is wrong with it, if anything is.
    fault: Option<FaultClass>,
    /// Room for the changes inside one copied value.
    changes: Vec<Change>,
}

/// A string inside a copied value that has another length now.
#[derive(Clone, Copy, Debug)]
struct Change {
    /// Where the string ended.
    end: u32,
    /// How far everything after it has moved, modulo 2³².
    moved: u32,
}

impl Sheet {
    /// A sheet with room for about as much as this document, and an eighth more.
    pub fn like(document: &Document) -> Self {
        let (bytes, nodes) = (document.text.len(), document.tape.len());
        Self {
            text: String::with_capacity(bytes + bytes / 8),
            tape: Vec::with_capacity(nodes + nodes / 8 + 16),
            marks: Vec::with_capacity(document.marks.len()),
            ..Self::default()
        }
    }

    fn comma(&mut self) {
        if !matches!(self.text.as_bytes().last(), None | Some(b'{' | b'[' | b':' | b',')) {
            self.text.push(',');
        }
    }

    /// Writes an object whose members `fill` writes.
    pub fn object(&mut self, fill: impl FnOnce(&mut Self)) {
        let place = self.begin(Kind::Object, '{');
        fill(self);
        self.end(place, '}');
        if has_key_twice(&self.tape, self.text.as_bytes(), place) {
            self.fault = self.fault.or(Some(FaultClass::JsonDuplicate));
        }
    }

    /// Writes an array whose items `fill` writes.
    pub fn array(&mut self, fill: impl FnOnce(&mut Self)) {
        let place = self.begin(Kind::Array, '[');
        fill(self);
        self.end(place, ']');
    }

    fn begin(&mut self, kind: Kind, bracket: char) -> usize {
        self.comma();
        self.keyed = false;
        let place = self.tape.len();
        let start = narrow(self.text.len());
        self.tape.push(Node { start, end: start, next: narrow(place), kind: NodeKind::Value(kind) });
        self.text.push(bracket);
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        place
    }

    fn end(&mut self, place: usize, bracket: char) {
        self.text.push(bracket);
        self.depth -= 1;
        let (end, next) = (narrow(self.text.len()), narrow(self.tape.len()));
        if let Some(node) = self.tape.get_mut(place) {
            node.end = end;
            node.next = next;
        }
    }

    /// Writes a key that needs no escapes; its value must follow.
    pub fn key(&mut self, key: &str) -> &mut Self {
        self.comma();
        self.text.push('"');
        let start = narrow(self.text.len());
        self.text.push_str(key);
        let end = narrow(self.text.len());
        self.text.push_str("\":");
        let next = narrow(self.tape.len() + 1);
        self.tape.push(Node { start, end, next, kind: NodeKind::Key });
        self.keyed = true;
        self
    }

    /// Writes a string.
    pub fn string(&mut self, text: &str) {
        self.comma();
        let start = self.text.len();
        text::quote_into(&mut self.text, text);
        self.leaf(start, Kind::String);
    }

    /// Writes JSON text of our own: a string, or a fragment.
    pub fn fragment(&mut self, json: &str) {
        if json.starts_with('"') {
            self.comma();
            let start = self.text.len();
            self.text.push_str(json);
            self.leaf(start, Kind::String);
            return;
        }
        match Document::scan(json.as_bytes().to_vec(), &Limits::default()) {
            Ok(document) => self.copy(document.root(), &mut |_, _| None),
            Err(Rejection { class, .. }) => self.fault = self.fault.or(Some(class)),
        }
    }

    /// Notes a value that has just been written, in what it stands under.
    fn leaf(&mut self, start: usize, kind: Kind) {
        let place = narrow(self.tape.len());
        if kind == Kind::String && self.keyed {
            let key = self.tape.last().and_then(|key| self.text.get(key.start as usize..key.end as usize));
            let body = self.text.get(start + 1..self.text.len() - 1).unwrap_or_default();
            let mark = key.and_then(|key| mark_of(key.as_bytes(), body.as_bytes()));
            self.marks.extend(mark.map(|mark| (mark, place)));
        }
        self.keyed = false;
        let (start, end) = (narrow(start), narrow(self.text.len()));
        self.tape.push(Node { start, end, next: place + 1, kind: NodeKind::Value(kind) });
    }

    /// Copies a value with its part of the tape. Marked strings are replaced where `rewrite` gives new text.
    pub fn copy(&mut self, json: Json<'_>, rewrite: &mut Rewrite<'_>) {
        self.comma();
        let kind = json.kind();
        if !matches!(kind, Kind::Object | Kind::Array) {
            let start = self.text.len();
            json.copy_into(&mut self.text, rewrite);
            self.leaf(start, kind);
            return;
        }
        self.keyed = false;
        let old = json.node();
        let moved = narrow(self.text.len()).wrapping_sub(old.start);
        let renumbered = narrow(self.tape.len()).wrapping_sub(json.at);
        self.changes.clear();
        self.copy_text(json, renumbered, rewrite);
        let nodes = json.doc.tape.get(json.at as usize..old.next as usize).unwrap_or_default();
        if self.changes.is_empty() {
            self.tape.extend(nodes.iter().map(|node| Node {
                start: node.start.wrapping_add(moved),
                end: node.end.wrapping_add(moved),
                next: node.next.wrapping_add(renumbered),
                kind: node.kind,
            }));
            return;
        }
        let changes = &self.changes;
        let moved_at = |place: u32| {
            let before = changes.partition_point(|change| change.end <= place);
            let last = before.checked_sub(1).and_then(|last| changes.get(last));
            place.wrapping_add(last.map_or(moved, |change| change.moved))
        };
        self.tape.extend(nodes.iter().map(|node| Node {
            start: moved_at(node.start),
            end: moved_at(node.end),
            next: node.next.wrapping_add(renumbered),
            kind: node.kind,
        }));
    }

    /// Copies the text of a value and its marks, and notes what moved by how much.
    fn copy_text(&mut self, json: Json<'_>, renumbered: u32, rewrite: &mut Rewrite<'_>) {
        let span = json.span();
        let mut copied = span.start;
        for (mark, string) in json.marks() {
            let place = string.span();
            let replacement = string.text().and_then(|text| rewrite(mark, &text));
            let mut kept = Some(mark);
            if let Some(replacement) = replacement {
                self.text.push_str(json.doc.text.get(copied..place.start).unwrap_or_default());
                let start = self.text.len();
                text::quote_into(&mut self.text, &replacement);
                let body = self.text.get(start + 1..self.text.len() - 1).unwrap_or_default();
                kept = mark_of(mark.key().as_bytes(), body.as_bytes());
                copied = place.end;
                let moved = narrow(self.text.len()).wrapping_sub(narrow(place.end));
                self.changes.push(Change { end: narrow(place.end), moved });
            }
            self.marks.extend(kept.map(|mark| (mark, string.at.wrapping_add(renumbered))));
        }
        self.text.push_str(json.doc.text.get(copied..span.end).unwrap_or_default());
    }

    /// The finished document, unless it is beyond these limits or has a key twice in one object.
    pub fn finish(self, limits: &Limits) -> Result<Document, FaultClass> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        // What is copied is no deeper than the gate allows, wherever it stands.
        if self.deepest + Limits::default().depth > limits.depth {
            return Err(FaultClass::JsonDepth);
        }
        if u32::try_from(self.text.len()).is_err() || self.tape.len() > limits.tokens {
            return Err(FaultClass::TooLarge);
        }
        let document = Document { text: self.text, tape: self.tape, marks: self.marks };
        debug_assert!(document.is_as_scanned(limits), "a sheet is what a scan makes of it");
        Ok(document)
    }
}

impl Document {
    /// Whether a scan of the text finds the same tape and the same marks.
    fn is_as_scanned(&self, limits: &Limits) -> bool {
        Self::scan(self.text.clone().into_bytes(), limits)
            .is_ok_and(|scanned| scanned.tape == self.tape && scanned.marks == self.marks)
    }
}
