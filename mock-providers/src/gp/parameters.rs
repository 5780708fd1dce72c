//! Reads the Parameters of `$gpc.getstructuredrecord` and refuses what a GP system refuses.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde_json::Value;
use tributary_model::NhsNumber;
use tributary_model::nhs_number::NHS_NUMBER_SYSTEM;

use crate::outcome::Refusal;

use super::areas::{AREAS, Area, FORBIDDEN_TOGETHER, PartKind};

/// A request that was understood.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) nhs_number: String,
    pub(crate) areas: Vec<&'static Area>,
    /// The values of the parts, by part name; part names are unique over all areas.
    parts: BTreeMap<&'static str, Value>,
    /// Unknown parameters and parts: (`includeX` or `includeX.part`).
    pub(crate) unknown: Vec<String>,
}

impl Asked {
    /// Reads a request body; `now` decides what is past and future.
    pub(crate) fn read(body: &[u8], now: Timestamp) -> Result<Self, Refusal> {
        let body: Value =
            serde_json::from_slice(body).map_err(|_| Refusal::bad_request("the body is not JSON"))?;
        let not_parameters =
            || Refusal::new(422, "INVALID_RESOURCE", "the body is not a Parameters resource");
        if text(&body, "resourceType") != "Parameters" {
            return Err(not_parameters());
        }
        let parameters = body.get("parameter").and_then(Value::as_array).ok_or_else(not_parameters)?;
        let mut asked = Self {
            nhs_number: nhs_number(parameters)?,
            areas: Vec::new(),
            parts: BTreeMap::new(),
            unknown: Vec::new(),
        };
        let today = now.to_zoned(TimeZone::UTC).date();
        for parameter in parameters {
            asked.read_area(parameter, today)?;
        }
        asked.areas.sort_by_key(|area| AREAS.iter().position(|known| known.parameter == area.parameter));
        asked.check_combinations(today)?;
        Ok(asked)
    }

    pub(crate) fn asks(&self, parameter: &str) -> bool {
        self.areas.iter().any(|area| area.parameter == parameter)
    }

    pub(crate) fn part(&self, name: &str) -> Option<&Value> {
        self.parts.get(name)
    }

    /// Whether a boolean part is true; absent parts have the default of the specification.
    pub(crate) fn is_true(&self, part: &str, default: Absent) -> bool {
        let value = self.part(part).and_then(Value::as_bool);
        value.unwrap_or(default == Absent::MeansTrue)
    }

    fn read_area(&mut self, parameter: &Value, today: Date) -> Result<(), Refusal> {
        let name = text(parameter, "name");
        if name == "patientNHSNumber" {
            return Ok(());
        }
        let Some(area) = AREAS.iter().find(|area| area.parameter == name) else {
            self.unknown.push(name.to_owned());
            return Ok(());
        };
        if self.asks(name) {
            return Err(invalid(format!("{name} is given twice")));
        }
        self.areas.push(area);
        let parts = parameter.get("part").and_then(Value::as_array);
        for part in parts.into_iter().flatten() {
            self.read_part(area, part, today)?;
        }
        if name == "includeAllergies" && self.part("includeResolvedAllergies").is_none() {
            return Err(invalid("includeAllergies.includeResolvedAllergies is missing"));
        }
        Ok(())
    }

    fn read_part(&mut self, area: &'static Area, part: &Value, today: Date) -> Result<(), Refusal> {
        let name = text(part, "name");
        let path = format!("{}.{name}", area.parameter);
        let Some((known, kind)) = area.parts.iter().find(|(known, _)| *known == name) else {
            self.unknown.push(path);
            return Ok(());
        };
        let value = part_value(part, *kind, today).ok_or_else(|| invalid(path.as_str()))?;
        if self.parts.insert(known, value.clone()).is_some() {
            return Err(Refusal::new(422, "INVALID_RESOURCE", format!("{path} is given twice")));
        }
        Ok(())
    }

    fn check_combinations(&self, today: Date) -> Result<(), Refusal> {
        let has = |part: &str| self.part(part).is_some();
        if has("consultationSearchPeriod") && has("includeNumberOfMostRecent") {
            let path = "includeConsultations.consultationSearchPeriod excludes includeNumberOfMostRecent";
            return Err(Refusal::new(422, "INVALID_RESOURCE", path));
        }
        let consultations = self.asks("includeConsultations");
        let problems = self.asks("includeProblems");
        if !(consultations || problems) || self.is_predefined(today) {
            return Ok(());
        }
        let forbidden = FORBIDDEN_TOGETHER
            .iter()
            .find(|part| has(part) && (consultations || !part.starts_with("filter")));
        forbidden.map_or(Ok(()), |part| Err(invalid(format!("{part} may not go with the areas asked"))))
    }

