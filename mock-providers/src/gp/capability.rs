//! What `GET metadata` says of each capability.

use serde_json::{Value, json};
use tributary_model::Capability;

use super::SpecLevel;

const PROFILES: &str = "https://fhir.nhs.uk/STU3/StructureDefinition/";
const STRUCTURED_OPERATION: &str =
    "https://fhir.nhs.uk/STU3/OperationDefinition/GPConnect-GetStructuredRecord-Operation-1";
const REGISTER_OPERATION: &str =
    "https://fhir.nhs.uk/STU3/OperationDefinition/GPConnect-RegisterPatient-Operation-1";

/// Profiles of Access Record Structured and their versions. The first eight and `DocumentReference` serve
/// other capabilities too.
const OF_STRUCTURED: &[(&str, &str)] = &[
    ("CareConnect-GPC-Patient-1", "1.8"),
    ("CareConnect-GPC-Organization-1", "1.4"),
    ("CareConnect-GPC-Practitioner-1", "1.2"),
    ("CareConnect-GPC-PractitionerRole-1", "1.2"),
    ("CareConnect-GPC-AllergyIntolerance-1", "1.7"),
    ("CareConnect-GPC-Medication-1", "1.2"),
    ("CareConnect-GPC-MedicationStatement-1", "1.7"),
    ("CareConnect-GPC-MedicationRequest-1", "1.6"),
    ("CareConnect-GPC-List-1", "1.7"),
    ("GPConnect-StructuredRecord-Bundle-1", "1.3"),
    ("GPConnect-OperationOutcome-1", "1.2"),
    ("CareConnect-GPC-Immunization-1", "1.5"),
    ("CareConnect-GPC-ProblemHeader-Condition-1", "1.7"),
    ("CareConnect-GPC-Encounter-1", "1.5"),
    ("CareConnect-GPC-Observation-1", "1.6"),
    ("CareConnect-GPC-DiagnosticReport-1", "1.3"),
    ("CareConnect-GPC-Specimen-1", "1.3"),
    ("CareConnect-GPC-ProcedureRequest-1", "1.3"),
    ("CareConnect-GPC-ReferralRequest-1", "1.2"),
    ("CareConnect-GPC-DocumentReference-1", "1.3"),
];

const OF_DOCUMENTS: &[(&str, &str)] = &[
    ("CareConnect-GPC-Patient-1", "1.8"),
    ("CareConnect-GPC-Organization-1", "1.4"),
    ("CareConnect-GPC-Practitioner-1", "1.2"),
    ("CareConnect-GPC-PractitionerRole-1", "1.2"),
    ("GPConnect-OperationOutcome-1", "1.2"),
    ("CareConnect-GPC-DocumentReference-1", "1.3"),
    ("GPConnect-Searchset-Bundle-1", "1.3"),
];

/// Only Foundations has these, and it tells its profiles without versions.
const OF_FOUNDATIONS_ALONE: &[&str] =
    &["CareConnect-GPC-Location-1", "GPConnect-Appointment-1", "GPConnect-Schedule-1", "GPConnect-Slot-1"];

/// The `CapabilityStatement` of a capability.
pub(crate) fn statement(capability: Capability, level: SpecLevel) -> Value {
    let (name, rest) = match capability {
        Capability::Structured => ("Access Record Structured", structured()),
        Capability::Documents => ("Access Document", documents()),
        Capability::Foundations => ("Foundations and Appointments", foundations()),
    };
    json!({
        "resourceType": "CapabilityStatement",
        "version": version(capability, level),
        "name": format!("GP Connect API - {name}"),
        "status": "active",
        "date": "2024-03-01",
        "publisher": "Mock GP system",
        "kind": "capability",
        "software": {"name": "Mock GP system", "version": env!("CARGO_PKG_VERSION")},
        "fhirVersion": "3.0.1",
        "acceptUnknown": "both",
        "format": ["application/fhir+json", "application/fhir+xml"],
        "profile": profiles(capability),
        "rest": [rest],
    })
}

