//! A resource that can be edited without touching what need not change.
//!
//! A draft starts as one raw slice. Opening it turns the outermost object into a list of members whose
//! values are still raw slices; only the paths that are edited are ever opened.

use std::borrow::Cow;

use crate::json::{Json, Kind, Rewrite, Sheet, quoted};

/// A JSON value: a raw slice, or something opened for editing.
#[derive(Clone)]
pub enum Draft<'d> {
    /// As received.
    Raw(Json<'d>),
    /// JSON text made by us: a quoted string, a number, a boolean or a whole fragment.
    Text(Cow<'d, str>),
    /// An opened object.
    Object(Fields<'d>),
    /// An opened array.
    Array(Vec<Self>),
}

/// The members of an opened object, in their order.
#[derive(Clone, Default)]
pub struct Fields<'d>(Vec<(Cow<'d, str>, Draft<'d>)>);

impl<'d> Draft<'d> {
    /// A string value.
    pub fn string(text: &str) -> Self {
        Self::Text(Cow::Owned(quoted(text)))
    }

    /// A value given as JSON text.
    pub const fn literal(text: &'d str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// An object with these members.
    pub fn object<const N: usize>(members: [(&'d str, Self); N]) -> Self {
        Self::Object(Fields(members.into_iter().map(|(key, value)| (Cow::Borrowed(key), value)).collect()))
    }

    /// A `CodeableConcept` with one coding.
    pub fn concept(system: &str, code: &str) -> Self {
        let coding = Self::object([("system", Self::string(system)), ("code", Self::string(code))]);
        Self::object([("coding", Self::Array(vec![coding]))])
    }

    /// The text, if the value is a string.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Raw(json) => json.text(),
            Self::Text(_) | Self::Object(_) | Self::Array(_) => None,
        }
    }

    /// The raw value, if it is untouched.
    pub const fn raw(&self) -> Option<Json<'d>> {
        match self {
            Self::Raw(json) => Some(*json),
            Self::Text(_) | Self::Object(_) | Self::Array(_) => None,
        }
    }

    /// What the value is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Raw(json) => json.kind(),
            Self::Object(_) => Kind::Object,
            Self::Array(_) => Kind::Array,
            Self::Text(text) => match text.as_bytes().first() {
                Some(b'{') => Kind::Object,
                Some(b'[') => Kind::Array,
                Some(b'"') => Kind::String,
                Some(b't') => Kind::True,
                Some(b'f') => Kind::False,
                Some(b'-' | b'0'..=b'9') => Kind::Number,
                _ => Kind::Null,
            },
        }
    }

    /// The members, opened; `None` unless the value is an object.
    pub fn fields(&mut self) -> Option<&mut Fields<'d>> {
        if let Self::Raw(json) = self
            && json.kind() == Kind::Object
        {
            *self = Self::Object(Fields::open(*json));
        }
        match self {
            Self::Object(fields) => Some(fields),
            Self::Raw(_) | Self::Text(_) | Self::Array(_) => None,
        }
    }

    /// The items, opened; `None` unless the value is an array.
    pub fn items(&mut self) -> Option<&mut Vec<Self>> {
        if let Self::Raw(json) = self
            && json.kind() == Kind::Array
        {
            *self = Self::Array(json.items().map(Self::Raw).collect());
        }
        match self {
            Self::Array(items) => Some(items),
            Self::Raw(_) | Self::Text(_) | Self::Object(_) => None,
        }
    }

    /// Writes the value; marked strings of untouched slices go through `rewrite`.
    pub fn write(&self, out: &mut String, rewrite: &mut Rewrite<'_>) {
        match self {
            Self::Raw(json) => json.copy_into(out, rewrite),
            Self::Text(text) => out.push_str(text),
            Self::Object(fields) => fields.write(out, rewrite),
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out, rewrite);
                }
                out.push(']');
            }
        }
    }

    /// Writes the value with its tape.
    pub fn write_on(&self, out: &mut Sheet, rewrite: &mut Rewrite<'_>) {
        match self {
            Self::Raw(json) => out.copy(*json, rewrite),
            Self::Text(text) => out.fragment(text),
            Self::Object(fields) => fields.write_on(out, rewrite),
            Self::Array(items) => {
                out.array(|out| items.iter().for_each(|item| item.write_on(out, rewrite)));
            }
        }
    }
}