    /// The two searches that GP Connect allows although their parts clash.
    fn is_predefined(&self, today: Date) -> bool {
        let mut wanted =
            vec!["includeAllergies", "includeMedication", "includeConsultations", "includeProblems"];
        if self.asks("includeImmunisations") && self.asks("includeUncategorisedData") {
            wanted.extend(["includeImmunisations", "includeUncategorisedData"]);
        }
        let year_ago = today.saturating_sub(365.days()).to_string();
        let same_areas = self.areas.len() == wanted.len() && wanted.iter().all(|name| self.asks(name));
        let allowed = [
            "includeResolvedAllergies",
            "medicationSearchFromDate",
            "includePrescriptionIssues",
            "includeNumberOfMostRecent",
        ];
        same_areas
            && self.parts.keys().all(|part| allowed.contains(part))
            && self.part("includeNumberOfMostRecent").and_then(Value::as_u64) == Some(3)
            && self.is_true("includeResolvedAllergies", Absent::MeansFalse)
            && self.part("medicationSearchFromDate").and_then(Value::as_str) == Some(year_ago.as_str())
    }
}

/// What an absent boolean means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    MeansTrue,
    MeansFalse,
}

fn nhs_number(parameters: &[Value]) -> Result<String, Refusal> {
    let mut given = parameters.iter().filter(|one| text(one, "name") == "patientNHSNumber");
    let first = given.next().ok_or_else(|| invalid("patientNHSNumber is missing"))?;
    if given.next().is_some() {
        return Err(Refusal::bad_request("patientNHSNumber is given twice"));
    }
    let identifier =
        first.get("valueIdentifier").ok_or_else(|| invalid("patientNHSNumber has no valueIdentifier"))?;
    if text(identifier, "system") != NHS_NUMBER_SYSTEM {
        return Err(Refusal::new(400, "INVALID_IDENTIFIER_SYSTEM", "patientNHSNumber"));
    }
    let value = text(identifier, "value");
    let is_ten_digits = value.len() == 10;
    match NhsNumber::parse(value) {
        Ok(number) if is_ten_digits => Ok(number.expose().to_owned()),
        Ok(_) | Err(_) => Err(Refusal::new(400, "INVALID_NHS_NUMBER", "patientNHSNumber")),
    }
}

fn part_value(part: &Value, kind: PartKind, today: Date) -> Option<&Value> {
    let value = match kind {
        PartKind::Boolean => part.get("valueBoolean").filter(|value| value.is_boolean()),
        PartKind::PastDate => {
            part.get("valueDate").filter(|value| day(value).is_some_and(|day| day <= today))
        }
        PartKind::ComingDate => {
            part.get("valueDate").filter(|value| day(value).is_some_and(|day| day >= today))
        }
        PartKind::PastPeriod => part.get("valuePeriod").filter(|value| is_past_period(value, today)),
        PartKind::PositiveInt => {
            part.get("valuePositiveInt").filter(|value| value.as_u64().is_some_and(|number| number > 0))
        }
        PartKind::Code(codes) => {
            part.get("valueCode").filter(|value| value.as_str().is_some_and(|code| codes.contains(&code)))
        }
    };
    let only_value = part.as_object()?.keys().filter(|key| key.starts_with("value")).count() == 1;
    value.filter(|_| only_value)
}

/// A whole date; a year, a month or an instant is none.
fn day(value: &Value) -> Option<Date> {
    let text = value.as_str().filter(|text| text.len() == 10)?;
    text.parse().ok()
}

fn is_past_period(period: &Value, today: Date) -> bool {
    let bound = |name: &str| period.get(name).map(day);
    match (bound("start"), bound("end")) {
        (Some(None), _) | (_, Some(None)) | (None, None) => false,
        (Some(Some(start)), Some(Some(end))) => start <= end && end <= today,
        (Some(Some(bound)), None) | (None, Some(Some(bound))) => bound <= today,
    }
}

fn invalid(diagnostics: impl Into<String>) -> Refusal {
    Refusal::new(422, "INVALID_PARAMETER", diagnostics)
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}
