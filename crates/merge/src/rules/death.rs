//! Is the patient dead? Nobody infers it: whoever says so, or otherwise, is named.

use std::collections::BTreeSet;

use tributary_fhir::{Json, Kind};
use tributary_model::demographics::{Death, DeathNotice, SentDate};
use tributary_model::{Demographics, FhirDate, Redacted};

use super::demographics::{SERVICE, discrepancy};
use super::{DECEASED, Discrepancy};
use crate::lines::Ground;
use tributary_statements::gate::Whom;

/// What a source says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Alive,
    Dead(Option<FhirDate>),
}

/// Every source that says something else than the national service, or than another source. Where the service
/// did not answer, a death is told however many sources agree on it.
pub(super) fn judge(ground: Ground<'_>, whom: Whom<'_>) -> Option<Discrepancy> {
    let answers = ground.loaded.answers.iter().enumerate();
    let said: Vec<(usize, &str, Said)> = answers
        .filter_map(|(place, one)| Some((place, one.card.name.as_str(), said(one.proof.patient)?)))
        .collect();
    let any_dead = said.iter().any(|(_, _, said)| matches!(said, Said::Dead(_)));
    let differs = match whom.traced {
        None => any_dead,
        Some(traced) => {
            let death = traced.death.as_ref().map(Redacted::expose);
            said.iter().any(|(_, _, said)| !fits_service(*said, death)) || disagree(&said)
        }
    };
    if !differs {
        return None;
    }
    let speakers: BTreeSet<usize> = said.iter().map(|(place, ..)| *place).collect();
    let words = format!("{} {}", told(&said), service(whom.traced));
    Some(discrepancy(ground, DECEASED, &speakers, words))
}

fn said(patient: Json<'_>) -> Option<Said> {
    if let Some(date) = patient.get("deceasedDateTime").filter(|date| date.kind() != Kind::Null) {
        return Some(Said::Dead(date.text().and_then(|text| FhirDate::parse(&text))));
    }
    let is_dead = patient.get("deceasedBoolean").and_then(Json::truth)?;
    Some(if is_dead { Said::Dead(None) } else { Said::Alive })
}

/// Only a formal notice is a death; against an informal one, every source that speaks says something else.
fn fits_service(said: Said, death: Option<&Death>) -> bool {
    match (said, death) {
        (Said::Alive, None) => true,
        (Said::Dead(date), Some(Death { notice: DeathNotice::Formal, date: known })) => {
            fit(date, known.as_ref().map(SentDate::date))
        }
        (Said::Alive, Some(_))
        | (Said::Dead(_), None | Some(Death { notice: DeathNotice::Informal, .. })) => false,
    }
}

fn disagree(said: &[(usize, &str, Said)]) -> bool {
    let fits = |one: Said, other: Said| match (one, other) {
        (Said::Alive, Said::Alive) => true,
        (Said::Dead(one), Said::Dead(other)) => fit(one, other),
        (Said::Alive, Said::Dead(_)) | (Said::Dead(_), Said::Alive) => false,
    };
    let differs = |(place, (_, _, one)): (usize, &(usize, &str, Said))| {
        said.iter().skip(place + 1).any(|(_, _, other)| !fits(*one, *other))
    };
    said.iter().enumerate().any(differs)
}

/// Whether two dates can be one, told with different precision.
fn fit(one: Option<FhirDate>, other: Option<FhirDate>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return true };
    let contains = |wide: FhirDate, day: jiff::civil::Date| match wide {
        FhirDate::Year(year) => year == day.year(),
        FhirDate::Month(year, month) => (year, month) == (day.year(), day.month()),
        FhirDate::Day(_) | FhirDate::Instant(_) => wide.first_day() == day,
    };
    contains(one, other.first_day()) || contains(other, one.first_day())
}

/// What the sources say, the living first: the last word is the service's.
fn told(said: &[(usize, &str, Said)]) -> String {
    let mut sentences: Vec<String> = said
        .iter()
        .filter(|(_, _, said)| *said == Said::Alive)
        .map(|(_, name, _)| format!("{name} records that this patient is alive."))
        .collect();
    sentences.extend(said.iter().filter_map(|(_, name, said)| match said {
        Said::Alive => None,
        Said::Dead(Some(date)) => Some(format!("{name} records a date of death {}.", date.display())),
        Said::Dead(None) => Some(format!("{name} records that this patient has died.")),
    }));
    sentences.join(" ")
}

fn service(traced: Option<&Demographics>) -> String {
    let Some(traced) = traced else { return format!("No answer of {SERVICE} confirms it.") };
    let Some(death) = traced.death.as_ref().map(Redacted::expose) else {
        return format!("{SERVICE} does not.");
    };
    let notice = match death.notice {
        DeathNotice::Formal => "a formal notice of death",
        DeathNotice::Informal => "only an informal notice of death",
    };
    let date = death.date.as_ref().map(|date| format!(", dated {}", date.date().display()));
    format!("{SERVICE} holds {notice}{}.", date.unwrap_or_default())
}
