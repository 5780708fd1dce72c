//! The merged Patient, and the banner that is read from it.

use tributary_fhir::{Json, Writer};
use tributary_model::demographics::{Death, DeathNotice, HomeAddress, PersonName, SentDate};
use tributary_model::{Demographics, FhirDate, Redacted};

use super::r4;
use crate::record::Record;
use crate::view::PatientView;
use crate::words;
use tributary_statements::load::Accepted;
use tributary_statements::person::shown;

/// Where values of the national service say they come from.
const SERVICE: &str = "urn:x-tributary:pds";

/// What the Patient of the record is made of. What the national service says comes before what sources say.
///
/// A date of death is never taken over from a source: none can declare it for the others.
const ELEMENTS: &[&str] = &["name", "telecom", "gender", "birthDate", "deceased", "address"];

/// The Patient of the record: the number that was asked for, what the national service says, and where it says
/// nothing, what the source of lowest rank says.
pub(super) fn write(record: &Record<'_>, json: &mut Writer) {
    json.object(|patient| {
        patient.text("resourceType", "Patient");
        patient.text("id", &record.patient_id.to_string());
        write_origin(record.inputs.pds, patient);
        patient.key("identifier").array(|list| {
            list.object(|identifier| {
                identifier.text("system", tributary_model::nhs_number::NHS_NUMBER_SYSTEM);
                identifier.text("value", record.inputs.patient.expose());
            });
        });
        for key in ELEMENTS {
            let traced = write_if_traced(record, key, patient);
            if let (false, Some((home, value))) = (traced, of_sources(record, key)) {
                patient.key(key).raw(|out| record.copier().value(home, value, out));
            }
        }
        write_links(record, patient);
    });
}

/// Writes an element as the national service has it, and says whether it has it.
pub(super) fn write_if_traced(record: &Record<'_>, key: &str, patient: &mut Writer) -> bool {
    let traced = record.inputs.pds.filter(|traced| is_traced(traced, key));
    if let Some(traced) = traced {
        write_traced(traced, key, patient);
    }
    traced.is_some()
}

/// Which elements come from the national service.
pub(super) fn write_origin(traced: Option<&Demographics>, patient: &mut Writer) {
    let Some(traced) = traced else { return };
    let mut elements = ELEMENTS.iter().filter(|key| is_traced(traced, key)).peekable();
    if elements.peek().is_none() {
        return;
    }
    patient.key("meta").object(|meta| {
        meta.text("source", SERVICE);
        meta.key("extension").array(|list| {
            for key in elements {
                list.record([("url", "urn:x-tributary:traced-element"), ("valueCode", key)]);
            }
        });
    });
}

fn is_traced(traced: &Demographics, key: &str) -> bool {
    match key {
        "name" => traced.name.is_some(),
        "gender" => traced.gender.is_some(),
        "birthDate" => traced.birth_date.is_some(),
        "deceased" => formal_death(traced).is_some(),
        "address" => traced.address.is_some(),
        _ => false,
    }
}

/// The death that is certain. An informal notice is told in a note of the record, and declares nobody dead.
fn formal_death(traced: &Demographics) -> Option<&Death> {
    let death = traced.death.as_ref().map(Redacted::expose);
    death.filter(|death| death.notice == DeathNotice::Formal)
}

fn write_traced(traced: &Demographics, key: &str, patient: &mut Writer) {
    match key {
        "name" => {
            if let Some(name) = &traced.name {
                write_name(name.expose(), patient);
            }
        }
        "gender" => {
            patient.text_if("gender", traced.gender.as_ref().map(|gender| gender.expose().code()));
        }
        "birthDate" => {
            patient.text_if("birthDate", traced.birth_date.as_ref().map(|date| date.expose().text()));
        }
        "deceased" => {
            if let Some(death) = formal_death(traced) {
                write_death(death, patient);
            }
        }
        "address" => {
            if let Some(address) = &traced.address {
                write_address(address.expose(), patient);
            }
        }
        _ => {}
    }
}

fn write_name(name: &PersonName, patient: &mut Writer) {
    patient.key("name").array(|names| {
        names.object(|one| {
            one.text("use", "usual");
            one.text_if("family", Some(name.family.as_str()).filter(|family| !family.is_empty()));
            write_texts("given", &name.given, one);
            write_texts("prefix", &name.prefix, one);
        });
    });
}

fn write_death(death: &Death, patient: &mut Writer) {
    match &death.date {
        Some(date) => patient.text("deceasedDateTime", date.text()),
        None => patient.key("deceasedBoolean").truth(true),
    }
}

fn write_address(address: &HomeAddress, patient: &mut Writer) {
    patient.key("address").array(|addresses| {
        addresses.object(|one| {
            one.text("use", "home");
            write_texts("line", &address.lines, one);
            one.text_if("postalCode", address.postcode.as_deref());
        });
    });
}

