//! `DiagnosticReport` and `Specimen`.

use crate::draft::{Draft, Fields};

use super::back::{keep_new, single};
use super::edit::{Notes, encounter, lift, rehome};
use super::kept::keep;
use super::restore::unlift;

pub(super) fn to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
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

/// Back to STU3.
pub(super) fn to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    rehome(fields, notes, "DiagnosticReport.encounter", "context", "Reference");
    single(fields, notes, "DiagnosticReport.category", "CodeableConcept");
    if let Some(performers) = fields.get_mut("performer").and_then(Draft::items) {
        for performer in performers {
            unlift(performer, "DiagnosticReport.performer", "actor");
        }
    }
    rehome(fields, notes, "DiagnosticReport.conclusionCode", "codedDiagnosis", "CodeableConcept");
    rehome(fields, notes, "DiagnosticReport.media", "image", "");
    keep(fields, notes, "DiagnosticReport.resultsInterpreter", "Reference");
}

/// `Specimen` back to STU3.
pub(super) fn specimen_to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    fields.each("collection", |collection| {
        keep_new(
            collection,
            notes,
            &[
                ("Specimen.collection.duration", "Duration"),
                ("Specimen.collection.fastingStatusCodeableConcept", "CodeableConcept"),
                ("Specimen.collection.fastingStatusDuration", "Duration"),
            ],
        );
    });
    keep(fields, notes, "Specimen.condition", "CodeableConcept");
}
