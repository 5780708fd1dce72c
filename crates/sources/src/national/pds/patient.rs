//! What we read of a Patient, and when it counts.

use jiff::Timestamp;
use tributary_fhir::Json;
use tributary_model::date::zoned;
use tributary_model::nhs_number::NHS_NUMBER_SYSTEM;
use tributary_model::{Demographics, FhirDate, NhsNumber, OdsCode};

use super::{PdsFault, person};

const ODS_SYSTEM: &str = "https://fhir.nhs.uk/Id/ods-organization-code";
const MALFORMED: PdsFault = PdsFault::Malformed(200);

/// What the service knows of a patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patient {
    /// The patient's number now; another one than asked for when that was replaced.
    pub number: NhsNumber,
    /// Whether the number is present and verified.
    pub verified: bool,
    /// Who may know where the patient is.
    pub access: Access,
    /// With which practice the patient is registered on the day asked about.
    pub registration: Registration,
    /// Who the patient is.
    pub person: Demographics,
}

/// Who may know where a patient is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// `U`
    Unrestricted,
    /// `R`: every hint at a place is removed.
    Restricted,
    /// `V`, or a code that is not known here.
    VeryRestricted,
}

/// With which practice a patient is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registration {
    /// With this one.
    At(OdsCode),
    /// With one whose period does not hold on the day, or from which the patient was removed.
    Ended,
    /// With none that the service tells.
    None,
}

impl Patient {
    /// Restricted patients are never kept, nor is what a replaced number led to.
    pub(super) fn may_be_kept(&self, asked: NhsNumber) -> bool {
        self.access == Access::Unrestricted && self.number == asked
    }
}

pub(super) fn read(patient: Json<'_>, at: Timestamp) -> Result<Patient, PdsFault> {
    let (number, identifier) = identity(patient)?;
    let (access, registration) = (access(patient)?, registration(patient, at)?);
    let person = person::read(patient, &registration, at);
    Ok(Patient { number, verified: is_verified(identifier), access, registration, person })
}

/// The id, which every NHS number identifier must repeat.
fn identity(patient: Json<'_>) -> Result<(NhsNumber, Json<'_>), PdsFault> {
    let id = patient.text_at("id").ok_or(PdsFault::Unproven)?;
    let number = NhsNumber::parse(&id).map_err(|_no_number| PdsFault::Unproven)?;
    let all = patient.get("identifier").into_iter().flat_map(Json::items);
    let mut own = all.filter(|one| one.says("system", NHS_NUMBER_SYSTEM));
    let first = own.next().filter(|one| one.says("value", &id)).ok_or(PdsFault::Unproven)?;
    if own.any(|one| !one.says("value", &id)) {
        return Err(PdsFault::Unproven);
    }
    Ok((number, first))
}

/// Extensions whose address ends in this name, whichever base it has.
pub(super) fn extensions<'d>(of: Json<'d>, name: &'static str) -> impl Iterator<Item = Json<'d>> {
    let all = of.get("extension").into_iter().flat_map(Json::items);
    all.filter(move |one| one.text_at("url").is_some_and(|url| url.rsplit('/').next() == Some(name)))
}

pub(super) fn code_of(extension: Json<'_>) -> Option<String> {
    let code = extension.path(&["valueCodeableConcept", "coding"])?.text_at("code")?;
    Some(code.into_owned())
}

fn is_verified(identifier: Json<'_>) -> bool {
    let mut all = extensions(identifier, "Extension-UKCore-NHSNumberVerificationStatus");
    all.next().and_then(code_of).as_deref() == Some("01")
}

/// The strictest label counts, and one that is not known is the strictest. An answer without any says nothing.
fn access(patient: Json<'_>) -> Result<Access, PdsFault> {
    let labels = patient.get("meta").and_then(|meta| meta.get("security"));
    let codes = labels.into_iter().flat_map(Json::items).map(|label| label.text_at("code"));
    let of_code = |code: Option<std::borrow::Cow<'_, str>>| match code.as_deref() {
        Some("U") => Access::Unrestricted,
        Some("R") => Access::Restricted,
        Some(_) | None => Access::VeryRestricted,
    };
    codes.map(of_code).max().ok_or(MALFORMED)
}

fn registration(patient: Json<'_>, at: Timestamp) -> Result<Registration, PdsFault> {
    let removed = removed(patient, at)?;
    let mut found = Registration::None;
    for practice in patient.get("generalPractitioner").into_iter().flat_map(Json::items) {
        let identifier =
            practice.get("identifier").filter(|identifier| identifier.says("system", ODS_SYSTEM));
        let identifier = identifier.ok_or(MALFORMED)?;
        let code = identifier.text_at("value").and_then(|code| OdsCode::parse(&code).ok());
        let code = code.ok_or(MALFORMED)?;
        let period = Period::of(identifier.get("period"))?;
        let has_left = removed.as_ref().is_some_and(|removal| !removal.is_before(&period));
        if !period.holds(at) || has_left {
            found = if found == Registration::None { Registration::Ended } else { found };
        } else if matches!(found, Registration::At(_)) {
            // More than one at a time is more than the interface allows.
            return Err(MALFORMED);
        } else {
            found = Registration::At(code);
        }
    }
    Ok(found)
}

/// A removal from registration that holds. One without a time always does.
fn removed(patient: Json<'_>, at: Timestamp) -> Result<Option<Period>, PdsFault> {
    for one in extensions(patient, "Extension-PDS-RemovalFromRegistration") {
        let time = extensions(one, "effectiveTime").next().and_then(|time| time.get("valuePeriod"));
        let period = Period::of(time)?;
        if period.holds(at) {
            return Ok(Some(period));
        }
    }
    Ok(None)
}

/// From a day to a day, both included. An end that is open is open.
pub(super) struct Period {
    start: Option<FhirDate>,
    end: Option<FhirDate>,
}

impl Period {
    /// A date that cannot be read is no open end.
    pub(super) fn of(period: Option<Json<'_>>) -> Result<Self, PdsFault> {
        let date = |key: &str| match period.and_then(|period| period.get(key)) {
            None => Ok(None),
            Some(date) => date.text().and_then(|text| FhirDate::parse(&text)).map(Some).ok_or(MALFORMED),
        };
        Ok(Self { start: date("start")?, end: date("end")? })
    }

    /// Whether it began before the other did. Where a beginning is not known, it did not.
    fn is_before(&self, other: &Self) -> bool {
        let began = |period: &Self| period.start.map(FhirDate::first_day);
        began(self).zip(began(other)).is_some_and(|(own, others)| own < others)
    }

    pub(super) fn holds(&self, at: Timestamp) -> bool {
        let today = zoned(at).date();
        let has_begun = self.start.is_none_or(|start| match start {
            FhirDate::Instant(start) => start <= at,
            FhirDate::Year(_) | FhirDate::Month(..) | FhirDate::Day(_) => start.first_day() <= today,
        });
        let has_ended = self.end.is_some_and(|end| match end {
            FhirDate::Instant(end) => end < at,
            FhirDate::Day(day) => day < today,
            FhirDate::Month(year, month) => (year, month) < (today.year(), today.month()),
            FhirDate::Year(year) => year < today.year(),
        });
        has_begun && !has_ended
    }
}
