//! The Patient of a summary: the merged one, without the sources' own, of which the profile takes none.

use tributary_fhir::{Json, Kind, Writer};
use tributary_model::FhirDate;
use tributary_model::nhs_number::NHS_NUMBER_SYSTEM;

use super::super::patient;
use super::entries::Inside;
use crate::record::Record;
use tributary_statements::copying::Copier;
use tributary_statements::load::Accepted;

/// Elements that the profile leaves optional, taken from a source only in the shape that FHIR wants.
const OPTIONAL: &[(&str, Kind)] =
    &[("telecom", Kind::Array), ("gender", Kind::String), ("address", Kind::Array)];

pub(super) fn write(record: &Record<'_>, inside: &Inside, json: &mut Writer) {
    let copier = inside.copier(record);
    json.object(|subject| {
        subject.text("resourceType", "Patient");
        subject.text("id", &record.patient_id.to_string());
        patient::write_origin(record.inputs.pds, subject);
        subject.key("identifier").array(|list| {
            list.record([("system", NHS_NUMBER_SYSTEM), ("value", record.inputs.patient.expose())]);
        });
        if !patient::write_if_traced(record, "name", subject) {
            write_names(record, copier, subject);
        }
        // No source can declare somebody dead for the others.
        patient::write_if_traced(record, "deceased", subject);
        for (key, kind) in OPTIONAL {
            if !patient::write_if_traced(record, key, subject)
                && let Some((home, value)) = of_sources(record, key, |value| value.kind() == *kind)
            {
                subject.key(key).raw(|out| copier.value(home, value, out));
            }
        }
        if patient::write_if_traced(record, "birthDate", subject) {
            return;
        }
        match of_sources(record, "birthDate", is_date) {
            Some((_, date)) => subject.key("birthDate").raw(|out| out.push_str(date.raw())),
            None => subject.key("_birthDate").object(write_unknown),
        }
    });
}

/// The first value of a source of lowest rank that fits.
fn of_sources<'r, 'a>(
    record: &'r Record<'a>,
    key: &str,
    fits: impl Fn(Json<'a>) -> bool,
) -> Option<(&'r Accepted<'a>, Json<'a>)> {
    let held = |home: &'r Accepted<'a>| Some((home, home.proof.patient.get(key).filter(|one| fits(*one))?));
    record.loaded.answers.iter().find_map(held)
}

fn is_date(value: Json<'_>) -> bool {
    let date = value.text().and_then(|text| FhirDate::parse(&text));
    date.is_some_and(|date| !matches!(date, FhirDate::Instant(_)))
}

/// The profile wants a name, and in each name a family, a given name or a text (ips-pat-1).
fn write_names(record: &Record<'_>, copier: Copier<'_>, patient: &mut Writer) {
    let mut found = record.loaded.answers.iter().map(|home| (home, names(home)));
    let found = found.find(|(_, names)| !names.is_empty());
    patient.key("name").array(|list| match found {
        Some((home, names)) => {
            for name in names {
                list.raw(|out| copier.value(home, name, out));
            }
        }
        None => list.object(|name| name.key("_text").object(write_unknown)),
    });
}

fn names<'a>(home: &Accepted<'a>) -> Vec<Json<'a>> {
    let names = home.proof.patient.get("name").into_iter().flat_map(Json::each);
    names.filter(|name| says_something(*name)).collect()
}

fn says_something(name: Json<'_>) -> bool {
    let said =
        |value: Option<Json<'_>>| value.and_then(Json::text).is_some_and(|text| !text.trim().is_empty());
    let given = || name.get("given").into_iter().flat_map(Json::each).any(|one| said(Some(one)));
    name.kind() == Kind::Object && (said(name.get("family")) || said(name.get("text")) || given())
}

fn write_unknown(element: &mut Writer) {
    element.key("extension").array(|list| {
        list.record([
            ("url", "http://hl7.org/fhir/StructureDefinition/data-absent-reason"),
            ("valueCode", "unknown"),
        ]);
    });
}
