//! `Immunization`.

use crate::draft::{Draft, Fields};

use super::back::{Negation, keep_new, require, require_object};
use super::edit::{Deed, Notes, has, is_object, negation, rehome, says};
use super::extension;
use super::kept::{keep, keep_rest};

const UK_CORE_PROCEDURE: &str =
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-VaccinationProcedure";
const CARE_CONNECT_PROCEDURE: &str =
    "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-VaccinationProcedure-1";
const CARE_CONNECT_PARENT: &str =
    "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-ParentPresent-1";
const CARE_CONNECT_RECORDED: &str =
    "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-DateRecorded-1";
const UK_CORE_PARENT: &str = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-ParentPresent";

pub(super) fn to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
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

/// Back to STU3.
pub(super) fn to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const NEGATION: Negation =
        Negation { flag: "Immunization.notGiven", status: "Immunization.status", code: "not-done" };
    let is_known = matches!(
        fields.text_at("status").unwrap_or_default().as_ref(),
        "completed" | "entered-in-error" | "not-done"
    );
    let deed = NEGATION.apply(fields, notes);
    if is_known && deed == Deed::Done {
        fields.put("notGiven", Draft::literal("false"));
    } else if !is_known {
        // Whether it was given cannot be read from a status that nobody knows.
        keep(fields, notes, "Immunization.status", "Code");
        require(fields, "status");
        require(fields, "notGiven");
    }
    require(fields, "primarySource");
    occurrence(fields, notes);
    fields.each("performer", |performer| {
        rehome(performer, notes, "Immunization.performer.function", "role", "CodeableConcept");
    });
    rehome(fields, notes, "Immunization.performer", "practitioner", "");
    explanation_to_stu3(fields, notes, deed);
    protocol_to_stu3(fields, notes);
    extensions_to_stu3(fields);
    fields.each("education", |education| {
        // Its address is no reference, whatever its name.
        keep(education, notes, "Immunization.education.reference", "Uri");
    });
    keep_new(
        fields,
        notes,
        &[
            ("Immunization.education", ""),
            ("Immunization.fundingSource", "CodeableConcept"),
            ("Immunization.isSubpotent", "Boolean"),
            ("Immunization.programEligibility", "CodeableConcept"),
            ("Immunization.reasonReference", "Reference"),
            ("Immunization.subpotentReason", "CodeableConcept"),
        ],
    );
}

/// Words for a date that was not sent were made for R4; other words are kept.
fn occurrence(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    rehome(fields, notes, "Immunization.occurrenceDateTime", "date", "DateTime");
    if says(fields, "occurrenceString", "unknown") && !fields.has("_occurrenceString") {
        fields.take("occurrenceString");
    }
    keep(fields, notes, "Immunization.occurrenceString", "String");
}

fn explanation_to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>, deed: Deed) {
    if has(fields, "explanation") {
        return keep_new(
            fields,
            notes,
            &[
                ("Immunization.reasonCode", "CodeableConcept"),
                ("Immunization.statusReason", "CodeableConcept"),
            ],
        );
    }
    let mut explanation = Fields::default();
    if let Some(reasons) = fields.take("reasonCode") {
        explanation.put("reason", reasons);
    }
    if deed == Deed::NotDone
        && let Some(reason) = fields.take("statusReason")
    {
        explanation.put("reasonNotGiven", Draft::Array(vec![reason]));
    }
    keep(fields, notes, "Immunization.statusReason", "CodeableConcept");
    if !explanation.is_empty() {
        fields.put("explanation", Draft::Object(explanation));
    }
}

fn protocol_to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    fields.each("protocolApplied", |protocol| {
        for (path, to) in [
            ("Immunization.protocolApplied.doseNumberPositiveInt", "doseSequence"),
            ("Immunization.protocolApplied.seriesDosesPositiveInt", "seriesDoses"),
        ] {
            rehome(protocol, notes, path, to, "PositiveInt");
        }
        keep_new(
            protocol,
            notes,
            &[
                ("Immunization.protocolApplied.doseNumberString", "String"),
                ("Immunization.protocolApplied.seriesDosesString", "String"),
            ],
        );
        // STU3 wants to know whether the dose counts; R4 does not say.
        let keeps_status = protocol.get("extension").and_then(Draft::raw).is_some_and(|list| {
            list.raw().contains("/extension-Immunization.vaccinationProtocol.doseStatus\"")
        });
        if !keeps_status {
            require_object(protocol, "doseStatus");
        }
    });
    rehome(fields, notes, "Immunization.protocolApplied", "vaccinationProtocol", "");
}

fn extensions_to_stu3(fields: &mut Fields<'_>) {
    if let Some(recorded) = fields.take("recorded") {
        let extension =
            Draft::object([("url", Draft::string(CARE_CONNECT_RECORDED)), ("valueDateTime", recorded)]);
        fields.append("extension", extension);
    }
    if fields.has("extension") {
        extension::readdress(fields, "UKCore-VaccinationProcedure", CARE_CONNECT_PROCEDURE);
        extension::readdress(fields, "UKCore-ParentPresent", CARE_CONNECT_PARENT);
    }
}
