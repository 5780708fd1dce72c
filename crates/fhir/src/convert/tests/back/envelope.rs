//! The bundle around the resources, our own resources, and data types.

use serde_json::{Value, json};

use super::*;

#[track_caller]
fn scan(text: &str) -> Document {
    Document::scan(text.as_bytes().to_vec(), &Limits::default()).unwrap()
}

#[test]
fn what_is_no_bundle_is_refused() {
    for text in ["{}", "[]", r#"{"resourceType":"Patient"}"#, r#"{"resourceType":"Bundle","entry":{}}"#] {
        assert_eq!(convert_bundle_to_stu3(&scan(text)).unwrap_err(), FaultClass::Shape, "{text}");
    }
}

#[test]
fn the_instant_of_the_bundle_is_when_it_was_updated() {
    let found = |text: &str| convert_bundle_to_stu3(&scan(text)).unwrap().document.text().to_owned();
    assert_eq!(
        found(
            r#"{"resourceType":"Bundle","meta":{"tag":[{"code":"complete"}]},"type":"collection","timestamp":"2026-01-02T03:04:05Z","entry":[]}"#
        ),
        r#"{"resourceType":"Bundle","meta":{"tag":[{"code":"complete"}],"lastUpdated":"2026-01-02T03:04:05Z"},"type":"collection"}"#
    );
    assert_eq!(
        found(r#"{"resourceType":"Bundle","timestamp":"2026-01-02T03:04:05Z"}"#),
        r#"{"resourceType":"Bundle","meta":{"lastUpdated":"2026-01-02T03:04:05Z"}}"#
    );
}

#[test]
fn where_a_statement_came_from_is_an_extension() {
    let (found, notes) = one(
        r#"{"resourceType":"Organization","meta":{"source":"urn:x-tributary:gp#Organization/1","tag":[{"code":"live"}]}}"#,
    );
    assert_eq!(
        found["meta"],
        json!({"tag": [{"code": "live"}], "extension": [{
            "url": "http://hl7.org/fhir/4.0/StructureDefinition/extension-Meta.source",
            "valueUri": "urn:x-tributary:gp#Organization/1"}]})
    );
    assert!(notes.is_empty());
}

#[test]
fn references_follow_their_targets() {
    let converted = converted(&[
        r#"{"resourceType":"ServiceRequest","id":"p"}"#,
        r#"{"resourceType":"ServiceRequest","id":"r","meta":{"source":"x#ReferralRequest/1"}}"#,
        r#"{"resourceType":"Flag","subject":{"reference":"ServiceRequest/p"},"author":{"reference":"ServiceRequest/r"},"encounter":{"reference":"ServiceRequest/x"}}"#,
    ]);
    let bundle: Value = serde_json::from_str(converted.document.text()).unwrap();
    let flag = &bundle["entry"][2]["resource"];
    assert_eq!(flag["subject"]["reference"], "ProcedureRequest/p");
    assert_eq!(flag["author"]["reference"], "ReferralRequest/r");
    assert_eq!(flag["encounter"]["reference"], "ServiceRequest/x");
}

#[test]
fn the_type_of_a_target_is_kept_and_addresses_are_addresses() {
    check(
        r#"{"resourceType":"Flag","subject":{"reference":"Patient/1","type":"Patient"},
        "extension":[{"url":"a","extension":[{"url":"b","valueCanonical":"http://c"}]}],
        "identifier":[{"type":{"text":"t"},"system":"s"}]}"#,
        r#"{"resourceType":"Flag","subject":{"reference":"Patient/1","extension":[
        {"url":"http://hl7.org/fhir/4.0/StructureDefinition/extension-Reference.type","valueUri":"Patient"}]},
        "extension":[{"url":"a","extension":[{"url":"b","valueUri":"http://c"}]}],
        "identifier":[{"type":{"text":"t"},"system":"s"}]}"#,
        &[],
    );
}