impl<'d> Fields<'d> {
    /// Opens an object; nothing comes of any other value.
    pub fn open(json: Json<'d>) -> Self {
        Self(json.members().map(|(key, value)| (Cow::Borrowed(key), Draft::Raw(value))).collect())
    }

    fn place(&self, key: &str) -> Option<usize> {
        self.0.iter().position(|(name, _)| name == key)
    }

    /// A member.
    pub fn get(&self, key: &str) -> Option<&Draft<'d>> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// A member, to be edited.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Draft<'d>> {
        self.0.iter_mut().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The text of an untouched string member.
    pub fn text_at(&self, key: &str) -> Option<Cow<'_, str>> {
        self.get(key)?.text()
    }

    /// Whether the member exists.
    pub fn has(&self, key: &str) -> bool {
        self.place(key).is_some()
    }

    /// The keys in their order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_ref())
    }

    /// The members in their order.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Draft<'d>)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value))
    }

    /// The members in their order, their values to be edited.
    pub fn members_mut(&mut self) -> impl Iterator<Item = (&str, &mut Draft<'d>)> {
        self.0.iter_mut().map(|(key, value)| {
            let key: &Cow<'d, str> = key;
            (key.as_ref(), value)
        })
    }

    /// An object of these members, whose keys differ.
    pub fn gather(members: impl IntoIterator<Item = (Cow<'d, str>, Draft<'d>)>) -> Self {
        Self(members.into_iter().collect())
    }

    /// Removes a member and gives it.
    pub fn take(&mut self, key: &str) -> Option<Draft<'d>> {
        let place = self.place(key)?;
        Some(self.0.remove(place).1)
    }

    /// Sets a member in its place, or at the end.
    pub fn put(&mut self, key: impl Into<Cow<'d, str>>, value: Draft<'d>) {
        let key = key.into();
        match self.place(&key).and_then(|place| self.0.get_mut(place)) {
            Some(slot) => slot.1 = value,
            None => self.0.push((key, value)),
        }
    }

    /// Gives a member, and its `_` sibling, another name, keeping their places.
    /// Nothing happens when the new name is taken: nothing may be overwritten. Tells whether it was done.
    pub fn rename(&mut self, from: &str, to: &str) -> bool {
        if self.has(to) || !self.has(from) {
            return false;
        }
        for (key, _) in &mut self.0 {
            if key == from {
                *key = Cow::Owned(to.to_owned());
            } else if key.strip_prefix('_') == Some(from) {
                *key = Cow::Owned(format!("_{to}"));
            }
        }
        true
    }

    /// Makes a single value a list of one. A list stays as it is.
    pub fn wrap(&mut self, key: &str) {
        if let Some(value) = self.get_mut(key) {
            let is_list = matches!(value, Draft::Array(_))
                || matches!(value, Draft::Raw(json) if json.kind() == Kind::Array);
            if !is_list {
                let single = std::mem::replace(value, Draft::literal("null"));
                *value = Draft::Array(vec![single]);
            }
        }
    }

    /// Appends to a list member, which is made when absent.
    pub fn append(&mut self, key: &str, item: Draft<'d>) {
        if !self.has(key) {
            self.put(key.to_owned(), Draft::Array(Vec::new()));
        }
        self.wrap(key);
        if let Some(items) = self.get_mut(key).and_then(Draft::items) {
            items.push(item);
        }
    }

    /// Appends several items to a list member. Nothing is made for none.
    pub fn append_all(&mut self, key: &str, mut added: Vec<Draft<'d>>) {
        if added.is_empty() {
            return;
        }
        if !self.has(key) {
            self.put(key.to_owned(), Draft::Array(Vec::new()));
        }
        self.wrap(key);
        if let Some(items) = self.get_mut(key).and_then(Draft::items) {
            items.append(&mut added);
        }
    }

    /// Puts an item before the others of a list member, which is made when absent.
    pub fn prepend(&mut self, key: &str, item: Draft<'d>) {
        self.append(key, item);
        if let Some(items) = self.get_mut(key).and_then(Draft::items) {
            items.rotate_right(1);
        }
    }

    /// Edits an object member, or every object in a list member.
    pub fn each(&mut self, key: &str, mut edit: impl FnMut(&mut Self)) {
        let Some(value) = self.get_mut(key) else { return };
        if let Some(items) = value.items() {
            items.iter_mut().filter_map(Draft::fields).for_each(edit);
        } else if let Some(fields) = value.fields() {
            edit(fields);
        }
    }

    /// The members, given away in their order.
    pub fn into_members(self) -> impl Iterator<Item = (Cow<'d, str>, Draft<'d>)> {
        self.0.into_iter()
    }

    /// How many members there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no member is left.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes the object.
    pub fn write(&self, out: &mut String, rewrite: &mut Rewrite<'_>) {
        out.push('{');
        for (index, (key, value)) in self.0.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            out.push('"');
            out.push_str(key);
            out.push_str("\":");
            value.write(out, rewrite);
        }
        out.push('}');
    }

    /// Writes the object with its tape.
    pub fn write_on(&self, out: &mut Sheet, rewrite: &mut Rewrite<'_>) {
        out.object(|out| {
            for (key, value) in &self.0 {
                value.write_on(out.key(key), rewrite);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Document, Limits};

    #[track_caller]
    fn edited(text: &str, edit: impl Fn(&mut Fields<'_>)) -> String {
        let doc = Document::scan(text.as_bytes().to_vec(), &Limits::default()).unwrap();
        let mut fields = Fields::open(doc.root());
        edit(&mut fields);
        let mut out = String::new();
        fields.write(&mut out, &mut |_, _| None);
        let mut sheet = Sheet::default();
        fields.write_on(&mut sheet, &mut |_, _| None);
        let limits = Limits { depth: 256, ..Limits::default() };
        assert_eq!(sheet.finish(&limits).unwrap().text(), out);
        out
    }

    #[test]
    fn what_is_not_edited_keeps_its_bytes() {
        let text = r#"{"a": 1.10,"b":{"c" : "\u00e9"} }"#;
        assert_eq!(edited(text, |_| {}), r#"{"a":1.10,"b":{"c" : "\u00e9"}}"#);
    }

    #[test]
    fn rename_takes_the_sibling_along_and_overwrites_nothing() {
        assert_eq!(
            edited(r#"{"on":"2012","_on":{"id":"x"}}"#, |f| assert!(f.rename("on", "at"))),
            r#"{"at":"2012","_at":{"id":"x"}}"#
        );
        assert_eq!(edited(r#"{"on":1,"at":2}"#, |f| assert!(!f.rename("on", "at"))), r#"{"on":1,"at":2}"#);
    }

    #[test]
    fn wrap_append_each() {
        assert_eq!(edited(r#"{"c":{"x":1}}"#, |f| f.wrap("c")), r#"{"c":[{"x":1}]}"#);
        assert_eq!(edited(r#"{"c":[1]}"#, |f| f.wrap("c")), r#"{"c":[1]}"#);
        assert_eq!(edited(r#"{"c":[1]}"#, |f| f.append("c", Draft::string("é\""))), r#"{"c":[1,"é\""]}"#);
        assert_eq!(
            edited(r#"{"c":[{"x":1},{"x":2}]}"#, |f| f.each("c", |o| {
                o.rename("x", "y");
            })),
            r#"{"c":[{"y":1},{"y":2}]}"#
        );
    }
}
