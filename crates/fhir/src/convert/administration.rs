//! People, places and services around the care.

use crate::draft::{Draft, Fields};
use crate::json::Kind;

use super::edit::{Notes, has, is_object, rehome};

/// Types whose elements are the same in both versions.
pub(super) const fn unchanged(_fields: &mut Fields<'_>, _notes: &mut Notes<'_>) {}

pub(super) fn location(fields: &mut Fields<'_>, _notes: &mut Notes<'_>) {
    fields.wrap("type");
}

pub(super) fn related_person(fields: &mut Fields<'_>, _notes: &mut Notes<'_>) {
    fields.wrap("relationship");
}

pub(super) fn healthcare_service(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    fields.wrap("category");
    eligibility(fields);
    if !has(fields, "program") && !fields.has("_programName") {
        rehome(fields, notes, "HealthcareService.programName", "program", "String");
        if let Some(programs) = fields.get_mut("program").and_then(Draft::items) {
            for program in programs.iter_mut().filter(|program| program.kind() == Kind::String) {
                let name = std::mem::replace(program, Draft::literal("null"));
                *program = Draft::object([("text", name)]);
            }
        }
    }
}

/// The code and the note on it are one element in R4.
fn eligibility(fields: &mut Fields<'_>) {
    let is_apart = is_object(fields, "eligibility") || !has(fields, "eligibility");
    let is_text = fields.get("eligibilityNote").is_none_or(|note| note.kind() == Kind::String);
    if !is_apart || !is_text {
        return;
    }
    let mut whole = Fields::default();
    for (old, new) in
        [("eligibility", "code"), ("eligibilityNote", "comment"), ("_eligibilityNote", "_comment")]
    {
        if let Some(value) = fields.take(old) {
            whole.put(new, value);
        }
    }
    if !whole.is_empty() {
        fields.put("eligibility", Draft::Array(vec![Draft::Object(whole)]));
    }
}
