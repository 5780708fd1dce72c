//! Every record of the suite practice has the shapes of GP Connect.

use crate::support::*;
use mock_providers::{ProviderHandle, Standing, suite_patients};
use serde_json::{Value, json};

/// What a resource must have, and what it must not have, by its type.
const FIELDS: &[(&str, &[&str], &[&str])] = &[
    (
        "AllergyIntolerance",
        &["clinicalStatus", "verificationStatus", "category", "code", "patient", "assertedDate", "recorder"],
        &[],
    ),
    ("Medication", &["code"], &["package"]),
    (
        "MedicationStatement",
        &["basedOn", "status", "medicationReference", "effectivePeriod", "dateAsserted", "taken", "dosage"],
        &["partOf", "category", "informationSource", "derivedFrom", "reasonNotTaken"],
    ),
    (
        "MedicationRequest",
        &[
            "status",
            "intent",
            "medicationReference",
            "authoredOn",
            "recorder",
            "dosageInstruction",
            "dispenseRequest",
        ],
        &[
            "definition",
            "category",
            "priority",
            "supportingInformation",
            "substitution",
            "detectedIssue",
            "eventHistory",
        ],
    ),
    (
        "Encounter",
        &["status", "type", "subject", "participant", "period"],
        &[
            "statusHistory",
            "class",
            "priority",
            "episodeOfCare",
            "appointment",
            "reason",
            "diagnosis",
            "hospitalization",
            "partOf",
        ],
    ),
    (
        "Condition",
        &["extension", "clinicalStatus", "category", "code", "subject", "assertedDate", "asserter"],
        &["severity", "verificationStatus", "bodySite", "stage", "evidence"],
    ),
    (
        "Observation",
        &["status", "code", "subject", "issued", "performer"],
        &["basedOn", "dataAbsentReason", "bodySite", "method", "device"],
    ),
    (
        "DiagnosticReport",
        &["status", "code", "subject", "issued", "specimen", "result", "basedOn"],
        &["effectiveDateTime", "imagingStudy", "image", "presentedForm"],
    ),
    ("Specimen", &["subject", "type"], &["parent", "request", "processing", "container"]),
    (
        "ProcedureRequest",
        &["status", "intent", "code", "subject", "requester"],
        &[
            "priority",
            "doNotPerform",
            "category",
            "asNeededBoolean",
            "performerType",
            "specimen",
            "bodySite",
            "relevantHistory",
        ],
    ),
    (
        "ReferralRequest",
        &["status", "intent", "subject", "authoredOn", "requester", "recipient"],
        &[
            "definition",
            "replaces",
            "groupIdentifier",
            "type",
            "occurrenceDateTime",
            "reasonReference",
            "relevantHistory",
        ],
    ),
    (
        "Immunization",
        &["status", "notGiven", "vaccineCode", "patient", "primarySource", "extension"],
        &["reaction"],
    ),
    (
        "DocumentReference",
        &["status", "type", "subject", "indexed", "content"],
        &["docStatus", "class", "authenticator", "relatesTo", "securityLabel"],
    ),
    ("List", &["status", "mode", "title", "code", "subject", "date"], &["source"]),
];

async fn everything(suite: &ProviderHandle, nhs_number: &str) -> Value {
    let given =
        json!({"name": "includeImmunisations", "part": [{"name": "includeNotGiven", "valueBoolean": true}]});
    let names = [
        "includeMedication",
        "includeUncategorisedData",
        "includeInvestigations",
        "includeReferrals",
        "includeDiaryEntries",
    ];
    let parameters_of = |further: &[Value]| parameters(nhs_number, further);
    let apart: Vec<Value> = [allergies(true), given].into_iter().chain(names.map(area)).collect();
    let linked = [area("includeConsultations"), area("includeProblems")];
    let mut whole = Call::suite(suite, &parameters_of(&apart)).send(suite).await.json();
    let linked = Call::suite(suite, &parameters_of(&linked)).send(suite).await.json();
    whole["entry"].as_array_mut().unwrap().extend(linked["entry"].as_array().unwrap().clone());
    whole
}

