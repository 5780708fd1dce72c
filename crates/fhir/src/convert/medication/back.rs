//! Medicines on their way back to STU3.

use std::borrow::Cow;

use crate::draft::{Draft, Fields};
use crate::json::{Json, Kind};

use super::super::back::{self, Codes, Negation, give_back, keep_new, require, single};
use super::super::edit::{Deed, Notes, has, is_object, reason_not_done, rehome, says};
use super::super::encounter;
use super::super::extension;
use super::super::kept::{attach, keep, keep_rest};
use super::super::restore::pull;
use super::repeat;

const CARE_CONNECT_AGENCY: &str =
    "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-PrescribingAgency-1";
const CARE_CONNECT_LAST_ISSUE: &str = "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-MedicationStatementLastIssueDate-1";

/// `Medication`.
pub(in super::super) fn product(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    fields.each("ingredient", |ingredient| {
        rehome(ingredient, notes, "Medication.ingredient.strength", "amount", "Ratio");
    });
    if is_object(fields, "batch")
        && !has(fields, "package")
        && let Some(batch) = fields.take("batch")
    {
        fields.put("package", Draft::object([("batch", Draft::Array(vec![batch]))]));
    }
    keep_new(
        fields,
        notes,
        &[("Medication.batch", ""), ("Medication.identifier", "Identifier"), ("Medication.amount", "Ratio")],
    );
}

/// `MedicationStatement`.
pub(in super::super) fn statement(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    taken(fields, notes);
    dosage(fields, notes, "dosage");
    if fields.has("extension") {
        extension::readdress(fields, "UKCore-MedicationPrescribingOrganizationType", CARE_CONNECT_AGENCY);
        extension::readdress(fields, "UKCore-MedicationStatementLastIssueDate", CARE_CONNECT_LAST_ISSUE);
    }
}

/// "Not taken" is a flag in STU3 beside the status, not a status. Where R4 does not say whether a medicine is
/// taken, neither does the flag. A kept flag that says otherwise than the status is not believed.
fn taken(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const TAKEN: &str = "MedicationStatement.taken";
    const CODES: Codes = Codes {
        same: &["active", "completed", "entered-in-error", "intended", "stopped", "on-hold"],
        renamed: &[],
        near: &[],
    };
    // It stands where R4 has no such element, and must not speak for STU3.
    keep(fields, notes, TAKEN, "Code");
    let is_not_taken = says(fields, "status", "not-taken");
    let in_error = says(fields, "status", "entered-in-error");
    let was_not_taken = kept_code(fields, TAKEN).as_deref() == Some("n");
    if is_not_taken {
        not_taken_status(fields, notes);
    } else {
        CODES.apply(fields, notes, "MedicationStatement.status");
    }
    if was_not_taken == is_not_taken || in_error {
        give_back(fields, TAKEN, "taken");
    }
    if !has(fields, "taken") {
        fields.put("taken", Draft::literal(if is_not_taken { "\"n\"" } else { "\"unk\"" }));
    }
    let deed = if says(fields, "taken", "n") || is_not_taken { Deed::NotDone } else { Deed::Done };
    let reason = ("MedicationStatement.statusReason", "reasonNotTaken", "CodeableConcept");
    reason_not_done(fields, notes, deed, reason);
}

fn not_taken_status(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const STATUS: &str = "MedicationStatement.status";
    if kept_code(fields, STATUS).is_some() {
        fields.put("status", Draft::literal("\"completed\""));
        give_back(fields, STATUS, "status");
    } else {
        // Of the words STU3 has, this one does not sound like a medicine that runs.
        keep(fields, notes, STATUS, "Code");
        fields.put("status", Draft::literal("\"completed\""));
    }
}

/// The code that the extension for `path` keeps.
fn kept_code(fields: &Fields<'_>, path: &str) -> Option<String> {
    let mut probe = Fields::default();
    probe.put("extension", fields.get("extension")?.clone());
    pull(&mut probe, path, "Code")?.0?.text().map(Cow::into_owned)
}

/// Whether a request says that a medicine must not be given. STU3 cannot say so, and what it can say would be
/// an order. Only a plain `false` is none; anything else there is believed to forbid.
pub(in super::super) fn is_forbidden(request: Json<'_>) -> bool {
    match request.get("doNotPerform") {
        Some(flag) => flag.kind() != Kind::False,
        None => request.get("_doNotPerform").is_some(),
    }
}

/// Whether STU3 has a word for what a request is. An option is no order, and an unknown intent may be anything.
pub(in super::super) fn has_known_intent(request: Json<'_>) -> bool {
    let Some(intent) = request.get("intent") else { return true };
    INTENT.knows(&intent.text().unwrap_or_default())
}

const INTENT: Codes = Codes {
    same: &["proposal", "plan", "order", "instance-order"],
    renamed: &[],
    // Each is an order by the definition of its code system.
    near: &[("original-order", "order"), ("reflex-order", "order"), ("filler-order", "order")],
};

