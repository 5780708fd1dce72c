//! Keeping an element that the other version has no home for.
//!
//! The official way is an extension named after the element's path in its own version
//! (<http://hl7.org/fhir/R4/versions.html#extensions>). Leaves are moved as raw slices.

use std::collections::HashMap;

use crate::draft::{Draft, Fields};
use crate::json::Kind;

use super::edit::{Notes, has, key_of};

/// Elements of STU3 that R4 has not.
pub(super) const FROM_STU3: &str = "http://hl7.org/fhir/3.0/StructureDefinition/extension-";
/// Elements of R4 that STU3 has not.
pub(super) const FROM_R4: &str = "http://hl7.org/fhir/4.0/StructureDefinition/extension-";

/// Moves the element at `path`, whose last step is its key, into the extensions of its parent.
///
/// `kind` names the `value[x]`; a value that does not fit it, or an empty `kind`, is judged by its look.
pub(super) fn keep(fields: &mut Fields<'_>, notes: &mut Notes<'_>, path: &str, kind: &'static str) {
    let key = key_of(path);
    if !has(fields, key) {
        return;
    }
    let value = fields.take(key);
    let sibling = fields.take(&format!("_{key}"));
    attach(fields, notes, path, kind, (value, sibling));
    notes.kept(path);
}

/// Adds an extension for the element at `path` without touching the element.
pub(super) fn attach<'d>(
    fields: &mut Fields<'d>,
    notes: &Notes<'_>,
    path: &str,
    kind: &'static str,
    pair: Pair<'d>,
) {
    fields.append_all("extension", extensions(&format!("{}{path}", notes.base()), kind, pair));
}

/// Keeps what is left of the element at `path` after its mapped parts were taken, part by part.
pub(super) fn keep_rest<'d>(fields: &mut Fields<'d>, notes: &mut Notes<'_>, path: &str, rest: Fields<'d>) {
    for key in rest.keys().filter(|key| *key != "extension") {
        notes.kept(format!("{path}.{}", key.strip_prefix('_').unwrap_or(key)));
    }
    let base = notes.base();
    fields.append_all("extension", parts(rest, &|key| format!("{base}{path}.{key}")));
}

/// A value and the sibling that holds its extensions.
pub(super) type Pair<'d> = (Option<Draft<'d>>, Option<Draft<'d>>);

/// One extension for every item of a list, or one for a single value.
fn extensions<'d>(url: &str, kind: &'static str, (value, sibling): Pair<'d>) -> Vec<Draft<'d>> {
    let mut values = listed(value).into_iter();
    let mut siblings = listed(sibling).into_iter();
    let mut found = Vec::new();
    loop {
        match (values.next(), siblings.next()) {
            (None, None) => return found,
            (value, sibling) => found.extend(one(url, kind, (value, sibling))),
        }
    }
}

