//! JSON that cannot be read in two ways: a key that stands twice is a mistake, not a choice.

use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};

/// Deeper than any token or key set that means something.
const MOST_DEPTH: usize = 12;
/// Members of one object: keys are compared with each other.
const MOST_MEMBERS: usize = 128;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Truth(bool),
    Whole(i64),
    /// A number that is not whole, or too large to be a time.
    OtherNumber,
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Json {
    /// Reads one object and nothing after it.
    pub(crate) fn object(bytes: &[u8]) -> Option<Self> {
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let value = Depth(MOST_DEPTH).deserialize(&mut reader).ok()?;
        reader.end().ok()?;
        matches!(value, Self::Object(_)).then_some(value)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.members().iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    pub(crate) fn members(&self) -> &[(String, Self)] {
        if let Self::Object(members) = self { members } else { &[] }
    }

    /// The items of a list; one that is no list is its only item.
    pub(crate) fn each(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { std::slice::from_ref(self) }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) const fn whole(&self) -> Option<i64> {
        if let Self::Whole(number) = self { Some(*number) } else { None }
    }

    /// The text at a key, if it says something.
    pub(crate) fn words(&self, key: &str) -> Option<&str> {
        self.get(key)?.text().filter(|text| !text.trim().is_empty())
    }
}

/// So many levels may follow.
#[derive(Clone, Copy)]
struct Depth(usize);

impl Depth {
    fn inside<E: de::Error>(self) -> Result<Self, E> {
        self.0.checked_sub(1).map(Self).ok_or_else(|| E::custom("too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = Json;

    fn deserialize<D: de::Deserializer<'de>>(self, reader: D) -> Result<Json, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Depth {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("json")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Truth(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Whole(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Json, E> {
        Ok(i64::try_from(value).map_or(Json::OtherNumber, Json::Whole))
    }

    fn visit_f64<E: de::Error>(self, _value: f64) -> Result<Json, E> {
        Ok(Json::OtherNumber)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let inside = self.inside()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inside)? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let inside = self.inside()?;
        let mut members: Vec<(String, Json)> = Vec::new();
        while let Some(key) = entries.next_key::<String>()? {
            let is_second = members.iter().any(|(name, _)| *name == key);
            if is_second || members.len() == MOST_MEMBERS {
                return Err(de::Error::custom("a key twice, or too many of them"));
            }
            members.push((key, entries.next_value_seed(inside)?));
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_readers_could_read_differently_is_not_read() {
        for bad in [
            "",
            "[]",
            "1",
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":1}{"#,
            r#"{"a":1} x"#,
            r#"{"a":"\ud800"}"#,
            "{\"a\":\"\u{1}\"}",
            "\u{feff}{}",
            r#"{"a":NaN}"#,
            r#"{"a":01}"#,
            r"{'a':1}",
            r#"{"a":1,}"#,
        ] {
            assert_eq!(Json::object(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(Json::object(b"{\"a\":\"\xff\"}"), None);
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(12), "]".repeat(12));
        assert_eq!(Json::object(deep.as_bytes()), None);
        let many: Vec<_> = (0..=MOST_MEMBERS).map(|number| format!("\"{number}\":1")).collect();
        assert_eq!(Json::object(format!("{{{}}}", many.join(",")).as_bytes()), None);
    }

    #[test]
    fn a_time_is_a_whole_number() {
        let json = Json::object(br#"{"a":17,"b":17.0,"c":1e3,"d":"17","e":18446744073709551615}"#).unwrap();
        assert_eq!(json.get("a").and_then(Json::whole), Some(17));
        for other in ["b", "c", "d", "e", "f"] {
            assert_eq!(json.get(other).and_then(Json::whole), None, "{other}");
        }
    }
}
