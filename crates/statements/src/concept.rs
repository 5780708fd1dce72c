//! When are two codes the same thing? One key per concept, equality only.

use tributary_fhir::Json;
use unicode_normalization::UnicodeNormalization as _;

use crate::maps::Maps;

/// SNOMED CT, which dm+d is part of.
pub const SNOMED: &str = "http://snomed.info/sct";
const DMD: &str = "https://dmd.nhs.uk";
const LOINC: &str = "http://loinc.org";

/// Codes that say "something was here": transfer-degraded entries, comment notes, the default report code.
/// Without their text they would make one line of things that have nothing in common.
const PLACEHOLDERS: &[&str] = &[
    "196461000000101",
    "196471000000108",
    "196421000000109",
    "196451000000104",
    "196431000000106",
    "196441000000102",
    "196411000000103",
    "37331000000100",
    "721981007",
];

/// The system of null flavours, in both versions.
const NULL_FLAVOURS: &[&str] =
    &["http://hl7.org/fhir/v3/NullFlavor", "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"];

/// A concept reduced to a key, and the words to show for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Concept {
    /// The key, as `sct|…`, `placeholder|…|…`, `system|code` or `txt|…`.
    pub key: String,
    /// The SNOMED CT or dm+d code behind the key, before any map.
    pub code: Option<String>,
    /// Whether the code only holds the place of a text.
    pub placeholder: bool,
}

impl Concept {
    /// Reduces a `CodeableConcept`. `None` when it says nothing at all.
    pub fn of(concept: Json<'_>, maps: &Maps) -> Option<Self> {
        let codings: Vec<Json<'_>> = concept.get("coding").into_iter().flat_map(Json::items).collect();
        // A null flavour beside a code says nothing about the code.
        let has_code = codings.iter().any(|coding| snomed_code(*coding).is_some());
        let is_open = |coding: &&Json<'_>| !(has_code && is_null_flavour(**coding));
        let held = codings.iter().filter(is_open).find_map(|coding| Some((*coding, placeholder(*coding)?)));
        if let Some((coding, code)) = held {
            // The text must be the clinician's: the placeholder's own name says nothing.
            let own = concept.text_at("text").map(|text| normal(&text)).filter(|text| !text.is_empty())?;
            let is_its_name = coding.text_at("display").is_some_and(|display| normal(&display) == own);
            let key = format!("placeholder|{code}|{own}");
            return (!is_its_name).then_some(Self { key, code: None, placeholder: true });
        }
        if let Some(code) = snomed(&codings) {
            let today = maps.blood_pressure(&code).unwrap_or_else(|| maps.product(&code));
            return Some(Self { key: ["sct|", today].concat(), code: Some(code), placeholder: false });
        }
        let other = codings.iter().filter_map(|coding| {
            let code = coding.text_at("code").filter(|code| !code.is_empty())?;
            // A code without its system is a number that anybody may have given to anything.
            let system = coding.text_at("system").filter(|system| !system.trim().is_empty())?;
            match maps.blood_pressure(&code).filter(|_| system.trim_end() == LOINC) {
                Some(panel) => Some(format!("sct|{panel}")),
                None => Some([system.trim_end(), "|", &*code].concat()),
            }
        });
        if let Some(key) = other.min() {
            return Some(Self { key, code: None, placeholder: false });
        }
        let text = words(concept).map(|text| normal(&text)).unwrap_or_default();
        (!text.is_empty()).then(|| Self { key: format!("txt|{text}"), code: None, placeholder: false })
    }
}

fn placeholder(coding: Json<'_>) -> Option<String> {
    let code = coding.text_at("code")?;
    if is_null_flavour(coding) {
        return Some(format!("null-flavour:{code}"));
    }
    PLACEHOLDERS.contains(&code.as_ref()).then(|| code.into_owned())
}

fn is_null_flavour(coding: Json<'_>) -> bool {
    coding.text_at("system").is_some_and(|system| NULL_FLAVOURS.contains(&system.trim_end()))
}