fn check(resource: &Value, name: &str) {
    let kind = resource["resourceType"].as_str().unwrap();
    let Some((_, mandatory, absent)) = FIELDS.iter().find(|(known, _, _)| *known == kind) else {
        assert!(
            ["Patient", "Organization", "Practitioner", "PractitionerRole", "Location"].contains(&kind),
            "{kind}"
        );
        assert!(resource["meta"]["versionId"].is_string(), "{name} {kind}");
        return;
    };
    for field in *mandatory {
        assert!(!resource[*field].is_null(), "{name} {kind} lacks {field}: {resource}");
    }
    for field in *absent {
        assert!(resource.get(*field).is_none(), "{name} {kind} has {field}");
    }
    let profile = if kind == "Condition" { "ProblemHeader-Condition" } else { kind };
    let url = format!("https://fhir.nhs.uk/STU3/StructureDefinition/CareConnect-GPC-{profile}-1");
    assert_eq!(resource["meta"], json!({"profile": [url]}), "{name} {kind}");
    if !matches!(kind, "Medication" | "List") {
        assert!(
            resource["identifier"][0]["value"].is_string() && resource["identifier"][0]["system"].is_string()
        );
    }
}

#[tokio::test]
async fn resources_have_what_their_profile_asks_for() {
    let suite = suite().await;
    for patient in suite_patients().iter().filter(|one| one.standing == Standing::Registered) {
        let bundle = everything(&suite, patient.nhs_number).await;
        for entry in bundle["entry"].as_array().unwrap() {
            assert!(entry.get("fullUrl").is_none());
            check(&entry["resource"], patient.name);
            for contained in entry["resource"]["contained"].as_array().into_iter().flatten() {
                check(contained, patient.name);
            }
        }
        assert_eq!(of_type(&bundle, "Patient")[0]["identifier"][0]["value"], patient.nhs_number);
    }
}

#[tokio::test]
async fn references_lead_to_the_patient_and_into_the_answer() {
    let suite = suite().await;
    for name in ["patient2", "patient3", "patient12", "patientLarge"] {
        let bundle = everything(&suite, number(name)).await;
        let known: std::collections::BTreeSet<String> = bundle["entry"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| &entry["resource"])
            .filter_map(|one| Some(format!("{}/{}", one["resourceType"].as_str()?, one["id"].as_str()?)))
            .collect();
        let patient = of_type(&bundle, "Patient")[0]["id"].as_str().unwrap();
        for entry in bundle["entry"].as_array().unwrap() {
            let resource = &entry["resource"];
            let dangling = |to: &&String| {
                // The branch a patient prefers is read from Foundations.
                !to.starts_with('#') && !known.contains(*to) && resource["resourceType"] != "Patient"
            };
            let references = references(resource);
            assert_eq!(references.iter().find(dangling), None, "{name} {}", resource["resourceType"]);
            let about = [&resource["subject"], &resource["patient"]];
            let about: Vec<&str> = about.iter().filter_map(|one| one["reference"].as_str()).collect();
            assert!(about.iter().all(|to| *to == format!("Patient/{patient}")), "{about:?}");
        }
    }
}

