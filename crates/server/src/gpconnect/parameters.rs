//! The `Parameters` of `$gpc.getstructuredrecord`, validated in full before any source is asked.
//!
//! What is not known here is not judged here: unknown parameters and parts go to the GP system, whose own
//! warnings come back (GP Connect 1.6.2, forward compatibility).

use http::StatusCode;
use jiff::civil::Date;
use tributary_bounds::{Problem, Spine};
use tributary_fhir::{Document, Json, Kind};
use tributary_model::NhsNumber;

use crate::handlers::parameters::{named, nhs_number, scan};

mod combinations;
mod values;

use combinations::allowed_together;

const PATIENT: &str = "patientNHSNumber";

/// A parameter that asks for an area, with the parts it knows.
struct Area {
    name: &'static str,
    parts: &'static [Part],
}

/// A part of an area's parameter.
struct Part {
    name: &'static str,
    takes: Takes,
    is_needed: bool,
}

/// What a part's value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Boolean,
    /// A whole date, today at the latest.
    PastDate,
    /// A whole date, today at the earliest.
    DateToCome,
    /// Whole dates, today at the latest, in their order; either may be missing.
    PastPeriod,
    PositiveInt,
    Code(&'static [&'static str]),
}

const fn part(name: &'static str, takes: Takes) -> Part {
    Part { name, takes, is_needed: false }
}

/// The areas in the order of the specification. `filterSignificance` is of version 1.5.
const AREAS: &[Area] = &[
    Area {
        name: "includeAllergies",
        parts: &[Part { name: "includeResolvedAllergies", takes: Takes::Boolean, is_needed: true }],
    },
    Area {
        name: "includeMedication",
        parts: &[
            part("includePrescriptionIssues", Takes::Boolean),
            part("medicationSearchFromDate", Takes::PastDate),
        ],
    },
    Area {
        name: "includeConsultations",
        parts: &[
            part("consultationSearchPeriod", Takes::PastPeriod),
            part("includeNumberOfMostRecent", Takes::PositiveInt),
        ],
    },
    Area {
        name: "includeProblems",
        parts: &[
            part("filterStatus", Takes::Code(&["active", "inactive"])),
            part("filterSignificance", Takes::Code(&["major", "minor"])),
        ],
    },
    Area {
        name: "includeImmunisations",
        parts: &[part("includeNotGiven", Takes::Boolean), part("includeStatus", Takes::Boolean)],
    },
    Area {
        name: "includeUncategorisedData",
        parts: &[part("uncategorisedDataSearchPeriod", Takes::PastPeriod)],
    },
    Area { name: "includeInvestigations", parts: &[part("investigationSearchPeriod", Takes::PastPeriod)] },
    Area { name: "includeReferrals", parts: &[part("referralSearchPeriod", Takes::PastPeriod)] },
    Area { name: "includeDiaryEntries", parts: &[part("diaryEntriesSearchDate", Takes::DateToCome)] },
];

/// Version 1.5 takes it several times, and gives what any of them asks for.
const REPEATABLE: &str = "includeProblems";

/// Reads a body and gives the patient it names.
pub(super) fn read(body: &[u8], today: Date) -> Result<NhsNumber, Problem> {
    let document = scan(body)?;
    let patient = patient(&document)?;
    for (at, (name, parameter)) in named(&document).enumerate() {
        let Some(area) = AREAS.iter().find(|area| area.name == name) else { continue };
        let came_before = named(&document).take(at).any(|(earlier, _)| earlier == name);
        if came_before && area.name != REPEATABLE {
            return Err(Problem::parameter(area.name, "The parameter may come once only."));
        }
        check_area(area, parameter, today)?;
    }
    allowed_together(&document, today)?;
    Ok(patient)
}

/// Exactly one patient.
fn patient(document: &Document) -> Result<NhsNumber, Problem> {
    let mut patients = named(document).filter(|(name, _)| name == PATIENT);
    let (_, first) =
        patients.next().ok_or_else(|| Problem::parameter(PATIENT, "The parameter is missing."))?;
    if patients.next().is_some() {
        return Err(Problem::bad("The parameter may come once only.").naming(PATIENT));
    }
    let identifier = first
        .get("valueIdentifier")
        .ok_or_else(|| Problem::parameter(PATIENT, "The parameter takes a valueIdentifier."))?;
    nhs_number(PATIENT, identifier)
}

/// What is said of an NHS number that is none.
pub(super) fn nhs_number_problem(name: &str) -> Problem {
    let text = "The value is not a valid NHS number.";
    Problem::new(StatusCode::BAD_REQUEST, "value", text).coded(Spine::NHS_NUMBER).naming(name)
}

fn check_area(area: &Area, parameter: Json<'_>, today: Date) -> Result<(), Problem> {
    let is_known = |key: &str| matches!(key, "name" | "part" | "id" | "extension");
    if parameter.members().any(|(key, _)| !is_known(key)) {
        return Err(Problem::parameter(area.name, "The parameter takes parts, and no value of its own."));
    }
    if parameter.get("part").is_some_and(|parts| parts.kind() != Kind::Array) {
        return Err(Problem::parameter(area.name, "The parts must be a list."));
    }
    for part in area.parts {
        let place = format!("{}.{}", area.name, part.name);
        let mut found = parts_of(parameter).filter(|one| one.says("name", part.name));
        let first = found.next();
        if found.next().is_some() {
            return Err(Problem::resource(&place, "The part may come once only."));
        }
        match first {
            Some(value) => {
                values::check(part.takes, value, today).map_err(|text| Problem::parameter(&place, text))?;
            }
            None if part.is_needed => return Err(Problem::parameter(&place, "The part is missing.")),
            None => {}
        }
    }
    Ok(())
}

fn parts_of(parameter: Json<'_>) -> impl Iterator<Item = Json<'_>> {
    parameter.get("part").into_iter().flat_map(Json::items)
}

fn part_of<'d>(parameter: Json<'d>, name: &str) -> Option<Json<'d>> {
    parts_of(parameter).find(|part| part.says("name", name))
}

#[cfg(test)]
mod tests;
