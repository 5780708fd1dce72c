//! `Immunization`.

use crate::draft::{Draft, Fields};

use super::edit::{Deed, Notes, has, is_object, negation, rehome};
use super::extension;
use super::kept::{keep, keep_rest};

const UK_CORE_PROCEDURE: &str =
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-VaccinationProcedure";
const UK_CORE_PARENT: &str = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-ParentPresent";

pub(super) fn convert(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    // A vaccine that was not given and reads as given is the worst a converter can do.
    let deed = negation(fields, notes, "Immunization.notGiven", ("Immunization.status", "not-done"));
    rehome(fields, notes, "Immunization.date", "occurrenceDateTime", "DateTime");
    if !has(fields, "occurrenceDateTime") && !has(fields, "occurrenceString") {
        // R4 wants an occurrence; a date that was not sent must not be made up.
        fields.put("occurrenceString", Draft::literal("\"unknown\""));
    }
    rehome(fields, notes, "Immunization.practitioner", "performer", "");
    fields.each("performer", |performer| {
        rehome(performer, notes, "Immunization.practitioner.role", "function", "CodeableConcept");
    });
    explanation(fields, notes, deed);
    protocol(fields, notes);
    if fields.has("extension") {
        extension::move_to(fields, "DateRecorded-1", "valueDateTime", "recorded");
        extension::readdress(fields, "VaccinationProcedure-1", UK_CORE_PROCEDURE);
        extension::readdress(fields, "ParentPresent-1", UK_CORE_PARENT);
    }
}

/// Reasons for and against. A reason against goes to the status only when the vaccine was not given.
fn explanation(fields: &mut Fields<'_>, notes: &mut Notes<'_>, deed: Deed) {
    if !is_object(fields, "explanation") {
        return;
    }
    let Some(mut explanation) = fields.take("explanation") else { return };
    let Some(inner) = explanation.fields() else { return };
    if !has(fields, "reasonCode")
        && let Some(reasons) = inner.take("reason")
    {
        fields.put("reasonCode", reasons);
        fields.wrap("reasonCode");
    }
    if deed == Deed::NotDone && !has(fields, "statusReason") {
        // Recorded bundles also use the second spelling.
        let key = if inner.has("reasonNotGiven") { "reasonNotGiven" } else { "notGivenReason" };
        if let Some(first) = take_first(inner, key) {
            fields.put("statusReason", first);
        }
    }
    keep_rest(fields, notes, "Immunization.explanation", std::mem::take(inner));
}

/// R4 has room for one; what follows stays where it is.
fn take_first<'d>(fields: &mut Fields<'d>, key: &str) -> Option<Draft<'d>> {
    if is_object(fields, key) {
        return fields.take(key);
    }
    let list = fields.get_mut(key)?.items()?;
    if list.is_empty() {
        return None;
    }
    let first = list.remove(0);
    if list.is_empty() {
        fields.take(key);
    }
    Some(first)
}

/// The number of the dose has to survive: it decides which dose is due next.
fn protocol(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const BASE: &str = "Immunization.vaccinationProtocol";
    rehome(fields, notes, BASE, "protocolApplied", "");
    fields.each("protocolApplied", |protocol| {
        rehome(protocol, notes, &format!("{BASE}.doseSequence"), "doseNumberPositiveInt", "PositiveInt");
        rehome(protocol, notes, &format!("{BASE}.seriesDoses"), "seriesDosesPositiveInt", "PositiveInt");
        keep(protocol, notes, &format!("{BASE}.description"), "String");
        keep(protocol, notes, &format!("{BASE}.doseStatus"), "CodeableConcept");
        keep(protocol, notes, &format!("{BASE}.doseStatusReason"), "CodeableConcept");
    });
}