#[test]
fn our_own_resources_have_a_place() {
    check(
        r#"{"resourceType":"DetectedIssue","status":"final","code":{"coding":[{"code":"x"}]},"severity":"high",
        "identifiedDateTime":"2026-01-02T03:04:05Z","detail":"d"}"#,
        r#"{"resourceType":"DetectedIssue","status":"final","category":{"coding":[{"code":"x"}]},"severity":"high",
        "date":"2026-01-02T03:04:05Z","detail":"d"}"#,
        &[],
    );
    check(
        r#"{"resourceType":"Provenance","recorded":"2026-01-02T03:04:05Z","agent":[{"type":{"coding":[{"code":"author"}]},
        "who":{"display":"GP"}}],"entity":[{"role":"source","what":{"display":"GP"}}],"reason":[{"coding":[{"code":"r"}]}]}"#,
        r#"{"resourceType":"Provenance","recorded":"2026-01-02T03:04:05Z","agent":[{"role":[{"coding":[{"code":"author"}]}],
        "whoReference":{"display":"GP"}}],"entity":[{"role":"source","whatReference":{"display":"GP"}}],"reason":[{"code":"r"}]}"#,
        &[],
    );
    let (device, notes) = one(
        r#"{"resourceType":"Device","deviceName":[{"name":"Tributary","type":"user-friendly-name"}],"version":[{"value":"0.1.0"}]}"#,
    );
    assert_eq!((&device["model"], &device["version"]), (&json!("Tributary"), &json!("0.1.0")));
    assert_eq!(notes, ["Device.deviceName"]);
}

#[test]
fn what_was_carried_to_r4_is_carried_on() {
    let (binary, notes) = one(
        r#"{"resourceType":"Binary","contentType":"application/fhir+json; fhirVersion=3.0","data":"AA=="}"#,
    );
    assert_eq!(
        binary,
        json!({"resourceType": "Binary", "contentType": "application/fhir+json; fhirVersion=3.0", "content": "AA=="})
    );
    assert!(notes.is_empty());
}

#[test]
fn a_resource_without_a_table_keeps_its_origin_outside() {
    let (binary, _) = one(
        r#"{"resourceType":"Claim","id":"g","meta":{"source":"urn:x-tributary:a#Claim/1"},"subject":{"reference":"Patient/1"}}"#,
    );
    assert_eq!(binary["resourceType"], "Binary");
    assert_eq!(binary["meta"]["extension"][0]["valueUri"], "urn:x-tributary:a#Claim/1");
    assert_eq!(binary["securityContext"]["reference"], "Patient/1");
    // A signature must not be altered, nor can what is contained be carried alone.
    for whole in [
        r#"{"resourceType":"Provenance","signature":[{"who":{"display":"x"}}]}"#,
        r#"{"resourceType":"Flag","contained":[{"resourceType":"Claim"}]}"#,
    ] {
        assert_eq!(one(whole).0["resourceType"], "Binary", "{whole}");
    }
}

#[test]
fn what_is_contained_is_converted_where_it_stands() {
    let (list, _) = one(
        r#"{"resourceType":"List","contained":[{"resourceType":"AllergyIntolerance","verificationStatus":{"coding":[
        {"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-verification","code":"confirmed"}]},"clinicalStatus":{"coding":[
        {"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical","code":"resolved"}]}}]}"#,
    );
    assert_eq!(list["contained"][0]["clinicalStatus"], "resolved");
    assert_eq!(list["contained"][0]["verificationStatus"], "confirmed");
}

#[test]
fn a_kept_element_of_another_shape_stays_an_extension() {
    let v = "http://hl7.org/fhir/3.0/StructureDefinition/extension-";
    for extension in [
        r#"{"url":"VCondition.assertedDate","valueString":"x"}"#,
        r#"{"url":"VCondition.assertedDate","valueDateTime":"2012","id":"y"}"#,
        r#"{"url":"VCondition.nothing","valueDateTime":"2012"}"#,
        r#"{"url":"VObservation.comment","valueString":"x"}"#,
        r#"{"url":"VCondition.context.x.y","valueString":"x"}"#,
    ] {
        let text = format!(r#"{{"resourceType":"Condition","extension":[{}]}}"#, extension.replace('V', v));
        check(&text, &text, &[]);
    }
    let (two, _) = one(&format!(
        r#"{{"resourceType":"Condition","recordedDate":"2011","extension":[{{"url":"{v}Condition.assertedDate","valueDateTime":"2012"}}]}}"#
    ));
    assert_eq!(
        (&two["assertedDate"], &two["extension"][0]["valueDateTime"]),
        (&json!("2011"), &json!("2012"))
    );
}

#[test]
fn a_broad_resource_takes_no_square_time() {
    let kept = r#"{"url":"http://hl7.org/fhir/3.0/StructureDefinition/extension-Observation.related","extension":[{"url":"target","valueReference":{"reference":"a","type":"b"}}]}"#;
    let broad = vec![kept; 20_000].join(",");
    let members: Vec<String> =
        (0..30_000).map(|n| format!(r#""k{n}":{{"reference":"a","type":"b"}}"#)).collect();
    let text = format!(r#"{{"resourceType":"Observation","extension":[{broad}],{}}}"#, members.join(","));
    let (found, _) = one(&text);
    assert_eq!(found["related"].as_array().unwrap().len(), 20_000);
}
