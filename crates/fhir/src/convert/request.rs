//! `ProcedureRequest` and `ReferralRequest`: both are a `ServiceRequest` in R4.

use crate::draft::{Draft, Fields};
use crate::json::Kind;

use super::edit::{Notes, definition, encounter, has, recode, rehome, requester};
use super::kept::{attach, keep};

const STATUS: &[(&str, &str)] = &[("cancelled", "revoked"), ("suspended", "on-hold")];
const REFERRAL: &str =
    r#"{"coding":[{"system":"http://snomed.info/sct","code":"3457005","display":"Patient referral"}]}"#;

/// Diary entries are proposals and plans: the intent stays what it is, and so does `doNotPerform`.
pub(super) fn procedure(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    recode(fields, "status", STATUS);
    encounter(fields, notes, "ProcedureRequest.context");
    definition(fields, notes, "ProcedureRequest.definition", "instantiatesCanonical");
    requester(fields, notes, "ProcedureRequest.requester");
    fields.wrap("performer");
}

pub(super) fn referral(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    recode(fields, "status", STATUS);
    encounter(fields, notes, "ReferralRequest.context");
    definition(fields, notes, "ReferralRequest.definition", "instantiatesCanonical");
    requester(fields, notes, "ReferralRequest.requester");
    fields.append("category", Draft::literal(REFERRAL));
    rehome(fields, notes, "ReferralRequest.type", "code", "CodeableConcept");
    service(fields, notes);
    rehome(fields, notes, "ReferralRequest.specialty", "performerType", "CodeableConcept");
    rehome(fields, notes, "ReferralRequest.recipient", "performer", "Reference");
    rehome(fields, notes, "ReferralRequest.groupIdentifier", "requisition", "Identifier");
    description(fields, notes);
}

/// The first service asked for names the request, unless its type did.
fn service(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    if has(fields, "code") {
        rehome(fields, notes, "ReferralRequest.serviceRequested", "orderDetail", "CodeableConcept");
        return;
    }
    fields.wrap("serviceRequested");
    let Some(services) = fields.get_mut("serviceRequested").and_then(Draft::items) else { return };
    if services.first().is_some_and(|first| first.kind() == Kind::Object) {
        let first = services.remove(0);
        let is_last = services.is_empty();
        fields.put("code", first);
        if is_last {
            fields.take("serviceRequested");
        }
    }
    rehome(fields, notes, "ReferralRequest.serviceRequested", "orderDetail", "CodeableConcept");
}

/// The description is what a reader looks for first, and R4 shows no extension. So it is the first note too.
fn description(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    let text = fields.get("description").filter(|text| text.kind() == Kind::String).cloned();
    let Some(text) = text else {
        keep(fields, notes, "ReferralRequest.description", "String");
        return;
    };
    fields.prepend("note", Draft::object([("text", text)]));
    let whole = (fields.take("description"), fields.take("_description"));
    attach(fields, "ReferralRequest.description", "String", whole);
    notes.kept("ReferralRequest.description");
}
