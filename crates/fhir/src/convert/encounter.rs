//! `Encounter`.

use crate::draft::{Draft, Fields};

use super::edit::{Notes, has, rehome};

const UNKNOWN_CLASS: &str = concat!(
    r#"{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","#,
    r#""valueCode":"unknown"}]}"#
);

pub(super) fn convert(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    if !has(fields, "class") {
        // R4 wants a class and GP Connect sends none. Its absence is said, not a class made up.
        fields.put("class", Draft::literal(UNKNOWN_CLASS));
    }
    rehome(fields, notes, "Encounter.reason", "reasonCode", "CodeableConcept");
    rehome(fields, notes, "Encounter.incomingReferral", "basedOn", "Reference");
    fields.wrap("appointment");
    fields.each("diagnosis", |diagnosis| {
        rehome(diagnosis, notes, "Encounter.diagnosis.role", "use", "CodeableConcept");
    });
}
