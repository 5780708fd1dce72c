//! What leads from one resource to another, and what may stay when the other is not shown.

use tributary_fhir::{Json, Kind, bundle};

use super::walk;

/// Types that name who, where and with what. They are shown when something shown leads to them, and not otherwise.
///
/// Lists, Provenances, Groups, care teams and bundles are left out on purpose: they name others' content.
const SUPPORT: &[&str] = &[
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Location",
    "HealthcareService",
    "Medication",
    "Substance",
    "Endpoint",
    "Questionnaire",
    "Schedule",
    "Slot",
];

/// Types whose names are known even where nothing of that name was sent. Not `Binary`: that is where the attachments
/// of a shown document are.
const CLINICAL: &[&str] = &[
    "Account",
    "AdverseEvent",
    "AllergyIntolerance",
    "Appointment",
    "AppointmentResponse",
    "AuditEvent",
    "Basic",
    "BodySite",
    "BodyStructure",
    "Bundle",
    "CarePlan",
    "CareTeam",
    "ChargeItem",
    "Claim",
    "ClinicalImpression",
    "Communication",
    "CommunicationRequest",
    "Composition",
    "Condition",
    "Consent",
    "Contract",
    "Coverage",
    "DetectedIssue",
    "Device",
    "DeviceComponent",
    "DeviceMetric",
    "DeviceRequest",
    "DeviceUseStatement",
    "DiagnosticReport",
    "DocumentManifest",
    "DocumentReference",
    "Encounter",
    "EpisodeOfCare",
    "FamilyMemberHistory",
    "Flag",
    "Goal",
    "Group",
    "GuidanceResponse",
    "ImagingManifest",
    "ImagingStudy",
    "Immunization",
    "ImmunizationEvaluation",
    "ImmunizationRecommendation",
    "Linkage",
    "List",
    "Media",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationRequest",
    "MedicationStatement",
    "MolecularSequence",
    "NutritionOrder",
    "Observation",
    "Person",
    "Procedure",
    "ProcedureRequest",
    "Provenance",
    "QuestionnaireResponse",
    "ReferralRequest",
    "RelatedPerson",
    "RequestGroup",
    "ResearchSubject",
    "RiskAssessment",
    "Sequence",
    "ServiceRequest",
    "Specimen",
    "SupplyDelivery",
    "SupplyRequest",
    "Task",
    "VisionPrescription",
];

/// Elements that name who did or said something, or where. Words may stand there without an address.
const ACTORS: &[&str] = &[
    "actor",
    "agent",
    "assigner",
    "asserter",
    "attester",
    "authenticator",
    "author",
    "authorReference",
    "custodian",
    "generalPractitioner",
    "individual",
    "informant",
    "informationSource",
    "location",
    "managingOrganization",
    "manufacturer",
    "onBehalfOf",
    "organization",
    "owner",
    "patient",
    "performer",
    "practitioner",
    "provider",
    "receiver",
    "recipient",
    "recorder",
    "requester",
    "sender",
    "serviceProvider",
    "source",
    "subject",
    "who",
];

/// The members a Reference can have.
const OF_REFERENCE: &[&str] = &["reference", "type", "identifier", "display", "id", "extension"];

/// Objects under these keys are codings, whatever little they hold.
const CODINGS: &[&str] = &["coding", "valueCoding", "security", "tag", "class"];

pub(super) fn is_support(kind: &str) -> bool {
    SUPPORT.contains(&kind)
}

pub(super) fn is_actor(key: &str) -> bool {
    ACTORS.contains(&key)
}

/// Whether an object refers to something: by address, by identifier, or in words alone.
pub(super) fn is_reference(key: &str, value: Json<'_>) -> bool {
    if value.kind() != Kind::Object || CODINGS.contains(&key) {
        return false;
    }
    if value.get("reference").is_some_and(|one| one.kind() == Kind::String) {
        return true;
    }
    let is_known = |name: &str| OF_REFERENCE.contains(&name.trim_start_matches('_'));
    let points = value.get("identifier").is_some_and(|one| one.kind() == Kind::Object)
        || value.get("display").is_some();
    points && value.members().all(|(name, _)| is_known(name))
}

/// The type that an address names, by its last two steps.
pub(super) fn type_named(reference: &str) -> &str {
    let mut steps = reference.rsplit('/');
    steps.next();
    steps.next().unwrap_or_default()
}

/// Whether a text that is no reference is still the relative address of something clinical.
pub(super) fn is_clinical_address(text: &str) -> bool {
    let Some((kind, id)) = text.split_once('/') else { return false };
    CLINICAL.contains(&kind) && !id.is_empty() && !id.contains(char::is_whitespace)
}

/// Whether a person beside the patient and the staff did or said this: a performer, asserter, author and so on.
pub(super) fn is_said_by_relative(resource: Json<'_>, is_relative: impl Fn(&str) -> bool) -> bool {
    let contained = resource.get("contained").into_iter().flat_map(Json::items);
    let relatives: Vec<_> = contained
        .filter(|one| bundle::type_of(*one) == "RelatedPerson")
        .filter_map(|one| bundle::id_of(one))
        .collect();
    let names_one = |value: Json<'_>| {
        value.says("type", "RelatedPerson")
            || value.text_at("reference").is_some_and(|name| {
                name.strip_prefix('#').is_some_and(|id| relatives.iter().any(|one| one == id))
                    || type_named(&name) == "RelatedPerson"
                    || is_relative(&name)
            })
    };
    let actors =
        resource.members().filter(|(key, _)| is_actor(key) && *key != "subject" && *key != "patient");
    actors.into_iter().any(|(_, value)| walk::any(value, |_, one| names_one(one)))
}

/// Whether a modifier leans on another resource: without that one its meaning would be another.
pub(super) fn modifier_refers(resource: Json<'_>) -> bool {
    walk::any(resource, |key, value| {
        key == "modifierExtension"
            && walk::any(value, |key, one| {
                is_reference(key, one) || one.text().is_some_and(|text| is_clinical_address(&text))
            })
    })
}
