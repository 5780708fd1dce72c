//! Medicines: the product, what is taken, ordered, dispensed and given, and how.

use crate::draft::{Draft, Fields};
use crate::json::Kind;

use super::edit::{
    Notes, UNKNOWN, definition, encounter, has, is_object, negation, reason_not_done, rehome, requester,
    restate, says,
};
use super::extension;
use super::kept::{keep, keep_rest};

pub(super) mod back;
mod repeat;

const UK_CORE_AGENCY: &str =
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-MedicationPrescribingOrganizationType";
const UK_CORE_LAST_ISSUE: &str =
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-MedicationStatementLastIssueDate";

/// `Medication`.
pub(super) fn product(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    keep(fields, notes, "Medication.isBrand", "Boolean");
    keep(fields, notes, "Medication.isOverTheCounter", "Boolean");
    keep(fields, notes, "Medication.image", "Attachment");
    fields.each("ingredient", |ingredient| {
        rehome(ingredient, notes, "Medication.ingredient.amount", "strength", "");
    });
    package(fields, notes);
}

/// R4 knows one batch and no package.
fn package(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    if !is_object(fields, "package") {
        keep(fields, notes, "Medication.package", "");
        return;
    }
    let Some(mut package) = fields.take("package") else { return };
    let Some(inner) = package.fields() else { return };
    if !has(fields, "batch")
        && let Some(batches) = inner.get_mut("batch").and_then(Draft::items)
        && batches.first().is_some_and(|first| first.kind() == Kind::Object)
    {
        let first = batches.remove(0);
        fields.put("batch", first);
    }
    if inner.get_mut("batch").and_then(Draft::items).is_some_and(|batches| batches.is_empty()) {
        inner.take("batch");
    }
    keep_rest(fields, notes, "Medication.package", std::mem::take(inner));
}

/// `MedicationStatement`.
pub(super) fn statement(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    taken(fields, notes);
    dosage(fields, "dosage");
    if fields.has("extension") {
        extension::readdress(fields, "PrescribingAgency-1", UK_CORE_AGENCY);
        extension::readdress(fields, "MedicationStatementLastIssueDate-1", UK_CORE_LAST_ISSUE);
    }
}

/// R4 says "not taken" by the status. Every other answer leaves the status alone: the official map turns
/// `unk` into status `unknown`, which would hide every medicine of every GP record.
fn taken(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const REASON: &str = "MedicationStatement.reasonNotTaken";
    const TAKEN: &str = "MedicationStatement.taken";
    if says(fields, "taken", "n") {
        // An entry made in error stays one, taken or not.
        if !says(fields, "status", "entered-in-error") {
            restate(fields, notes, "MedicationStatement.status", "not-taken");
        }
        rehome(fields, notes, REASON, "statusReason", "CodeableConcept");
        keep(fields, notes, TAKEN, "Code");
        return;
    }
    if notes.is_gp_connect() && says(fields, "taken", "unk") && !fields.has("_taken") {
        // GP Connect fixes this value for every medicine (5.6).
        fields.take("taken");
        notes.meaningless(TAKEN);
    }
    keep(fields, notes, TAKEN, "Code");
    keep(fields, notes, REASON, "CodeableConcept");
}

/// `MedicationRequest`.
pub(super) fn request(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    unstated_status(fields);
    requester(fields, notes, "MedicationRequest.requester");
    encounter(fields, notes, "MedicationRequest.context");
    fields.wrap("category");
    definition(fields, notes, "MedicationRequest.definition", "instantiatesCanonical");
    fields.each("substitution", |substitution| {
        rehome(substitution, notes, "MedicationRequest.substitution.allowed", "allowedBoolean", "Boolean");
    });
    dosage(fields, "dosageInstruction");
    repeat::quantity_text(fields);
    if fields.has("extension") {
        extension::move_to(fields, "PrescriptionType-1", "valueCodeableConcept", "courseOfTherapyType");
        repeat::information(fields);
        repeat::status_reason(fields);
    }
}

/// `MedicationDispense`.
pub(super) fn dispense(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    let status = ("MedicationDispense.status", "declined");
    let deed = negation(fields, notes, "MedicationDispense.notDone", status);
    unstated_status(fields);
    for (path, to, kind) in [
        ("MedicationDispense.notDoneReasonCodeableConcept", "statusReasonCodeableConcept", "CodeableConcept"),
        ("MedicationDispense.notDoneReasonReference", "statusReasonReference", "Reference"),
    ] {
        reason_not_done(fields, notes, deed, (path, to, kind));
    }
    fields.each("performer", |performer| {
        keep(performer, notes, "MedicationDispense.performer.onBehalfOf", "Reference");
    });
    dosage(fields, "dosageInstruction");
}

/// `MedicationAdministration`. Its dosage has the same elements in both versions.
pub(super) fn administration(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    let status = ("MedicationAdministration.status", "not-done");
    let deed = negation(fields, notes, "MedicationAdministration.notGiven", status);
    let reason = ("MedicationAdministration.reasonNotGiven", "statusReason", "CodeableConcept");
    reason_not_done(fields, notes, deed, reason);
    definition(fields, notes, "MedicationAdministration.definition", "instantiates");
    rehome(fields, notes, "MedicationAdministration.prescription", "request", "Reference");
    fields.each("performer", |performer| {
        keep(performer, notes, "MedicationAdministration.performer.onBehalfOf", "Reference");
    });
}

/// R4 wants a status where STU3 does not. Its absence is said; a status is nobody's to make up.
fn unstated_status(fields: &mut Fields<'_>) {
    if !has(fields, "status") {
        fields.put("_status", Draft::literal(UNKNOWN));
    }
}

const DOSE_AND_RATE: &[&str] = &["doseQuantity", "doseRange", "rateQuantity", "rateRange", "rateRatio"];

/// Dose and rate move into one list item. The text of a dosage is never read, let alone changed.
fn dosage(fields: &mut Fields<'_>, key: &str) {
    fields.each(key, |dosage| {
        if dosage.has("doseAndRate") {
            return;
        }
        let mut item = Fields::default();
        for key in DOSE_AND_RATE {
            if let Some(value) = dosage.take(key) {
                item.put(*key, value);
            }
        }
        if !item.is_empty() {
            dosage.put("doseAndRate", Draft::Array(vec![Draft::Object(item)]));
        }
    });
}
