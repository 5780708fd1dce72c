//! `Patient`.

use crate::draft::{Draft, Fields};

use super::edit::Notes;
use super::extension;
use super::kept::keep;

const VERIFICATION: &str =
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus";
const CARE_CONNECT_VERIFICATION: &str =
    "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-NHSNumberVerificationStatus-1";
const OLD_CODES: &str = "https://fhir.nhs.uk/STU3/CodeSystem/CareConnect-NHSNumberVerificationStatus-1";
const CODES: &str = "https://fhir.hl7.org.uk/CodeSystem/UKCore-NHSNumberVerificationStatusEngland";

pub(super) fn to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    keep(fields, notes, "Patient.animal", "");
    fields.each("identifier", |identifier| {
        if identifier.has("extension") {
            extension::each(identifier, "NHSNumberVerificationStatus-1", verification);
        }
    });
}

/// The codes are the same two digits in both code systems. A coding from elsewhere keeps its system.
fn verification(extension: &mut Fields<'_>) {
    extension.put("url", Draft::string(VERIFICATION));
    extension.each("valueCodeableConcept", |concept| {
        concept.each("coding", |coding| {
            if coding.text_at("system").is_some_and(|system| system.trim_end() == OLD_CODES) {
                coding.put("system", Draft::string(CODES));
            }
        });
    });
}

/// Back to STU3.
pub(super) fn to_stu3(fields: &mut Fields<'_>, _notes: &mut Notes<'_>) {
    fields.each("identifier", |identifier| {
        if identifier.has("extension") {
            extension::each(identifier, "UKCore-NHSNumberVerificationStatus", verification_to_stu3);
        }
    });
}

fn verification_to_stu3(extension: &mut Fields<'_>) {
    extension.put("url", Draft::string(CARE_CONNECT_VERIFICATION));
    extension.each("valueCodeableConcept", |concept| {
        concept.each("coding", |coding| {
            if coding.text_at("system").is_some_and(|system| system == CODES) {
                coding.put("system", Draft::string(OLD_CODES));
            }
        });
    });
}
