//! Nothing of an R4 resource is lost on its way to STU3.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::super::properties::{Vocabulary, resource};
use super::*;

/// R4 types, the keys their tables touch on both sides, and the keys they touch further inside.
const TYPES: &[Vocabulary] = &[
    (
        "AllergyIntolerance",
        "clinicalStatus verificationStatus assertedDate recordedDate extension encounter",
        "coding system code extension url",
    ),
    (
        "Appointment",
        "status serviceCategory reason reasonCode indication reasonReference incomingReferral basedOn cancelationReason patientInstruction participant",
        "period",
    ),
    ("Binary", "data content contentType securityContext", "reference"),
    (
        "CarePlan",
        "status context encounter definition instantiatesCanonical instantiatesUri author contributor created activity",
        "detail category definition instantiatesCanonical instantiatesUri prohibited doNotPerform statusReason status kind text coding",
    ),
    (
        "Condition",
        "clinicalStatus verificationStatus context encounter assertedDate recordedDate abatementString abatementBoolean stage recorder extension",
        "coding system code type valueBoolean url",
    ),
    (
        "DetectedIssue",
        "code category identifiedDateTime date identifiedPeriod identifier evidence",
        "code detail",
    ),
    (
        "Device",
        "deviceName modelNumber model version udiCarrier udi definition parent property serialNumber specialization",
        "name type value",
    ),
    (
        "DiagnosticReport",
        "context encounter category performer conclusionCode codedDiagnosis media image resultsInterpreter",
        "reference extension url valueCodeableConcept",
    ),
    (
        "DocumentReference",
        "class category date indexed created docStatus content context extension type",
        "attachment creation encounter related identifier reference",
    ),
    (
        "Encounter",
        "class reason reasonCode incomingReferral basedOn appointment diagnosis serviceType reasonReference location",
        "role use physicalType extension",
    ),
    ("EpisodeOfCare", "status", ""),
    ("Flag", "category", ""),
    (
        "HealthcareService",
        "category eligibility eligibilityNote program programName communication",
        "text comment code",
    ),
    (
        "Immunization",
        "status notGiven date occurrenceDateTime occurrenceString performer practitioner reasonCode statusReason explanation protocolApplied vaccinationProtocol recorded extension education isSubpotent primarySource",
        "function role actor reference doseNumberPositiveInt doseNumberString doseSequence seriesDosesString",
    ),
    ("List", "extension contained entry note", "item reference flag"),
    ("Location", "type hoursOfOperation availabilityExceptions", "allDay"),
    ("Medication", "ingredient batch package identifier amount extension", "strength amount lotNumber"),
    (
        "MedicationAdministration",
        "status notGiven statusReason reasonNotGiven instantiates definition request prescription performer extension",
        "function reference",
    ),
    (
        "MedicationDispense",
        "status notDone statusReasonCodeableConcept statusReasonReference performer dosageInstruction location",
        "function doseAndRate doseQuantity",
    ),
    (
        "MedicationRequest",
        "status doNotPerform requester context encounter category instantiatesCanonical instantiatesUri definition substitution dosageInstruction dispenseRequest extension courseOfTherapyType statusReason reportedBoolean performer performerType insurance",
        "reference extension url allowedBoolean allowedCodeableConcept allowed doseAndRate doseQuantity rateRatio quantity numberOfRepeatsAllowed initialFill",
    ),
    (
        "MedicationStatement",
        "status taken statusReason reasonNotTaken dosage extension",
        "doseAndRate doseQuantity rateRatio url valueCode",
    ),
    (
        "Observation",
        "comment note context encounter related hasMember derivedFrom interpretation valueInteger valueQuantity component focus partOf effectiveInstant effectiveDateTime effectiveTiming extension",
        "text time authorString reference interpretation valueInteger valueBoolean valueString",
    ),
    ("Organization", "name", ""),
    ("Patient", "identifier animal extension", "coding system extension url valueCodeableConcept"),
    ("Practitioner", "name", ""),
    ("PractitionerRole", "code", ""),
    (
        "Procedure",
        "status notDone statusReason notDoneReason context encounter definition instantiatesCanonical instantiatesUri performer performedString recorder extension",
        "function role actor reference",
    ),
    (
        "Provenance",
        "activity reason agent entity occurredPeriod occurredDateTime period",
        "type role who whoReference onBehalfOf what whatReference agent coding text",
    ),
    ("QuestionnaireResponse", "context encounter parent partOf questionnaire item", "item answer subject"),
    ("RelatedPerson", "relationship communication", "preferred"),
    ("Schedule", "serviceCategory", ""),
    (
        "ServiceRequest",
        "status intent doNotPerform context encounter definition instantiatesCanonical requester category type code serviceRequested orderDetail specialty performerType recipient performer groupIdentifier requisition description note bodySite quantityQuantity locationCode extension",
        "reference text coding system code",
    ),
    ("Slot", "serviceCategory", ""),
    ("Specimen", "condition collection", "duration fastingStatusCodeableConcept"),
    (
        "Task",
        "status intent priority context encounter requester reason reasonCode definitionUri instantiatesUri instantiatesCanonical reasonReference location",
        "reference extension",
    ),
    ("CareTeam", "context encounter participant telecom", "role"),
    ("Claim", "status item", "detail"),
    ("ClinicalImpression", "status statusReason context encounter supportingInfo action", "reference"),
    (
        "Communication",
        "status notDone statusReason notDoneReason context encounter definition instantiatesCanonical topic about priority inResponseTo",
        "reference text",
    ),
    (
        "Goal",
        "lifecycleStatus status achievementStatus target extension",
        "detailString detailInteger url valueCode",
    ),
    ("Group", "managingEntity characteristic", "valueReference"),
];

/// What is carried whole stands in base 64.
fn shown(bundle: &Value) -> String {
    let resource = &bundle["entry"][0]["resource"];
    let carried = resource["content"]
        .as_str()
        .filter(|_| resource["contentType"] == "application/fhir+json; fhirVersion=4.0");
    let carried = carried.and_then(|content| STANDARD.decode(content).ok());
    carried.map(|bytes| String::from_utf8(bytes).unwrap()).unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(10_000) })]

    #[test]
    fn every_word_and_number_survives_byte_for_byte((text, leaves) in resource(TYPES)) {
        let converted = converted(&[&text]);
        let out = converted.document.text();
        let bundle: Value = serde_json::from_str(out).unwrap();
        let carried = shown(&bundle);
        for leaf in leaves {
            prop_assert!(out.contains(&leaf) || carried.contains(&leaf), "{leaf} of {text}\nis not in {out}");
        }
    }

    #[test]
    fn no_request_that_forbids_is_a_request((text, _) in resource(TYPES)) {
        let given: Value = serde_json::from_str(&text).unwrap();
        let forbids = given.get("doNotPerform").is_some_and(|flag| flag != false) || given.get("_doNotPerform").is_some();
        let bundle: Value = serde_json::from_str(converted(&[&text]).document.text()).unwrap();
        let kind = &bundle["entry"][0]["resource"]["resourceType"];
        prop_assert!(!(forbids && (kind == "MedicationRequest" || kind == "ReferralRequest")), "{text}");
    }
}
