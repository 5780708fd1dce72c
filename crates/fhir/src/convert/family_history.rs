//! `FamilyMemberHistory`.

use crate::draft::{Draft, Fields};
use crate::json::Kind;

use super::edit::{Notes, definition, has, rehome, says};
use super::kept::keep;

const GENDER: &str = "http://hl7.org/fhir/administrative-gender";

/// To R4. That nobody asked about the family is a status there: a history that was not taken must not read as
/// one without illness.
pub(super) fn to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const FLAG: &str = "FamilyMemberHistory.notDone";
    let is_not_done = fields.get("notDone").is_some_and(|flag| flag.kind() == Kind::True);
    if is_not_done {
        keep(fields, notes, FLAG, "Boolean");
        if !says(fields, "status", "entered-in-error") && !says(fields, "status", "health-unknown") {
            super::edit::restate(fields, notes, "FamilyMemberHistory.status", "health-unknown");
        }
        rehome(fields, notes, "FamilyMemberHistory.notDoneReason", "dataAbsentReason", "CodeableConcept");
    } else if !fields.has("_notDone") && fields.get("notDone").is_some_and(|flag| flag.kind() == Kind::False)
    {
        fields.take("notDone");
    }
    keep(fields, notes, FLAG, "Boolean");
    keep(fields, notes, "FamilyMemberHistory.notDoneReason", "CodeableConcept");
    definition(fields, notes, "FamilyMemberHistory.definition", "instantiatesCanonical");
    gender(fields, notes);
}

/// The codes are the same; R4 made them a concept, and calls it sex.
fn gender(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    if has(fields, "sex") || fields.get("gender").is_some_and(|code| code.kind() != Kind::String) {
        return keep(fields, notes, "FamilyMemberHistory.gender", "Code");
    }
    let (code, sibling) = (fields.take("gender"), fields.take("_gender"));
    if code.is_none() && sibling.is_none() {
        return;
    }
    let mut coding = Fields::default();
    coding.put("system", Draft::string(GENDER));
    for (key, value) in [("code", code), ("_code", sibling)] {
        if let Some(value) = value {
            coding.put(key, value);
        }
    }
    fields.put("sex", Draft::object([("coding", Draft::Array(vec![Draft::Object(coding)]))]));
}
