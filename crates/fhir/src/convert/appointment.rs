//! `Appointment`, `Schedule` and `Slot`.

use crate::draft::Fields;

use super::back::{Codes, keep_new, single};
use super::edit::{Notes, rehome};
use super::kept::keep;

pub(super) fn to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    fields.wrap("serviceCategory");
    rehome(fields, notes, "Appointment.reason", "reasonCode", "CodeableConcept");
    rehome(fields, notes, "Appointment.indication", "reasonReference", "Reference");
    rehome(fields, notes, "Appointment.incomingReferral", "basedOn", "Reference");
}

/// What can be booked.
pub(super) fn offer(fields: &mut Fields<'_>, _notes: &mut Notes<'_>) {
    fields.wrap("serviceCategory");
}

/// `Appointment` back to STU3.
pub(super) fn to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const STATUS: Codes = Codes {
        same: &[
            "proposed",
            "pending",
            "booked",
            "arrived",
            "fulfilled",
            "cancelled",
            "noshow",
            "entered-in-error",
        ],
        renamed: &[],
        near: &[("checked-in", "arrived")],
    };
    STATUS.apply(fields, notes, "Appointment.status");
    single(fields, notes, "Appointment.serviceCategory", "CodeableConcept");
    rehome(fields, notes, "Appointment.reasonCode", "reason", "CodeableConcept");
    rehome(fields, notes, "Appointment.reasonReference", "indication", "Reference");
    rehome(fields, notes, "Appointment.basedOn", "incomingReferral", "Reference");
    fields.each("participant", |one| keep(one, notes, "Appointment.participant.period", "Period"));
    keep_new(
        fields,
        notes,
        &[("Appointment.cancelationReason", "CodeableConcept"), ("Appointment.patientInstruction", "String")],
    );
}

/// What can be booked, back to STU3.
pub(super) fn schedule_to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    single(fields, notes, "Schedule.serviceCategory", "CodeableConcept");
}

/// A time that can be booked, back to STU3.
pub(super) fn slot_to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    single(fields, notes, "Slot.serviceCategory", "CodeableConcept");
}
