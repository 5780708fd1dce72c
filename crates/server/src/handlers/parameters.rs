//! Reads the `Parameters` of the record operations.

pub(crate) mod summary;

use std::borrow::Cow;

use http::StatusCode;
use tributary_bounds::{Problem, Spine};
use tributary_fhir::{Document, Json, Kind, Limits};
use tributary_model::nhs_number::NHS_NUMBER_SYSTEM;
use tributary_model::{FhirDate, NhsNumber, Purpose, Redacted, Section, SectionSet};

/// A request names a patient and a few options; nothing in it is large.
const LIMITS: Limits =
    Limits { depth: 16, tokens: 4_096, string_bytes: 4 << 10, key_bytes: 128, number_bytes: 64 };
const BREAK_GLASS_LONGEST: usize = 500;
/// The parameters of `$record`.
const KNOWN: &[&str] = &["patient", "section", "since", "purpose", "breakGlass"];
/// What is said of any other.
const UNKNOWN: &str =
    "There is no such parameter; there are patient, section, since, purpose and breakGlass.";

/// What `$record` was asked.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) patient: NhsNumber,
    pub(crate) sections: SectionSet,
    pub(crate) since: Option<FhirDate>,
    pub(crate) purpose: Purpose,
    pub(crate) break_glass: Option<Redacted<String>>,
}

/// Scans a body that should be a `Parameters` resource.
pub(crate) fn scan(body: &[u8]) -> Result<Document, Problem> {
    let document = Document::scan(body.to_vec(), &LIMITS).map_err(|rejection| {
        let text = format!("The body is not usable JSON: {rejection}.");
        Problem { code: "structure", ..Problem::bad(text) }
    })?;
    if !document.root().says("resourceType", "Parameters") {
        return Err(Problem::resource("resourceType", "The body must be a Parameters resource."));
    }
    let parameter = document.root().get("parameter");
    let is_list = |list: Json<'_>| {
        list.kind() == Kind::Array && list.items().all(|item| item.text_at("name").is_some())
    };
    if parameter.is_some_and(|list| !is_list(list)) {
        return Err(Problem::resource("parameter", "It must be a list of named parameters."));
    }
    Ok(document)
}

/// The named parameters of a scanned resource.
pub(crate) fn named(document: &Document) -> impl Iterator<Item = (Cow<'_, str>, Json<'_>)> {
    let list = document.root().get("parameter");
    list.into_iter().flat_map(Json::items).map(|item| (item.text_at("name").unwrap_or_default(), item))
}

/// Reads the parameters of `$record`, strictly: what we do not know, we do not ignore.
pub(crate) fn read(body: &[u8]) -> Result<Asked, Problem> {
    let document = scan(body)?;
    check_members(&document)?;
    let mut draft = Draft::default();
    for (at, (name, item)) in named(&document).enumerate() {
        // What a caller calls something may be anything, a patient's name included: it is named by its place.
        let unknown = || Problem::parameter(&format!("parameter[{at}]"), UNKNOWN);
        draft.take(&name, item).ok_or_else(unknown)??;
    }
    draft.finish()
}

/// Whether the body has the members of `Parameters` and no other.
fn check_members(document: &Document) -> Result<(), Problem> {
    let known_member = |key: &str| matches!(key, "resourceType" | "id" | "meta" | "parameter");
    if let Some(at) = document.root().members().position(|(key, _)| !known_member(key)) {
        let place = format!("member {} of the body", at + 1);
        return Err(Problem::resource(&place, "Parameters takes resourceType, id, meta and parameter."));
    }
    Ok(())
}

#[derive(Default)]
struct Draft {
    patient: Option<NhsNumber>,
    sections: Option<SectionSet>,
    since: Option<FhirDate>,
    purpose: Option<Purpose>,
    break_glass: Option<Redacted<String>>,
}

impl Draft {
    /// Takes a parameter; `None` when there is none of this name.
    fn take(&mut self, name: &str, item: Json<'_>) -> Option<Result<(), Problem>> {
        KNOWN.contains(&name).then(|| self.take_known(name, item))
    }

