//! `Appointment`, `Schedule` and `Slot`.

use crate::draft::Fields;

use super::edit::{Notes, rehome};

pub(super) fn convert(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    fields.wrap("serviceCategory");
    rehome(fields, notes, "Appointment.reason", "reasonCode", "CodeableConcept");
    rehome(fields, notes, "Appointment.indication", "reasonReference", "Reference");
    rehome(fields, notes, "Appointment.incomingReferral", "basedOn", "Reference");
}

/// What can be booked.
pub(super) fn offer(fields: &mut Fields<'_>, _notes: &mut Notes<'_>) {
    fields.wrap("serviceCategory");
}
