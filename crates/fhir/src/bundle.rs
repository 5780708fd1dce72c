//! A Bundle, read in place.

use std::borrow::Cow;
use std::ops::Range;

use tributary_model::FaultClass;

use crate::json::{Document, Json, Kind, Limits};

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
    /// Whether a search looked for this: it is not merely included, and no outcome.
    pub fn is_match(self) -> bool {
        let mode = self.around.get("search").and_then(|search| search.get("mode"));
        mode.is_none_or(|mode| mode.text().is_some_and(|mode| mode == "match"))
    }

    /// Extensions of the entry itself, where our own conversion leaves its marks.
    pub fn extensions(self) -> impl Iterator<Item = Json<'d>> {
        self.around.get("extension").into_iter().flat_map(Json::items)
    }
}

impl<'d> Bundle<'d> {
    /// Takes a document for a Bundle: every entry that holds anything must hold a resource with a type.
    pub fn of(doc: &'d Document) -> Result<Self, FaultClass> {
        let bundle = Self::of_own(doc)?;
        let count = bundle.0.get("entry").into_iter().flat_map(Json::items).count();
        if count > MAX_ENTRIES { Err(FaultClass::TooLarge) } else { Ok(bundle) }
    }

    /// The same for a Bundle of our own making: it may hold the entries of many, each of which was counted.
    pub fn of_own(doc: &'d Document) -> Result<Self, FaultClass> {
        let root = doc.root();
        if !root.says("resourceType", "Bundle") {
            return Err(FaultClass::Shape);
        }
        let entries = root.get("entry");
        if entries.is_some_and(|entries| entries.kind() != Kind::Array) {
            return Err(FaultClass::Shape);
        }
        for entry in entries.into_iter().flat_map(Json::items) {
            // An entry may be a bare search outcome without resource; a resource without type is nothing.
            if entry.get("resource").is_some_and(|resource| resource.text_at("resourceType").is_none()) {
                return Err(FaultClass::Shape);
            }
        }
        Ok(Self(root))
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

    /// What comes after this page. Only a readable list of links without `next` makes it the last.
    pub fn next_link(self) -> NextLink<'d> {
        let Some(links) = self.0.get("link") else { return NextLink::None };
        if links.kind() != Kind::Array || links.items().any(|link| link.text_at("relation").is_none()) {
            return NextLink::Unreadable;
        }
        let Some(next) = links.items().find(|link| link.says("relation", "next")) else {
            return NextLink::None;
        };
        match next.text_at("url") {
            Some(url) if !url.trim().is_empty() => NextLink::Page(url),
            Some(_) | None => NextLink::Unreadable,
        }
    }

    /// How many matches a search has over all its pages, where the source says so.
    pub fn total(self) -> Option<u64> {
        let total = self.0.get("total").filter(|total| total.kind() == Kind::Number)?;
        total.raw().parse().ok()
    }

    /// The whole Bundle.
    pub const fn json(self) -> Json<'d> {
        self.0
    }
}

/// What a page says of the one after it.
#[derive(Clone, PartialEq, Eq)]
pub enum NextLink<'d> {
    /// There is none.
    None,
    /// Its address.
    Page(Cow<'d, str>),
    /// There may be one, but the links cannot be read.
    Unreadable,
}

/// A piece of a document's text, and what stands there instead.
#[derive(Clone, PartialEq, Eq)]
pub struct Edit {
    place: Range<usize>,
    text: String,
}

impl Edit {
    /// Another `id` for the resource that the document is.
    pub fn id(doc: &Document, id: &str) -> Self {
        let id = crate::json::quoted(id);
        if let Some(old) = doc.root().get("id") {
            return Self { place: old.span(), text: id };
        }
        // An object begins with its brace; the new member goes right behind it.
        let brace = doc.root().span().start + 1;
        let comma = if doc.root().members().next().is_some() { "," } else { "" };
        Self { place: brace..brace, text: format!("\"id\":{id}{comma}") }
    }

