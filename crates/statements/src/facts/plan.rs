//! Plans, CPR recommendations and what else a crew must know before it acts.

use tributary_fhir::Json;
use tributary_model::{FhirDate, Section};

use super::{Facts, Reader, Thing};
use crate::concept;

/// What is recommended about resuscitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cpr {
    /// Attempt it.
    For,
    /// Do not attempt it.
    NotFor,
}

fn recommendation(code: &str) -> Option<Cpr> {
    match code {
        "450475007" | "304252001" => Some(Cpr::For),
        "450476008" | "304253006" | "143021000119109" => Some(Cpr::NotFor),
        _ => None,
    }
}

/// The place of a plan document in the section: nearer the top is asked for sooner.
fn document_place(code: &str) -> Option<u8> {
    match code {
        // ReSPECT
        "1382601000000107" => Some(1),
        // End of life care plan
        "736373009" => Some(2),
        // End of life care summary
        "861421000000109" => Some(3),
        // Treatment escalation plan; emergency plan
        "735324008" | "887701000000100" => Some(4),
        // Contingency plan; advance care plan
        "325691000000100" | "736366004" => Some(5),
        _ => None,
    }
}

const CARE_PLAN: u8 = 6;
const OTHER_PLAN: u8 = 7;

/// Prognosis: last days, weeks or months of life.
const PROGNOSIS: &[&str] = &["713673000", "511401000000102", "955231000000109", "968211000000101"];

/// A Flag, Observation or Condition that says something about CPR.
pub(super) fn cpr(reader: &Reader<'_>) -> Option<Facts> {
    let concept = reader.first("code")?;
    let value = reader.resource().get("valueCodeableConcept");
    let codes = concept::codes(concept).chain(value.into_iter().flat_map(concept::codes));
    let cpr = codes.into_iter().find_map(|code| recommendation(&code))?;
    let stated = if concept::codes(concept).any(|code| recommendation(&code).is_some()) {
        Some(concept)
    } else {
        value
    };
    Some(Facts {
        key: "topic|cpr".to_owned(),
        lapsed: lapsed(reader),
        remark: overdue(reader),
        thing: Thing::Cpr(cpr),
        ..reader.plain(Section::Plans, stated, DATES)
    })
}