fn write_texts(key: &str, texts: &[String], holder: &mut Writer) {
    if !texts.is_empty() {
        holder.key(key).array(|list| texts.iter().for_each(|text| list.string(text)));
    }
}

/// Every source keeps its own Patient; the merged one points to them.
fn write_links(record: &Record<'_>, patient: &mut Writer) {
    let mut twins = record.loaded.statements.iter().filter(|one| one.kind == "Patient").peekable();
    if twins.peek().is_none() {
        return;
    }
    patient.key("link").array(|links| {
        for twin in twins {
            links.object(|link| {
                link.key("other").record([("reference", &r4::urn(twin.id))]);
                link.text("type", "seealso");
            });
        }
    });
}

/// The first value a source of lowest rank gives for an element of its Patient.
fn of_sources<'r, 'a>(record: &'r Record<'a>, key: &str) -> Option<(&'r Accepted<'a>, Json<'a>)> {
    record.loaded.answers.iter().find_map(|home| Some((home, home.proof.patient.get(key)?)))
}

/// The banner: the merged Patient in words.
pub(super) fn view(record: &Record<'_>) -> PatientView {
    let today = tributary_model::date::zoned(record.inputs.as_of).date();
    let traced = record.inputs.pds;
    let of_source = |key: &str| of_sources(record, key).map(|(_, value)| value);
    let name = traced.and_then(|traced| traced.name.as_ref()).map(|name| {
        let name = name.expose();
        let first = |list: &[String]| list.first().cloned().unwrap_or_default();
        shown(&name.family, &first(&name.given), &first(&name.prefix))
    });
    let born = traced.and_then(|traced| traced.birth_date.as_ref()).map(|date| date.expose().date());
    let born =
        born.or_else(|| of_source("birthDate").and_then(Json::text).and_then(|text| FhirDate::parse(&text)));
    let gender = traced.and_then(|traced| traced.gender.as_ref()).map(|gender| gender.expose().code());
    let gender =
        gender.map(str::to_owned).or_else(|| Some(of_source("gender").and_then(Json::text)?.into_owned()));
    let death = traced.and_then(formal_death);
    PatientView {
        nhs_number: record.inputs.patient.grouped(),
        name: name.or_else(|| of_source("name").map(name_of)).unwrap_or_default(),
        born: born.map(|date| aged(date, today, death.is_some())).unwrap_or_default(),
        gender: gender.map(|word| capital(&word)).unwrap_or_default(),
        died_aged: death.and_then(|death| words::age(born?, death.date.as_ref()?.date().first_day())),
        died: death.map(|death| died(death.date.as_ref())).unwrap_or_default(),
        address: of_source("address").map(address_of).unwrap_or_default(),
        phone: of_source("telecom").map(phone_of).unwrap_or_default(),
    }
}

/// The first address that is not an old one, in one line.
fn address_of(addresses: Json<'_>) -> String {
    let Some(one) = addresses.each().find(|one| !one.says("use", "old")) else { return String::new() };
    if let Some(text) = one.text_at("text").filter(|text| !text.trim().is_empty()) {
        return text.into_owned();
    }
    let lines = one.get("line").into_iter().flat_map(Json::each).filter_map(Json::text);
    let rest = ["city", "district", "postalCode"].iter().filter_map(|key| one.text_at(key));
    let parts: Vec<_> = lines.chain(rest).filter(|part| !part.trim().is_empty()).collect();
    parts.join(", ")
}

/// The first telephone number that is not an old one.
fn phone_of(contacts: Json<'_>) -> String {
    let mut phones = contacts.each().filter(|one| one.says("system", "phone") && !one.says("use", "old"));
    phones.find_map(|one| one.text_at("value")).map(std::borrow::Cow::into_owned).unwrap_or_default()
}

/// `11-Feb-1953 (73y)`. The dead grow no older.
fn aged(born: FhirDate, today: jiff::civil::Date, is_dead: bool) -> String {
    let age = words::age(born, today).filter(|_| !is_dead).map(|age| format!(" ({age}y)"));
    format!("{}{}", born.display(), age.unwrap_or_default())
}

fn died(date: Option<&SentDate>) -> String {
    date.map_or_else(|| "Date not known".to_owned(), |date| date.date().display())
}

pub(super) fn name_of(names: Json<'_>) -> String {
    let official = names.each().find(|one| one.says("use", "official")).or_else(|| names.each().next());
    let Some(one) = official else { return String::new() };
    let part = |key| one.path(&[key]).and_then(Json::text).unwrap_or_default();
    if part("family").is_empty() {
        return part("text").into_owned();
    }
    shown(&part("family"), &part("given"), &part("prefix"))
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
