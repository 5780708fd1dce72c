//! The single pass that checks a text and lays out its tape.

use std::collections::HashSet;

use tributary_model::FaultClass;

use super::text::specials;
use super::{Document, Kind, Limits, Mark, Node, NodeKind, Rejection};

/// Objects up to this size are checked for duplicate keys by comparing pairs; larger ones by hashing.
const PAIRWISE_KEYS: usize = 16;

/// Code systems that moved between STU3 and R4 begin so, in one version or the other.
const MOVED_SYSTEMS: &[&[u8]] = &[b"http://hl7.org/fhir/", b"http://terminology.hl7.org/CodeSystem/"];

pub(super) fn scan(text: String, limits: &Limits) -> Result<Document, Rejection> {
    if u32::try_from(text.len()).is_err() {
        return Err(Rejection { class: FaultClass::TooLarge, offset: 0 });
    }
    let mut scanner = Scanner {
        bytes: text.as_bytes(),
        at: 0,
        limits,
        // Measured on real records: one node for 13 to 40 bytes. To grow is to copy, and to hold both for a while.
        tape: Vec::with_capacity(text.len() / 13 + 1),
        marks: Vec::new(),
    };
    scanner.space();
    scanner.value(0, None)?;
    scanner.space();
    if scanner.at != scanner.bytes.len() {
        return Err(scanner.reject(FaultClass::JsonSyntax));
    }
    let Scanner { mut tape, marks, .. } = scanner;
    // To give back a little room would be to copy, and to wipe, all of it.
    if tape.len() < tape.capacity() / 4 * 3 {
        tape.shrink_to_fit();
    }
    Ok(Document { text, tape, marks })
}

struct Scanner<'t> {
    bytes: &'t [u8],
    at: usize,
    limits: &'t Limits,
    tape: Vec<Node>,
    marks: Vec<(Mark, u32)>,
}

