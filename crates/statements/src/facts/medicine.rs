//! Medicines: statements, prescriptions, dispenses, administrations.

use jiff::civil::Date;
use tributary_fhir::Json;
use tributary_model::{FhirDate, Section};

use super::{Classes, Facts, Part, Reader, Thing};
use crate::concept::{self, Concept};
use crate::load::{Loaded, Statement};

/// Where a source stands on a product, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Position {
    /// Said not to be given.
    DoNotGive,
    /// In use.
    Current,
    /// On hold.
    Suspended,
    /// Prescribed, and not taken.
    NotTaken,
    /// Stopped, completed, cancelled, or ended.
    Past,
    /// Not said.
    Unknown,
}

impl Position {
    /// The code on the wire and on screen.
    pub const fn code(self) -> &'static str {
        match self {
            Self::DoNotGive => "do-not-give",
            Self::Current => "current",
            Self::Suspended => "suspended",
            Self::NotTaken => "not-taken",
            Self::Past => "past",
            Self::Unknown => "unknown",
        }
    }

    /// Its block in the list. What is not known to be over stays with what is current.
    pub const fn block(self) -> u8 {
        match self {
            Self::DoNotGive | Self::Current | Self::Suspended | Self::Unknown => 0,
            Self::NotTaken => 1,
            Self::Past => 2,
        }
    }
}

/// That somebody ended it. What came to its end as it was meant to was not stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// On this date.
    On(FhirDate),
    /// On a date that is not said.
    Undated,
}

/// What matters about a medicine statement.
#[derive(Clone, PartialEq, Eq)]
pub struct Medicine {
    /// Where the source stands.
    pub position: Position,
    /// That it was stopped, and when, where the source says so.
    pub stop: Option<Stop>,
    /// The dose as text, in one form for comparing. Never parsed.
    pub dose: String,
    /// Today's code of the product.
    pub product: Option<String>,
    /// Its ingredient, when the map knows it.
    pub ingredient: Option<String>,
}

/// Hangs prescriptions, issues, dispenses and administrations beneath the statement they belong to.
///
/// Only what adds nothing hangs: the same product, and nothing that says more strongly that it is to be given,
/// or that it must not be. Everything else keeps a line of its own.
pub fn hang(loaded: &Loaded<'_>, parts: &mut [Part]) {
    let parents: Vec<Option<usize>> = loaded.statements.iter().map(|one| parent(loaded, one)).collect();
    let tops: Vec<Option<usize>> = (0..parents.len()).map(|place| top(&parents, place)).collect();
    let hangs: Vec<Option<usize>> = tops
        .into_iter()
        .enumerate()
        .map(|(place, top)| top.filter(|top| adds_nothing(parts, place, *top)))
        .collect();
    for (part, top) in parts.iter_mut().zip(hangs) {
        if let Some(top) = top {
            *part = Part::Beneath(top);
        }
    }
    for (statement, part) in loaded.statements.iter().zip(parts) {
        if let Part::Line(facts) = part
            && let Some(key) = issue_key(loaded, statement, facts)
        {
            facts.key = key;
            // It names one event: that the product has a line of its own is no riddle.
            facts.conceptual = false;
        }
    }
}

/// The number of one item of one electronic prescription.
const EPS_ITEM: &str = "https://fhir.nhs.uk/Id/prescription-order-item-number";

/// An issue that hangs beneath nothing, and no longer says that the medicine is in use, is known by its item
/// number or by itself. One that says so stays with its product: no conflict may be lost for want of a plan.
fn issue_key(loaded: &Loaded<'_>, statement: &Statement<'_>, facts: &Facts) -> Option<String> {
    let holds = matches!(
        facts.thing.medicine()?.position,
        Position::DoNotGive | Position::Current | Position::Suspended | Position::NotTaken
    );
    let resource = statement.resource;
    let identifiers = ["identifier", "authorizingPrescription"].iter().filter_map(|key| resource.get(key));
    let identifiers = identifiers.flat_map(Json::each).map(|one| one.get("identifier").unwrap_or(one));
    let mut items =
        identifiers.filter(|one| one.says("system", EPS_ITEM)).filter_map(|one| one.text_at("value"));
    let item = items.find(|value| !value.is_empty());
    let is_issue = match statement.kind.as_ref() {
        "MedicationRequest" => item.is_some() || resource.get("basedOn").is_some(),
        "MedicationDispense" => item.is_some(),
        _ => false,
    };
    if holds || !is_issue {
        return None;
    }
    Some(item.map_or_else(|| super::origin_key(loaded, statement), |item| format!("eps|{item}")))
}