fn listed(value: Option<Draft<'_>>) -> Vec<Draft<'_>> {
    match value {
        None => Vec::new(),
        Some(mut value) => match value.items() {
            Some(items) => std::mem::take(items),
            None => vec![value],
        },
    }
}

fn one<'d>(url: &str, kind: &'static str, (value, sibling): Pair<'d>) -> Option<Draft<'d>> {
    let value = value.filter(|value| value.kind() != Kind::Null);
    let sibling = sibling.filter(|sibling| sibling.kind() != Kind::Null);
    let mut extension = Fields::default();
    extension.put("url", Draft::string(url));
    let named = match &value {
        Some(value) if fits(value.kind(), kind) => Some(kind),
        Some(value) => look(value),
        None => Some(if kind.is_empty() { "String" } else { kind }),
    };
    match (named, value) {
        (_, None) if sibling.is_none() => return None,
        (Some(kind), value) => {
            if let Some(value) = value {
                extension.put(format!("value{kind}"), value);
            }
            if let Some(sibling) = sibling {
                extension.put(format!("_value{kind}"), sibling);
            }
        }
        (None, value) => {
            // What has siblings is a primitive in FHIR; here it is neither, so the sibling stands beside it.
            let mut inner = value.map(pieces).unwrap_or_default();
            inner.extend(
                sibling.into_iter().flat_map(|sibling| extensions("extension", "", (Some(sibling), None))),
            );
            if inner.is_empty() {
                return None;
            }
            extension.put("extension", Draft::Array(inner));
        }
    }
    Some(Draft::Object(extension))
}

/// The parts of a complex value, each an extension inside the extension.
fn pieces(mut value: Draft<'_>) -> Vec<Draft<'_>> {
    if let Some(fields) = value.fields() {
        return parts(std::mem::take(fields), &str::to_owned);
    }
    let items = listed(Some(value));
    items.into_iter().flat_map(|item| extensions("item", "", (Some(item), None))).collect()
}

fn parts<'d>(fields: Fields<'d>, url: &dyn Fn(&str) -> String) -> Vec<Draft<'d>> {
    let mut own = Vec::new();
    let mut siblings = HashMap::new();
    let mut found = Vec::new();
    for (key, value) in fields.into_members() {
        if key == "extension" && value.kind() == Kind::Array {
            found.extend(listed(Some(value)));
        } else if let Some(name) = key.strip_prefix('_') {
            siblings.insert(name.to_owned(), value);
        } else {
            own.push((key, value));
        }
    }
    for (key, value) in own {
        let sibling = siblings.remove(key.as_ref());
        found.extend(extensions(&url(&key), "", (Some(value), sibling)));
    }
    let mut lonely: Vec<(String, Draft<'d>)> = siblings.into_iter().collect();
    lonely.sort_by(|one, other| one.0.cmp(&other.0));
    for (key, sibling) in lonely {
        found.extend(extensions(&url(&key), "", (None, Some(sibling))));
    }
    found
}

fn fits(found: Kind, kind: &str) -> bool {
    match kind {
        "" => false,
        "Boolean" => matches!(found, Kind::True | Kind::False),
        "Integer" | "Decimal" | "PositiveInt" | "UnsignedInt" => found == Kind::Number,
        "Code" | "DateTime" | "Instant" | "String" | "Uri" => found == Kind::String,
        _ => found == Kind::Object,
    }
}

/// The `value[x]` that a value looks like; `None` when it has to be taken apart.
fn look(value: &Draft<'_>) -> Option<&'static str> {
    match value.kind() {
        Kind::String => Some("String"),
        Kind::Number => Some("Decimal"),
        Kind::True | Kind::False => Some("Boolean"),
        Kind::Array | Kind::Null => None,
        Kind::Object => look_of_object(value),
    }
}

/// The elements a data type may have, and what each must be. `id` and `extension` may always be there.
type Shape = (&'static str, &'static [(&'static str, Kind)]);

/// Data types that can be told by their elements. A Quantity and an Identifier differ by the kind of `value`.
const SHAPES: &[Shape] = &[
    ("Reference", &[("reference", Kind::String), ("identifier", Kind::Object), ("display", Kind::String)]),
    ("CodeableConcept", &[("coding", Kind::Array), ("text", Kind::String)]),
    ("Period", &[("start", Kind::String), ("end", Kind::String)]),
    (
        "Coding",
        &[
            ("system", Kind::String),
            ("version", Kind::String),
            ("code", Kind::String),
            ("display", Kind::String),
        ],
    ),
    (
        "Quantity",
        &[
            ("value", Kind::Number),
            ("comparator", Kind::String),
            ("unit", Kind::String),
            ("system", Kind::String),
            ("code", Kind::String),
        ],
    ),
    (
        "Identifier",
        &[
            ("use", Kind::String),
            ("type", Kind::Object),
            ("system", Kind::String),
            ("value", Kind::String),
            ("period", Kind::Object),
            ("assigner", Kind::Object),
        ],
    ),
    (
        "Attachment",
        &[
            ("contentType", Kind::String),
            ("language", Kind::String),
            ("data", Kind::String),
            ("url", Kind::String),
            ("size", Kind::Number),
            ("hash", Kind::String),
            ("title", Kind::String),
            ("creation", Kind::String),
        ],
    ),
];

fn look_of_object(value: &Draft<'_>) -> Option<&'static str> {
    let members: Vec<(&str, Kind)> = match value {
        Draft::Raw(json) => json.members().map(|(key, value)| (key, value.kind())).collect(),
        Draft::Object(fields) => fields.members().map(|(key, value)| (key, value.kind())).collect(),
        Draft::Text(_) | Draft::Array(_) => return None,
    };
    let own: Vec<&(&str, Kind)> =
        members.iter().filter(|(key, _)| !matches!(*key, "id" | "extension")).collect();
    let is_made_of = |shape: &Shape| !own.is_empty() && own.iter().all(|member| shape.1.contains(member));
    SHAPES.iter().find(|shape| is_made_of(shape)).map(|(name, _)| *name)
}
