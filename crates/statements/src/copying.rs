//! A source's bytes on their way into the bundle: copied as they are, but for references, which must lead somewhere,
//! and markup of narratives that could hurt a reader.

use std::collections::BTreeSet;

use tributary_fhir::{Json, Mark, Writer, narrative};
use uuid::Uuid;

use crate::identified::{self, Identified, Lead};
use crate::inputs::AttachmentLinks;
use crate::load::{Accepted, Loaded, Statement, bare};
use crate::refs::{self, Fate};

/// What copying needs to know of the bundle.
#[derive(Clone, Copy, Debug)]
pub struct Copier<'c> {
    /// What was accepted.
    pub loaded: &'c Loaded<'c>,
    /// What entries are called by others.
    pub identified: &'c Identified,
    /// The merged Patient.
    pub patient: Uuid,
    /// Gives out addresses of attachments.
    pub attachments: Option<&'c dyn AttachmentLinks>,
    /// The statements that are in a document which holds a part of the record; `None` for all of it.
    pub document: Option<&'c BTreeSet<usize>>,
}

impl Copier<'_> {
    /// Copies a value of an answer.
    pub fn value(&self, home: &Accepted<'_>, value: Json<'_>, out: &mut String) {
        value.copy_into(out, &mut |mark, text| self.replacement(home, mark, text));
    }

    /// Copies a member of a statement; a reference that only names its target gets its address, where that is
    /// certain.
    pub fn member(&self, statement: &Statement<'_>, key: &str, value: Json<'_>, out: &mut String) {
        let Some(home) = self.loaded.home(statement) else { return };
        let mut addresses = Vec::new();
        self.addresses(statement, key, value, &mut addresses);
        addresses.sort_unstable();
        value.copy_adding(out, &mut |mark, text| self.replacement(home, mark, text), &addresses);
    }

    /// Writes all members that a statement keeps, each as [`Copier::member`] copies it.
    pub fn members(&self, statement: &Statement<'_>, out: &mut Writer) {
        let Some(home) = self.loaded.home(statement) else { return };
        let mut addresses = Vec::new();
        for (key, value) in kept(statement.resource) {
            self.addresses(statement, key, value, &mut addresses);
        }
        addresses.sort_unstable();
        for run in statement.resource.runs(is_kept) {
            let within = run.within(&addresses);
            let copy = |text: &mut String| {
                run.copy_adding(text, &mut |mark, text| self.replacement(home, mark, text), within);
            };
            match run.key {
                Some(key) => out.key(key).raw(copy),
                None => out.raw(copy),
            }
        }
    }

    /// The addresses that references inside a member get, each with its place in the document.
    fn addresses(
        &self,
        statement: &Statement<'_>,
        key: &str,
        value: Json<'_>,
        found: &mut Vec<(usize, String)>,
    ) {
        let address = |(key, reference): (&str, Json<'_>)| {
            let id = match self.identified.lead(self.loaded, statement.answer, key, reference)? {
                Lead::Patient => self.patient,
                Lead::Entry(place) if !self.holds(place) => return None,
                Lead::Entry(place) => self.loaded.statements.get(place)?.id,
            };
            Some((reference.span().start + 1, format!("\"reference\":\"urn:uuid:{id}\",")))
        };
        found.extend(identified::without_address(key, value).into_iter().filter_map(address));
    }

    fn holds(&self, place: usize) -> bool {
        self.document.is_none_or(|document| document.contains(&place))
    }

    /// Where a reference to a statement outside the document leads: nowhere, and it says so.
    fn left_out(&self, home: &Accepted<'_>, text: &str) -> Option<String> {
        self.document?;
        let name = bare(text);
        let place = home.index.get(name).filter(|place| !self.holds(**place))?;
        let statement = self.loaded.statements.get(*place).filter(|_| !home.patient_names.contains(name))?;
        Some(match statement.kind.as_ref() {
            // Every Patient of the record is the same person.
            "Patient" => format!("urn:uuid:{}", self.patient),
            _ => refs::unresolved(&home.card.id, &statement.origin()),
        })
    }

    fn replacement(&self, home: &Accepted<'_>, mark: Mark, text: &str) -> Option<String> {
        match mark {
            Mark::Reference => match refs::fate(self.loaded, home, self.patient, text) {
                Fate::Stays => None,
                leads @ Fate::Leads(..) => self.left_out(home, text).or_else(|| Some(leads.address())),
                nowhere @ Fate::Nowhere(..) => Some(nowhere.address()),
            },
            Mark::System => None,
            Mark::Attachment => refs::attachment(self.attachments, home, text),
            Mark::Narrative => narrative::tame(text),
        }
    }
}

/// The members that a source's resource keeps in the bundle; type, id and meta are written anew.
pub fn kept(resource: Json<'_>) -> impl Iterator<Item = (&str, Json<'_>)> {
    resource.members().filter(|(key, _)| is_kept(key))
}

fn is_kept(key: &str) -> bool {
    !matches!(key, "resourceType" | "id" | "meta")
}
