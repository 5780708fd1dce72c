//! Which parts may not stand beside which areas.
//!
//! Consultations and problems bring linked items of every other area along; a filter on that area would then
//! hide what the link promises. Two searches are excepted because the specification predefines them.

use jiff::Span;
use jiff::civil::Date;
use tributary_bounds::Problem;
use tributary_fhir::{Document, Json, Kind};
use tributary_model::FhirDate;

use super::{named, part_of, parts_of};

const CONSULTATIONS: &str = "includeConsultations";
const PROBLEMS: &str = "includeProblems";
const MEDICATION: &str = "includeMedication";
const FROM_DATE: &str = "medicationSearchFromDate";

/// Parts that stand neither beside consultations nor beside problems.
const BESIDE_EITHER: &[(&str, &str)] = &[
    (MEDICATION, FROM_DATE),
    ("includeUncategorisedData", "uncategorisedDataSearchPeriod"),
    ("includeReferrals", "referralSearchPeriod"),
    ("includeDiaryEntries", "diaryEntriesSearchDate"),
    ("includeImmunisations", "includeNotGiven"),
    ("includeImmunisations", "includeStatus"),
];
/// Parts that do not stand beside consultations.
const BESIDE_CONSULTATIONS: &[(&str, &str)] = &[(PROBLEMS, "filterStatus"), (PROBLEMS, "filterSignificance")];
/// What the second predefined search asks for besides.
const SECOND_SEARCH: &[&str] = &["includeImmunisations", "includeUncategorisedData"];

/// Refuses a combination that GP systems refuse.
pub(super) fn allowed_together(document: &Document, today: Date) -> Result<(), Problem> {
    for (_, parameter) in named(document).filter(|(name, _)| name == CONSULTATIONS) {
        let both = ["consultationSearchPeriod", "includeNumberOfMostRecent"];
        if both.iter().all(|part| part_of(parameter, part).is_some()) {
            let text = "A period and a number of most recent consultations exclude one another.";
            return Err(Problem::resource(CONSULTATIONS, text));
        }
    }
    let asks_for = |area: &str| named(document).any(|(name, _)| name == area);
    let (consultations, problems) = (asks_for(CONSULTATIONS), asks_for(PROBLEMS));
    let either = BESIDE_EITHER.iter().filter(|_| consultations || problems);
    let only_consultations = BESIDE_CONSULTATIONS.iter().filter(|_| consultations);
    let is_present = |(area, part): &&(&str, &str)| {
        named(document).any(|(name, parameter)| name == *area && part_of(parameter, part).is_some())
    };
    match either.chain(only_consultations).find(is_present) {
        Some(_) if is_predefined(document, today) => Ok(()),
        Some((area, part)) => {
            let text = "The part cannot stand beside consultations or problems.";
            Err(Problem::parameter(&format!("{area}.{part}"), text))
        }
        None => Ok(()),
    }
}

/// The last three consultations, all problems and allergies, and a year of medicines; or the same with
/// immunisations and uncategorised data.
fn is_predefined(document: &Document, today: Date) -> bool {
    let of = |area: &str| named(document).find(|(name, _)| name == area).map(|(_, parameter)| parameter);
    let count = |area: &str| named(document).filter(|(name, _)| name == area).count();
    let unfiltered = |area: &str| of(area).is_some_and(|parameter| parts_of(parameter).next().is_none());
    let areas = named(document).filter(|(name, _)| name.starts_with("include")).count();
    let first = unfiltered(PROBLEMS)
        && count(PROBLEMS) == 1
        && of(CONSULTATIONS).is_some_and(last_three)
        && of("includeAllergies").is_some_and(with_resolved)
        && of(MEDICATION).is_some_and(|medication| a_year(medication, today));
    first && (areas == 4 || (areas == 6 && SECOND_SEARCH.iter().all(|area| unfiltered(area))))
}

fn last_three(consultations: Json<'_>) -> bool {
    let number = part_of(consultations, "includeNumberOfMostRecent");
    number.and_then(|part| part.get("valuePositiveInt")).is_some_and(|number| number.raw() == "3")
}

fn with_resolved(allergies: Json<'_>) -> bool {
    let resolved = part_of(allergies, "includeResolvedAllergies");
    resolved.and_then(|part| part.get("valueBoolean")).is_some_and(|truth| truth.kind() == Kind::True)
}

/// A year back, give or take the day by which clocks and leap years differ.
fn a_year(medication: Json<'_>, today: Date) -> bool {
    let from = part_of(medication, FROM_DATE).and_then(|part| part.get("valueDate")?.text());
    let Some(FhirDate::Day(from)) = from.and_then(|text| FhirDate::parse(&text)) else { return false };
    let around = |days: i64| today.checked_sub(Span::new().days(days)).ok();
    let days = [364, 365, 366].map(around);
    days.contains(&Some(from))
}
