//! `Procedure`.

use crate::draft::Fields;

use super::back::{self, Codes, Negation, keep_new};
use super::edit::{Notes, definition, encounter, negation, reason_not_done, recode, rehome, says};

const STATUS: &[(&str, &str)] = &[("aborted", "stopped"), ("suspended", "on-hold")];

pub(super) fn to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    let deed = negation(fields, notes, "Procedure.notDone", ("Procedure.status", "not-done"));
    recode(fields, "status", STATUS);
    let reason = ("Procedure.notDoneReason", "statusReason", "CodeableConcept");
    reason_not_done(fields, notes, deed, reason);
    encounter(fields, notes, "Procedure.context");
    definition(fields, notes, "Procedure.definition", "instantiatesCanonical");
    fields.each("performer", |performer| {
        rehome(performer, notes, "Procedure.performer.role", "function", "CodeableConcept");
    });
}

/// Back to STU3.
pub(super) fn to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const NEGATION: Negation =
        Negation { flag: "Procedure.notDone", status: "Procedure.status", code: "not-done" };
    const CODES: Codes = Codes {
        same: &["preparation", "in-progress", "completed", "entered-in-error", "unknown"],
        renamed: &[("stopped", "aborted"), ("on-hold", "suspended")],
        near: &[],
    };
    let is_negated = says(fields, "status", NEGATION.code);
    let deed = NEGATION.apply(fields, notes);
    if !is_negated {
        CODES.apply(fields, notes, "Procedure.status");
    }
    reason_not_done(fields, notes, deed, ("Procedure.statusReason", "notDoneReason", "CodeableConcept"));
    rehome(fields, notes, "Procedure.encounter", "context", "Reference");
    back::definition(fields, notes, "Procedure.instantiatesCanonical");
    fields.each("performer", |performer| {
        rehome(performer, notes, "Procedure.performer.function", "role", "CodeableConcept");
    });
    keep_new(
        fields,
        notes,
        &[
            ("Procedure.asserter", "Reference"),
            ("Procedure.instantiatesUri", "Uri"),
            ("Procedure.performedAge", "Age"),
            ("Procedure.performedRange", "Range"),
            ("Procedure.performedString", "String"),
            ("Procedure.recorder", "Reference"),
        ],
    );
}
