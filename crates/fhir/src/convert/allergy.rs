//! `AllergyIntolerance`.

use crate::draft::{Draft, Fields};

use super::back::{Coded, Codes, require};
use super::edit::{Notes, has, rehome, says, to_concept};
use super::extension;
use super::kept::keep;

const CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical";
const VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification";
const END: &str = "AllergyIntoleranceEnd-1";
const UK_CORE_END: &str =
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-AllergyIntoleranceEnd";
const UK_CORE_END_NAME: &str = "UKCore-AllergyIntoleranceEnd";
const CARE_CONNECT_END: &str =
    "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-AllergyIntoleranceEnd-1";
const ENCOUNTER: &str = "http://hl7.org/fhir/StructureDefinition/encounter-associatedEncounter";

pub(super) fn to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
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

/// Back to STU3.
pub(super) fn to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const STATUS: Coded = Coded {
        path: "AllergyIntolerance.clinicalStatus",
        system: CLINICAL,
        codes: Codes { same: &["active", "inactive", "resolved"], renamed: &[], near: &[] },
    };
    const CERTAINTY: Coded = Coded {
        path: "AllergyIntolerance.verificationStatus",
        system: VERIFICATION,
        codes: Codes {
            same: &["entered-in-error", "refuted", "confirmed", "unconfirmed"],
            renamed: &[],
            near: &[],
        },
    };
    end_to_stu3(fields);
    STATUS.apply(fields, notes);
    CERTAINTY.apply(fields, notes);
    if notes.is_gp_connect() && !has(fields, "verificationStatus") {
        // The value that GP Connect fixes, and that was left out for saying nothing.
        fields.put("verificationStatus", Draft::literal("\"unconfirmed\""));
    }
    require(fields, "verificationStatus");
    rehome(fields, notes, "AllergyIntolerance.recordedDate", "assertedDate", "DateTime");
    if let Some(visit) = fields.take("encounter") {
        let extension = Draft::object([("url", Draft::string(ENCOUNTER)), ("valueReference", visit)]);
        fields.append("extension", extension);
    }
}

/// The end stands on the resource in Care Connect.
fn end_to_stu3(fields: &mut Fields<'_>) {
    let holds = fields
        .get("clinicalStatus")
        .and_then(Draft::raw)
        .is_some_and(|status| status.get("extension").is_some());
    if !holds {
        return;
    }
    let status = fields.get_mut("clinicalStatus").and_then(Draft::fields);
    let Some(mut end) = status.and_then(|status| extension::remove(status, UK_CORE_END_NAME)) else { return };
    if let Some(end) = end.fields() {
        end.put("url", Draft::string(CARE_CONNECT_END));
    }
    fields.append("extension", end);
}
