//! `DetectedIssue`, which is how a discrepancy between statements is told.

use crate::draft::Fields;

use super::back::{keep_new, single};
use super::edit::{Notes, rehome};

/// To R4.
pub(super) fn to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    rehome(fields, notes, "DetectedIssue.category", "code", "CodeableConcept");
    rehome(fields, notes, "DetectedIssue.date", "identifiedDateTime", "DateTime");
    fields.wrap("identifier");
}

/// Back to STU3.
pub(super) fn to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    rehome(fields, notes, "DetectedIssue.code", "category", "CodeableConcept");
    rehome(fields, notes, "DetectedIssue.identifiedDateTime", "date", "DateTime");
    single(fields, notes, "DetectedIssue.identifier", "Identifier");
    keep_new(fields, notes, &[("DetectedIssue.identifiedPeriod", "Period"), ("DetectedIssue.evidence", "")]);
}
