//! `ClinicalImpression`.

use crate::draft::Fields;

use super::back::{Codes, keep_new};
use super::edit::{Notes, encounter, recode, rehome};
use super::kept::keep;

/// To R4.
pub(super) fn to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    recode(fields, "status", &[("draft", "in-progress")]);
    encounter(fields, notes, "ClinicalImpression.context");
    keep(fields, notes, "ClinicalImpression.action", "Reference");
}

/// Back to STU3.
pub(super) fn to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const CODES: Codes =
        Codes { same: &["completed", "entered-in-error"], renamed: &[("in-progress", "draft")], near: &[] };
    CODES.apply(fields, notes, "ClinicalImpression.status");
    rehome(fields, notes, "ClinicalImpression.encounter", "context", "Reference");
    keep_new(
        fields,
        notes,
        &[
            ("ClinicalImpression.statusReason", "CodeableConcept"),
            ("ClinicalImpression.supportingInfo", "Reference"),
        ],
    );
}
