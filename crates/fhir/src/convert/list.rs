//! `List`.

use crate::draft::{Draft, Fields};

use super::edit::Notes;
use super::extension;

const WARNING: &str = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-ListWarningCode";
const WARNING_CODES: &str = "https://fhir.hl7.org.uk/CodeSystem/UKCore-ListWarningCode";
const SETTING: &str = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-CareSettingType";

pub(super) fn convert(fields: &mut Fields<'_>, _notes: &mut Notes<'_>) {
    if !fields.has("extension") {
        return;
    }
    // The warning says that something was withheld or has not arrived: it must be where R4 readers look.
    extension::each(fields, "ListWarningCode-1", |warning| {
        if warning.len() == 2
            && let Some(code) = warning.take("valueCode")
        {
            let coding = Draft::object([("system", Draft::string(WARNING_CODES)), ("code", code)]);
            warning.put("url", Draft::string(WARNING));
            warning.put("valueCodeableConcept", Draft::object([("coding", Draft::Array(vec![coding]))]));
        }
    });
    extension::readdress(fields, "ClinicalSetting-1", SETTING);
}
