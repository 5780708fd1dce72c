//! `Task`.

use crate::draft::Fields;

use super::back::{self, Codes, keep_new};
use super::edit::{Notes, encounter, recode, rehome, requester};
use super::kept::keep;
use super::request::INTENT;

pub(super) fn to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    recode(fields, "priority", &[("normal", "routine")]);
    encounter(fields, notes, "Task.context");
    requester(fields, notes, "Task.requester");
    rehome(fields, notes, "Task.reason", "reasonCode", "CodeableConcept");
    rehome(fields, notes, "Task.definitionUri", "instantiatesUri", "Uri");
    keep(fields, notes, "Task.definitionReference", "Reference");
}

/// Back to STU3.
pub(super) fn to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const PRIORITY: Codes =
        Codes { same: &["urgent", "asap", "stat"], renamed: &[("routine", "normal")], near: &[] };
    PRIORITY.apply(fields, notes, "Task.priority");
    INTENT.apply(fields, notes, "Task.intent");
    rehome(fields, notes, "Task.encounter", "context", "Reference");
    back::requester(fields, "Task.requester");
    rehome(fields, notes, "Task.reasonCode", "reason", "CodeableConcept");
    rehome(fields, notes, "Task.instantiatesUri", "definitionUri", "Uri");
    keep_new(
        fields,
        notes,
        &[
            ("Task.instantiatesCanonical", "Uri"),
            ("Task.insurance", "Reference"),
            ("Task.location", "Reference"),
            ("Task.reasonReference", "Reference"),
        ],
    );
}
