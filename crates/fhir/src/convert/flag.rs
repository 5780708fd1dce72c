//! `Flag`.

use crate::draft::Fields;

use super::back::single;
use super::edit::Notes;

pub(super) fn to_r4(fields: &mut Fields<'_>, _notes: &mut Notes<'_>) {
    fields.wrap("category");
}

/// Back to STU3.
pub(super) fn to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    single(fields, notes, "Flag.category", "CodeableConcept");
}
