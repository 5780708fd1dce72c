//! What GP Connect says of a prescription by extensions.

use crate::draft::{Draft, Fields};
use crate::json::Kind;

use super::super::edit::{Notes, has};
use super::super::extension;
use super::super::kept::keep;

const INFORMATION: &str = "MedicationRepeatInformation-1";
const UK_CORE_INFORMATION: &str =
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-MedicationRepeatInformation";
const UK_CORE_NAME: &str = "UKCore-MedicationRepeatInformation";
const CARE_CONNECT_INFORMATION: &str =
    "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-MedicationRepeatInformation-1";
const CARE_CONNECT_REASON: &str =
    "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-MedicationStatusReason-1";
const CARE_CONNECT_TYPE: &str =
    "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-PrescriptionType-1";
const REASON: &str = "MedicationStatusReason-1";

/// How often it was issued stays an extension, under the name UK Core gives it; how often it may be repeated
/// has an element.
pub(super) fn information(fields: &mut Fields<'_>) {
    let takes_allowed = match fields.get("dispenseRequest") {
        None => true,
        Some(Draft::Raw(request)) => {
            request.kind() == Kind::Object
                && request.get("numberOfRepeatsAllowed").is_none()
                && request.get("_numberOfRepeatsAllowed").is_none()
        }
        Some(Draft::Object(request)) => !has(request, "numberOfRepeatsAllowed"),
        Some(Draft::Text(_) | Draft::Array(_)) => false,
    };
    let Some(information) = extension::find(fields, INFORMATION) else { return };
    issued(information);
    let is_number = |key: &str| matches!(key, "valuePositiveInt" | "valueUnsignedInt" | "valueInteger");
    let allowed = takes_allowed
        .then(|| extension::take_part(information, "numberOfRepeatPrescriptionsAllowed", is_number))
        .flatten();
    let is_spent = extension::is_spent(information);
    if is_spent {
        extension::remove(fields, INFORMATION);
    } else {
        information.put("url", Draft::string(UK_CORE_INFORMATION));
    }
    if let Some(allowed) = allowed {
        if !fields.has("dispenseRequest") {
            fields.put("dispenseRequest", Draft::Object(Fields::default()));
        }
        if let Some(request) = fields.get_mut("dispenseRequest").and_then(Draft::fields) {
            request.put("numberOfRepeatsAllowed", allowed);
        }
    }
}

fn issued(information: &mut Fields<'_>) {
    information.each("extension", |part| {
        if part.text_at("url").is_some_and(|url| url == "numberOfRepeatPrescriptionsIssued") {
            part.put("url", Draft::literal("\"numberOfPrescriptionsIssued\""));
            // None issued yet is a legal count, so the type is the wider one.
            part.rename("valuePositiveInt", "valueUnsignedInt");
        }
    });
}

/// Why a prescription ended has an element in R4; when it was ended has none and stays in the extension.
pub(super) fn status_reason(fields: &mut Fields<'_>) {
    if has(fields, "statusReason") {
        return;
    }
    let Some(reason) = extension::find(fields, REASON) else { return };
    let words = extension::take_part(reason, "statusReason", |key| key == "valueCodeableConcept");
    let is_spent = extension::is_spent(reason);
    if is_spent {
        extension::remove(fields, REASON);
    }
    if let Some(words) = words {
        fields.put("statusReason", words);
    }
}

/// The unit of a quantity that came as text, when there is a number without unit.
///
/// Without a number the text holds the number as well, and with digits it repeats it: "28" of "28 tablets"
/// would read as another amount. The extension stays in every case.
pub(super) fn quantity_text(fields: &mut Fields<'_>) {
    let quantity = fields.get("dispenseRequest").and_then(Draft::raw).and_then(|one| one.get("quantity"));
    let has_text = quantity.is_some_and(|quantity| {
        quantity.get("extension").is_some()
            && quantity.get("value").is_some_and(|value| value.kind() == Kind::Number)
            && ["unit", "_unit", "code", "_code"].iter().all(|key| quantity.get(key).is_none())
    });
    if !has_text {
        return;
    }
    fields.each("dispenseRequest", |request| request.each("quantity", unit));
}

