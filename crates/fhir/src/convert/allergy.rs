//! `AllergyIntolerance`.

use crate::draft::{Draft, Fields};

use super::edit::{Notes, has, rehome, says, to_concept};
use super::extension;
use super::kept::keep;

const CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical";
const VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification";
const END: &str = "AllergyIntoleranceEnd-1";
const UK_CORE_END: &str =
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-AllergyIntoleranceEnd";

pub(super) fn convert(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    if says(fields, "verificationStatus", "entered-in-error") {
        // R4 invariant ait-2: an entry made in error has no clinical status.
        keep(fields, notes, "AllergyIntolerance.clinicalStatus", "Code");
    }
    if notes.is_gp_connect()
        && says(fields, "verificationStatus", "unconfirmed")
        && !fields.has("_verificationStatus")
    {
        // GP Connect fixes this value for every allergy (5.6), so it must not read as a doubt.
        fields.take("verificationStatus");
        notes.meaningless("AllergyIntolerance.verificationStatus");
    }
    // `resolved` keeps its code: without it an ended allergy is one without status.
    to_concept(fields, "clinicalStatus", CLINICAL);
    to_concept(fields, "verificationStatus", VERIFICATION);
    end(fields);
    rehome(fields, notes, "AllergyIntolerance.assertedDate", "recordedDate", "DateTime");
    extension::move_to(fields, "encounter-associatedEncounter", "valueReference", "encounter");
}

/// When and why an allergy ended is said on the clinical status in UK Core.
fn end(fields: &mut Fields<'_>) {
    let is_concept = fields.get("clinicalStatus").is_some_and(|status| matches!(status, Draft::Object(_)));
    if !is_concept || !has(fields, "extension") {
        return;
    }
    let Some(mut end) = extension::remove(fields, END) else { return };
    if let Some(end) = end.fields() {
        end.put("url", Draft::string(UK_CORE_END));
    }
    if let Some(status) = fields.get_mut("clinicalStatus").and_then(Draft::fields) {
        status.append("extension", end);
    }
}