/// Every SNOMED CT and dm+d code of a concept.
pub(crate) fn snomed_codes(concept: Json<'_>) -> impl Iterator<Item = std::borrow::Cow<'_, str>> {
    concept.get("coding").into_iter().flat_map(Json::items).filter_map(snomed_code)
}

fn snomed_code(coding: Json<'_>) -> Option<std::borrow::Cow<'_, str>> {
    let system = coding.text_at("system")?;
    let code = coding.text_at("code").filter(|code| !code.is_empty())?;
    matches!(system.trim_end(), SNOMED | DMD).then_some(code)
}

/// The SNOMED CT code that stands for the concept: the one the user chose, else the smallest as text.
fn snomed(codings: &[Json<'_>]) -> Option<String> {
    let codes = || codings.iter().filter_map(|coding| Some((*coding, snomed_code(*coding)?)));
    let chosen = codes().filter(|(coding, _)| coding.get("userSelected").and_then(Json::truth) == Some(true));
    let chosen = chosen.map(|(_, code)| code).min();
    chosen.or_else(|| codes().map(|(_, code)| code).min()).map(std::borrow::Cow::into_owned)
}

/// Every code of a concept, whatever its system.
pub fn codes(concept: Json<'_>) -> impl Iterator<Item = std::borrow::Cow<'_, str>> {
    concept.get("coding").into_iter().flat_map(Json::items).filter_map(|coding| coding.text_at("code"))
}

/// The clinician's wording: the text, else the description display of the chosen coding, else its display;
/// then the same of the other codings.
pub fn words(concept: Json<'_>) -> Option<String> {
    let filled = |text: &std::borrow::Cow<'_, str>| !text.trim().is_empty();
    if let Some(text) = concept.text_at("text").filter(filled) {
        return Some(text.into_owned());
    }
    let codings = || concept.get("coding").into_iter().flat_map(Json::items);
    let chosen = codings().find(|coding| coding.get("userSelected").and_then(Json::truth) == Some(true));
    let display =
        |coding: Json<'_>| coding.text_at("display").filter(filled).map(std::borrow::Cow::into_owned);
    let order = || chosen.into_iter().chain(codings());
    chosen
        .and_then(|chosen| description(chosen).or_else(|| display(chosen)))
        .or_else(|| codings().find_map(description))
        .or_else(|| codings().find_map(display))
        .or_else(|| {
            // The code of "not known" is no word for a thing.
            let mut codes = order().filter(|coding| !is_null_flavour(*coding));
            codes.find_map(|coding| coding.text_at("code").filter(filled).map(Into::into))
        })
}

/// The description display that GP systems put on a coding; its names are spelt in several ways.
fn description(coding: Json<'_>) -> Option<String> {
    let outer = coding.get("extension")?.items().find(|extension| {
        let url = extension.text_at("url").unwrap_or_default().to_ascii_lowercase();
        url.ends_with("coding-sctdescid") || url.ends_with("coding-sctdecsid")
    })?;
    let inner = outer.get("extension")?.items().find(|extension| {
        extension.text_at("url").is_some_and(|url| url.eq_ignore_ascii_case("descriptionDisplay"))
    })?;
    inner.text_at("valueString").filter(|text| !text.trim().is_empty()).map(std::borrow::Cow::into_owned)
}

/// Text brought to one form for comparing: NFKC, one space between words, case folded.
pub fn normal(text: &str) -> String {
    if text.is_ascii() {
        // Composing and folding leave ASCII as it is, but for its case.
        let mut folded = String::with_capacity(text.len());
        for word in text.split_whitespace() {
            if !folded.is_empty() {
                folded.push(' ');
            }
            folded.push_str(word);
        }
        folded.make_ascii_lowercase();
        return folded;
    }
    folded(text)
}

fn folded(text: &str) -> String {
    // Upper case first: `ß` and `SS`, `ς` and `Σ` are one word in two spellings.
    let folded = text.nfkc().collect::<String>().to_uppercase().to_lowercase();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use tributary_fhir::{Document, Limits};

    use super::*;

    #[track_caller]
    fn check(concept: &str, key: Option<&str>) {
        let doc = Document::scan(concept.as_bytes().to_vec(), &Limits::default()).unwrap();
        let mut maps = Maps::default();
        maps.load("dmd-history", "from,to,source,release\n319734006,42217611000001104,test,2026\n").unwrap();
        assert_eq!(Concept::of(doc.root(), &maps).map(|concept| concept.key).as_deref(), key, "{concept}");
    }

    #[test]
    fn the_short_way_leads_to_the_same_form() {
        let ascii: String = (0..128).map(char::from).collect();
        for text in ["", " ", "Morphine  10mg\tTABLETS ", "a\u{b}b\u{c}c\u{1c}d", &ascii] {
            assert_eq!(normal(text), folded(text), "{text:?}");
        }
        assert_eq!(normal("ＡＢＣ  Ｄ"), "abc d");
    }

    #[test]
    fn snomed_first_and_displays_never() {
        check(
            r#"{"coding":[{"system":"http://read.info/readv2","code":"H3"},{"system":"http://snomed.info/sct ","code":"13645005","display":"x"}],"text":"COPD"}"#,
            Some("sct|13645005"),
        );
        check(
            r#"{"coding":[{"system":"http://snomed.info/sct","code":"9"},{"system":"http://snomed.info/sct","code":"10"}]}"#,
            Some("sct|10"),
        );
        check(
            r#"{"coding":[{"system":"http://snomed.info/sct","code":"9","userSelected":true},{"system":"http://snomed.info/sct","code":"10"}]}"#,
            Some("sct|9"),
        );
        check(
            r#"{"coding":[{"system":"http://snomed.info/sct","code":"319734006"}]}"#,
            Some("sct|42217611000001104"),
        );
    }

    #[test]
    fn placeholders_need_their_text() {
        check(
            r#"{"coding":[{"system":"http://snomed.info/sct","code":"196461000000101"}],"text":"Allergy to  Nuts"}"#,
            Some("placeholder|196461000000101|allergy to nuts"),
        );
        check(
            r#"{"coding":[{"system":"http://hl7.org/fhir/v3/NullFlavor","code":"UNK"}],"text":"Flu"}"#,
            Some("placeholder|null-flavour:UNK|flu"),
        );
        check(
            r#"{"coding":[{"system":"http://hl7.org/fhir/v3/NullFlavor","code":"UNK"},{"system":"http://snomed.info/sct","code":"9"}],"text":"Flu"}"#,
            Some("sct|9"),
        );
    }

    #[test]
    fn then_other_codes_then_text() {
        check(r#"{"coding":[{"system":"b","code":"1"},{"system":"a","code":"2"}],"text":"t"}"#, Some("a|2"));
        check(r#"{"text":" Morphine  10mg\u00a0TABLETS "}"#, Some("txt|morphine 10mg tablets"));
        check(r#"{"text":"STRASSE"}"#, Some("txt|strasse"));
        check(r#"{"text":"Straße"}"#, Some("txt|strasse"));
        check(r#"{"coding":[]}"#, None);
    }
}
