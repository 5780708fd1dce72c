//! A Bundle, read in place.

use std::borrow::Cow;

use tributary_model::FaultClass;

use crate::json::{Document, Json, Kind};

/// Most entries of one bundle.
pub const MAX_ENTRIES: usize = 20_000;

/// A view of a Bundle document.
#[derive(Clone, Copy, Debug)]
pub struct Bundle<'d>(Json<'d>);

/// One entry with a resource.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'d> {
    /// The entry's `fullUrl`. GP Connect bundles have none.
    pub full_url: Option<Json<'d>>,
    /// The resource.
    pub resource: Json<'d>,
    around: Json<'d>,
}

impl<'d> Entry<'d> {
    /// Extensions of the entry itself, where our own conversion leaves its marks.
    pub fn extensions(self) -> impl Iterator<Item = Json<'d>> {
        self.around.get("extension").into_iter().flat_map(Json::items)
    }
}

impl<'d> Bundle<'d> {
    /// Takes a document for a Bundle: every entry that holds anything must hold a resource with a type.
    pub fn of(doc: &'d Document) -> Result<Self, FaultClass> {
        let root = doc.root();
        if !root.says("resourceType", "Bundle") {
            return Err(FaultClass::Shape);
        }
        let entries = root.get("entry");
        if entries.is_some_and(|entries| entries.kind() != Kind::Array) {
            return Err(FaultClass::Shape);
        }
        let mut count = 0;
        for entry in entries.into_iter().flat_map(Json::items) {
            count += 1;
            // An entry may be a bare search outcome without resource; a resource without type is nothing.
            if entry.get("resource").is_some_and(|resource| resource.text_at("resourceType").is_none()) {
                return Err(FaultClass::Shape);
            }
        }
        if count > MAX_ENTRIES { Err(FaultClass::TooLarge) } else { Ok(Self(root)) }
    }

    /// The entries that hold a resource.
    pub fn entries(self) -> impl Iterator<Item = Entry<'d>> {
        self.0.get("entry").into_iter().flat_map(Json::items).filter_map(|entry| {
            Some(Entry { full_url: entry.get("fullUrl"), resource: entry.get("resource")?, around: entry })
        })
    }

    /// The resources.
    pub fn resources(self) -> impl Iterator<Item = Json<'d>> {
        self.entries().map(|entry| entry.resource)
    }

    /// The address of the next page.
    pub fn next_link(self) -> Option<Cow<'d, str>> {
        let links = self.0.get("link")?;
        links.items().find(|link| link.says("relation", "next"))?.text_at("url")
    }

    /// The whole Bundle.
    pub const fn json(self) -> Json<'d> {
        self.0
    }
}

/// A Bundle's text with another `id`; every other byte as it is.
pub fn with_id(doc: &Document, id: &str) -> String {
    let text = doc.text();
    let id = crate::json::quoted(id);
    let (before, id, after) = if let Some(old) = doc.root().get("id") {
        (old.span().start, id, old.span().end)
    } else {
        // An object begins with its brace; the new member goes right behind it.
        let brace = doc.root().span().start + 1;
        let comma = if doc.root().members().next().is_some() { "," } else { "" };
        (brace, format!("\"id\":{id}{comma}"), brace)
    };
    [text.get(..before).unwrap_or_default(), &id, text.get(after..).unwrap_or_default()].concat()
}

/// The type of a resource.
pub fn type_of(resource: Json<'_>) -> Cow<'_, str> {
    resource.text_at("resourceType").unwrap_or_default()
}

/// The id of a resource.
pub fn id_of(resource: Json<'_>) -> Option<Cow<'_, str>> {
    resource.text_at("id").filter(|id| !id.is_empty())
}

/// The NHS numbers a Patient carries, as sent.
pub fn nhs_numbers(patient: Json<'_>) -> impl Iterator<Item = Cow<'_, str>> {
    let identifiers = patient.get("identifier").into_iter().flat_map(Json::each);
    identifiers
        .filter(|identifier| identifier.says("system", tributary_model::nhs_number::NHS_NUMBER_SYSTEM))
        .filter_map(|identifier| identifier.text_at("value"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Limits;

    #[track_caller]
    fn check(text: &str, expected: Result<usize, FaultClass>) {
        let doc = Document::scan(text.as_bytes().to_vec(), &Limits::default()).unwrap();
        assert_eq!(Bundle::of(&doc).map(|bundle| bundle.resources().count()), expected, "{text}");
    }

    #[test]
    fn only_the_id_changes() {
        let swap = |text: &str| {
            with_id(&Document::scan(text.as_bytes().to_vec(), &Limits::default()).unwrap(), "new")
        };
        assert_eq!(swap(r#" {"a":1.0, "id" : "old","b":2} "#), r#" {"a":1.0, "id" : "new","b":2} "#);
        assert_eq!(swap(r#"{"a":{"id":"x"}}"#), r#"{"id":"new","a":{"id":"x"}}"#);
        assert_eq!(swap("{}"), r#"{"id":"new"}"#);
    }

    #[test]
    fn shapes() {
        check(r#"{"resourceType":"Bundle"}"#, Ok(0));
        check(
            r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient"}},{"search":{}}]}"#,
            Ok(1),
        );
        check(r#"{"resourceType":"Patient"}"#, Err(FaultClass::Shape));
        check(r#"{"resourceType":"Bundle","entry":{}}"#, Err(FaultClass::Shape));
        check(r#"{"resourceType":"Bundle","entry":[{"resource":{"id":"1"}}]}"#, Err(FaultClass::Shape));
        check("[]", Err(FaultClass::Shape));
    }
}
