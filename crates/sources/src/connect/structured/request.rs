//! Writes the `Parameters` that ask for areas.

use tributary_fhir::Writer;
use tributary_model::nhs_number::NHS_NUMBER_SYSTEM;
use tributary_model::{FhirDate, NhsNumber, Section};

use super::areas::{Area, Since};

/// The earlier of two dates as a whole day: a provider refuses a start in the future.
pub(super) fn not_after(since: FhirDate, today: FhirDate) -> String {
    since.first_day().min(today.first_day()).to_string()
}

/// The request body.
pub(super) fn parameters(patient: NhsNumber, areas: &[&Area], since: Option<&str>) -> String {
    let mut json = Writer::with_capacity(1024);
    json.object(|body| {
        body.text("resourceType", "Parameters");
        body.key("parameter").array(|list| {
            list.object(|number| {
                number.text("name", "patientNHSNumber");
                number.key("valueIdentifier").object(|identifier| {
                    identifier.text("system", NHS_NUMBER_SYSTEM);
                    identifier.text("value", patient.expose());
                });
            });
            let linked = is_linked(areas);
            for area in areas {
                let limit = since.filter(|_| may_limit(area, linked));
                let parts = if linked && area.parts_stand_alone { &[] } else { area.parts };
                write_area(list, area, parts, limit);
            }
        });
    });
    json.finish()
}

/// Whether consultations or problems are among the areas: they bring linked items of every other area along.
pub(super) fn is_linked(areas: &[&Area]) -> bool {
    areas.iter().any(|area| matches!(area.sections.first(), Some(Section::Encounters | Section::Problems)))
}

/// Whether an area may be limited in time beside the others.
///
/// Beside consultations or problems most limits are forbidden (GP Connect, `INVALID_PARAMETER`). And the
/// uncategorised area is never limited: a resuscitation decision stands there and stays valid for years.
fn may_limit(area: &Area, linked: bool) -> bool {
    match area.sections.first() {
        Some(Section::Encounters | Section::Reports) => true,
        Some(Section::Medications | Section::Referrals) => !linked,
        _ => false,
    }
}

fn write_area(list: &mut Writer, area: &Area, fixed: &[(&str, bool)], since: Option<&str>) {
    let limit = since.filter(|_| area.since != Since::Never);
    list.object(|parameter| {
        parameter.text("name", area.parameter);
        if fixed.is_empty() && limit.is_none() {
            return;
        }
        parameter.key("part").array(|parts| {
            for (name, value) in fixed {
                parts.object(|part| {
                    part.text("name", name);
                    part.key("valueBoolean").truth(*value);
                });
            }
            if let Some(since) = limit {
                write_limit(parts, area.since, since);
            }
        });
    });
}

fn write_limit(parts: &mut Writer, limit: Since, since: &str) {
    match limit {
        Since::Never => {}
        Since::Date(name) => parts.object(|part| {
            part.text("name", name);
            part.text("valueDate", since);
        }),
        Since::Period(name) => parts.object(|part| {
            part.text("name", name);
            part.key("valuePeriod").object(|period| period.text("start", since));
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use tributary_model::SectionSet;

    const NUMBER: &str = r#"{"resourceType":"Parameters","parameter":[{"name":"patientNHSNumber","valueIdentifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000107"}}"#;

    #[track_caller]
    fn check(sections: &[Section], since: Option<&str>, rest: &str) {
        let sections: SectionSet = sections.iter().copied().collect();
        let patient = NhsNumber::parse("9990000107").unwrap();
        let written = parameters(patient, &Area::implied_by(sections), since);
        assert_eq!(written, format!("{NUMBER}{rest}]}}"));
    }

    #[test]
    fn areas_have_their_mandatory_parts() {
        check(
            &[Section::Allergies, Section::Problems],
            None,
            r#",{"name":"includeAllergies","part":[{"name":"includeResolvedAllergies","valueBoolean":true}]},{"name":"includeProblems"}"#,
        );
        check(
            &[Section::Immunisations, Section::Medications],
            None,
            r#",{"name":"includeMedication","part":[{"name":"includePrescriptionIssues","valueBoolean":true}]},{"name":"includeImmunisations","part":[{"name":"includeNotGiven","valueBoolean":true},{"name":"includeStatus","valueBoolean":true}]}"#,
        );
    }

    #[test]
    fn limits_in_time_stand_only_where_they_may() {
        check(
            &[Section::Referrals],
            Some("2026-01-02"),
            r#",{"name":"includeReferrals","part":[{"name":"referralSearchPeriod","valuePeriod":{"start":"2026-01-02"}}]}"#,
        );
        check(
            &[Section::Referrals, Section::Problems],
            Some("2026-01-02"),
            r#",{"name":"includeProblems"},{"name":"includeReferrals"}"#,
        );
        check(&[Section::Plans], Some("2026-01-02"), r#",{"name":"includeUncategorisedData"}"#);
    }

    #[test]
    fn a_start_in_the_future_becomes_today() {
        let day = |text| FhirDate::parse(text).unwrap();
        assert_eq!(not_after(day("2030-01-01"), day("2026-03-10")), "2026-03-10");
        assert_eq!(not_after(day("2025"), day("2026-03-10")), "2025-01-01");
    }
}
