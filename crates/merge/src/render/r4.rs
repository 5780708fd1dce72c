//! The merged R4 Bundle.

use std::collections::BTreeSet;

use tributary_fhir::Writer;
use tributary_model::Section;
use uuid::Uuid;

use super::{lists, outcome, patient, provenance, statement};
use crate::record::Record;
use tributary_statements::facts::Part;
use tributary_statements::load::{device_id, own_id};

/// Address of a resource in the bundle.
pub(super) fn urn(id: Uuid) -> String {
    id.urn().encode_lower(&mut Uuid::encode_buffer()).to_owned()
}

/// An id as text; `buffer` is where it is written.
pub(super) fn hyphened(id: Uuid, buffer: &mut [u8; uuid::fmt::Urn::LENGTH]) -> &str {
    id.hyphenated().encode_lower(buffer)
}

/// Writes one entry whose resource `fill` writes.
pub(super) fn entry(json: &mut Writer, id: Uuid, fill: impl FnOnce(&mut Writer)) {
    json.object(|entry| {
        entry.text("fullUrl", id.urn().encode_lower(&mut Uuid::encode_buffer()));
        fill(entry.key("resource"));
    });
}

impl Record<'_> {
    /// The merged record as an R4 Bundle of type `collection`. Equal records give equal bytes.
    pub fn to_r4(&self) -> String {
        self.bundle(provenance::write_converted)
    }

    /// The Bundle; `converted` tells what the conversion to this version could not place.
    pub(super) fn bundle(&self, converted: fn(&Record<'_>, &mut Writer)) -> String {
        let received: usize = self.loaded.statements.iter().map(|one| one.resource.raw().len() + 700).sum();
        let mut json = Writer::with_capacity(received + 16_384);
        json.object(|bundle| {
            bundle.text("resourceType", "Bundle");
            let code = self.tally().completeness().code();
            bundle.key("meta").object(|meta| {
                meta.key("tag")
                    .array(|tags| tags.record([("system", "urn:x-tributary:completeness"), ("code", code)]));
            });
            bundle.text("type", "collection");
            bundle.text("timestamp", &self.inputs.as_of.to_string());
            bundle.key("entry").array(|entries| self.write_entries(converted, entries));
        });
        json.finish()
    }

    /// The statuses alone: what a caller gets when there is no record.
    pub fn to_outcome(&self) -> String {
        let mut json = Writer::with_capacity(4_096);
        outcome::of(self).write(&mut json);
        json.finish()
    }

    fn write_entries(&self, converted: fn(&Record<'_>, &mut Writer), entries: &mut Writer) {
        entry(entries, own_id("outcome"), |json| outcome::of(self).write(json));
        entry(entries, self.patient_id, |json| patient::write(self, json));
        for section in self.inputs.sections.iter() {
            entry(entries, lists::id(section), |json| lists::write(self, section, json));
        }
        for place in self.display_order(&self.beneath()) {
            statement::write_entry(self, place, entries);
        }
        for one in &self.discrepancies {
            entry(entries, provenance::discrepancy_id(self, one), |json| {
                provenance::write_discrepancy(self, one, json);
            });
        }
        for place in self.supporting_order() {
            statement::write_entry(self, place, entries);
        }
        provenance::write_sources(self, entries);
        converted(self, entries);
        entry(entries, device_id(), provenance::write_device);
    }

    /// Statements by section and line, each followed by what hangs beneath it.
    pub(super) fn display_order(&self, beneath: &[Vec<usize>]) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.parts.len());
        let mut placed = BTreeSet::new();
        let shown =
            Section::ALL.iter().flat_map(|section| self.lines_of(*section)).flat_map(|line| &line.members);
        for place in shown {
            let below = beneath.get(*place).into_iter().flatten();
            order.extend(std::iter::once(place).chain(below).copied().filter(|place| placed.insert(*place)));
        }
        // Nothing is ever lost for want of a line to hang beneath.
        let is_beneath = |place: &usize| matches!(self.parts.get(*place), Some(Part::Beneath(_)));
        order.extend((0..self.parts.len()).filter(is_beneath).filter(|place| !placed.contains(place)));
        order
    }

    /// For every statement, what hangs beneath it.
    pub(super) fn beneath(&self) -> Vec<Vec<usize>> {
        let mut beneath: Vec<Vec<usize>> = vec![Vec::new(); self.parts.len()];
        for (place, part) in self.parts.iter().enumerate() {
            if let Part::Beneath(top) = part
                && let Some(list) = beneath.get_mut(*top)
            {
                list.push(place);
            }
        }
        beneath
    }

    /// Patients of the sources first, then what statements refer to.
    pub(super) fn supporting_order(&self) -> Vec<usize> {
        let is_support = |place: &usize| matches!(self.parts.get(*place), Some(Part::Support));
        let is_patient =
            |place: usize| self.loaded.statements.get(place).is_some_and(|one| one.kind == "Patient");
        let mut order: Vec<usize> = (0..self.parts.len()).filter(is_support).collect();
        order.sort_by_key(|place| !is_patient(*place));
        order
    }

    /// Entries received from accepted sources, and how many of them the bundle holds.
    pub fn entries(&self) -> (usize, usize) {
        let received = self.loaded.answers.iter().map(|one| one.received).sum();
        (received, self.loaded.statements.len())
    }
}
