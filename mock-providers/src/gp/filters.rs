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

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tributary_model::{Clock as _, FixedClock};

    use super::*;
    use crate::gp::{ListIds, SpecLevel};

    /// Whether one resource is kept by a request for an area with these parts.
    fn kept(resources: &[Value], area: &str, parts: &Value) -> bool {
        let body = json!({"resourceType": "Parameters", "parameter": [
            {"name": "patientNHSNumber", "valueIdentifier": {
                "system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000107",
            }},
            {"name": area, "part": parts},
        ]});
        let now = FixedClock("2026-03-10T02:10:00Z".parse().unwrap()).now();
        let asked = Asked::read(body.to_string().as_bytes(), now, SpecLevel::default()).unwrap();
        let resources: Vec<Resource> = resources.iter().cloned().map(Resource::of).collect();
        let one = resources[0].clone();
        keeps(&GpRecord::new(resources, ListIds::Omitted), &one, area, &asked)
    }

    #[test]
    fn a_partial_date_stands_for_every_day_of_it() {
        let rows = [
            ("2024-06-30T10:00:00+00:00", true),
            ("2024-07-01", false),
            ("2023-12-31", false),
            ("2024-02", true),
            ("2024", true),
            ("2023", false),
            ("2025", false),
        ];
        let period = json!([{"name": "uncategorisedDataSearchPeriod", "valuePeriod": {
            "start": "2024-01-01", "end": "2024-06-30",
        }}]);
        for (date, expected) in rows {
            let one = json!({"resourceType": "Observation", "id": "o", "effectiveDateTime": date});
            assert_eq!(kept(&[one], "includeUncategorisedData", &period), expected, "{date}");
        }
        let undated = json!({"resourceType": "Observation", "id": "o"});
        assert!(kept(&[undated], "includeUncategorisedData", &period), "an unknown date may be any");
    }

    #[test]
    fn a_medicine_is_in_use_from_its_start_to_its_end() {
        let plan = |code: &str| {
            json!({"resourceType": "MedicationRequest", "id": "p", "extension": [{
                "url": "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-PrescriptionType-1",
                "valueCodeableConcept": {"coding": [{"code": code}]},
            }]})
        };
        let statement = |period: Value, agency: &str| {
            json!({
                "resourceType": "MedicationStatement",
                "id": "s",
                "extension": [{
                    "url": "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-PrescribingAgency-1",
                    "valueCodeableConcept": {"coding": [{"code": agency}]},
                }],
                "basedOn": [{"reference": "MedicationRequest/p"}],
                "effectivePeriod": period,
            })
        };
        let (here, elsewhere) = ("prescribed-at-gp-practice", "prescribed-by-another-organisation");
        let ended = |end: &str| json!({"start": "2020-01-01", "end": end});
        let open = |start: &str| json!({"start": start});
        let rows = [
            (ended("2025-02-28"), "acute", here, false),
            (ended("2025-03-01"), "acute", here, true),
            (ended("2025-02-28"), "repeat", elsewhere, true),
            (open("2025-02-28"), "acute", here, false),
            (open("2025-03-01"), "acute", here, true),
            (open("2020-01-01"), "repeat", here, true),
            (open("2020-01-01"), "repeat-dispensing", here, true),
        ];
        let from = json!([{"name": "medicationSearchFromDate", "valueDate": "2025-03-01"}]);
        for (period, kind, agency, expected) in rows {
            let record = [statement(period.clone(), agency), plan(kind)];
            assert_eq!(kept(&record, "includeMedication", &from), expected, "{period} {kind} {agency}");
        }
    }
}
