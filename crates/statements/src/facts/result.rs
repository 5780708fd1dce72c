//! Results and other observations.

use tributary_fhir::Json;
use tributary_model::Section;

use super::{Facts, Reader, Thing};
use crate::concept::Concept;

/// How firm a result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Corrected or amended after it was final.
    Corrected,
    /// Final.
    Final,
    /// Anything else.
    Other,
}

/// What matters about a result.
#[derive(Clone, PartialEq, Eq)]
pub struct Finding {
    /// How firm.
    pub standing: Standing,
    /// The value as the source wrote it, unit included: the text itself, never a number.
    pub value: Option<String>,
    /// The value in the one form in which values are compared: the same digits, with the unit's code where it
    /// has one of the standard, and parts by their codes.
    pub same: Option<String>,
}

/// Free text kept as an observation.
const COMMENT_NOTE: &str = "37331000000100";

pub(super) fn read(reader: &Reader<'_>) -> Facts {
    let resource = reader.resource();
    let concept = reader.first("code");
    let found = concept.and_then(|code| Concept::of(code, reader.maps));
    let is_note = concept.is_some_and(|code| crate::concept::codes(code).any(|code| code == COMMENT_NOTE));
    let value = value(resource);
    let groups = resource.get("hasMember").is_some() && is_laboratory(resource);
    let is_result = !is_note && (value.is_some() || groups || resource.get("dataAbsentReason").is_some());
    // What a laboratory says in words alone, and what a report names, stands with the results; but words are
    // never compared, so they stand by themselves.
    let is_reported =
        reader.loaded.home(reader.statement).is_some_and(|home| home.reported.contains(&reader.statement.id));
    let belongs = is_result || is_reported || (!is_note && is_laboratory(resource));
    let section = if belongs { Section::Results } else { Section::Uncategorised };
    let facts =
        reader.plain(section, concept, &[&["effectiveDateTime"], &["effectivePeriod", "start"], &["issued"]]);
    let standing = match reader.status("status").as_ref() {
        "corrected" | "amended" => Standing::Corrected,
        "final" => Standing::Final,
        _ => Standing::Other,
    };
    let key =
        found.filter(|found| is_result && !found.placeholder).and_then(|found| dated_key(reader, &found.key));
    Facts {
        key: key.unwrap_or(facts.key),
        detail: detail(resource, value.as_deref()),
        thing: Thing::Finding(Finding { standing, value, same: same(reader) }),
        ..facts
    }
}

/// `issued` is never matched to `effective`, a day never to an instant: both are part of the key.
fn dated_key(reader: &Reader<'_>, concept: &str) -> Option<String> {
    let effective = reader.date(&[&["effectiveDateTime"], &["effectivePeriod", "start"]]);
    if let Some(effective) = effective {
        return Some([concept, "|eff|", &effective.key()].concat());
    }
    reader.date(&[&["issued"]]).map(|issued| format!("{concept}|iss|{}", issued.key()))
}

fn is_laboratory(resource: Json<'_>) -> bool {
    let categories = resource.get("category").into_iter().flat_map(Json::each);
    categories.flat_map(crate::concept::codes).any(|code| code == "laboratory")
}

/// The value, or the values of the components, exactly as written.
fn value(resource: Json<'_>) -> Option<String> {
    if let Some(single) = single_value(resource) {
        return Some(single);
    }
    let parts = resource.get("component").into_iter().flat_map(Json::items).map(|component| {
        let code = component.get("code").and_then(crate::concept::words).unwrap_or_default();
        format!("{code} {}", single_value(component).unwrap_or_else(|| "not recorded".to_owned()))
    });
    let joined = parts.collect::<Vec<_>>().join("; ");
    (!joined.is_empty()).then_some(joined)
}

fn single_value(holder: Json<'_>) -> Option<String> {
    let (key, value) = holder.members().find(|(key, _)| key.starts_with("value"))?;
    let text = match key {
        "valueQuantity" => quantity(value),
        "valueCodeableConcept" => crate::concept::words(value).unwrap_or_default(),
        "valueRange" | "valuePeriod" | "valueRatio" | "valueSampledData" => value.raw().to_owned(),
        _ => value.text().map_or_else(|| value.raw().to_owned(), std::borrow::Cow::into_owned),
    };
    Some(text)
}

/// Two systems name one unit in several ways; its code in the standard is one.
const UCUM: &str = "http://unitsofmeasure.org";

fn same(reader: &Reader<'_>) -> Option<String> {
    let resource = reader.resource();
    if let Some(single) = same_single(resource) {
        return Some(single);
    }
    let parts = resource.get("component").into_iter().flat_map(Json::items).map(|component| {
        let code = component.get("code").and_then(|code| Concept::of(code, reader.maps));
        let value = same_single(component).unwrap_or_default();
        format!("{}={value}", code.map(|code| code.key).unwrap_or_default())
    });
    let mut parts: Vec<String> = parts.collect();
    // Which part is named first is nobody's statement.
    parts.sort();
    (!parts.is_empty()).then(|| parts.join(";"))
}

fn same_single(holder: Json<'_>) -> Option<String> {
    let quantity = holder.get("valueQuantity").filter(|quantity| quantity.says("system", UCUM));
    let Some((quantity, code)) = quantity.and_then(|quantity| Some((quantity, quantity.text_at("code")?)))
    else {
        return single_value(holder);
    };
    let number = quantity.get("value").map(Json::raw).unwrap_or_default();
    Some([&*quantity.text_at("comparator").unwrap_or_default(), number, " ", &*code].concat())
}

fn quantity(value: Json<'_>) -> String {
    let part = |key| value.text_at(key).unwrap_or_default();
    let number = value.get("value").map(Json::raw).unwrap_or_default();
    let unit = if part("unit").is_empty() { part("code") } else { part("unit") };
    let mut text = [&*part("comparator"), number, " ", &*unit].concat();
    text.truncate(text.trim_end().len());
    if text.starts_with(char::is_whitespace) { text.trim_start().to_owned() } else { text }
}

fn detail(resource: Json<'_>, value: Option<&str>) -> String {
    let notes = resource.get("note").into_iter().flat_map(Json::each).filter_map(|note| note.text_at("text"));
    let notes = notes.map(std::borrow::Cow::into_owned);
    value.map(str::to_owned).into_iter().chain(notes).collect::<Vec<_>>().join(" – ")
}
