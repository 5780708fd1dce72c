//! `Encounter`.

use crate::draft::{Draft, Fields};
use crate::json::Json;

use super::back::{keep_new, single};
use super::edit::{Notes, UNKNOWN, has, rehome};
use super::kept::keep;

pub(super) fn to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    if !has(fields, "class") {
        // R4 wants a class and GP Connect sends none. Its absence is said, not a class made up.
        fields.put("class", Draft::literal(UNKNOWN));
    }
    rehome(fields, notes, "Encounter.reason", "reasonCode", "CodeableConcept");
    rehome(fields, notes, "Encounter.incomingReferral", "basedOn", "Reference");
    fields.wrap("appointment");
    fields.each("diagnosis", |diagnosis| {
        rehome(diagnosis, notes, "Encounter.diagnosis.role", "use", "CodeableConcept");
    });
}

/// Back to STU3.
pub(super) fn to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    // A class that only says that it is not known was made for R4, which wants one.
    if fields.get("class").and_then(Draft::raw).is_some_and(is_unknown) {
        fields.take("class");
    }
    rehome(fields, notes, "Encounter.reasonCode", "reason", "CodeableConcept");
    rehome(fields, notes, "Encounter.basedOn", "incomingReferral", "Reference");
    single(fields, notes, "Encounter.appointment", "Reference");
    fields.each("diagnosis", |diagnosis| {
        rehome(diagnosis, notes, "Encounter.diagnosis.use", "role", "CodeableConcept");
    });
    fields.each("location", |place| {
        keep(place, notes, "Encounter.location.physicalType", "CodeableConcept");
    });
    keep_new(
        fields,
        notes,
        &[("Encounter.serviceType", "CodeableConcept"), ("Encounter.reasonReference", "Reference")],
    );
}

/// Whether all that is said is that nothing is known.
pub(super) fn is_unknown(said: Json<'_>) -> bool {
    let mut extensions = said.get("extension").into_iter().flat_map(Json::items);
    let is_said = extensions.next().is_some_and(|one| {
        one.says("url", "http://hl7.org/fhir/StructureDefinition/data-absent-reason")
            && one.says("valueCode", "unknown")
    });
    is_said && extensions.next().is_none() && said.members().count() == 1
}
