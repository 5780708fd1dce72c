//! `DiagnosticReport` and `Specimen`.

use crate::draft::{Draft, Fields};

use super::edit::{Notes, encounter, lift, rehome};

pub(super) fn convert(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    encounter(fields, notes, "DiagnosticReport.context");
    fields.wrap("category");
    // The role is kept on the reference: R4 sorts by it into performers and interpreters, and guessing which
    // would change who answers for the report.
    if let Some(performers) = fields.get_mut("performer").and_then(Draft::items) {
        for performer in performers {
            lift(performer, notes, "DiagnosticReport.performer", "actor");
        }
    }
    rehome(fields, notes, "DiagnosticReport.codedDiagnosis", "conclusionCode", "CodeableConcept");
    rehome(fields, notes, "DiagnosticReport.image", "media", "");
}

/// R4 only added elements.
pub(super) const fn specimen(_fields: &mut Fields<'_>, _notes: &mut Notes<'_>) {}
