//! The search parts of a structured request, applied to one resource.
//!
//! Items with an unknown date are kept, as the specification asks. A recorded date may be partial: it then
//! stands for the whole year or month, and is kept if any day of it is asked for.

use serde_json::Value;

use crate::store::Resource;

use super::Asked;
use super::parameters::Absent;
use super::record::GpRecord;

/// Whether a member of an area passes the parts of the request for that area.
pub(super) fn keeps(record: &GpRecord, one: &Resource, area: &str, asked: &Asked) -> bool {
    let text = |path: &str| one.value.pointer(path).and_then(Value::as_str);
    let within = |part: &str, date: Option<&str>| in_period(asked.part(part), date);
    match area {
        "includeMedication" => medication_is_active(record, one, asked),
        "includeConsultations" => within("consultationSearchPeriod", text("/period/start")),
        "includeProblems" => asked.problems.iter().any(|filter| {
            let matches = |wanted: Option<&str>, found: Option<&str>| wanted.is_none() || wanted == found;
            matches(filter.status.as_deref(), text("/clinicalStatus"))
                && matches(filter.significance.as_deref(), significance(one))
        }),
        "includeImmunisations" if one.kind == "Observation" => {
            asked.is_true("includeStatus", Absent::MeansTrue)
        }
        "includeImmunisations" => {
            let not_given = one.value.get("notGiven").and_then(Value::as_bool) == Some(true);
            !not_given || asked.is_true("includeNotGiven", Absent::MeansFalse)
        }
        "includeUncategorisedData" => within(
            "uncategorisedDataSearchPeriod",
            text("/effectiveDateTime").or_else(|| text("/effectivePeriod/start")),
        ),
        "includeInvestigations" => within("investigationSearchPeriod", text("/issued")),
        "includeReferrals" => within("referralSearchPeriod", text("/authoredOn")),
        // Overdue entries have a date before the one asked for, so they always come.
        "includeDiaryEntries" => {
            let due = text("/occurrenceDateTime").or_else(|| text("/occurrencePeriod/start"));
            let until = asked.part("diaryEntriesSearchDate").and_then(Value::as_str);
            due.zip(until).is_none_or(|(due, until)| !is_after(due, until))
        }
        _ => true,
    }
}

/// When a consultation began; unknown sorts first.
pub(super) fn started(one: &Resource) -> String {
    let start = one.value.pointer("/period/start").and_then(Value::as_str);
    start.unwrap_or_default().to_owned()
}

/// Whether a medicine is in use on the day asked for or later: to its end if it has one; else an acute one
/// on its first day only, every other from then on. Those of other prescribers are always told.
fn medication_is_active(record: &GpRecord, one: &Resource, asked: &Asked) -> bool {
    let text = |path: &str| one.value.pointer(path).and_then(Value::as_str);
    let Some(from) = asked.part("medicationSearchFromDate").and_then(Value::as_str) else {
        return true;
    };
    if extension_code(one, "PrescribingAgency-1") == Some("prescribed-by-another-organisation") {
        return true;
    }
    let is_acute = || {
        let plan = text("/basedOn/0/reference").and_then(|plan| record.find(plan));
        plan.and_then(|plan| extension_code(plan, "PrescriptionType-1")) == Some("acute")
    };
    match (text("/effectivePeriod/start"), text("/effectivePeriod/end")) {
        (_, Some(end)) => reaches(end, from),
        (Some(start), None) if is_acute() => reaches(start, from),
        (Some(_) | None, None) => true,
    }
}

/// The first code of the extension whose URL ends so.
fn extension_code<'r>(one: &'r Resource, url: &str) -> Option<&'r str> {
    extension(one, url)?.pointer("/valueCodeableConcept/coding/0/code")?.as_str()
}

fn extension<'r>(one: &'r Resource, url: &str) -> Option<&'r Value> {
    let extensions = one.value.get("extension")?.as_array()?;
    extensions
        .iter()
        .find(|extension| extension.get("url").and_then(Value::as_str).is_some_and(|own| own.ends_with(url)))
}

fn significance(one: &Resource) -> Option<&str> {
    extension(one, "ProblemSignificance-1")?.get("valueCode")?.as_str()
}

fn in_period(period: Option<&Value>, date: Option<&str>) -> bool {
    let (Some(period), Some(date)) = (period, date) else {
        return true;
    };
    let bound = |name: &str| period.get(name).and_then(Value::as_str);
    bound("start").is_none_or(|start| reaches(date, start))
        && bound("end").is_none_or(|end| !is_after(date, end))
}

/// Whether a recorded date, perhaps partial, reaches a whole date.
pub(super) fn reaches(date: &str, bound: &str) -> bool {
    let length = date.len().min(10);
    date.get(..length) >= bound.get(..length)
}

/// Whether a recorded date, perhaps partial, is wholly after a whole date.
pub(super) fn is_after(date: &str, bound: &str) -> bool {
    let length = date.len().min(10);
    date.get(..length) > bound.get(..length)
}