    fn take_known(&mut self, name: &str, item: Json<'_>) -> Result<(), Problem> {
        match name {
            "patient" => {
                once(&mut self.patient, name, nhs_number(name, value(name, item, "valueIdentifier")?)?)
            }
            "section" => {
                let code = string(name, item, "valueCode")?;
                let section = Section::from_code(&code)
                    .ok_or_else(|| Problem::parameter(name, "There is no such section."))?;
                self.sections = Some(self.sections.unwrap_or_default().with(section));
                Ok(())
            }
            "since" => {
                let date = FhirDate::parse(&string(name, item, "valueDate")?);
                let date = date.filter(|date| !matches!(date, FhirDate::Instant(_)));
                let date = date.ok_or_else(|| Problem::parameter(name, "It must be a FHIR date."))?;
                once(&mut self.since, name, date)
            }
            "purpose" => once(&mut self.purpose, name, purpose(name, item)?),
            _break_glass => once(&mut self.break_glass, name, reason(name, item)?),
        }
    }

    fn finish(self) -> Result<Asked, Problem> {
        let missing = || Problem::parameter("patient", "The parameter is missing.");
        Ok(Asked {
            patient: self.patient.ok_or_else(missing)?,
            sections: self.sections.unwrap_or(SectionSet::all()),
            since: self.since,
            purpose: self.purpose.unwrap_or(Purpose::DirectCare),
            break_glass: self.break_glass,
        })
    }
}

fn once<T>(slot: &mut Option<T>, name: &str, value: T) -> Result<(), Problem> {
    if slot.replace(value).is_some() {
        return Err(Problem::parameter(name, "The parameter may come once only."));
    }
    Ok(())
}

/// The value of a parameter that must have exactly this type.
fn value<'d>(name: &str, item: Json<'d>, kind: &str) -> Result<Json<'d>, Problem> {
    let fits = |key: &str| key == kind || matches!(key, "name" | "id" | "extension");
    let only = item.members().all(|(key, _)| fits(key));
    let found = item.get(kind).filter(|_| only);
    found.ok_or_else(|| Problem::parameter(name, format!("The parameter takes one {kind}.")))
}

fn string(name: &str, item: Json<'_>, kind: &str) -> Result<String, Problem> {
    let text = value(name, item, kind)?.text();
    let text = text.ok_or_else(|| Problem::parameter(name, format!("The {kind} must be a string.")))?;
    Ok(text.into_owned())
}

fn purpose(name: &str, item: Json<'_>) -> Result<Purpose, Problem> {
    let purpose = Purpose::from_code(&string(name, item, "valueCode")?);
    purpose.ok_or_else(|| Problem::parameter(name, "There is no such purpose."))
}

fn reason(name: &str, item: Json<'_>) -> Result<Redacted<String>, Problem> {
    let reason = string(name, item, "valueString")?;
    let length = reason.trim().chars().count();
    if (1..=BREAK_GLASS_LONGEST).contains(&length) {
        return Ok(Redacted::new(reason.trim().to_owned()));
    }
    let text = format!("The reason must have 1 to {BREAK_GLASS_LONGEST} characters.");
    Err(Problem::parameter(name, text))
}

/// The NHS number in an identifier: ten digits, nothing between them.
pub(crate) fn nhs_number(name: &str, identifier: Json<'_>) -> Result<NhsNumber, Problem> {
    let refuse = |spine: Spine, text: &str| {
        let problem = Problem::new(StatusCode::BAD_REQUEST, "value", text);
        problem.coded(spine).naming(name)
    };
    if identifier.kind() != Kind::Object {
        return Err(Problem::parameter(name, "The parameter takes an identifier."));
    }
    if !identifier.says("system", NHS_NUMBER_SYSTEM) {
        let text = "The identifier system must be that of the NHS number.";
        return Err(refuse(Spine::IDENTIFIER_SYSTEM, text));
    }
    let value = identifier.text_at("value").filter(|value| value.len() == 10);
    let number = value.and_then(|value| NhsNumber::parse(&value).ok());
    number.ok_or_else(|| refuse(Spine::NHS_NUMBER, "The value is not a valid NHS number."))
}

#[cfg(test)]
mod tests;
