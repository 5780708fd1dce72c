//! Where a reference of a source leads in the merged bundle. Never to another source's resource.

use tributary_model::SourceId;
use uuid::Uuid;

use crate::inputs::AttachmentLinks;
use crate::load::{Accepted, Loaded, bare};

/// What becomes of one reference.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fate<'r> {
    /// It stays as it is: contained, foreign, or no address at all.
    Stays,
    /// It leads to this resource of the merged bundle, and to this fragment of it.
    Leads(Uuid, Option<&'r str>),
    /// It named a resource of this, its own, source that is not in the answer.
    Nowhere(&'r SourceId, &'r str),
}

impl Fate<'_> {
    /// What the bundle has in place of the reference; nothing for one that stays.
    pub fn address(self) -> String {
        match self {
            Self::Stays => String::new(),
            Self::Leads(id, fragment) => {
                let mut buffer = Uuid::encode_buffer();
                let urn: &str = id.urn().encode_lower(&mut buffer);
                let (mark, fragment) = fragment.map_or(("", ""), |fragment| ("#", fragment));
                [urn, mark, fragment].concat()
            }
            // A bare `Type/id` would attach to another source's resource of the same name.
            Self::Nowhere(source, relative) => unresolved(source, relative),
        }
    }
}

/// The fate of a reference found in an accepted answer.
pub fn fate<'r>(loaded: &Loaded<'_>, home: &'r Accepted<'_>, patient: Uuid, reference: &'r str) -> Fate<'r> {
    if reference.starts_with('#') {
        return Fate::Stays;
    }
    let target = bare(reference);
    // What is as long as before has lost neither version nor fragment.
    let has_more = target.len() < reference.len();
    let fragment = || if has_more { reference.split_once('#').map(|(_, fragment)| fragment) } else { None };
    if home.patient_names.contains(target) {
        return Fate::Leads(patient, fragment());
    }
    if let Some(statement) = home.index.get(target).and_then(|place| loaded.statements.get(*place)) {
        return Fate::Leads(statement.id, fragment());
    }
    let base = home.card.base_url.as_deref().map(|base| base.trim_end_matches('/'));
    let own = base.and_then(|base| target.strip_prefix(base)?.strip_prefix('/'));
    // A name of that form could be anybody's: what is not in this answer must not lead to another one's entry.
    let is_urn = is_urn(target, "urn:uuid:") || is_urn(target, "urn:oid:");
    match own.or_else(|| (is_relative(target) || is_urn).then_some(target)) {
        Some(relative) => Fate::Nowhere(&home.card.id, relative),
        None => Fate::Stays,
    }
}

/// The address under which a caller can fetch what a source attached; `None` where it is not ours to give out.
///
/// A source that names its Binary by `Binary/id` means its own, and so does one that puts its base before it.
pub fn attachment(links: Option<&dyn AttachmentLinks>, home: &Accepted<'_>, url: &str) -> Option<String> {
    let base = home.card.base_url.as_deref().map(|base| base.trim_end_matches('/'));
    let own = base.and_then(|base| url.strip_prefix(base)?.strip_prefix('/')).unwrap_or(url);
    let id = own.strip_prefix("Binary/")?;
    let is_id = (1..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
        && id.bytes().any(|byte| byte != b'.');
    is_id.then(|| links?.address(&home.card.id, id)).flatten()
}

/// The scheme and the name space of a URN have no case.
fn is_urn(text: &str, space: &str) -> bool {
    text.get(..space.len()).is_some_and(|start| start.eq_ignore_ascii_case(space))
}

/// An address that says of itself that it leads nowhere.
pub fn unresolved(source: &SourceId, relative: &str) -> String {
    format!("urn:x-tributary:unresolved:{source}:{relative}")
}

/// Whether the text is `Type/id`. Some systems put display text where a reference belongs.
fn is_relative(text: &str) -> bool {
    text.split_once('/').is_some_and(|(kind, id)| {
        kind.starts_with(|first: char| first.is_ascii_uppercase())
            && kind.bytes().all(|byte| byte.is_ascii_alphabetic())
            && !id.is_empty()
            && !id.contains(char::is_whitespace)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_text_is_no_reference() {
        assert!(is_relative("Encounter/1_2-3"));
        for text in ["Encounter", "No encounter/ none", "encounter/1", "https://x/Encounter/1", "Encounter/"]
        {
            assert!(!is_relative(text), "{text}");
        }
    }
}