/// Foundations stayed behind when the others went to 1.6.
fn version(capability: Capability, level: SpecLevel) -> &'static str {
    match (level, capability) {
        (SpecLevel::V1_2, _) => "1.2.7",
        (SpecLevel::V1_5, _) | (SpecLevel::V1_6, Capability::Foundations) => "1.5.0",
        (SpecLevel::V1_6, Capability::Structured | Capability::Documents) => "1.6.0",
    }
}

fn profiles(capability: Capability) -> Vec<Value> {
    let reference = |url: String| json!({ "reference": url });
    let versioned = |all: &[(&str, &str)]| -> Vec<Value> {
        all.iter().map(|(name, version)| reference(format!("{PROFILES}{name}/_history/{version}"))).collect()
    };
    match capability {
        Capability::Structured => {
            let service = "https://fhir.hl7.org.uk/STU3/StructureDefinition/CareConnect-HealthcareService-1";
            let mut all = versioned(OF_STRUCTURED);
            all.push(reference(format!("{service}/_history/1.0")));
            all
        }
        Capability::Documents => versioned(OF_DOCUMENTS),
        Capability::Foundations => {
            let shared = OF_STRUCTURED.iter().map(|(name, _)| *name);
            let shared = shared.filter(|name| !name.contains("DocumentReference"));
            shared
                .chain(OF_FOUNDATIONS_ALONE.iter().copied())
                .map(|name| reference(format!("{PROFILES}{name}")))
                .collect()
        }
    }
}

fn operation(name: &str, definition: &str, version: &str) -> Value {
    json!({"name": name, "definition": {"reference": format!("{definition}/_history/{version}")}})
}

fn resource(kind: &str, interactions: &[&str]) -> Value {
    let codes: Vec<Value> = interactions.iter().map(|code| json!({ "code": code })).collect();
    json!({"type": kind, "interaction": codes})
}

fn structured() -> Value {
    json!({
        "mode": "server",
        "security": {"cors": true},
        "operation": [operation("gpc.getstructuredrecord", STRUCTURED_OPERATION, "1.16")],
    })
}

fn documents() -> Value {
    json!({
        "mode": "server",
        "security": {"cors": true},
        "resource": [
            {
                "type": "Patient",
                "interaction": [{"code": "read"}, {"code": "search-type"}],
                "searchParam": [{"name": "identifier", "type": "token"}],
            },
            {
                "type": "DocumentReference",
                "interaction": [{"code": "search-type"}],
                "searchInclude": [
                    "DocumentReference:subject:Patient",
                    "DocumentReference:custodian:Organization",
                    "DocumentReference:author:Organization",
                    "DocumentReference:author:Practitioner",
                ],
                "searchRevInclude": ["PractitionerRole:practitioner"],
                "searchParam": [
                    {"name": "created", "type": "date"},
                    {"name": "author", "type": "token"},
                    {"name": "description", "type": "string"},
                ],
            },
            resource("Binary", &["read"]),
        ],
    })
}

/// Registration and appointments are declared as a real system of this release declares them; the mock
/// answers 501 to both.
fn foundations() -> Value {
    json!({
        "mode": "server",
        "security": {"cors": true},
        "resource": [
            resource("Patient", &["read", "search-type"]),
            resource("Practitioner", &["read", "search-type"]),
            resource("Organization", &["read", "search-type"]),
            resource("Location", &["read"]),
            resource("Appointment", &["read", "create", "update", "search-type"]),
            {
                "type": "Slot",
                "interaction": [{"code": "search-type"}],
                "searchInclude": ["Schedule:actor:Practitioner", "Schedule:actor:Location", "Location:managingOrganization"],
            },
        ],
        "operation": [
            operation("gpc.getstructuredrecord", STRUCTURED_OPERATION, "1.15"),
            {"name": "gpc.registerpatient", "definition": {"reference": REGISTER_OPERATION}},
        ],
    })
}
