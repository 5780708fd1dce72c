//! The limits of the matrix, statement by statement.

use std::collections::BTreeMap;

use jiff::ToSpan as _;
use jiff::civil::Date;
use tributary_fhir::Json;
use tributary_model::{FhirDate, Limit};

use tributary_statements::concept::{self, Concept};
use tributary_statements::facts::{Facts, Medicine, Stop};
use tributary_statements::load::Statement;
use tributary_statements::maps::Maps;

/// Whether a limit lets a statement through that says `facts`, as of `today`. Limits that count
/// are judged in [`beyond`].
pub(super) fn lets_through(limit: Limit, facts: &Facts, resource: Json<'_>, today: Date) -> bool {
    if facts.in_error {
        return false;
    }
    let is_since = |days: u16| {
        let first = today.checked_sub(i64::from(days).days()).ok();
        facts.date.zip(first).is_some_and(|(date, first)| date.first_day() >= first)
    };
    match limit {
        Limit::PlanExists => false,
        Limit::Adjustments => is_adjustment(facts, resource),
        Limit::Names | Limit::WithoutNotes | Limit::LastResults | Limit::LastContacts(_) => true,
        // What is not known to be over stays with what is current.
        Limit::CurrentMedicines | Limit::CurrentWithoutNotes | Limit::CurrentNames => facts
            .thing
            .medicine()
            .is_none_or(|medicine| medicine.position.block() == 0 || is_news(medicine, today)),
        Limit::ActiveProblems | Limit::ActiveWithoutNotes => {
            facts.thing.problem().is_none_or(|problem| problem.block() == 0)
        }
        Limit::Filed | Limit::FiledWithoutNotes => is_filed(resource),
        Limit::RecentContacts(days) | Limit::RecentWithoutNotes(days) => is_since(days),
        Limit::PlansAndDischarge => is_discharge(facts, resource),
    }
}

/// A stop that somebody may not have heard of. Without it another source's current medicine would stand unopposed, and
/// what is left out would rewrite what is shown. One that is not dated may be of today.
fn is_news(medicine: &Medicine, today: Date) -> bool {
    let first = today.checked_sub(i64::from(Limit::STOP_DAYS).days()).unwrap_or(Date::MIN);
    match medicine.stop {
        Some(Stop::On(date)) => date.may_be_since(first),
        Some(Stop::Undated) => true,
        None => false,
    }
}

/// The national reasonable adjustment flag, as a category.
const ADJUSTMENT: &str = "NRAF";

/// Words of alerts that are about safety, whatever else the flag calls itself.
const SAFETY: &[&str] = &["safety", "safeguard", "violen", "aggress", "abus", "weapon", "risk to"];

/// A flag is an adjustment only if it says so, and speaks of no danger.
fn is_adjustment(facts: &Facts, resource: Json<'_>) -> bool {
    let categories = resource.get("category").into_iter().flat_map(Json::each);
    let is_coded = categories.flat_map(concept::codes).any(|code| code == ADJUSTMENT);
    let title = concept::normal(&facts.title);
    let is_named = title.starts_with("reasonable adjustment");
    (is_coded || is_named) && !SAFETY.iter().any(|word| title.contains(word))
}

/// Final, amended or corrected, and saying so. Silence is not filed.
pub(super) fn is_filed(resource: Json<'_>) -> bool {
    let key = if resource.says("resourceType", "DocumentReference") { "docStatus" } else { "status" };
    let status = resource.text_at(key).unwrap_or_default();
    matches!(status.as_ref(), "final" | "amended" | "corrected" | "appended")
}

/// Discharge summary, in SNOMED CT and LOINC.
const DISCHARGE: &[&str] = &["373942005", "18842-5"];

fn is_discharge(facts: &Facts, resource: Json<'_>) -> bool {
    let concepts = ["type", "category"].iter().filter_map(|key| resource.get(key)).flat_map(Json::each);
    let is_coded = concepts.flat_map(concept::codes).any(|code| DISCHARGE.contains(&code.as_ref()));
    is_coded || concept::normal(&facts.title).split(' ').any(|word| word == "discharge")
}

/// The newest first, equal dates by name: the same whatever order they came in.
type Age = (std::cmp::Reverse<Option<FhirDate>>, String);

/// A statement that a counting limit looks at.
pub(super) struct Candidate<'s> {
    pub(super) place: usize,
    pub(super) statement: &'s Statement<'s>,
    pub(super) facts: &'s Facts,
}

/// The places of the statements of one source that a counting limit holds back.
pub(super) fn beyond(limit: Limit, candidates: Vec<Candidate<'_>>, maps: &Maps) -> Vec<usize> {
    match limit {
        Limit::LastContacts(most) => older(candidates, usize::from(most)),
        Limit::LastResults => not_newest(candidates, maps),
        Limit::PlanExists
        | Limit::Adjustments
        | Limit::Names
        | Limit::CurrentMedicines
        | Limit::CurrentNames
        | Limit::ActiveProblems
        | Limit::ActiveWithoutNotes
        | Limit::Filed
        | Limit::WithoutNotes
        | Limit::CurrentWithoutNotes
        | Limit::FiledWithoutNotes
        | Limit::RecentContacts(_)
        | Limit::RecentWithoutNotes(_)
        | Limit::PlansAndDischarge => Vec::new(),
    }
}

fn older(mut candidates: Vec<Candidate<'_>>, most: usize) -> Vec<usize> {
    let age = |one: &Candidate<'_>| -> Age { (std::cmp::Reverse(one.facts.date), one.statement.origin()) };
    candidates.sort_by_cached_key(age);
    candidates.into_iter().skip(most).map(|one| one.place).collect()
}

/// All but the newest of each test. Results of one day stay together: day and instant cannot be compared.
fn not_newest(candidates: Vec<Candidate<'_>>, maps: &Maps) -> Vec<usize> {
    let day = |one: &Candidate<'_>| one.facts.date.map(FhirDate::first_day);
    let mut newest: BTreeMap<String, Option<Date>> = BTreeMap::new();
    let tests: Vec<(String, Candidate<'_>)> =
        candidates.into_iter().map(|one| (test(&one, maps), one)).collect();
    for (test, one) in &tests {
        let last = newest.entry(test.clone()).or_default();
        *last = day(one).max(*last);
    }
    let is_older =
        |(test, one): &(String, Candidate<'_>)| newest.get(test).is_some_and(|last| day(one) < *last);
    tests.into_iter().filter(is_older).map(|(_, one)| one.place).collect()
}

/// What was tested. A result without a code is a test of its own.
fn test(one: &Candidate<'_>, maps: &Maps) -> String {
    let concept = one.statement.resource.get("code").and_then(|code| Concept::of(code, maps));
    let concept = concept.filter(|concept| !concept.placeholder);
    concept.map_or_else(|| format!("origin|{}", one.statement.origin()), |concept| concept.key)
}