/// `MedicationRequest`. One that forbids never gets here: see [`is_forbidden`].
pub(in super::super) fn request(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const STATUS: Codes = Codes {
        same: &[
            "active",
            "on-hold",
            "cancelled",
            "completed",
            "entered-in-error",
            "stopped",
            "draft",
            "unknown",
        ],
        renamed: &[],
        near: &[],
    };
    made_for_r4(fields);
    fields.take("doNotPerform");
    STATUS.apply(fields, notes, "MedicationRequest.status");
    INTENT.apply(fields, notes, "MedicationRequest.intent");
    back::requester(fields, "MedicationRequest.requester");
    rehome(fields, notes, "MedicationRequest.encounter", "context", "Reference");
    single(fields, notes, "MedicationRequest.category", "CodeableConcept");
    back::definition(fields, notes, "MedicationRequest.instantiatesCanonical");
    fields.each("substitution", |substitution| {
        rehome(substitution, notes, "MedicationRequest.substitution.allowedBoolean", "allowed", "Boolean");
        keep(substitution, notes, "MedicationRequest.substitution.allowedCodeableConcept", "CodeableConcept");
        require(substitution, "allowed");
    });
    dosage(fields, notes, "dosageInstruction");
    repeat::information_to_stu3(fields, notes.is_gp_connect());
    repeat::status_reason_to_stu3(fields, notes);
    repeat::course_to_stu3(fields, notes);
    fields.each("dispenseRequest", |supply| supply_to_stu3(supply, notes));
    keep_new(
        fields,
        notes,
        &[
            ("MedicationRequest.instantiatesUri", "Uri"),
            ("MedicationRequest.insurance", "Reference"),
            ("MedicationRequest.performer", "Reference"),
            ("MedicationRequest.performerType", "CodeableConcept"),
            ("MedicationRequest.reportedBoolean", "Boolean"),
            ("MedicationRequest.reportedReference", "Reference"),
        ],
    );
}

fn supply_to_stu3(supply: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const REPEATS: &str = "MedicationRequest.dispenseRequest.numberOfRepeatsAllowed";
    let is_none = supply
        .get("numberOfRepeatsAllowed")
        .and_then(Draft::raw)
        .is_some_and(|number| matches!(number.raw(), "0" | "-0"));
    if is_none {
        // STU3 counts from one.
        keep(supply, notes, REPEATS, "UnsignedInt");
    }
    keep_new(
        supply,
        notes,
        &[
            ("MedicationRequest.dispenseRequest.initialFill", ""),
            ("MedicationRequest.dispenseRequest.dispenseInterval", "Duration"),
        ],
    );
}

/// `MedicationDispense`.
pub(in super::super) fn dispense(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const NEGATION: Negation = Negation {
        flag: "MedicationDispense.notDone",
        status: "MedicationDispense.status",
        code: "declined",
    };
    const CODES: Codes = Codes {
        same: &["preparation", "in-progress", "on-hold", "completed", "entered-in-error", "stopped"],
        renamed: &[],
        // Either way nothing more is handed over.
        near: &[("cancelled", "stopped")],
    };
    made_for_r4(fields);
    let is_negated = says(fields, "status", NEGATION.code);
    let deed = NEGATION.apply(fields, notes);
    if !is_negated {
        CODES.apply(fields, notes, "MedicationDispense.status");
    }
    for (path, to, kind) in [
        ("MedicationDispense.statusReasonCodeableConcept", "notDoneReasonCodeableConcept", "CodeableConcept"),
        ("MedicationDispense.statusReasonReference", "notDoneReasonReference", "Reference"),
    ] {
        reason_not_done(fields, notes, deed, (path, to, kind));
    }
    fields.each("performer", |performer| {
        keep(performer, notes, "MedicationDispense.performer.function", "CodeableConcept");
    });
    keep(fields, notes, "MedicationDispense.location", "Reference");
    dosage(fields, notes, "dosageInstruction");
}

/// `MedicationAdministration`.
pub(in super::super) fn administration(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const NEGATION: Negation = Negation {
        flag: "MedicationAdministration.notGiven",
        status: "MedicationAdministration.status",
        code: "not-done",
    };
    const CODES: Codes = Codes {
        same: &["in-progress", "on-hold", "completed", "entered-in-error", "stopped", "unknown"],
        renamed: &[],
        near: &[],
    };
    let is_negated = says(fields, "status", NEGATION.code);
    let deed = NEGATION.apply(fields, notes);
    if !is_negated {
        CODES.apply(fields, notes, "MedicationAdministration.status");
    }
    let reason = ("MedicationAdministration.statusReason", "reasonNotGiven", "CodeableConcept");
    reason_not_done(fields, notes, deed, reason);
    back::definition(fields, notes, "MedicationAdministration.instantiates");
    rehome(fields, notes, "MedicationAdministration.request", "prescription", "Reference");
    fields.each("performer", |performer| {
        keep(performer, notes, "MedicationAdministration.performer.function", "CodeableConcept");
    });
}

/// One dose and one rate stand in the dosage itself. Several, or one whose kind matters, stay together as an
/// extension: to choose one would be to prescribe. The text of the dosage says what it always said.
fn dosage(fields: &mut Fields<'_>, notes: &mut Notes<'_>, key: &str) {
    const PATH: &str = "Dosage.doseAndRate";
    fields.each(key, |dosage| {
        let Some(mut list) = dosage.take("doseAndRate") else { return };
        let items = list.items().map(|items| items.len());
        let only = list.items().and_then(|items| items.first_mut()).and_then(Draft::fields);
        let is_free = super::DOSE_AND_RATE.iter().all(|key| !has(dosage, key));
        match only {
            Some(only) if items == Some(1) && is_free => {
                for key in super::DOSE_AND_RATE {
                    if let Some(value) = only.take(key) {
                        dosage.put(*key, value);
                    }
                }
                keep_rest(dosage, notes, PATH, std::mem::take(only));
            }
            _ => {
                attach(dosage, notes, PATH, "", (Some(list), None));
                notes.kept(PATH);
            }
        }
    });
}

/// A status that only says that it is not known was made for R4, which wants one.
fn made_for_r4(fields: &mut Fields<'_>) {
    let is_unknown = fields.get("_status").and_then(Draft::raw).is_some_and(encounter::is_unknown);
    if is_unknown && !fields.has("status") {
        fields.take("_status");
    }
}
