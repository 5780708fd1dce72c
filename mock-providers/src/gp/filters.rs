//! The search parts of a structured request, applied to one resource.
//!
//! Items with an unknown date are kept, as the specification asks.

use serde_json::Value;

use crate::store::Resource;

use super::Asked;

/// Whether a member of an area passes the parts of the request.
pub(super) fn keeps(one: &Resource, asked: &Asked) -> bool {
    let text = |path: &str| one.value.pointer(path).and_then(Value::as_str);
    match one.kind.as_str() {
        "Condition" => asked
            .part("filterStatus")
            .and_then(Value::as_str)
            .is_none_or(|status| text("/clinicalStatus") == Some(status)),
        "Encounter" => in_period(asked.part("consultationSearchPeriod"), text("/period/start")),
        "Observation" => in_period(asked.part("uncategorisedDataSearchPeriod"), text("/effectiveDateTime")),
        "DiagnosticReport" => in_period(asked.part("investigationSearchPeriod"), text("/issued")),
        "ReferralRequest" => in_period(asked.part("referralSearchPeriod"), text("/authoredOn")),
        "MedicationStatement" => asked
            .part("medicationSearchFromDate")
            .and_then(Value::as_str)
            .is_none_or(|from| text("/effectivePeriod/end").is_none_or(|end| reaches(end, from))),
        _ => true,
    }
}

/// When a consultation began; unknown sorts first.
pub(super) fn started(one: &Resource) -> String {
    let start = one.value.pointer("/period/start").and_then(Value::as_str);
    start.unwrap_or_default().to_owned()
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
fn reaches(date: &str, bound: &str) -> bool {
    let length = date.len().min(10);
    date.get(..length) >= bound.get(..length)
}

fn is_after(date: &str, bound: &str) -> bool {
    let length = date.len().min(10);
    date.get(..length) > bound.get(..length)
}
