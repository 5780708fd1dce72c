//! Who a patient is. Nothing here is a fault: what cannot be read is left out, so that it hides nothing else.

use jiff::Timestamp;
use tributary_fhir::Json;
use tributary_model::demographics::{Death, DeathNotice, Gender, HomeAddress, PersonName};
use tributary_model::{Demographics, Redacted, SentDate};

use super::patient::{Period, Registration, code_of, extensions};

/// More names or addresses than these are not looked at: the service sends a handful.
const MOST_READ: usize = 32;

pub(super) fn read(patient: Json<'_>, registration: &Registration, at: Timestamp) -> Demographics {
    let gender = patient.text_at("gender").and_then(|code| Gender::from_code(&code));
    let practice = match registration {
        Registration::At(practice) => Some(practice.clone()),
        Registration::Ended | Registration::None => None,
    };
    Demographics {
        name: name(patient, at).map(Redacted::new),
        birth_date: patient.text_at("birthDate").and_then(|date| SentDate::parse(&date)).map(Redacted::new),
        gender: gender.map(Redacted::new),
        address: address(patient, at).map(Redacted::new),
        practice: practice.map(Redacted::new),
        death: death(patient).map(Redacted::new),
    }
}

/// Those of a kind whose period holds. A period that cannot be read rules nothing out.
fn holding<'d>(patient: Json<'d>, key: &str, at: Timestamp) -> impl Iterator<Item = Json<'d>> {
    let all = patient.get(key).into_iter().flat_map(Json::items).take(MOST_READ);
    all.filter(move |one| Period::of(one.get("period")).map_or(true, |period| period.holds(at)))
}

/// The usual name; without one the official one, then one without a use. Former names are nobody's now.
fn name(patient: Json<'_>, at: Timestamp) -> Option<PersonName> {
    let of_use = |wanted: Option<&str>| {
        holding(patient, "name", at).find(|name| name.text_at("use").as_deref() == wanted)
    };
    let name = of_use(Some("usual")).or_else(|| of_use(Some("official"))).or_else(|| of_use(None))?;
    let name = PersonName {
        family: name.text_at("family").unwrap_or_default().into_owned(),
        given: texts(name, "given"),
        prefix: texts(name, "prefix"),
    };
    (!name.family.is_empty() || !name.given.is_empty()).then_some(name)
}

fn address(patient: Json<'_>, at: Timestamp) -> Option<HomeAddress> {
    let home = holding(patient, "address", at).find(|address| address.says("use", "home"))?;
    let postcode = home.text_at("postalCode").filter(|code| !code.trim().is_empty());
    let address =
        HomeAddress { lines: texts(home, "line"), postcode: postcode.map(std::borrow::Cow::into_owned) };
    (!address.lines.is_empty() || address.postcode.is_some()).then_some(address)
}

/// The texts of a list that say something.
fn texts(holder: Json<'_>, key: &str) -> Vec<String> {
    let all = holder.get(key).into_iter().flat_map(Json::each).filter_map(Json::text);
    all.filter(|text| !text.trim().is_empty()).take(MOST_READ).map(std::borrow::Cow::into_owned).collect()
}

/// A death, unless the notice was taken back.
fn death(patient: Json<'_>) -> Option<Death> {
    let status = extensions(patient, "Extension-UKCore-DeathNotificationStatus").next();
    let code =
        status.and_then(|status| extensions(status, "deathNotificationStatus").next()).and_then(code_of);
    let date = patient.text_at("deceasedDateTime");
    let notice = match code.as_deref() {
        Some("U") => return None,
        Some("2") => DeathNotice::Formal,
        Some(_) => DeathNotice::Informal,
        None if date.is_some() => DeathNotice::Informal,
        None => return None,
    };
    Some(Death { notice, date: date.and_then(|date| SentDate::parse(&date)) })
}