fn unit(quantity: &mut Fields<'_>) {
    let text = extension::find(quantity, "MedicationQuantityText-1")
        .and_then(|text| text.get("valueString").and_then(Draft::raw));
    let is_unit = |text: &str| !text.is_empty() && !text.contains(|one: char| one.is_numeric());
    if let Some(text) = text
        && text.text().is_some_and(|text| is_unit(text.trim()))
    {
        quantity.put("unit", Draft::Raw(text));
    }
}

/// The extension has its STU3 name again. How often a prescription may be repeated goes back into it where the
/// profile is GP Connect's, whose readers look nowhere else.
pub(super) fn information_to_stu3(fields: &mut Fields<'_>, is_gp_connect: bool) {
    let allowed = if is_gp_connect { take_allowed(fields) } else { None };
    let allowed = allowed.map(|allowed| {
        let url = Draft::literal("\"numberOfRepeatPrescriptionsAllowed\"");
        Draft::object([("url", url), ("valuePositiveInt", allowed)])
    });
    if let Some(information) = extension::find(fields, UK_CORE_NAME) {
        information.each("extension", issued_to_stu3);
        if let Some(allowed) = allowed {
            information.append("extension", allowed);
        }
        information.put("url", Draft::string(CARE_CONNECT_INFORMATION));
    } else if let Some(allowed) = allowed {
        let url = Draft::string(CARE_CONNECT_INFORMATION);
        let parts = Draft::Array(vec![allowed]);
        fields.append("extension", Draft::object([("url", url), ("extension", parts)]));
    }
}

fn issued_to_stu3(part: &mut Fields<'_>) {
    if part.text_at("url").is_some_and(|url| url == "numberOfPrescriptionsIssued") {
        part.put("url", Draft::literal("\"numberOfRepeatPrescriptionsIssued\""));
        // GP Connect counts from one; none issued yet keeps the wider type.
        let is_none =
            part.get("valueUnsignedInt").and_then(Draft::raw).is_some_and(|count| count.raw() == "0");
        if !is_none {
            part.rename("valueUnsignedInt", "valuePositiveInt");
        }
    }
}

fn take_allowed<'d>(fields: &mut Fields<'d>) -> Option<Draft<'d>> {
    let supply = fields.get_mut("dispenseRequest")?.fields()?;
    if supply.has("_numberOfRepeatsAllowed") {
        return None;
    }
    let allowed = supply.take("numberOfRepeatsAllowed");
    if supply.is_empty() {
        fields.take("dispenseRequest");
    }
    allowed
}

/// Why a prescription ended goes back beside when it was ended.
pub(super) fn status_reason_to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    let is_care_connects = notes.is_gp_connect() || extension::find(fields, REASON).is_some();
    if !is_care_connects || fields.has("_statusReason") {
        return keep(fields, notes, "MedicationRequest.statusReason", "CodeableConcept");
    }
    let Some(words) = fields.take("statusReason") else { return };
    let part = Draft::object([("url", Draft::literal("\"statusReason\"")), ("valueCodeableConcept", words)]);
    if let Some(reason) = extension::find(fields, REASON) {
        reason.append("extension", part);
    } else {
        let url = Draft::string(CARE_CONNECT_REASON);
        fields.append("extension", Draft::object([("url", url), ("extension", Draft::Array(vec![part]))]));
    }
}

/// What kind of prescription it is has an extension in GP Connect, and nothing elsewhere.
pub(super) fn course_to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    if !notes.is_gp_connect() || fields.has("_courseOfTherapyType") {
        return keep(fields, notes, "MedicationRequest.courseOfTherapyType", "CodeableConcept");
    }
    if let Some(kind) = fields.take("courseOfTherapyType") {
        let url = Draft::string(CARE_CONNECT_TYPE);
        fields.append("extension", Draft::object([("url", url), ("valueCodeableConcept", kind)]));
    }
}
