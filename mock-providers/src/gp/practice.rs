//! Who and what a practice has: its patients and how they stand, its people and places.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::outcome::Refusal;
use crate::store::Resource;

use super::documents::{Content, Document};
use super::{GpRecord, ListIds, patient_not_found};

/// How a patient stands at the practice: who may see that there is such a patient, and what is in the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// A regular patient.
    #[default]
    Registered,
    /// Registered for a short time: known to Foundations only.
    Temporary,
    /// Registered, but does not want the record shared.
    Dissenting,
    /// Flagged: nobody may learn that there is such a patient.
    Sensitive,
    /// Died longer ago than records are shown.
    Deceased,
    /// No longer registered.
    Inactive,
    /// The national service does not confirm the NHS number.
    Unverified,
}

impl Standing {
    /// Whether Foundations finds and reads the patient.
    pub(super) fn is_in_foundations(self) -> bool {
        matches!(self, Self::Registered | Self::Temporary | Self::Dissenting)
    }

    /// Whether Documents finds the patient.
    pub(super) fn is_in_documents(self) -> bool {
        matches!(self, Self::Registered | Self::Dissenting)
    }

    /// Whether clinical content may be given out.
    pub(super) fn check_content(self) -> Result<(), Refusal> {
        match self {
            Self::Registered => Ok(()),
            Self::Dissenting => Err(Refusal::new(403, "NO_PATIENT_CONSENT", "the patient has dissented")),
            Self::Temporary | Self::Sensitive | Self::Deceased | Self::Inactive | Self::Unverified => {
                Err(patient_not_found())
            }
        }
    }
}

/// One patient of the practice.
#[derive(Debug)]
pub(crate) struct GpPatient {
    pub(crate) standing: Standing,
    /// The Patient as Foundations and Documents serve it.
    pub(crate) patient: Resource,
    pub(crate) record: GpRecord,
    pub(crate) documents: Vec<Document>,
}

/// The patients of a practice, by NHS number, and its people and places.
#[derive(Debug, Default)]
pub(crate) struct Practice {
    patients: BTreeMap<String, GpPatient>,
    /// Organisations, practitioners and their roles, locations.
    directory: Vec<Resource>,
}

impl Practice {
    pub(crate) fn new(patients: BTreeMap<String, GpPatient>, directory: Vec<Resource>) -> Self {
        Self { patients, directory }
    }

    /// A practice whose patients, people and places are those of the records. Each record has one Patient;
    /// where two have the same logical id, the later ones get another in Foundations and Documents.
    pub(crate) fn of_records(records: BTreeMap<String, Vec<Resource>>, list_ids: ListIds) -> Self {
        let mut practice = Self::default();
        let mut ids = BTreeSet::new();
        let mut known = BTreeSet::new();
        for (number, resources) in records {
            let Some(found) = resources.iter().find(|one| one.kind == "Patient") else {
                continue;
            };
            let mut id = found.id.clone();
            while !ids.insert(id.clone()) {
                id = format!("{}-{}", found.id, ids.len());
            }
            let patient = found.with_id(&id);
            let documents = resources
                .iter()
                .filter(|one| one.kind == "DocumentReference")
                .map(|one| Document::of_file(one, &patient))
                .collect();
            let people = resources.iter().filter(|one| is_administrative(&one.kind));
            practice.directory.extend(people.filter(|one| known.insert(one.reference())).cloned());
            let record = GpRecord::new(resources, list_ids);
            let standing = Standing::Registered;
            practice.patients.insert(number, GpPatient { standing, patient, record, documents });
        }
        practice
    }

    pub(super) fn patient(&self, nhs_number: &str) -> Option<&GpPatient> {
        self.patients.get(nhs_number)
    }

    pub(super) fn patient_of_id(&self, id: &str) -> Option<&GpPatient> {
        self.patients.values().find(|one| one.patient.id == id)
    }

    pub(super) fn number_of_patient(&self, id: &str) -> Option<String> {
        let found = self.patients.iter().find(|(_, one)| one.patient.id == id);
        found.map(|(number, _)| number.clone())
    }

    /// The document with this id of its Binary, and whose it is.
    pub(super) fn document(&self, id: &str) -> Option<(&GpPatient, &Document)> {
        self.patients
            .values()
            .find_map(|one| Some((one, one.documents.iter().find(|document| document.binary == id)?)))
    }

    pub(super) fn number_of_document(&self, id: &str) -> Option<String> {
        let holds = |one: &GpPatient| one.documents.iter().any(|document| document.binary == id);
        self.patients.iter().find(|(_, one)| holds(one)).map(|(number, _)| number.clone())
    }

    pub(super) fn directory(&self) -> &[Resource] {
        &self.directory
    }

    pub(super) fn entry(&self, reference: &str) -> Option<&Resource> {
        self.directory.iter().find(|one| one.reference() == reference)
    }
}

fn is_administrative(kind: &str) -> bool {
    matches!(kind, "Organization" | "Practitioner" | "PractitionerRole" | "Location")
}

impl Document {
    /// A document of a file, with a small made-up content.
    fn of_file(reference: &Resource, patient: &Resource) -> Self {
        let words = reference.value.get("description").and_then(Value::as_str).unwrap_or("A document.");
        let content = Content::Text(words.to_owned());
        Self::new(reference.about(&patient.reference()).value, content)
    }
}
