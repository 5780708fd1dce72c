//! The statements of a document, and what they refer to: every reference leads to an entry of the document, out
//! of it by its own address, or says that it leads nowhere.

use std::collections::BTreeSet;

use tributary_fhir::{Json, Mark, Writer};

use super::super::statement;
use super::choose::Chosen;
use crate::record::Record;
use tributary_statements::copying::Copier;
use tributary_statements::facts::Position;
use tributary_statements::load::{Statement, bare};

/// Types that a document cannot hold beside its own: a second Composition (bdl-ips-1) or Patient, and lists and
/// bundles, which would bring in the whole record.
const KEPT_OUT: &[&str] = &["Composition", "Patient", "List", "Bundle"];

/// The statements inside a document.
pub(super) struct Inside {
    /// Those that sections list, in the order of the sections.
    listed: Vec<usize>,
    /// Those and all they refer to, directly or not.
    all: BTreeSet<usize>,
}

impl Inside {
    pub(super) fn of(record: &Record<'_>, chosen: &[Chosen<'_>]) -> Self {
        let mut all = BTreeSet::new();
        let sent = chosen.iter().filter(|one| one.is_sent());
        let entries = sent.flat_map(|one| one.entries.iter().copied());
        let listed: Vec<usize> = entries.filter(|place| all.insert(*place)).collect();
        let mut open = listed.clone();
        while let Some(place) = open.pop() {
            open.extend(targets(record, place).into_iter().filter(|target| all.insert(*target)));
        }
        Self { listed, all }
    }

    /// About how many bytes they take.
    pub(super) fn size(&self, record: &Record<'_>) -> usize {
        self.statements(record).map(|one| one.resource.raw().len() + 700).sum()
    }

    pub(super) fn statements<'r, 'a>(
        &'r self,
        record: &'r Record<'a>,
    ) -> impl Iterator<Item = &'r Statement<'a>> {
        self.all.iter().filter_map(|place| record.loaded.statements.get(*place))
    }

    pub(super) fn write(&self, record: &Record<'_>, list: &mut Writer) {
        let listed: BTreeSet<usize> = self.listed.iter().copied().collect();
        let behind = self.all.iter().filter(|place| !listed.contains(place));
        for place in self.listed.iter().chain(behind) {
            statement::write_entry_with(record, self.copier(record), *place, list);
        }
    }

    /// Copies what stands in the document.
    pub(super) fn copier<'c>(&'c self, record: &'c Record<'_>) -> Copier<'c> {
        Copier { document: Some(&self.all), ..record.copier() }
    }
}

/// Whether a reader of bare entries would take a statement for its opposite: orders not to give something, and
/// mistakes. They come in by no reference either.
fn is_misread(record: &Record<'_>, place: usize) -> bool {
    record.ground().facts(place).is_some_and(|facts| {
        let order = facts.thing.medicine().is_some_and(|one| one.position == Position::DoNotGive);
        order || facts.in_error
    })
}

/// What a statement refers to that can be part of a document.
fn targets(record: &Record<'_>, place: usize) -> Vec<usize> {
    let statement = record.loaded.statements.get(place);
    let home = statement.and_then(|statement| record.loaded.home(statement));
    let (Some(statement), Some(home)) = (statement, home) else { return Vec::new() };
    let references = statement.resource.marks().filter(|(mark, _)| *mark == Mark::Reference);
    let names = references.filter_map(|(_, value)| Json::text(value));
    let of_patient = |name: &str| home.patient_names.contains(bare(name));
    let places = names.filter(|name| !of_patient(name)).filter_map(|name| home.index.get(bare(&name)));
    let can_be = |place: &usize| {
        let target = record.loaded.statements.get(*place);
        let is_of_a_kind = target.is_some_and(|one| !KEPT_OUT.contains(&one.kind.as_ref()));
        is_of_a_kind && !is_misread(record, *place)
    };
    places.copied().filter(can_be).collect()
}
