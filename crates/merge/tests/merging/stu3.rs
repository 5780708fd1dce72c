//! The merged record in STU3: what must not be lost on the way.

use serde_json::{Value, json};
use tributary_model::SourceKind;

use crate::kit::{Federation, about, federation, snomed};

fn acute(resources: &[Value]) -> Federation {
    let mut one = federation();
    one.source("acute", SourceKind::Acute, &["medications", "immunisations", "encounters"], &[]);
    one.answers("acute", resources);
    one
}

fn stu3(federation: &Federation) -> Value {
    serde_json::from_str(&federation.merged().to_stu3().expect("our own text")).expect("JSON")
}

fn of_kind<'v>(bundle: &'v Value, kind: &str) -> Vec<&'v Value> {
    let entries = bundle["entry"].as_array().expect("entries");
    entries.iter().map(|entry| &entry["resource"]).filter(|one| one["resourceType"] == kind).collect()
}

#[test]
fn a_medicine_that_must_not_be_given_is_no_order_in_stu3() {
    let request = |id: &str, forbids: bool| {
        let members = json!({"status": "active", "intent": "order", "doNotPerform": forbids,
            "medicationCodeableConcept": snomed("386872004", "Ramipril")});
        about("MedicationRequest", id, members)
    };
    let bundle = stu3(&acute(&[request("no", true), request("yes", false)]));
    let requests = of_kind(&bundle, "MedicationRequest");
    let origin = |one: &Value| one["meta"]["extension"].to_string();
    assert!(
        requests.len() == 1 && origin(requests[0]).contains("acute#MedicationRequest/yes"),
        "{requests:?}"
    );
    let carried = of_kind(&bundle, "Binary");
    assert!(carried.len() == 1 && origin(carried[0]).contains("acute#MedicationRequest/no"), "{carried:?}");
    let issues = bundle["entry"][0]["resource"]["issue"].as_array().expect("issues");
    let told = issues.last().expect("one");
    assert_eq!(told["details"]["coding"][0]["code"], "do-not-give");
    assert_eq!(
        (&told["severity"], &told["extension"][0]["valueUnsignedInt"]),
        (&json!("warning"), &json!(1))
    );
    let entries: Vec<&Value> = of_kind(&bundle, "List")
        .into_iter()
        .flat_map(|list| list["entry"].as_array().into_iter().flatten())
        .filter(|entry| entry.get("flag").is_some())
        .collect();
    let mut all = bundle["entry"].as_array().expect("entries").iter();
    let binary = all.find(|entry| entry["resource"]["resourceType"] == "Binary").expect("it");
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0]["item"]["reference"], binary["fullUrl"]);
}

#[test]
fn what_only_r4_says_is_told_in_a_provenance_and_nothing_else_is() {
    let visit = about(
        "Encounter",
        "e",
        json!({"status": "finished", "class": {"code": "IMP"}, "serviceType": {"text": "s"}}),
    );
    let vaccine = about(
        "Immunization",
        "i",
        json!({"status": "not-done", "primarySource": true,
        "vaccineCode": snomed("1", "x"), "occurrenceDateTime": "2020"}),
    );
    let bundle = stu3(&acute(&[visit, vaccine]));
    let told: Vec<String> =
        of_kind(&bundle, "Provenance").iter().map(|one| one["extension"].to_string()).collect();
    let kept: Vec<&String> = told.iter().filter(|text| text.contains("kept-as-extension")).collect();
    assert_eq!(kept.len(), 1, "{told:?}");
    assert!(kept[0].contains("Encounter.serviceType"));
    let given = of_kind(&bundle, "Immunization");
    assert_eq!((&given[0]["notGiven"], &given[0]["status"]), (&json!(true), &json!("completed")));
}

#[test]
fn equal_records_give_equal_bytes() {
    let one = acute(&[about("Encounter", "e", json!({"status": "finished"}))]);
    assert_eq!(one.merged().to_stu3(), one.merged().to_stu3());
}
