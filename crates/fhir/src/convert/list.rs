//! `List`.

use crate::draft::{Draft, Fields};

use super::edit::Notes;
use super::extension;

const WARNING: &str = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-ListWarningCode";
const WARNING_CODES: &str = "https://fhir.hl7.org.uk/CodeSystem/UKCore-ListWarningCode";
const SETTING: &str = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-CareSettingType";

const CARE_CONNECT_WARNING: &str =
    "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-ListWarningCode-1";
const CARE_CONNECT_SETTING: &str =
    "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-ClinicalSetting-1";

pub(super) fn to_r4(fields: &mut Fields<'_>, _notes: &mut Notes<'_>) {
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

/// Back to STU3.
pub(super) fn to_stu3(fields: &mut Fields<'_>, _notes: &mut Notes<'_>) {
    if !fields.has("extension") {
        return;
    }
    warnings_to_stu3(fields);
    extension::readdress(fields, "UKCore-CareSettingType", CARE_CONNECT_SETTING);
}

/// The warning must be where STU3 readers look. One that says more than the code stays beside it.
fn warnings_to_stu3(fields: &mut Fields<'_>) {
    let mut added = Vec::new();
    extension::each(fields, "UKCore-ListWarningCode", |warning| {
        let Some((code, is_all)) = warning_code(warning) else { return };
        if is_all {
            warning.put("url", Draft::string(CARE_CONNECT_WARNING));
            warning.take("valueCodeableConcept");
            warning.put("valueCode", code);
        } else {
            added.push(Draft::object([("url", Draft::string(CARE_CONNECT_WARNING)), ("valueCode", code)]));
        }
    });
    fields.append_all("extension", added);
}

fn warning_code<'d>(warning: &mut Fields<'d>) -> Option<(Draft<'d>, bool)> {
    let is_plain = warning.len() == 2;
    let concept = warning.get_mut("valueCodeableConcept")?.fields()?;
    let is_coding = concept.len() == 1;
    let codings = concept.get_mut("coding")?.items()?;
    let is_only = codings.len() == 1;
    let coding = codings.first_mut()?.fields()?;
    let is_bare = coding.len() == 2;
    let is_known = coding.text_at("system").is_some_and(|system| system == WARNING_CODES);
    let code = coding.get("code").filter(|_| is_known)?.clone();
    Some((code, is_plain && is_coding && is_only && is_bare))
}