    /// Another text in place of a string.
    pub fn string(old: Json<'_>, new: &str) -> Self {
        Self { place: old.span(), text: crate::json::quoted(new) }
    }
}

/// A document's text with these edits, none of which overlap; every other byte as it is.
pub fn edited(doc: &Document, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| edit.place.start);
    let text = doc.text();
    let more: usize = edits.iter().map(|edit| edit.text.len()).sum();
    let mut out = String::with_capacity(text.len() + more);
    let mut done = 0;
    for edit in edits {
        out.push_str(text.get(done..edit.place.start).unwrap_or_default());
        out.push_str(&edit.text);
        done = edit.place.end;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

/// A Bundle without the entries whose resource is not wanted; every other byte as it is.
pub fn keeping(doc: Document, is_wanted: impl Fn(Json<'_>) -> bool) -> Result<Document, FaultClass> {
    let Some(entries) = doc.root().get("entry") else { return Ok(doc) };
    let is_kept = |entry: &Json<'_>| entry.get("resource").is_none_or(&is_wanted);
    let kept: Vec<&str> = entries.items().filter(is_kept).map(Json::raw).collect();
    if kept.len() == entries.items().count() {
        return Ok(doc);
    }
    let edit = Edit { place: entries.span(), text: format!("[{}]", kept.join(",")) };
    let text = edited(&doc, vec![edit]);
    Document::scan(text.into_bytes(), &Limits::default()).map_err(|rejection| rejection.class)
}

/// The addresses of the documents that a Bundle refers to.
pub fn attachment_urls(bundle: Bundle<'_>) -> impl Iterator<Item = Json<'_>> {
    let references = bundle.resources().filter(|resource| resource.says("resourceType", "DocumentReference"));
    references
        .flat_map(|reference| reference.get("content").into_iter().flat_map(Json::each))
        .filter_map(|content| content.get("attachment")?.get("url"))
        .filter(|url| url.kind() == Kind::String)
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

    #[track_caller]
    fn check(text: &str, expected: Result<usize, FaultClass>) {
        let doc = Document::scan(text.as_bytes().to_vec(), &Limits::default()).unwrap();
        assert_eq!(Bundle::of(&doc).map(|bundle| bundle.resources().count()), expected, "{text}");
    }

    #[test]
    fn only_the_id_changes() {
        let swap = |text: &str| {
            let doc = Document::scan(text.as_bytes().to_vec(), &Limits::default()).unwrap();
            edited(&doc, vec![Edit::id(&doc, "new")])
        };
        assert_eq!(swap(r#" {"a":1.0, "id" : "old","b":2} "#), r#" {"a":1.0, "id" : "new","b":2} "#);
        assert_eq!(swap(r#"{"a":{"id":"x"}}"#), r#"{"id":"new","a":{"id":"x"}}"#);
        assert_eq!(swap("{}"), r#"{"id":"new"}"#);
        assert_eq!(swap(" {}"), r#" {"id":"new"}"#);
        assert_eq!(
            swap(r#"{ "entry":[{"id":"old"}], "id" : "old", "x":1.10}"#),
            r#"{ "entry":[{"id":"old"}], "id" : "new", "x":1.10}"#
        );
    }

    #[test]
    fn edits_take_their_places_and_nothing_else() {
        let text = r#"{"resourceType":"Bundle", "entry":[{"resource":{"resourceType":"DocumentReference","content":[{"attachment":{"url":"one","size":1.0}},{"attachment":{"url":7}}]}},{"resource":{"resourceType":"Media","content":[{"attachment":{"url":"two"}}]}}]}"#;
        let doc = Document::scan(text.as_bytes().to_vec(), &Limits::default()).unwrap();
        let urls = attachment_urls(Bundle::of(&doc).unwrap());
        let mut edits: Vec<Edit> = urls.map(|url| Edit::string(url, "a\"b")).collect();
        assert_eq!(edits.len(), 1);
        edits.push(Edit::id(&doc, "new"));
        let expected = text.replace("\"one\"", r#""a\"b""#).replacen('{', r#"{"id":"new","#, 1);
        assert_eq!(edited(&doc, edits), expected);
    }

    #[test]
    fn entries_that_are_not_wanted_leave_the_rest_alone() {
        let one = r#"{"resource":{"resourceType":"Condition","id":"a","x":1.0}}"#;
        let other = r#"{"resource":{"resourceType":"Condition","id":"b"}}"#;
        let bundle = |entries: &[&str]| {
            format!(r#"{{"resourceType":"Bundle","entry":[{}], "type":"collection"}}"#, entries.join(","))
        };
        let scan = |text: String| Document::scan(text.into_bytes(), &Limits::default()).unwrap();
        let all = scan(bundle(&[one, r#"{"search":{}}"#, other]));
        let kept = keeping(all, |resource| !resource.says("id", "b")).unwrap();
        assert_eq!(kept.text(), bundle(&[one, r#"{"search":{}}"#]));
        let none = keeping(scan(bundle(&[one, other])), |_| false).unwrap();
        assert_eq!(none.text(), bundle(&[]));
    }

    #[test]
    fn only_readable_links_end_the_pages() {
        let page = |url: &'static str| NextLink::Page(Cow::Borrowed(url));
        for (members, expected) in [
            ("", NextLink::None),
            (r#","link":[]"#, NextLink::None),
            (r#","link":[{"relation":"self","url":7}]"#, NextLink::None),
            (r#","link":[{"relation":"self"},{"relation":"next","url":"?2"}]"#, page("?2")),
            (r#","link":null"#, NextLink::Unreadable),
            (r#","link":{"relation":"next","url":"?2"}"#, NextLink::Unreadable),
            (r#","link":[{"relation":"next"}]"#, NextLink::Unreadable),
            (r#","link":[{"relation":"next","url":["?2"]}]"#, NextLink::Unreadable),
            (r#","link":[{"relation":"next","url":" "}]"#, NextLink::Unreadable),
            (r#","link":[{"url":"?2"}]"#, NextLink::Unreadable),
            (r#","link":["?2"]"#, NextLink::Unreadable),
        ] {
            let text = format!(r#"{{"resourceType":"Bundle"{members}}}"#);
            let doc = Document::scan(text.into_bytes(), &Limits::default()).unwrap();
            assert_eq!(Bundle::of(&doc).unwrap().next_link(), expected, "{members}");
        }
    }

    #[test]
    fn totals_are_whole_numbers() {
        for (total, expected) in
            [("7", Some(7)), ("0", Some(0)), ("-1", None), ("7.0", None), ("\"7\"", None), ("null", None)]
        {
            let text = format!(r#"{{"resourceType":"Bundle","total":{total}}}"#);
            let doc = Document::scan(text.into_bytes(), &Limits::default()).unwrap();
            assert_eq!(Bundle::of(&doc).unwrap().total(), expected, "{total}");
        }
    }

    #[test]
    fn what_was_looked_for_is_told_from_what_came_along() {
        for (members, expected) in [
            ("", true),
            (r#""search":{"score":1},"#, true),
            (r#""search":{"mode":"match"},"#, true),
            (r#""search":{"mode":"include"},"#, false),
            (r#""search":{"mode":"outcome"},"#, false),
            (r#""search":{"mode":1},"#, false),
        ] {
            let text = format!(
                r#"{{"resourceType":"Bundle","entry":[{{{members}"resource":{{"resourceType":"Task"}}}}]}}"#
            );
            let doc = Document::scan(text.into_bytes(), &Limits::default()).unwrap();
            let entry = Bundle::of(&doc).unwrap().entries().next().unwrap();
            assert_eq!(entry.is_match(), expected, "{members}");
        }
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