/// What a medicine resource is based on, one step up.
pub fn parent(loaded: &Loaded<'_>, statement: &Statement<'_>) -> Option<usize> {
    let link = match statement.kind.as_ref() {
        "MedicationRequest" => "basedOn",
        "MedicationDispense" => "authorizingPrescription",
        "MedicationAdministration" => "request",
        _ => return None,
    };
    let of_plan = || loaded.home(statement)?.statements_by_plan.get(&statement.id).copied();
    let links = statement.resource.get(link).into_iter().flat_map(Json::each);
    let names = links.filter_map(|one| one.text_at("reference"));
    let is_request =
        |place: &usize| loaded.statements.get(*place).is_some_and(|one| one.kind == "MedicationRequest");
    of_plan().or_else(|| names.filter_map(|name| loaded.target_place(statement, &name)).find(is_request))
}

/// The longest chain that is followed: issue, plan, statement, and one to spare. Longer ones bite their tail.
const LONGEST_CHAIN: usize = 4;

fn top(parents: &[Option<usize>], place: usize) -> Option<usize> {
    let mut at = place;
    for _ in 0..LONGEST_CHAIN {
        match parents.get(at).copied().flatten() {
            Some(up) => at = up,
            None => return (at != place).then_some(at),
        }
    }
    None
}

fn adds_nothing(parts: &[Part], place: usize, top: usize) -> bool {
    let (Some(Part::Line(below)), Some(Part::Line(above))) = (parts.get(place), parts.get(top)) else {
        return false;
    };
    let (Some(lower), Some(upper)) = (below.thing.medicine(), above.thing.medicine()) else { return false };
    below.key == above.key
        && !above.in_error
        && lower.position >= upper.position
        && lower.position != Position::DoNotGive
}

pub(super) fn read(reader: &Reader<'_>) -> Facts {
    let resource = reader.resource();
    let concept = code(reader);
    let found = concept.and_then(|code| Concept::of(code, reader.maps));
    let label = resource.get("medicationReference").and_then(|one| one.text_at("display"));
    let title = concept.and_then(concept::words).or_else(|| label.map(std::borrow::Cow::into_owned));
    let product =
        found.as_ref().and_then(|found| Some(reader.maps.product(found.code.as_deref()?).to_owned()));
    let ingredient =
        product.as_deref().and_then(|product| reader.maps.ingredient(product)).map(str::to_owned);
    let end = reader.date(&[&["effectivePeriod", "end"]]);
    let detail = dose(resource);
    let medicine = Medicine {
        position: position(reader, end),
        stop: stop(reader, end),
        dose: concept::normal(&detail),
        product,
        ingredient,
    };
    let product = medicine.product.as_deref();
    let classes = Classes {
        high_risk: product.and_then(|product| reader.maps.high_risk_class(product)).map(str::to_owned),
        allergy: product.and_then(|product| reader.maps.allergy_class(product)).map(str::to_owned),
    };
    // What lost its code in a transfer, and a mixture that only has a name, is nobody else's medicine.
    let identifies = |found: &&Concept| !found.placeholder && (found.code.is_some() || !is_mixture(reader));
    let is_known = found.as_ref().is_some_and(|found| identifies(&found));
    Facts {
        key: found.as_ref().filter(identifies).map_or_else(|| reader.origin_key(), |found| found.key.clone()),
        conceptual: is_known,
        title: title.unwrap_or_else(|| reader.statement.kind.to_string()),
        remark: elsewhere(resource).or_else(|| event(reader)),
        end,
        detail,
        classes,
        thing: Thing::Medicine(medicine),
        ..reader.plain(Section::Medications, None, DATES)
    }
}

/// Who prescribes, in both spellings.
const AGENCY: &[&str] = &[
    "Extension-UKCore-MedicationPrescribingOrganizationType",
    "Extension-CareConnect-GPC-PrescribingAgency-1",
];

