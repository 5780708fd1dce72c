//! A person in forms that can be compared, whoever described them.

mod birth;
mod name;

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::civil::Date;
use tributary_fhir::Json;
use tributary_model::demographics::Gender;
use tributary_model::{Demographics, FhirDate};

pub use birth::Birth;
pub use name::{Name, shown};

/// More names or addresses of one Patient than these are not compared: a person has a handful.
const MOST_READ: usize = 16;

/// What is said of a person, as far as it is compared. Silence is empty.
#[derive(Clone, Default)]
pub struct Person {
    /// The names in use; none that is marked as former, as a nickname or as a cover.
    pub names: Vec<Name>,
    /// Date of birth.
    pub birth: Option<Birth>,
    /// `male`, `female`, `other`.
    pub gender: Option<String>,
    /// Postcodes of the present homes, as they are read.
    pub postcodes: BTreeSet<String>,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Person {
    /// The person a source's Patient describes. `today` is the day on which names and addresses must hold.
    pub fn of_source(patient: Json<'_>, today: Date) -> Self {
        Self {
            names: names(patient, today),
            birth: birth(patient),
            gender: patient.text_at("gender").map(Cow::into_owned).filter(is_telling),
            postcodes: postcodes(patient, today),
        }
    }

    /// The person the national service traced.
    pub fn of_service(traced: &Demographics) -> Self {
        let name = traced.name.as_ref().map(|name| Name::of_service(name.expose()));
        let birth = traced.birth_date.as_ref().map(|date| Birth::of(date.expose().text()));
        let gender = traced.gender.as_ref().map(|gender| *gender.expose()).map(Gender::code);
        let postcode = traced.address.as_ref().and_then(|address| address.expose().postcode.as_deref());
        Self {
            names: name.into_iter().filter(Name::says_anything).collect(),
            birth,
            gender: gender.map(str::to_owned).filter(is_telling),
            postcodes: postcode.map(spaced).into_iter().collect(),
        }
    }
}

/// The names in use on a day.
pub fn names(patient: Json<'_>, today: Date) -> Vec<Name> {
    let is_own = |name: &Json<'_>| {
        let usage = name.text_at("use");
        !matches!(usage.as_deref(), Some("old" | "maiden" | "nickname" | "anonymous")) && holds(*name, today)
    };
    let all = patient.get("name").into_iter().flat_map(Json::each).filter(is_own).map(Name::of_source);
    all.filter(Name::says_anything).take(MOST_READ).collect()
}

/// The date of birth that a Patient states, readable or not. One without letters states none.
pub fn birth(patient: Json<'_>) -> Option<Birth> {
    let text = patient.text_at("birthDate")?;
    let text = text.trim();
    (!text.is_empty()).then(|| Birth::of(text))
}

fn postcodes(patient: Json<'_>, today: Date) -> BTreeSet<String> {
    let is_home = |address: &Json<'_>| {
        address.text_at("use").is_none_or(|usage| usage == "home") && holds(*address, today)
    };
    let homes = patient.get("address").into_iter().flat_map(Json::each).filter(is_home).take(MOST_READ);
    homes.filter_map(|home| home.text_at("postalCode")).map(|code| spaced(&code)).filter(is_telling).collect()
}

/// A postcode in capitals with its one space: `CH41 1AA`.
fn spaced(postcode: &str) -> String {
    let bare: String = postcode.chars().filter(|letter| !letter.is_whitespace()).collect();
    let mut letters: Vec<char> = bare.to_uppercase().chars().collect();
    if letters.len() > 3 {
        letters.insert(letters.len() - 3, ' ');
    }
    letters.into_iter().collect()
}

fn is_telling(text: &String) -> bool {
    !text.is_empty() && text != "unknown"
}

/// Whether the `period` of something holds on a day. A date that cannot be read rules nothing out.
pub fn holds(thing: Json<'_>, today: Date) -> bool {
    let date = |key: &str| FhirDate::parse(&thing.get("period")?.text_at(key)?);
    let has_begun = date("start").is_none_or(|start| start.first_day() <= today);
    let has_ended = date("end").is_some_and(|end| match end {
        FhirDate::Year(year) => year < today.year(),
        FhirDate::Month(year, month) => (year, month) < (today.year(), today.month()),
        FhirDate::Day(_) | FhirDate::Instant(_) => end.first_day() < today,
    });
    has_begun && !has_ended
}

#[cfg(test)]
mod tests;
