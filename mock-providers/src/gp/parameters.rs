//! Reads the Parameters of `$gpc.getstructuredrecord` and refuses what a GP system refuses.

mod values;

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde_json::Value;
use tributary_model::NhsNumber;
use tributary_model::nhs_number::NHS_NUMBER_SYSTEM;

use crate::outcome::Refusal;

use super::areas::{AREAS, Area, FORBIDDEN_TOGETHER, SpecLevel};

/// Which problems are asked for by one `includeProblems`; absent means any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProblemFilter {
    pub(crate) status: Option<String>,
    pub(crate) significance: Option<String>,
}

/// A request that was understood.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) nhs_number: String,
    pub(crate) areas: Vec<&'static Area>,
    /// The values of the parts, by part name; part names are unique over all areas.
    parts: BTreeMap<&'static str, Value>,
    /// One for each `includeProblems`; a problem that passes one of them is asked for.
    pub(crate) problems: Vec<ProblemFilter>,
    /// Unknown parameters and parts: (`includeX` or `includeX.part`).
    pub(crate) unknown: Vec<String>,
    pub(crate) level: SpecLevel,
    /// The day of the request.
    pub(crate) today: Date,
}

impl Asked {
    /// Reads a request body; `now` decides what is past and future.
    pub(crate) fn read(body: &[u8], now: Timestamp, level: SpecLevel) -> Result<Self, Refusal> {
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
            problems: Vec::new(),
            unknown: Vec::new(),
            level,
            today: now.to_zoned(TimeZone::UTC).date(),
        };
        for parameter in parameters {
            asked.read_area(parameter)?;
        }
        asked.areas.sort_by_key(|area| AREAS.iter().position(|known| known.parameter == area.parameter));
        asked.check_combinations()?;
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

    fn read_area(&mut self, parameter: &Value) -> Result<(), Refusal> {
        let name = text(parameter, "name");
        if name == "patientNHSNumber" {
            return Ok(());
        }
        let known = AREAS.iter().find(|area| area.parameter == name && self.level.knows(area));
        let Some(area) = known else {
            // Its parts are not told of: the parameter hides them.
            self.unknown.push(name.to_owned());
            return Ok(());
        };
        let is_repeated = self.asks(name);
        if is_repeated && name != "includeProblems" {
            return Err(invalid(format!("{name} is given twice")));
        }
        let parts = self.read_parts(area, parameter)?;
        if name == "includeProblems" {
            let code = |part| parts.get(part).and_then(Value::as_str).map(str::to_owned);
            self.problems.push(ProblemFilter {
                status: code("filterStatus"),
                significance: code("filterSignificance"),
            });
        }
        if name == "includeAllergies" && !parts.contains_key("includeResolvedAllergies") {
            return Err(invalid("includeAllergies.includeResolvedAllergies is missing"));
        }
        self.parts.extend(parts);
        if !is_repeated {
            self.areas.push(area);
        }
        Ok(())
    }

    fn read_parts(
        &mut self,
        area: &'static Area,
        parameter: &Value,
    ) -> Result<BTreeMap<&'static str, Value>, Refusal> {
        let mut read = BTreeMap::new();
        for part in parameter.get("part").and_then(Value::as_array).into_iter().flatten() {
            let name = text(part, "name");
            let path = format!("{}.{name}", area.parameter);
            let Some((known, kind)) = area.parts.iter().find(|(known, _)| *known == name) else {
                self.unknown.push(path);
                continue;
            };
            let value = values::part_value(part, *kind, self.today).ok_or_else(|| invalid(path.as_str()))?;
            if read.insert(*known, value.clone()).is_some() {
                return Err(Refusal::new(422, "INVALID_RESOURCE", format!("{path} is given twice")));
            }
        }
        Ok(read)
    }

    fn check_combinations(&self) -> Result<(), Refusal> {
        let has = |part: &str| self.part(part).is_some();
        if has("consultationSearchPeriod") && has("includeNumberOfMostRecent") {
            let path = "includeConsultations.consultationSearchPeriod excludes includeNumberOfMostRecent";
            return Err(Refusal::new(422, "INVALID_RESOURCE", path));
        }
        let consultations = self.asks("includeConsultations");
        let problems = self.asks("includeProblems");
        if !(consultations || problems) || self.is_predefined() {
            return Ok(());
        }
        let forbidden = FORBIDDEN_TOGETHER
            .iter()
            .find(|part| has(part) && (consultations || !part.starts_with("filter")));
        forbidden.map_or(Ok(()), |part| Err(invalid(format!("{part} may not go with the areas asked"))))
    }

    /// The two searches that GP Connect allows although their parts clash.
    fn is_predefined(&self) -> bool {
        let mut wanted =
            vec!["includeAllergies", "includeMedication", "includeConsultations", "includeProblems"];
        if self.asks("includeImmunisations") && self.asks("includeUncategorisedData") {
            wanted.extend(["includeImmunisations", "includeUncategorisedData"]);
        }
        let year_ago = self.today.saturating_sub(365.days()).to_string();
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
    checked_number(text(identifier, "value"), "patientNHSNumber")
}

/// A number of ten digits with the right check digit.
pub(super) fn checked_number(value: &str, diagnostics: &str) -> Result<String, Refusal> {
    let is_ten_digits = value.len() == 10;
    match NhsNumber::parse(value) {
        Ok(number) if is_ten_digits => Ok(number.expose().to_owned()),
        Ok(_) | Err(_) => Err(Refusal::new(400, "INVALID_NHS_NUMBER", diagnostics)),
    }
}

pub(super) fn invalid(diagnostics: impl Into<String>) -> Refusal {
    Refusal::new(422, "INVALID_PARAMETER", diagnostics)
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}
