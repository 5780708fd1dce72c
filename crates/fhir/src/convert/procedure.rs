//! `Procedure`.

use crate::draft::Fields;

use super::edit::{Notes, definition, encounter, negation, reason_not_done, recode, rehome};

const STATUS: &[(&str, &str)] = &[("aborted", "stopped"), ("suspended", "on-hold")];

pub(super) fn convert(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
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
