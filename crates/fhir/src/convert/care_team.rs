//! `CareTeam`.

use crate::draft::Fields;

use super::back::single;
use super::edit::{Notes, encounter, rehome};
use super::kept::keep;

/// To R4.
pub(super) fn to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    encounter(fields, notes, "CareTeam.context");
    fields.each("participant", |one| one.wrap("role"));
}

/// Back to STU3.
pub(super) fn to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    rehome(fields, notes, "CareTeam.encounter", "context", "Reference");
    fields.each("participant", |one| single(one, notes, "CareTeam.participant.role", "CodeableConcept"));
    keep(fields, notes, "CareTeam.telecom", "ContactPoint");
}
