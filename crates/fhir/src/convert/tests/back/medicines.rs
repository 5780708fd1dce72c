//! Medicines: what must never become an order, and what is taken and how.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{check, comes_back, converted, one, round};
use crate::json::{Document, Limits};

const R4: &str = "http://hl7.org/fhir/4.0/StructureDefinition/extension-";

#[test]
fn a_medicine_that_must_not_be_given_never_becomes_an_order() {
    for flag in [
        r#""doNotPerform":true"#,
        r#""doNotPerform":"true""#,
        r#""doNotPerform":null"#,
        r#""doNotPerform":1"#,
        r#""_doNotPerform":{"id":"x"}"#,
    ] {
        let text = format!(r#"{{"resourceType":"MedicationRequest","id":"m","intent":"order",{flag}}}"#);
        let found = converted(&[&text]);
        let bundle: Value = serde_json::from_str(found.document.text()).unwrap();
        let binary = &bundle["entry"][0]["resource"];
        assert_eq!(binary["resourceType"], "Binary", "{flag}");
        assert_eq!(binary["contentType"], "application/fhir+json; fhirVersion=4.0");
        assert_eq!(STANDARD.decode(binary["content"].as_str().unwrap()).unwrap(), text.as_bytes());
        assert_eq!(bundle["entry"][0]["extension"][0]["valueCode"], "MedicationRequest");
        assert_eq!(found.carried[0].resource_type, "MedicationRequest");
    }
    let (given, _) = one(r#"{"resourceType":"MedicationRequest","intent":"order","doNotPerform":false}"#);
    assert_eq!(given, json!({"resourceType": "MedicationRequest", "intent": "order"}));
}

#[test]
fn what_contains_such_a_medicine_is_carried_with_it() {
    for kind in ["List", "CarePlan", "Patient"] {
        let (found, _) = one(&format!(
            r#"{{"resourceType":"{kind}","contained":[{{"resourceType":"MedicationRequest","doNotPerform":true}}]}}"#
        ));
        assert_eq!(found["resourceType"], "Binary", "{kind}");
    }
}

#[test]
fn an_option_or_an_unknown_intent_is_no_order() {
    for intent in ["option", "odd", ""] {
        let (found, _) = one(&format!(r#"{{"resourceType":"MedicationRequest","intent":"{intent}"}}"#));
        assert_eq!(found["resourceType"], "Binary", "{intent}");
    }
}

#[test]
fn lists_and_the_first_entry_say_what_must_not_be_given() {
    let text = r#"{"resourceType":"Bundle","type":"collection","entry":[
        {"resource":{"resourceType":"OperationOutcome","issue":[{"severity":"information","code":"informational"}]}},
        {"resource":{"resourceType":"List","note":[{"text":"own"}],"entry":[
            {"item":{"reference":"urn:uuid:1"}},{"item":{"reference":"urn:uuid:2"}},
            {"flag":{"text":"new"},"item":{"reference":"MedicationRequest/a"}}]}},
        {"resource":{"resourceType":"List","entry":[{"item":{"reference":"urn:uuid:2"}}]}},
        {"fullUrl":"urn:uuid:1","resource":{"resourceType":"MedicationRequest","id":"a","doNotPerform":true}},
        {"fullUrl":"urn:uuid:2","resource":{"resourceType":"MedicationRequest","id":"b"}},
        {"fullUrl":"urn:uuid:3","resource":{"resourceType":"Claim","id":"g"}}]}"#;
    let doc = Document::scan(text.as_bytes().to_vec(), &Limits::default()).unwrap();
    let found = super::convert_bundle_to_stu3(&doc).unwrap();
    let bundle: Value = serde_json::from_str(found.document.text()).unwrap();
    let issues = &bundle["entry"][0]["resource"]["issue"];
    assert_eq!(issues.as_array().unwrap().len(), 3);
    let told = |at: usize| {
        let issue = &issues[at];
        assert_eq!((&issue["severity"], &issue["code"]), (&json!("warning"), &json!("incomplete")));
        assert_eq!(issue["extension"][0]["valueUnsignedInt"], 1);
        let words = issue["details"]["text"].as_str().unwrap().to_owned();
        (issue["details"]["coding"][0]["code"].as_str().unwrap().to_owned(), words)
    };
    let (code, words) = told(1);
    assert_eq!(code, "carried-whole");
    assert!(words.starts_with("1 Claim"), "{words}");
    let (code, words) = told(2);
    assert_eq!(code, "do-not-give");
    assert!(words.starts_with("1 MedicationRequest") && words.contains("NOT"), "{words}");
    let list = &bundle["entry"][1]["resource"];
    assert_eq!(list["entry"][0]["flag"]["text"], "Do NOT give");
    assert_eq!(list["entry"][1].get("flag"), None);
    assert_eq!(list["entry"][2]["flag"]["text"], "new");
    assert_eq!(list["note"][0]["text"], "own");
    assert!(list["note"][1]["text"].as_str().unwrap().starts_with("2 of these"));
    assert_eq!(bundle["entry"][2]["resource"].get("note"), None);
}

#[test]
fn not_taken_is_a_flag() {
    check(
        r#"{"resourceType":"MedicationStatement","status":"not-taken","statusReason":[{"text":"refused"}]}"#,
        &format!(
            r#"{{"resourceType":"MedicationStatement","status":"completed","taken":"n","reasonNotTaken":[{{"text":"refused"}}],
            "extension":[{{"url":"{R4}MedicationStatement.status","valueCode":"not-taken"}}]}}"#
        ),
        &["MedicationStatement.status"],
    );
    check(
        r#"{"resourceType":"MedicationStatement","status":"stopped","statusReason":[{"text":"rash"}]}"#,
        &format!(
            r#"{{"resourceType":"MedicationStatement","status":"stopped","taken":"unk",
            "extension":[{{"url":"{R4}MedicationStatement.statusReason","valueCodeableConcept":{{"text":"rash"}}}}]}}"#
        ),
        &["MedicationStatement.statusReason"],
    );
}

