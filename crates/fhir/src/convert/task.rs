//! `Task`.

use crate::draft::Fields;

use super::edit::{Notes, encounter, recode, rehome, requester};
use super::kept::keep;

pub(super) fn convert(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    recode(fields, "priority", &[("normal", "routine")]);
    encounter(fields, notes, "Task.context");
    requester(fields, notes, "Task.requester");
    rehome(fields, notes, "Task.reason", "reasonCode", "CodeableConcept");
    rehome(fields, notes, "Task.definitionUri", "instantiatesUri", "Uri");
    keep(fields, notes, "Task.definitionReference", "Reference");
}