impl<'t> Scanner<'t> {
    const fn reject(&self, class: FaultClass) -> Rejection {
        Rejection { class, offset: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// A value; `key` is the key it stands under.
    fn value(&mut self, depth: usize, key: Option<&[u8]>) -> Result<(), Rejection> {
        match self.peek() {
            Some(b'{') => self.nested(depth, Kind::Object),
            Some(b'[') => self.nested(depth, Kind::Array),
            Some(b'"') => self.string_value(key),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true", Kind::True),
            Some(b'f') => self.word(b"false", Kind::False),
            Some(b'n') => self.word(b"null", Kind::Null),
            _ => Err(self.reject(FaultClass::JsonSyntax)),
        }
    }

    fn nested(&mut self, depth: usize, kind: Kind) -> Result<(), Rejection> {
        if depth >= self.limits.depth {
            return Err(self.reject(FaultClass::JsonDepth));
        }
        let place = self.open(kind)?;
        self.at += 1;
        if kind == Kind::Object {
            self.object(depth, place)?;
        } else {
            self.array(depth)?;
        }
        self.close(place);
        Ok(())
    }

    fn object(&mut self, depth: usize, place: usize) -> Result<(), Rejection> {
        self.space();
        if self.take(b'}') {
            return Ok(());
        }
        let mut looks = Looks::default();
        loop {
            let key = self.key()?;
            looks.note(key);
            self.space();
            self.expect(b':')?;
            self.space();
            self.value(depth + 1, Some(key))?;
            self.space();
            if self.take(b'}') {
                let is_twice = looks.alike && has_key_twice(&self.tape, self.bytes, place);
                return if is_twice { Err(self.reject(FaultClass::JsonDuplicate)) } else { Ok(()) };
            }
            self.expect(b',')?;
            self.space();
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), Rejection> {
        self.space();
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.value(depth + 1, None)?;
            self.space();
            if self.take(b']') {
                return Ok(());
            }
            self.expect(b',')?;
            self.space();
        }
    }

    fn key(&mut self) -> Result<&'t [u8], Rejection> {
        if self.peek() != Some(b'"') {
            return Err(self.reject(FaultClass::JsonSyntax));
        }
        let start = self.at + 1;
        let plain = self.string()?;
        // FHIR names need no escapes; an escaped key is a way to hide a second one of the same name.
        if !plain {
            return Err(Rejection { class: FaultClass::JsonSyntax, offset: start });
        }
        let bytes = self.bytes;
        let key = bytes.get(start..self.at - 1).unwrap_or_default();
        if key.len() > self.limits.key_bytes {
            return Err(Rejection { class: FaultClass::TooLarge, offset: start });
        }
        let next = self.tape.len() + 1;
        self.push(start, self.at - 1, next, NodeKind::Key)?;
        Ok(key)
    }

    fn string_value(&mut self, key: Option<&[u8]>) -> Result<(), Rejection> {
        let start = self.at;
        self.string()?;
        if self.at - start > self.limits.string_bytes {
            return Err(Rejection { class: FaultClass::TooLarge, offset: start });
        }
        let body = self.bytes.get(start + 1..self.at - 1).unwrap_or_default();
        let mark = key.and_then(|key| mark_of(key, body));
        if let Some(mark) = mark {
            self.marks.push((mark, narrow(self.tape.len())));
        }
        self.leaf(start, Kind::String)
    }

    /// Steps over a string; tells whether it has no escape.
    fn string(&mut self) -> Result<bool, Rejection> {
        self.at += 1;
        let mut plain = true;
        loop {
            self.plain_run();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(plain);
                }
                Some(b'\\') => {
                    plain = false;
                    self.escape()?;
                }
                Some(byte) if byte >= b' ' => self.at += 1,
                _ => return Err(self.reject(FaultClass::JsonSyntax)),
            }
        }
    }

    /// Skips eight bytes at a time while none of them is a quote, a backslash or a control character.
    fn plain_run(&mut self) {
        while let Some(chunk) = self.bytes.get(self.at..self.at + 8).and_then(|chunk| chunk.try_into().ok()) {
            let special = specials(u64::from_le_bytes(chunk));
            if special != 0 {
                // The lowest flag is exact; higher ones may be echoes of it.
                self.at += special.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
    }

    fn escape(&mut self) -> Result<(), Rejection> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => {
                let high = self.unicode_escape()?;
                match high {
                    0xD800..0xDC00 => {
                        let low = self.unicode_escape()?;
                        if (0xDC00..0xE000).contains(&low) {
                            Ok(())
                        } else {
                            Err(self.reject(FaultClass::JsonSyntax))
                        }
                    }
                    0xDC00..0xE000 => Err(self.reject(FaultClass::JsonSyntax)),
                    _ => Ok(()),
                }
            }
            _ => Err(self.reject(FaultClass::JsonSyntax)),
        }
    }

    /// Steps over `\uXXXX` and gives its code unit.
    fn unicode_escape(&mut self) -> Result<u32, Rejection> {
        let form = self.bytes.get(self.at..self.at + 6).unwrap_or_default();
        let [b'\\', b'u', digits @ ..] = form else {
            return Err(self.reject(FaultClass::JsonSyntax));
        };
        let unit = digits
            .iter()
            .try_fold(0, |unit, digit| char::from(*digit).to_digit(16).map(|value| unit << 4 | value));
        let unit = unit.ok_or_else(|| self.reject(FaultClass::JsonSyntax))?;
        self.at += 6;
        Ok(unit)
    }

    fn number(&mut self) -> Result<(), Rejection> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        if self.at - start > self.limits.number_bytes {
            return Err(Rejection { class: FaultClass::TooLarge, offset: start });
        }
        self.leaf(start, Kind::Number)
    }

    fn digits(&mut self) -> Result<(), Rejection> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.reject(FaultClass::JsonSyntax)) } else { Ok(()) }
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Result<(), Rejection> {
        let start = self.at;
        if !self.bytes.get(start..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(self.reject(FaultClass::JsonSyntax));
        }
        self.at += word.len();
        self.leaf(start, kind)
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), Rejection> {
        if self.take(byte) { Ok(()) } else { Err(self.reject(FaultClass::JsonSyntax)) }
    }

    fn leaf(&mut self, start: usize, kind: Kind) -> Result<(), Rejection> {
        let next = self.tape.len() + 1;
        self.push(start, self.at, next, NodeKind::Value(kind))
    }

    fn open(&mut self, kind: Kind) -> Result<usize, Rejection> {
        let place = self.tape.len();
        self.push(self.at, self.at, place, NodeKind::Value(kind))?;
        Ok(place)
    }

    fn close(&mut self, place: usize) {
        let next = narrow(self.tape.len());
        let end = narrow(self.at);
        if let Some(node) = self.tape.get_mut(place) {
            node.end = end;
            node.next = next;
        }
    }

    fn push(&mut self, start: usize, end: usize, next: usize, kind: NodeKind) -> Result<(), Rejection> {
        if self.tape.len() >= self.limits.tokens {
            return Err(self.reject(FaultClass::TooLarge));
        }
        self.tape.push(Node { start: narrow(start), end: narrow(end), next: narrow(next), kind });
        Ok(())
    }
}

