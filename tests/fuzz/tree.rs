//! A JSON text that can be bent into any shape, valid or not.

use tributary_fhir::{Json, Kind};

use super::chance::Chance;

/// What may stand between the parts of a value.
const BLANKS: &[&[u8]] = &[b" ", b"\r\n\t ", b"\n", b"      "];

/// A value. Leaves are kept as they were written, so that they can be written wrongly too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// A string, a number, a word, or whatever else is put there.
    Leaf(String),
    /// An array.
    List(Vec<Self>),
    /// An object. A key may come twice.
    Object(Vec<(String, Self)>),
}

impl Tree {
    /// The tree of a value that was read.
    pub fn of(json: Json<'_>) -> Self {
        match json.kind() {
            Kind::Object => {
                Self::Object(json.members().map(|(key, value)| (key.to_owned(), Self::of(value))).collect())
            }
            Kind::Array => Self::List(json.items().map(Self::of).collect()),
            Kind::String | Kind::Number | Kind::True | Kind::False | Kind::Null => {
                Self::Leaf(json.raw().to_owned())
            }
        }
    }

    /// A string.
    pub fn string(text: &str) -> Self {
        Self::Leaf(tributary_fhir::json::quoted(text))
    }

    /// A member of an object.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        members.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The text between the quotes of a string member.
    pub fn text_at(&self, key: &str) -> Option<&str> {
        let Self::Leaf(text) = self.get(key)? else { return None };
        text.strip_prefix('"')?.strip_suffix('"')
    }

    /// Sets a member.
    pub fn put(&mut self, key: &str, value: Self) {
        let Self::Object(members) = self else { return };
        match members.iter_mut().find(|(name, _)| name == key) {
            Some(slot) => slot.1 = value,
            None => members.push((key.to_owned(), value)),
        }
    }

    /// How many values stand right below this one.
    pub const fn len(&self) -> usize {
        match self {
            Self::Leaf(_) => 0,
            Self::List(items) => items.len(),
            Self::Object(members) => members.len(),
        }
    }

    /// Whether nothing stands below this one.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value at a place right below this one.
    pub fn child(&mut self, place: usize) -> Option<&mut Self> {
        match self {
            Self::Leaf(_) => None,
            Self::List(items) => items.get_mut(place),
            Self::Object(members) => members.get_mut(place).map(|(_, value)| value),
        }
    }

    /// Some value inside this one: a walk down that may stop anywhere.
    pub fn somewhere(&mut self, chance: &mut Chance) -> &mut Self {
        let mut at = self;
        for _ in 0..24 {
            let below = at.len();
            if below == 0 || chance.one_in(5) {
                return at;
            }
            let place = chance.below(below);
            at = at.child(place).expect("a place that was counted");
        }
        at
    }

    /// Changes every leaf.
    pub fn each_leaf(&mut self, change: &mut dyn FnMut(&mut String)) {
        match self {
            Self::Leaf(text) => change(text),
            Self::List(items) => items.iter_mut().for_each(|item| item.each_leaf(change)),
            Self::Object(members) => members.iter_mut().for_each(|(_, value)| value.each_leaf(change)),
        }
    }

    /// Writes the value, with blanks between its parts now and then if there is chance for it.
    pub fn write(&self, out: &mut Vec<u8>, blanks: &mut Option<Chance>) {
        let blank = |out: &mut Vec<u8>, blanks: &mut Option<Chance>| {
            if let Some(chance) = blanks
                && chance.one_in(40)
            {
                let blank: &&[u8] = chance.pick(BLANKS);
                out.extend_from_slice(blank);
            }
        };
        match self {
            Self::Leaf(text) => out.extend_from_slice(text.as_bytes()),
            Self::List(items) => {
                out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    out.extend_from_slice(if index > 0 { b"," } else { b"" });
                    blank(out, blanks);
                    item.write(out, blanks);
                }
                blank(out, blanks);
                out.push(b']');
            }
            Self::Object(members) => {
                out.push(b'{');
                for (index, (key, value)) in members.iter().enumerate() {
                    out.extend_from_slice(if index > 0 { b"," } else { b"" });
                    blank(out, blanks);
                    out.push(b'"');
                    out.extend_from_slice(key.as_bytes());
                    out.extend_from_slice(b"\":");
                    blank(out, blanks);
                    value.write(out, blanks);
                }
                out.push(b'}');
            }
        }
    }
}
