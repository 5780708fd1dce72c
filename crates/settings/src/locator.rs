//! `[locator]`: which sources are expected to hold a part of a patient's record.

use tributary_model::{SourceId, SourceKind};
use tributary_sources::SourceEntry;

use super::reader::Reader;

/// The expected sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocatorSettings {
    /// The sources of a kind that are expected for every patient. A kind without a list: all of its sources.
    pub lists: Vec<(SourceKind, Vec<SourceId>)>,
}

impl LocatorSettings {
    /// The sources expected for every patient, in the order of the registry.
    pub fn expected(&self, sources: &[SourceEntry]) -> Vec<SourceId> {
        let is_expected = |entry: &&SourceEntry| {
            let list = self.lists.iter().find(|(kind, _)| *kind == entry.kind);
            list.is_none_or(|(_, ids)| ids.contains(&entry.id))
        };
        sources.iter().filter(is_expected).map(|entry| entry.id.clone()).collect()
    }
}

pub(super) fn read(mut table: Reader<'_>, sources: &[SourceEntry]) -> LocatorSettings {
    let mut settings = LocatorSettings::default();
    for kind in SourceKind::ALL {
        let of_kind = |text: &str| of_kind(text, *kind, sources);
        if let Some(ids) = table.list(kind.code(), of_kind) {
            settings.lists.push((*kind, ids));
        }
    }
    table.close();
    settings
}

fn of_kind(text: &str, kind: SourceKind, sources: &[SourceEntry]) -> Result<SourceId, String> {
    let entry = sources.iter().find(|entry| entry.id.as_str() == text);
    match entry {
        Some(entry) if entry.kind == kind => Ok(entry.id.clone()),
        Some(entry) => Err(format!("is a source of kind {}", entry.kind.code())),
        None => Err("is the id of no source".to_owned()),
    }
}
