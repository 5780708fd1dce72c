//! References that name their target by an identifier alone: where they lead, if that is certain.

use std::collections::HashMap;
use std::sync::OnceLock;

use tributary_fhir::{Json, Kind};
use tributary_model::nhs_number::NHS_NUMBER_SYSTEM;

use crate::load::{Loaded, Statement};

const ODS: &str = "https://fhir.nhs.uk/Id/ods-organization-code";
const ODS_SITE: &str = "https://fhir.nhs.uk/Id/ods-site-code";
const SDS_USER: &str = "https://fhir.nhs.uk/Id/sds-user-id";
const GMC: &str = "https://fhir.hl7.org.uk/Id/gmc-number";
const NMC: &str = "https://fhir.hl7.org.uk/Id/nmc-number";

/// National identifiers name one thing wherever they stand: only they lead from one answer to another.
const NATIONAL: &[(&str, &str)] = &[
    (ODS, "Organization"),
    (ODS_SITE, "Location"),
    (SDS_USER, "Practitioner"),
    (GMC, "Practitioner"),
    (NMC, "Practitioner"),
];

/// Elements that can only mean one type.
const FITTING: &[(&str, &str)] = &[
    ("encounter", "Encounter"),
    ("context", "Encounter"),
    ("organization", "Organization"),
    ("managingOrganization", "Organization"),
    ("serviceProvider", "Organization"),
    ("custodian", "Organization"),
    ("manufacturer", "Organization"),
    ("location", "Location"),
    ("practitioner", "Practitioner"),
    ("medicationReference", "Medication"),
    ("specimen", "Specimen"),
    ("subject", "Patient"),
    ("patient", "Patient"),
];

/// The members a `Reference` can have. Anything with others is another thing that has an identifier.
const MEMBERS: &[&str] = &["identifier", "display", "type", "id", "extension"];

/// What the entries are called by others, laid out when it is first needed.
#[derive(Default)]
pub struct Identified(OnceLock<HashMap<(String, String), Vec<usize>>>);

/// Where one leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lead {
    /// To the patient.
    Patient,
    /// To the entry at this position.
    Entry(usize),
}

impl Identified {
    /// What a reference without an address leads to: the one entry of its own answer that has this identifier and a
    /// fitting type, or, by a national identifier, the one entry of all answers. In doubt nothing.
    pub fn lead(&self, loaded: &Loaded<'_>, answer: usize, key: &str, reference: Json<'_>) -> Option<Lead> {
        let identifier = reference.get("identifier")?;
        let (system, value) = (identifier.text_at("system")?, identifier.text_at("value")?);
        // What a system sends when it does not know the person.
        if value == "UNK" {
            return None;
        }
        let told = reference.text_at("type");
        let fits_told = |kind: &str| told.as_deref().is_none_or(|told| told == kind);
        if system == NHS_NUMBER_SYSTEM {
            // Whoever else it may be about was refused at the gate.
            let home = loaded.answers.get(answer)?;
            let numbers: Vec<_> = tributary_fhir::bundle::nhs_numbers(home.proof.patient).collect();
            return (fits_told("Patient") && numbers.contains(&value)).then_some(Lead::Patient);
        }
        let expected = FITTING.iter().find(|(element, _)| *element == key).map(|(_, kind)| *kind);
        let national = NATIONAL.iter().find(|(known, _)| *known == system).map(|(_, kind)| *kind);
        let index = self.0.get_or_init(|| index(loaded));
        let places = index.get(&(system.into_owned(), value.into_owned()))?;
        let fits = |place: &&usize| {
            loaded.statements.get(**place).is_some_and(|one| {
                fits_told(&one.kind)
                    && expected.is_none_or(|kind| kind == one.kind)
                    && national.is_none_or(|kind| kind == one.kind)
            })
        };
        let is_own = |place: &&usize| loaded.statements.get(**place).is_some_and(|one| one.answer == answer);
        let own: Vec<usize> = places.iter().filter(is_own).filter(fits).copied().collect();
        match (own.as_slice(), national) {
            ([one], _) => Some(Lead::Entry(*one)),
            ([], Some(_)) => {
                let all: Vec<usize> = places.iter().filter(fits).copied().collect();
                if let [one] = all.as_slice() { Some(Lead::Entry(*one)) } else { None }
            }
            _ => None,
        }
    }
}

fn index(loaded: &Loaded<'_>) -> HashMap<(String, String), Vec<usize>> {
    let mut index: HashMap<(String, String), Vec<usize>> = HashMap::new();
    for (place, statement) in loaded.statements.iter().enumerate() {
        for name in names(statement) {
            let places = index.entry(name).or_default();
            // One entry can carry an identifier twice.
            if places.last() != Some(&place) {
                places.push(place);
            }
        }
    }
    index
}

fn names(statement: &Statement<'_>) -> impl Iterator<Item = (String, String)> {
    let all = statement.resource.get("identifier").into_iter().flat_map(Json::each);
    all.filter_map(|one| Some((one.text_at("system")?.into_owned(), one.text_at("value")?.into_owned())))
}

/// The references without an address inside a member of a resource, each with the element it stands in.
pub(crate) fn without_address<'a>(key: &'a str, value: Json<'a>) -> Vec<(&'a str, Json<'a>)> {
    let mut found = Vec::new();
    // Most members hold none, and their text says so at once.
    if !matches!(value.kind(), Kind::Object | Kind::Array) || !value.raw().contains("\"identifier\"") {
        return found;
    }
    let mut open = vec![(key, value)];
    while let Some((key, value)) = open.pop() {
        let is_reference = value.get("identifier").is_some_and(|one| one.get("value").is_some())
            && value.members().all(|(name, _)| MEMBERS.contains(&name.trim_start_matches('_')));
        if is_reference {
            found.push((key, value));
            continue;
        }
        open.extend(value.members());
        open.extend(value.items().map(|item| (key, item)));
    }
    found
}
