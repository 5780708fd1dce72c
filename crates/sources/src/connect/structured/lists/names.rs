//! What lists call themselves: primary lists by their code, secondary ones by their words.

use tributary_fhir::Json;
use tributary_model::{Section, SectionSet};

use crate::connect::structured::areas::{AREAS, Area};

/// SNOMED CT codes of the lists a consultation is made of: consultation, topic, heading.
const STRUCTURE: &[&str] = &["325851000000107", "25851000000105", "24781000000107"];

/// Which of an area's primary lists this is.
pub(super) fn place_of(list: Json<'_>, area: &Area) -> Option<usize> {
    area.lists.iter().position(|code| has_code(list, code))
}

/// Whether a list is part of a consultation. Its title is whatever the clinician's system calls the heading.
pub(super) fn is_structure(list: Json<'_>) -> bool {
    STRUCTURE.iter().any(|code| has_code(list, code))
}

fn has_code(list: Json<'_>, code: &str) -> bool {
    codings(list).any(|coding| coding.says("code", code))
}

fn codings(list: Json<'_>) -> impl Iterator<Item = Json<'_>> {
    list.path(&["code"]).and_then(|concept| concept.get("coding")).into_iter().flat_map(Json::each)
}

/// The asked sections a secondary list speaks of, and the section that brought it along.
///
/// Its title says so (`Problems - medications related to problems`). Where there is none, its code does: the
/// same words with hyphens, or, in older systems, the title itself.
pub(super) fn sections_of(list: Json<'_>, asked: SectionSet) -> (SectionSet, SectionSet) {
    let title = list.text_at("title").into_iter();
    let parts = ["display", "code"];
    let coded = codings(list).flat_map(|coding| parts.into_iter().filter_map(move |key| coding.text_at(key)));
    let mut named = title.chain(coded).map(|words| sections_of_words(&words, asked));
    named.find(|(own, cause)| !own.is_empty() || !cause.is_empty()).unwrap_or_default()
}

fn sections_of_words(title: &str, asked: SectionSet) -> (SectionSet, SectionSet) {
    let title = title.to_ascii_lowercase();
    let words: Vec<&str> =
        title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let (cause, rest) = match words.as_slice() {
        ["consultations", rest @ ..] if !rest.is_empty() => (Some(Section::Encounters), rest),
        ["problems", rest @ ..] if !rest.is_empty() => (Some(Section::Problems), rest),
        all => (None, all),
    };
    // "Linked problems not relating to the primary query".
    let rest = if let ["linked", rest @ ..] = rest { rest } else { rest }.join(" ");
    let area = AREAS.iter().find(|area| rest.starts_with(area.title));
    let own = area.into_iter().flat_map(|area| area.fed(asked)).collect();
    let cause: SectionSet = cause.into_iter().collect();
    (own, cause.and(asked))
}
