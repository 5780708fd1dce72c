//! Words out of single resources.

use tributary_fhir::Json;
use tributary_fhir::bundle::{nhs_numbers, type_of};
use tributary_model::{FhirDate, NhsNumber};

use crate::table::Banner;

/// The text of a member; empty when there is none.
pub(crate) fn text(json: Json<'_>, key: &str) -> String {
    json.text_at(key).map(Into::into).unwrap_or_default()
}

/// The words of a concept: its text, else a display, else a code.
pub(crate) fn concept(concept: Json<'_>) -> Option<String> {
    let filled = |text: &String| !text.trim().is_empty();
    let codings = |key: &'static str| {
        let codings = concept.get("coding").into_iter().flat_map(Json::items);
        codings.map(move |coding| text(coding, key)).find(filled)
    };
    let own = Some(text(concept, "text")).filter(filled);
    own.or_else(|| codings("display")).or_else(|| codings("code"))
}

/// The words of a statement whose list entry carries none.
pub(crate) fn title(statement: Json<'_>) -> String {
    let concepts = ["code", "medicationCodeableConcept", "vaccineCode", "type"];
    let of_concept = concepts.into_iter().filter_map(|key| statement.get(key));
    let of_concept = of_concept.flat_map(Json::each).find_map(concept);
    let texts = || ["title", "description"].into_iter().map(|key| text(statement, key));
    of_concept
        .or_else(|| texts().find(|text| !text.is_empty()))
        .unwrap_or_else(|| type_of(statement).into_owned())
}

/// The banner's facts of a Patient.
pub(crate) fn banner(patient: Json<'_>, as_of: &str) -> Banner {
    let number = nhs_numbers(patient).find_map(|number| NhsNumber::parse(&number).ok());
    let died = died(patient);
    // The dead grow no older.
    let born = |date: FhirDate| if died.is_empty() { born(date, as_of) } else { date.display() };
    Banner {
        name: name(patient),
        born: FhirDate::parse(&text(patient, "birthDate")).map(born).unwrap_or_default(),
        gender: capitalised(&text(patient, "gender")),
        nhs_number: number.map(|number| number.grouped()).unwrap_or_default(),
        died,
    }
}

/// When the patient died; empty unless the Patient says so.
fn died(patient: Json<'_>) -> String {
    let date = text(patient, "deceasedDateTime");
    let is_dead = patient.get("deceasedBoolean").and_then(Json::truth) == Some(true);
    match FhirDate::parse(&date) {
        Some(date) => date.display(),
        None if is_dead || !date.is_empty() => "Date not known".to_owned(),
        None => String::new(),
    }
}

/// `ASHWORTH, George`, from the official name if one is marked.
fn name(patient: Json<'_>) -> String {
    let names = || patient.get("name").into_iter().flat_map(Json::each);
    let official = names().find(|name| name.says("use", "official"));
    let Some(name) = official.or_else(|| names().next()) else { return String::new() };
    let given = name.get("given").into_iter().flat_map(Json::each).filter_map(Json::text);
    let given = given.collect::<Vec<_>>().join(" ");
    let family = text(name, "family").to_uppercase();
    match (family.is_empty(), given.is_empty()) {
        (false, false) => format!("{family}, {given}"),
        (false, true) => family,
        (true, false) => given,
        (true, true) => text(name, "text"),
    }
}

/// `11-Feb-1953 (73y)`. The age is only told when the day of birth is known.
fn born(date: FhirDate, as_of: &str) -> String {
    let display = date.display();
    let (FhirDate::Day(birth), Some(today)) = (date, FhirDate::parse(as_of)) else { return display };
    let today = today.first_day();
    let had_birthday = (today.month(), today.day()) >= (birth.month(), birth.day());
    let years = today.year() - birth.year() - i16::from(!had_birthday);
    format!("{display} ({years}y)")
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
