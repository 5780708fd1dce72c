//! People, places and services around the care.

use crate::draft::{Draft, Fields};
use crate::json::Kind;

use super::back::{keep_new, single};
use super::edit::{Notes, has, is_object, rehome};
use super::kept::{keep, keep_rest};

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

/// `Group` back to STU3.
pub(super) fn group_to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    keep(fields, notes, "Group.managingEntity", "Reference");
    fields.each("characteristic", |one| {
        keep(one, notes, "Group.characteristic.valueReference", "Reference");
    });
}

/// `Location` back to STU3.
pub(super) fn location_to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    single(fields, notes, "Location.type", "CodeableConcept");
    keep_new(
        fields,
        notes,
        &[("Location.hoursOfOperation", ""), ("Location.availabilityExceptions", "String")],
    );
}

/// `RelatedPerson` back to STU3.
pub(super) fn related_person_to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    single(fields, notes, "RelatedPerson.relationship", "CodeableConcept");
    keep(fields, notes, "RelatedPerson.communication", "");
}

/// `HealthcareService` back to STU3.
pub(super) fn healthcare_service_to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    single(fields, notes, "HealthcareService.category", "CodeableConcept");
    eligibility_to_stu3(fields, notes);
    programs_to_stu3(fields, notes);
    keep(fields, notes, "HealthcareService.communication", "CodeableConcept");
}

fn eligibility_to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    single(fields, notes, "HealthcareService.eligibility", "");
    let Some(mut one) = fields.take("eligibility") else { return };
    let is_free = !has(fields, "eligibilityNote") && !fields.has("_eligibility");
    let Some(inner) = one.fields().filter(|_| is_free) else { return fields.put("eligibility", one) };
    for (old, new) in
        [("code", "eligibility"), ("comment", "eligibilityNote"), ("_comment", "_eligibilityNote")]
    {
        if let Some(value) = inner.take(old) {
            fields.put(new, value);
        }
    }
    keep_rest(fields, notes, "HealthcareService.eligibility", std::mem::take(inner));
}

/// A program is a name in STU3.
fn programs_to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    let programs = fields.get("program").cloned().as_mut().and_then(Draft::items).map(std::mem::take);
    let name = |program: &mut Draft<'_>| {
        let fields = program.fields()?;
        let is_name = fields.len() == 1 && fields.get("text").is_some_and(|text| text.kind() == Kind::String);
        fields.take("text").filter(|_| is_name).map(|_| ())
    };
    let Some(programs) = programs else { return };
    let is_names = programs.iter().cloned().all(|mut program| name(&mut program).is_some());
    if !is_names || has(fields, "programName") {
        return keep(fields, notes, "HealthcareService.program", "CodeableConcept");
    }
    fields.take("program");
    let names = programs.into_iter().filter_map(|mut program| program.fields()?.take("text")).collect();
    fields.append_all("programName", names);
}