/// What a string under this key is marked as; `body` is its text in JSON, without the quotes.
pub(super) fn mark_of(key: &[u8], body: &[u8]) -> Option<Mark> {
    match key {
        b"reference" => Some(Mark::Reference),
        b"div" => Some(Mark::Narrative),
        b"system" => MOVED_SYSTEMS.iter().any(|moved| body.starts_with(moved)).then_some(Mark::System),
        // `Binary/…`, or an address that ends so.
        b"url" => (body.rsplit(|byte| *byte == b'/').nth(1) == Some(b"Binary")).then_some(Mark::Attachment),
        _ => None,
    }
}

/// Whether an object has a key twice; `place` is its place on the tape, which ends with it.
///
/// Two parsers that disagree on which of two equal keys counts see two different patients.
pub(super) fn has_key_twice(tape: &[Node], text: &[u8], place: usize) -> bool {
    let keys = || Keys { tape, text, at: place + 1 };
    let mut looks = Looks::default();
    keys().for_each(|key| looks.note(key));
    if !looks.alike {
        return false;
    }
    let count = keys().count();
    if count <= PAIRWISE_KEYS {
        keys().enumerate().any(|(index, key)| keys().take(index).any(|earlier| earlier == key))
    } else {
        let mut seen = HashSet::with_capacity(count);
        keys().any(|key| !seen.insert(key))
    }
}

/// How the keys of one object look. While no two look alike, none is there twice.
#[derive(Default)]
struct Looks {
    seen: [u32; PAIRWISE_KEYS],
    count: usize,
    alike: bool,
}

impl Looks {
    /// Takes note of a key by its length and three of its bytes. What finds no room is taken for alike.
    fn note(&mut self, key: &[u8]) {
        let byte = |at: usize| u32::from(key.get(at).copied().unwrap_or_default());
        let length = narrow(key.len());
        let look = length << 24 | byte(0) << 16 | byte(key.len() / 2) << 8 | byte(key.len().wrapping_sub(1));
        self.alike |= self.seen.iter().take(self.count).any(|seen| *seen == look);
        match self.seen.get_mut(self.count) {
            Some(place) => {
                *place = look;
                self.count += 1;
            }
            None => self.alike = true,
        }
    }
}

/// The keys of the object being closed.
struct Keys<'s> {
    tape: &'s [Node],
    text: &'s [u8],
    at: usize,
}

impl<'s> Iterator for Keys<'s> {
    type Item = &'s [u8];

    fn next(&mut self) -> Option<&'s [u8]> {
        let key = self.tape.get(self.at)?;
        let value = self.tape.get(self.at + 1)?;
        self.at = value.next as usize;
        self.text.get(key.start as usize..key.end as usize)
    }
}

/// Texts longer than 4 GiB were refused at the start, so every offset and index fits.
#[expect(clippy::cast_possible_truncation, reason = "checked once in scan()")]
pub(super) const fn narrow(offset: usize) -> u32 {
    offset as u32
}
