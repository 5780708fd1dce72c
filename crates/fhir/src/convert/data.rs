//! Elements that R4 added to data types, wherever they stand.

use std::borrow::Cow;

use crate::draft::{Draft, Fields};
use crate::json::{Json, Kind};

use super::kept::FROM_R4;

/// Mends a value in place: what is untouched and needs nothing stays one slice of the original.
pub(super) fn mend(value: &mut Draft<'_>) {
    match value {
        Draft::Raw(json) => {
            if let Some(mended) = mended(*json) {
                *value = mended;
            }
        }
        Draft::Text(_) => {}
        Draft::Array(items) => items.iter_mut().for_each(mend),
        Draft::Object(fields) => mend_fields(fields),
    }
}

/// Mends an opened object and all that is inside it.
pub(super) fn mend_fields(fields: &mut Fields<'_>) {
    for (_, value) in fields.members_mut() {
        mend(value);
    }
    own(fields);
}

/// The mended value, if it changes. One pass: nothing is looked at twice, however deep it lies.
fn mended(json: Json<'_>) -> Option<Draft<'_>> {
    match json.kind() {
        Kind::Object => {
            let mut has_changed = false;
            let members: Vec<(Cow<'_, str>, Draft<'_>)> = json
                .members()
                .map(|(key, value)| {
                    let new = mended(value);
                    has_changed |= new.is_some();
                    (Cow::Borrowed(key), new.unwrap_or(Draft::Raw(value)))
                })
                .collect();
            let mut fields = Fields::gather(members);
            has_changed |= own(&mut fields);
            has_changed.then_some(Draft::Object(fields))
        }
        Kind::Array => {
            let mut has_changed = false;
            let items: Vec<Draft<'_>> = json
                .items()
                .map(|item| {
                    let new = mended(item);
                    has_changed |= new.is_some();
                    new.unwrap_or(Draft::Raw(item))
                })
                .collect();
            has_changed.then_some(Draft::Array(items))
        }
        Kind::String | Kind::Number | Kind::True | Kind::False | Kind::Null => None,
    }
}

/// What this object itself needs. Tells whether it changed.
fn own(fields: &mut Fields<'_>) -> bool {
    if is_typed_reference(fields) {
        let kind = fields.take("type").into_iter().map(|kind| ("valueUri", kind));
        let sibling = fields.take("_type").into_iter().map(|sibling| ("_valueUri", sibling));
        let mut extension = Fields::default();
        extension.put("url", Draft::string(&format!("{FROM_R4}Reference.type")));
        for (key, value) in kind.chain(sibling) {
            extension.put(key, value);
        }
        fields.append("extension", Draft::Object(extension));
        return true;
    }
    // Types of addresses that STU3 does not tell apart.
    fields.has("url")
        && ["valueCanonical", "valueUrl", "valueUuid"].iter().any(|key| fields.rename(key, "valueUri"))
}

/// A reference that names the type of its target, which only R4 allows.
fn is_typed_reference(fields: &Fields<'_>) -> bool {
    const KEYS: &[&str] = &["id", "extension", "reference", "type", "identifier", "display"];
    fields.len() <= 2 * KEYS.len()
        && fields.get("type").is_some_and(|kind| kind.kind() == Kind::String)
        && ["reference", "identifier", "display"].iter().any(|key| fields.has(key))
        && fields.keys().all(|key| KEYS.contains(&key.strip_prefix('_').unwrap_or(key)))
}
