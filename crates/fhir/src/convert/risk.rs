//! `RiskAssessment`.

use crate::draft::{Draft, Fields};
use crate::json::Kind;

use super::edit::{Notes, encounter, rehome};
use super::kept::keep;

/// To R4.
pub(super) fn to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    encounter(fields, notes, "RiskAssessment.context");
    fields.wrap("identifier");
    rehome(fields, notes, "RiskAssessment.reasonCodeableConcept", "reasonCode", "CodeableConcept");
    fields.wrap("reasonCode");
    fields.wrap("reasonReference");
    let is_plain = fields.get("comment").is_some_and(|comment| comment.kind() == Kind::String);
    if is_plain && !fields.has("_comment") {
        if let Some(text) = fields.take("comment") {
            fields.prepend("note", Draft::object([("text", text)]));
        }
    } else {
        keep(fields, notes, "RiskAssessment.comment", "String");
    }
}
