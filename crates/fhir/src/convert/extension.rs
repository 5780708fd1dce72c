//! Known extensions of Care Connect and GP Connect that have a home in R4 or in UK Core.
//!
//! Whatever differs in the least from the published shape stays untouched under its own address, which is
//! always safe.

use std::borrow::Cow;

use crate::draft::{Draft, Fields};

use super::edit::has;

/// Care Connect and GP Connect publish the same extension under several bases, so the name decides.
fn is_named(extension: &Draft<'_>, name: &str) -> bool {
    url_of(extension).is_some_and(|url| {
        url.strip_suffix(name).is_some_and(|base| base.ends_with(['-', '/'])) && url.contains("://")
    })
}

pub(super) fn url_of<'a>(extension: &'a Draft<'_>) -> Option<Cow<'a, str>> {
    match extension {
        Draft::Raw(json) => json.text_at("url"),
        Draft::Object(fields) => fields.text_at("url"),
        Draft::Text(_) | Draft::Array(_) => None,
    }
}

/// The first extension of this name.
pub(super) fn find<'f, 'd>(fields: &'f mut Fields<'d>, name: &str) -> Option<&'f mut Fields<'d>> {
    let list = fields.get_mut("extension")?.items()?;
    list.iter_mut().find(|extension| is_named(extension, name))?.fields()
}

/// Gives every extension of this name another address.
pub(super) fn readdress(fields: &mut Fields<'_>, name: &str, url: &'static str) {
    each(fields, name, |extension| extension.put("url", Draft::string(url)));
}

/// Edits every extension of this name.
pub(super) fn each<'d>(fields: &mut Fields<'d>, name: &str, edit: impl FnMut(&mut Fields<'d>)) {
    let Some(list) = fields.get_mut("extension").and_then(Draft::items) else { return };
    list.iter_mut().filter(|extension| is_named(extension, name)).filter_map(Draft::fields).for_each(edit);
}

/// Moves the value of an extension to the element `to`, unless that exists. The extension goes.
pub(super) fn move_to(fields: &mut Fields<'_>, name: &str, value: &str, to: &'static str) {
    if has(fields, to) {
        return;
    }
    let Some(extension) = find(fields, name) else { return };
    let is_plain = extension.len() == 2;
    if is_plain && let Some(value) = extension.take(value) {
        remove(fields, name);
        fields.put(to, value);
    }
}

/// Removes the first extension of this name and gives it.
pub(super) fn remove<'d>(fields: &mut Fields<'d>, name: &str) -> Option<Draft<'d>> {
    let list = fields.get_mut("extension")?.items()?;
    let place = list.iter().position(|extension| is_named(extension, name))?;
    let extension = list.remove(place);
    if list.is_empty() {
        fields.take("extension");
    }
    Some(extension)
}

/// Takes the value of a part of a complex extension, if the part is nothing but that value.
pub(super) fn take_part<'d>(
    extension: &mut Fields<'d>,
    part: &str,
    is_value: impl Fn(&str) -> bool,
) -> Option<Draft<'d>> {
    let list = extension.get_mut("extension")?.items()?;
    let place = list.iter().position(|one| url_of(one).is_some_and(|url| url == part))?;
    let fields = list.get_mut(place)?.fields()?;
    let key = fields.keys().find(|key| is_value(key)).map(str::to_owned)?;
    if fields.len() != 2 {
        return None;
    }
    let value = fields.take(&key)?;
    list.remove(place);
    Some(value)
}

/// Whether nothing but the address is left of a complex extension.
pub(super) fn is_spent(extension: &mut Fields<'_>) -> bool {
    extension.len() == 2
        && extension.get_mut("extension").and_then(Draft::items).is_some_and(|list| list.is_empty())
}