#[test]
fn taken_that_is_not_known_keeps_the_status() {
    comes_back(
        r#"{"resourceType":"MedicationStatement","meta":{"profile":["x/CareConnect-GPC-MedicationStatement-1"]},"status":"active","taken":"unk"}"#,
    );
    comes_back(
        r#"{"resourceType":"MedicationStatement","status":"active","taken":"n","reasonNotTaken":[{"text":"a"},{"text":"b"}]}"#,
    );
    comes_back(
        r#"{"resourceType":"MedicationStatement","status":"active","taken":"y","reasonNotTaken":[{"text":"a"}]}"#,
    );
}

#[test]
fn one_dose_stands_in_the_dosage_and_several_are_not_chosen_from() {
    comes_back(
        r#"{"resourceType":"MedicationRequest","dosageInstruction":[{"text":"1 daily","doseQuantity":{"value":1.50},"rateRatio":{"numerator":{"value":2}}}]}"#,
    );
    let two = r#"[{"doseQuantity":{"value":5}},{"doseQuantity":{"value":10}}]"#;
    let (found, notes) = one(&format!(
        r#"{{"resourceType":"MedicationRequest","dosageInstruction":[{{"text":"t","doseAndRate":{two}}}]}}"#
    ));
    let dosage = &found["dosageInstruction"][0];
    assert_eq!(dosage["text"], "t");
    assert_eq!(dosage.get("doseQuantity"), None);
    assert_eq!(dosage["extension"].as_array().unwrap().len(), 2);
    assert_eq!(notes, ["Dosage.doseAndRate"]);
}

#[test]
fn a_prescription_of_a_practice_comes_back() {
    let base = "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-";
    let stu3 = format!(
        r#"{{"resourceType":"MedicationRequest","meta":{{"profile":["https://fhir.nhs.uk/STU3/StructureDefinition/CareConnect-GPC-MedicationRequest-1"]}},
        "extension":[
          {{"url":"{base}MedicationRepeatInformation-1","extension":[
            {{"url":"numberOfRepeatPrescriptionsIssued","valuePositiveInt":3}},
            {{"url":"authorisationExpiryDate","valueDateTime":"2020-01-02"}},
            {{"url":"numberOfRepeatPrescriptionsAllowed","valuePositiveInt":12}}]}},
          {{"url":"{base}MedicationStatusReason-1","extension":[
            {{"url":"statusChangeDate","valueDateTime":"2019"}},
            {{"url":"statusReason","valueCodeableConcept":{{"text":"ended"}}}}]}},
          {{"url":"{base}PrescriptionType-1","valueCodeableConcept":{{"coding":[{{"code":"repeat"}}]}}}}],
        "status":"stopped","intent":"plan","context":{{"reference":"Encounter/1"}},
        "requester":{{"agent":{{"reference":"Practitioner/1"}},"onBehalfOf":{{"reference":"Organization/1"}}}},
        "dispenseRequest":{{"quantity":{{"value":28}}}},
        "definition":[{{"reference":"http://plan"}}],"category":{{"text":"c"}}}}"#
    );
    comes_back(&stu3);
}

#[test]
fn the_extensions_of_a_statement_have_their_names_again() {
    let base = "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-";
    comes_back(&format!(
        r#"{{"resourceType":"MedicationStatement","status":"active","taken":"y","extension":[
        {{"url":"{base}PrescribingAgency-1","valueCodeableConcept":{{"text":"elsewhere"}}}},
        {{"url":"{base}MedicationStatementLastIssueDate-1","valueDateTime":"2020"}}]}}"#
    ));
}

#[test]
fn a_package_comes_back() {
    let found = round(
        r#"{"resourceType":"Medication","isBrand":true,"ingredient":[{"amount":{"numerator":{"value":1}}}],"package":{
        "container":{"text":"box"},"content":[{"itemReference":{"reference":"Medication/a"},"amount":{"value":2.0}}],
        "batch":[{"lotNumber":"L1","expirationDate":"2020"},{"lotNumber":"L2"}]}}"#,
    );
    assert_eq!(found["isBrand"], true);
    assert_eq!(found["package"]["container"]["text"], "box");
    assert_eq!(found["package"]["content"][0]["amount"]["value"], 2.0);
    assert_eq!(
        found["package"]["batch"],
        json!([{"lotNumber": "L1", "expirationDate": "2020"}, {"lotNumber": "L2"}])
    );
    assert_eq!(found["ingredient"][0]["amount"]["numerator"]["value"], 1);
    assert_eq!(found.get("extension"), None);
}

#[test]
fn no_repeats_are_not_a_number_that_counts_from_one() {
    let (found, notes) = one(
        r#"{"resourceType":"MedicationRequest","dispenseRequest":{"numberOfRepeatsAllowed":0,"quantity":{"value":1}}}"#,
    );
    assert_eq!(found["dispenseRequest"].get("numberOfRepeatsAllowed"), None);
    assert_eq!(found["dispenseRequest"]["extension"][0]["valueUnsignedInt"], 0);
    assert_eq!(notes, ["MedicationRequest.dispenseRequest.numberOfRepeatsAllowed"]);
}
