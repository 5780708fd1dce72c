//! `Communication` and `CommunicationRequest`.

use crate::draft::Fields;

use super::back::{self, Codes, Negation, keep_new};
use super::edit::{Notes, definition, encounter, negation, reason_not_done, recode, rehome, requester, says};
use super::kept::keep;

/// To R4.
pub(super) fn to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    let deed = negation(fields, notes, "Communication.notDone", ("Communication.status", "not-done"));
    recode(fields, "status", &[("aborted", "stopped"), ("suspended", "on-hold")]);
    let reason = ("Communication.notDoneReason", "statusReason", "CodeableConcept");
    reason_not_done(fields, notes, deed, reason);
    encounter(fields, notes, "Communication.context");
    definition(fields, notes, "Communication.definition", "instantiatesCanonical");
    rehome(fields, notes, "Communication.topic", "about", "Reference");
}

/// Back to STU3.
pub(super) fn to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const NEGATION: Negation =
        Negation { flag: "Communication.notDone", status: "Communication.status", code: "not-done" };
    const CODES: Codes = Codes {
        same: &["preparation", "in-progress", "completed", "entered-in-error"],
        renamed: &[("stopped", "aborted"), ("on-hold", "suspended")],
        near: &[],
    };
    let is_negated = says(fields, "status", NEGATION.code);
    let deed = NEGATION.apply(fields, notes);
    if !is_negated {
        CODES.apply(fields, notes, "Communication.status");
    }
    let reason = ("Communication.statusReason", "notDoneReason", "CodeableConcept");
    reason_not_done(fields, notes, deed, reason);
    rehome(fields, notes, "Communication.encounter", "context", "Reference");
    back::definition(fields, notes, "Communication.instantiatesCanonical");
    keep(fields, notes, "Communication.topic", "CodeableConcept");
    rehome(fields, notes, "Communication.about", "topic", "Reference");
    keep_new(
        fields,
        notes,
        &[
            ("Communication.inResponseTo", "Reference"),
            ("Communication.instantiatesUri", "Uri"),
            ("Communication.priority", "Code"),
        ],
    );
}

/// `CommunicationRequest` to R4.
pub(super) fn request_to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    recode(fields, "status", &[("cancelled", "revoked"), ("suspended", "on-hold")]);
    encounter(fields, notes, "CommunicationRequest.context");
    requester(fields, notes, "CommunicationRequest.requester");
    rehome(fields, notes, "CommunicationRequest.topic", "about", "Reference");
}
