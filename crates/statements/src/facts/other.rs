//! Everything whose line is mostly itself: contacts, procedures, vaccinations, documents, reports, social care.

use tributary_fhir::Json;
use tributary_model::{FhirDate, Section};

use super::{Facts, Reader, Thing};
use crate::concept::{self, Concept};

/// Laboratory report numbers.
const LAB_REPORT: &str = "urn:oid:2.16.840.1.113883.2.1.4.5.5";
/// Referral booking numbers, in today's and the older spelling.
const UBRN: &[&str] = &["https://fhir.nhs.uk/Id/UBRN", "https://fhir.nhs.uk/Id/ubr-number"];
/// SNOMED CT "Patient referral".
const REFERRAL: &str = "3457005";

const DATES: &[&[&str]] = &[
    &["period", "start"],
    &["start"],
    &["performedDateTime"],
    &["performedPeriod", "start"],
    &["occurrenceDateTime"],
    &["occurrencePeriod", "start"],
    &["date"],
    &["authoredOn"],
    &["effectiveDateTime"],
    &["issued"],
    &["receivedTime"],
    &["created"],
    &["recorded"],
];

pub(super) fn flag(reader: &Reader<'_>) -> Facts {
    let active = !reader.says("status", "inactive");
    let lapsed = (!active).then_some("ended");
    Facts {
        lapsed,
        thing: Thing::Other { active },
        ..reader.plain(Section::Flags, reader.first("code"), DATES)
    }
}

/// A key from the hash of the attached file: the same file held twice.
pub(super) fn hash_key(reader: &Reader<'_>) -> Option<String> {
    let hash = reader.resource().path(&["content", "attachment", "hash"])?.text()?;
    (!hash.is_empty()).then(|| format!("hash|{hash}"))
}

pub(super) fn document(reader: &Reader<'_>) -> Facts {
    let facts = reader.plain(Section::Documents, reader.first("type"), DATES);
    let description = reader.resource().text_at("description").map(std::borrow::Cow::into_owned);
    let remark = reader.says("status", "superseded").then_some("superseded");
    let detail = description.unwrap_or_default();
    Facts { key: hash_key(reader).unwrap_or(facts.key), remark, detail, ..facts }
}

pub(super) fn request_or_report(reader: &Reader<'_>) -> Facts {
    match reader.statement.kind.as_ref() {
        "ServiceRequest" => request(reader),
        "Specimen" => reader.plain(
            Section::Reports,
            reader.first("type"),
            &[&["collection", "collectedDateTime"], &["receivedTime"]],
        ),
        _ => {
            let facts = reader.plain(Section::Reports, reader.first("code"), DATES);
            let key = identified(reader, "lab", &[LAB_REPORT]);
            let conclusion = reader.resource().text_at("conclusion").map(std::borrow::Cow::into_owned);
            Facts {
                key: key.unwrap_or(facts.key),
                detail: conclusion.unwrap_or_default(),
                thing: Thing::Report(reader.status("status").into_owned()),
                ..facts
            }
        }
    }
}

fn request(reader: &Reader<'_>) -> Facts {
    let resource = reader.resource();
    let categories = resource.get("category").into_iter().flat_map(Json::each);
    let forbidden = resource.get("doNotPerform").and_then(Json::truth) == Some(true);
    let remark = forbidden.then_some("not to be done");
    let is_referral = reader.statement.origin_type == "ReferralRequest"
        || categories.flat_map(concept::codes).any(|code| code == REFERRAL);
    let concept = reader.first("code").or_else(|| reader.first("reasonCode"));
    if is_referral {
        let facts = reader.plain(Section::Referrals, concept, DATES);
        return Facts { key: identified(reader, "ubrn", UBRN).unwrap_or(facts.key), remark, ..facts };
    }
    // What is planned or proposed is the diary; what was ordered belongs to a report.
    let is_planned = matches!(reader.status("intent").as_ref(), "plan" | "proposal");
    let section = if is_planned { Section::Diary } else { Section::Reports };
    let planned: &[&[&str]] = &[&["occurrenceDateTime"], &["occurrencePeriod", "start"], &["authoredOn"]];
    Facts { remark, ..reader.plain(section, concept, planned) }
}

fn identified(reader: &Reader<'_>, word: &str, systems: &[&str]) -> Option<String> {
    let identifiers = reader.resource().get("identifier").into_iter().flat_map(Json::each);
    let mut values = identifiers
        .filter(|one| one.text_at("system").is_some_and(|system| systems.contains(&system.as_ref())))
        .filter_map(|one| one.text_at("value"));
    values.find(|value| !value.is_empty()).map(|value| format!("{word}|{value}"))
}