#[tokio::test]
async fn one_answer_has_each_resource_once() {
    let suite = suite().await;
    let all = [
        allergies(true),
        area("includeMedication"),
        area("includeConsultations"),
        area("includeProblems"),
        area("includeImmunisations"),
        area("includeUncategorisedData"),
        area("includeInvestigations"),
        area("includeReferrals"),
        area("includeDiaryEntries"),
    ];
    for name in ["patient2", "patientLarge"] {
        let bundle = Call::suite(&suite, &parameters(number(name), &all)).send(&suite).await.json();
        let mut seen = std::collections::BTreeSet::new();
        for resource in bundle["entry"].as_array().unwrap().iter().map(|entry| &entry["resource"]) {
            if let Some(id) = resource["id"].as_str() {
                assert!(seen.insert((resource["resourceType"].to_string(), id.to_owned())), "{name} {id}");
            }
        }
        assert!(seen.len() > 60);
        let primary = of_type(&bundle, "List").into_iter().filter(|list| {
            list.get("id").is_none() && list["code"]["coding"][0]["system"] == "http://snomed.info/sct"
        });
        assert_eq!(primary.count(), 10);
    }
}

#[tokio::test]
async fn medicines_hang_together() {
    let suite = suite().await;
    for patient in suite_patients().iter().filter(|one| one.standing == Standing::Registered) {
        let bundle = everything(&suite, patient.nhs_number).await;
        let requests = of_type(&bundle, "MedicationRequest");
        let extension = |one: &Value, url: &str| {
            let extensions = one["extension"].as_array().unwrap();
            extensions.iter().find(|extension| extension["url"].as_str().unwrap().ends_with(url)).cloned()
        };
        for statement in of_type(&bundle, "MedicationStatement") {
            let plan = statement["basedOn"][0]["reference"].as_str().unwrap();
            let plan = requests.iter().find(|one| plan.ends_with(one["id"].as_str().unwrap())).unwrap();
            assert_eq!(plan["intent"], "plan");
            assert!(plan.get("basedOn").is_none());
            assert!(extension(statement, "PrescribingAgency-1").is_some());
        }
        for request in &requests {
            let is_plan = request["intent"] == "plan";
            let kind = extension(request, "PrescriptionType-1").unwrap();
            let is_acute = kind["valueCodeableConcept"]["coding"][0]["code"] == "acute";
            assert_eq!(request.get("basedOn").is_some(), !is_plan);
            assert_eq!(extension(request, "MedicationRepeatInformation-1").is_some(), is_plan && !is_acute);
            let is_stopped = request["status"] == "stopped";
            assert_eq!(extension(request, "MedicationStatusReason-1").is_some(), is_plan && is_stopped);
            assert!(request["dispenseRequest"]["validityPeriod"]["start"].is_string());
        }
    }
}

#[tokio::test]
async fn reports_have_specimen_group_results_and_filing_comment() {
    let suite = suite().await;
    for name in ["patient2", "patient3"] {
        let bundle = Call::suite(&suite, &parameters(number(name), &[area("includeInvestigations")]))
            .send(&suite)
            .await
            .json();
        let find = |reference: &Value| {
            let (kind, id) = reference["reference"].as_str().unwrap().split_once('/').unwrap();
            of_type(&bundle, kind).into_iter().find(|one| one["id"] == id).unwrap().clone()
        };
        for report in of_type(&bundle, "DiagnosticReport") {
            assert_eq!(find(&report["basedOn"][0])["intent"], "order");
            let specimen = find(&report["specimen"][0]);
            let group = find(&report["result"][0]);
            assert_eq!(find(&group["specimen"]), specimen);
            let members: Vec<Value> =
                group["related"].as_array().unwrap().iter().map(|one| find(&one["target"])).collect();
            assert_eq!(members.len(), 3);
            assert!(members[0]["valueQuantity"].is_object());
            let filed = find(&report["result"][1]);
            assert_eq!(
                (&filed["status"], &filed["code"]["coding"][0]["code"]),
                (&"unknown".into(), &"37331000000100".into())
            );
            for absent in ["category", "interpretation", "specimen", "referenceRange", "component"] {
                assert!(filed.get(absent).is_none(), "{absent}");
            }
        }
        for request in of_type(&bundle, "ProcedureRequest") {
            for absent in ["authoredOn", "context", "occurrenceDateTime", "definition", "basedOn"] {
                assert!(request.get(absent).is_none(), "{absent}");
            }
        }
    }
}
