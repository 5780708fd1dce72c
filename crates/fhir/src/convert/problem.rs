//! `Condition`.

use crate::draft::{Draft, Fields};
use crate::json::Kind;

use super::edit::{Notes, encounter, has, rehome, says, to_concept};
use super::kept::{attach, keep};

const CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/condition-clinical";
const VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/condition-ver-status";

pub(super) fn convert(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    if says(fields, "verificationStatus", "entered-in-error") {
        // R4 invariant con-5: an entry made in error has no clinical status.
        keep(fields, notes, "Condition.clinicalStatus", "Code");
    }
    if says(fields, "verificationStatus", "unknown") {
        // R4 has no such code; absent means the same.
        keep(fields, notes, "Condition.verificationStatus", "Code");
    }
    // GP Connect's `inactive` stays `inactive`: it does not mean resolved.
    to_concept(fields, "clinicalStatus", CLINICAL);
    to_concept(fields, "verificationStatus", VERIFICATION);
    encounter(fields, notes, "Condition.context");
    rehome(fields, notes, "Condition.assertedDate", "recordedDate", "DateTime");
    abatement(fields, notes);
    fields.wrap("stage");
}

/// R4 cannot say merely whether a condition ended. "yes" can be said in words; "no" in that place would read
/// as an ending to whoever only looks whether the element exists.
fn abatement(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    let ended = fields.get("abatementBoolean").is_some_and(|value| value.kind() == Kind::True);
    let is_free = !has(fields, "abatementString");
    if ended && is_free {
        let value = fields.take("abatementBoolean");
        let sibling = fields.take("_abatementBoolean");
        attach(fields, "Condition.abatementBoolean", "Boolean", (value, sibling));
        notes.kept("Condition.abatementBoolean");
        fields.put("abatementString", Draft::literal("\"yes\""));
    } else {
        keep(fields, notes, "Condition.abatementBoolean", "Boolean");
    }
}