/// What another organisation prescribes stands in a GP record without issues; a reader must not miss them.
fn elsewhere(resource: Json<'_>) -> Option<&'static str> {
    let extensions = resource.get("extension").into_iter().flat_map(Json::items);
    let agencies = extensions
        .filter(|one| one.text_at("url").is_some_and(|url| AGENCY.iter().any(|name| url.ends_with(name))))
        .filter_map(|one| one.get("valueCodeableConcept"));
    agencies.flat_map(concept::codes).find_map(|code| match code.as_ref() {
        "prescribed-by-another-organisation" => Some("prescribed elsewhere"),
        "prescribed-by-previous-practice" => Some("prescribed at a previous practice"),
        _ => None,
    })
}

const DATES: &[&[&str]] = &[
    &["effectivePeriod", "start"],
    &["effectiveDateTime"],
    &["authoredOn"],
    &["whenHandedOver"],
    &["whenPrepared"],
    &["dateAsserted"],
];

fn code<'a>(reader: &Reader<'a>) -> Option<Json<'a>> {
    let concept = reader.resource().get("medicationCodeableConcept");
    concept.or_else(|| product(reader)?.get("code"))
}

/// The Medication that the statement points to.
fn product<'a>(reader: &Reader<'a>) -> Option<Json<'a>> {
    let resource = reader.resource();
    let reference = resource.get("medicationReference")?.text_at("reference")?;
    if let Some(id) = reference.strip_prefix('#') {
        let mut contained = resource.get("contained")?.items();
        return contained.find(|one| one.says("id", id));
    }
    Some(reader.loaded.target(reader.statement, &reference)?.resource)
}

fn is_mixture(reader: &Reader<'_>) -> bool {
    let ingredients = product(reader).and_then(|product| product.get("ingredient"));
    ingredients.is_some_and(|list| list.each().nth(1).is_some())
}

/// A medicine handed over or given once: that says nothing of whether it is still in use.
fn event(reader: &Reader<'_>) -> Option<&'static str> {
    let done = matches!(reader.status("status").as_ref(), "completed" | "in-progress" | "stopped");
    match reader.statement.kind.as_ref() {
        "MedicationDispense" if done => Some("dispensed"),
        "MedicationAdministration" if done => Some("given"),
        _ => None,
    }
}

fn dose(resource: Json<'_>) -> String {
    let key = if resource.get("dosage").is_some() { "dosage" } else { "dosageInstruction" };
    let texts =
        resource.get(key).into_iter().flat_map(Json::each).filter_map(|dosage| dosage.text_at("text"));
    texts.map(std::borrow::Cow::into_owned).collect::<Vec<_>>().join("; ")
}

fn position(reader: &Reader<'_>, end: Option<FhirDate>) -> Position {
    if reader.resource().get("doNotPerform").and_then(Json::truth) == Some(true) {
        return Position::DoNotGive;
    }
    let is_event =
        matches!(reader.statement.kind.as_ref(), "MedicationDispense" | "MedicationAdministration");
    let stated = match reader.status("status").as_ref() {
        "not-taken" | "not-done" | "declined" => Position::NotTaken,
        _ if is_event => Position::Unknown,
        "active" | "intended" | "draft" => Position::Current,
        "on-hold" => Position::Suspended,
        "stopped" | "completed" | "cancelled" => Position::Past,
        _ => Position::Unknown,
    };
    let over = end.is_some_and(|end| is_before(end, reader.today));
    if over && matches!(stated, Position::Current | Position::Suspended) { Position::Past } else { stated }
}

/// What is handed over or given once cannot be stopped: that says nothing of whether the medicine is still in use.
fn stop(reader: &Reader<'_>, end: Option<FhirDate>) -> Option<Stop> {
    let is_event = matches!(&*reader.statement.kind, "MedicationDispense" | "MedicationAdministration");
    let is_stopped = matches!(&*reader.status("status"), "stopped" | "cancelled");
    (is_stopped && !is_event).then(|| end.map_or(Stop::Undated, Stop::On))
}

/// Whether all of a date, as imprecise as it is, lies before today.
pub(super) fn is_before(end: FhirDate, today: Date) -> bool {
    match end {
        FhirDate::Year(year) => year < today.year(),
        FhirDate::Month(year, month) => (year, month) < (today.year(), today.month()),
        FhirDate::Day(_) | FhirDate::Instant(_) => end.first_day() < today,
    }
}