/// Why a plan or a recommendation does not hold, or no longer: it must never read like one that does.
fn lapsed(reader: &Reader<'_>) -> Option<&'static str> {
    if reader.resource().get("valueBoolean").and_then(Json::truth) == Some(false) {
        return Some("recorded as not so");
    }
    if reader.status("verificationStatus") == "refuted" {
        return Some("ruled out");
    }
    if matches!(reader.status("clinicalStatus").as_ref(), "inactive" | "remission" | "resolved") {
        return Some("no longer active");
    }
    match reader.status("status").as_ref() {
        "inactive" => Some("ended"),
        "cancelled" => Some("cancelled"),
        "superseded" => Some("superseded"),
        "revoked" => Some("revoked"),
        "completed" if reader.statement.kind == "CarePlan" => Some("completed"),
        "stopped" | "abandoned" => Some("stopped"),
        "on-hold" | "suspended" => Some("on hold"),
        "rejected" => Some("rejected"),
        "draft" | "proposed" | "preliminary" | "registered" => Some("not yet agreed"),
        _ => None,
    }
}

const DATES: &[&[&str]] = &[
    &["period", "start"],
    &["effectiveDateTime"],
    &["effectivePeriod", "start"],
    &["onsetDateTime"],
    &["authored"],
    &["created"],
    &["date"],
    &["dateTime"],
    &["recordedDate"],
    &["issued"],
];

/// The day by which it should have been looked at again, when that day is over. It still holds, and a reader must
/// know both.
fn overdue(reader: &Reader<'_>) -> Option<&'static str> {
    let extensions = reader.resource().get("extension").into_iter().flat_map(Json::items);
    let reviews = extensions
        .filter(|one| {
            let url = one.text_at("url").unwrap_or_default().to_ascii_lowercase();
            url.ends_with("reviewdate") || url.ends_with("review-date")
        })
        .filter_map(|one| one.get("valueDate").or_else(|| one.get("valueDateTime")));
    let periods: &[&[&str]] = &[
        &["period", "end"],
        &["context", "period", "end"],
        &["provision", "period", "end"],
        &["validityPeriod", "end"],
    ];
    let ends = periods.iter().filter_map(|path| reader.resource().path(path));
    let dates = reviews.chain(ends).filter_map(|date| FhirDate::parse(&date.text()?));
    let is_over = dates.min().is_some_and(|date| super::medicine::is_before(date, reader.today));
    is_over.then_some("its review date has passed")
}

/// A Flag, Observation or Condition about CPR or prognosis.
pub(super) fn observation(reader: &Reader<'_>) -> Option<Facts> {
    cpr(reader).or_else(|| {
        let concept = reader.first("code")?;
        let is_prognosis = concept::codes(concept).any(|code| PROGNOSIS.contains(&code.as_ref()));
        is_prognosis.then(|| plan(reader, Some(concept), OTHER_PLAN, None))
    })
}

/// A document that is a plan.
pub(super) fn document(reader: &Reader<'_>) -> Option<Facts> {
    let concept = reader.first("type")?;
    let found = concept::codes(concept).find_map(|code| Some((document_place(&code)?, code.into_owned())));
    let (place, code) = found?;
    let facts = plan(reader, Some(concept), place, Some(code));
    Some(Facts { key: super::other::hash_key(reader).unwrap_or(facts.key), ..facts })
}

/// Care plans, preferences, prognoses, consents.
pub(super) fn read(reader: &Reader<'_>) -> Facts {
    let resource = reader.resource();
    match reader.statement.kind.as_ref() {
        "CarePlan" => {
            let title = resource.text_at("title").or_else(|| resource.text_at("description"));
            let category = reader.first("category");
            let facts = plan(reader, category, CARE_PLAN, None);
            let title = title.filter(|title| !title.trim().is_empty()).map(std::borrow::Cow::into_owned);
            Facts { title: title.unwrap_or(facts.title), detail: text_of(resource, "description"), ..facts }
        }
        // Answers that hang on an Observation of the GP system are part of that, not a plan.
        "QuestionnaireResponse" if resource.get("partOf").is_some() => {
            let whole = reader.first("partOf").and_then(|whole| whole.text_at("reference"));
            let whole = whole.and_then(|name| reader.loaded.target(reader.statement, &name));
            let concept = whole.and_then(|whole| whole.resource.get("code"));
            Facts { detail: answers(resource), ..reader.plain(Section::Uncategorised, concept, DATES) }
        }
        "QuestionnaireResponse" => {
            Facts { detail: answers(resource), ..plan(reader, None, OTHER_PLAN, None) }
        }
        "ClinicalImpression" => {
            let facts = plan(reader, reader.first("code"), OTHER_PLAN, None);
            Facts { detail: text_of(resource, "summary"), ..facts }
        }
        _ => plan(reader, reader.first("category"), OTHER_PLAN, None),
    }
}

fn plan(reader: &Reader<'_>, concept: Option<Json<'_>>, place: u8, kind: Option<String>) -> Facts {
    let facts = reader.plain(Section::Plans, concept, DATES);
    let detail = text_of(reader.resource(), "description");
    let thing = Thing::Plan { place, kind };
    Facts { detail, lapsed: lapsed(reader), remark: overdue(reader), thing, ..facts }
}

fn text_of(resource: Json<'_>, key: &str) -> String {
    resource.text_at(key).map(std::borrow::Cow::into_owned).unwrap_or_default()
}

/// The questions and answers of a form, one after another.
fn answers(form: Json<'_>) -> String {
    let mut said = Vec::new();
    let mut open: Vec<Json<'_>> = form.get("item").into_iter().flat_map(Json::items).collect();
    open.reverse();
    while let Some(item) = open.pop() {
        let values = item.get("answer").into_iter().flat_map(Json::items).filter_map(value);
        let values: Vec<String> = values.collect();
        let question = text_of(item, "text");
        if !values.is_empty() {
            said.push(format!("{question}: {}", values.join(", ")));
        }
        let mut inner: Vec<Json<'_>> = item.get("item").into_iter().flat_map(Json::items).collect();
        inner.reverse();
        open.extend(inner);
    }
    said.join("; ")
}

fn value(answer: Json<'_>) -> Option<String> {
    let (key, value) = answer.members().find(|(key, _)| key.starts_with("value"))?;
    match key {
        "valueCoding" => {
            value.text_at("display").or_else(|| value.text_at("code")).map(std::borrow::Cow::into_owned)
        }
        _ => Some(value.text().map_or_else(|| value.raw().to_owned(), std::borrow::Cow::into_owned)),
    }
}