pub(super) fn procedure(reader: &Reader<'_>) -> Facts {
    let concept = reader.first("code");
    let facts = reader.plain(Section::Procedures, concept, DATES);
    let found = concept.and_then(|code| Concept::of(code, reader.maps));
    // Neither done nor not done: it keeps a line of its own, with a word that says so.
    let neither = match reader.status("status").as_ref() {
        "preparation" => Some("not yet done"),
        "in-progress" => Some("in progress"),
        "on-hold" | "suspended" => Some("on hold"),
        "stopped" | "aborted" => Some("stopped before it was finished"),
        "unknown" => Some("not known whether done"),
        "not-done" => return deed(reader, facts, found, "notdone", None),
        _ => return deed(reader, facts, found, "done", None),
    };
    Facts { remark: neither, ..facts }
}

/// A resource of another version, carried whole: its words are inside, its type is all that is known here.
pub(super) fn carried(reader: &Reader<'_>) -> Facts {
    let facts = reader.plain(Section::Uncategorised, None, &[]);
    Facts { title: reader.statement.origin_type.to_string(), remark: Some("attached as sent"), ..facts }
}

/// UK vaccination procedure, in both spellings.
const PROCEDURE: &[&str] =
    &["Extension-UKCore-VaccinationProcedure", "Extension-CareConnect-VaccinationProcedure-1"];

pub(super) fn immunisation(reader: &Reader<'_>) -> Facts {
    let extensions = reader.resource().get("extension").into_iter().flat_map(Json::items);
    let procedure = extensions
        .filter(|one| one.text_at("url").is_some_and(|url| PROCEDURE.iter().any(|name| url.ends_with(name))))
        .find_map(|one| one.get("valueCodeableConcept"));
    let concept = procedure.or_else(|| reader.first("vaccineCode"));
    let given = reader.status("status") != "not-done";
    let facts = reader.plain(Section::Immunisations, concept, DATES);
    // UNK is a placeholder, and a placeholder without words identifies nothing.
    let found = concept.and_then(|code| Concept::of(code, reader.maps));
    let found = found.filter(|found| !found.placeholder);
    let batch = reader.resource().text_at("lotNumber").map(|lot| concept::normal(&lot));
    let batch = batch.filter(|lot| !lot.is_empty());
    deed(reader, facts, found, if given { "given" } else { "notgiven" }, batch)
}

/// Something done or given, or not, on a day. Without a day it is only itself.
fn deed(
    reader: &Reader<'_>,
    facts: Facts,
    concept: Option<Concept>,
    word: &str,
    batch: Option<String>,
) -> Facts {
    let done = !word.starts_with("not");
    match (concept, facts.date) {
        (Some(concept), Some(date)) => {
            // A year or a month is no day: what happened in it may have happened on two of them.
            let is_day = matches!(date, FhirDate::Day(_) | FhirDate::Instant(_));
            let day = format!("{}|{}", concept.key, date.first_day());
            let what = if is_day { day } else { reader.origin_key() };
            Facts {
                key: format!("{word}|{}|{}", concept.key, date.key()),
                thing: Thing::Deed { done, what, batch },
                ..facts
            }
        }
        _ => Facts { thing: Thing::Deed { done, what: reader.origin_key(), batch }, ..facts },
    }
}

/// A contact that did not take place, or not yet, or that nobody has signed off. GP systems send a draft
/// consultation with the status `unknown`.
fn contact(status: &str) -> Option<&'static str> {
    match status {
        "unknown" => Some("draft, or not known whether it took place"),
        "planned" => Some("planned"),
        "cancelled" => Some("cancelled"),
        _ => None,
    }
}

pub(super) fn by_type(reader: &Reader<'_>, kind: &str) -> Facts {
    let section = match kind {
        "Encounter" => Section::Encounters,
        "Appointment" => Section::Appointments,
        "EpisodeOfCare" | "Task" | "Device" | "RelatedPerson" | "DeviceUseStatement" => Section::SocialCare,
        _ => Section::Uncategorised,
    };
    let concepts = ["type", "code", "serviceType", "category", "relationship"]
        .iter()
        .filter_map(|key| reader.first(key));
    let concept = concepts.into_iter().find(|concept| concept::words(*concept).is_some());
    let facts = reader.plain(section, concept, DATES);
    let description = reader.resource().text_at("description").map(std::borrow::Cow::into_owned);
    // A contact is over when it is finished; that is no remark, and no reason to stand below the others.
    let active = kind == "Encounter"
        || matches!(
            reader.status("status").as_ref(),
            "active" | "planned" | "in-progress" | "requested" | ""
        );
    let title = if concept.is_none() { description.clone() } else { None };
    let remark = if kind == "Encounter" { contact(&reader.status("status")) } else { None };
    Facts {
        remark,
        title: title.unwrap_or(facts.title),
        detail: description.unwrap_or_default(),
        thing: Thing::Other { active },
        ..facts
    }
}
