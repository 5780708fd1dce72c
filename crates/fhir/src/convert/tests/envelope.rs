//! The bundle around the resources.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::*;

#[track_caller]
fn scan(text: &str) -> Document {
    Document::scan(text.as_bytes().to_vec(), &Limits::default()).unwrap()
}

#[test]
fn what_is_no_bundle_is_refused() {
    for text in ["{}", "[]", r#"{"resourceType":"Patient"}"#, r#"{"resourceType":"Bundle","entry":{}}"#] {
        assert_eq!(convert_bundle(&scan(text)).unwrap_err(), FaultClass::Shape, "{text}");
    }
}

#[test]
fn an_empty_bundle_has_no_entries() {
    let converted = convert_bundle(&scan(r#"{"resourceType":"Bundle","entry":[]}"#)).unwrap();
    assert_eq!(converted.document.text(), r#"{"resourceType":"Bundle","type":"collection"}"#);
}

#[test]
fn entries_keep_their_order_and_address() {
    let outcome = r#"{"resourceType":"OperationOutcome","issue":[{"code":"not-supported","details":{"coding":[{"system":"http://hl7.org/fhir/x"}]}}]}"#;
    let text = format!(
        r#"{{"resourceType":"Bundle","entry":[
        {{"fullUrl":"https://a/Patient/1","search":{{"mode":"match"}},"resource":{{"resourceType":"Patient","id":"1"}}}},
        {{"search":{{"mode":"outcome"}}}},
        {{"resource":{outcome}}}]}}"#
    );
    let converted = convert_bundle(&scan(&text)).unwrap();
    assert_eq!(
        converted.document.text(),
        format!(
            r#"{{"resourceType":"Bundle","type":"collection","entry":[{{"fullUrl":"https://a/Patient/1","resource":{{"resourceType":"Patient","id":"1"}}}},{{"resource":{outcome}}}]}}"#
        )
    );
    assert!(converted.losses.is_empty() && converted.carried.is_empty());
}

#[test]
fn a_renamed_type_says_what_it_was_and_references_follow() {
    let converted = converted(&[
        r#"{"resourceType":"ReferralRequest","id":"r","status":"active"}"#,
        r#"{"resourceType":"Encounter","class":{},"incomingReferral":[{"reference":"ReferralRequest/r"}]}"#,
    ]);
    let bundle: Value = serde_json::from_str(converted.document.text()).unwrap();
    let mark = &bundle["entry"][0]["extension"][0];
    assert_eq!(mark["url"], ORIGINAL_TYPE);
    assert_eq!(mark["valueCode"], "ReferralRequest");
    assert_eq!(bundle["entry"][1]["resource"]["basedOn"][0]["reference"], "ServiceRequest/r");
}

#[test]
fn a_type_without_table_is_carried_whole() {
    let sequence = r#"{ "resourceType":"Sequence","id":"s", "patient":{"reference":"Patient/1"},"note":"é \u00e9 1.50" }"#;
    let converted = converted(&[sequence, r#"{"resourceType":"Claim"}"#]);
    let bundle: Value = serde_json::from_str(converted.document.text()).unwrap();
    let binary = &bundle["entry"][0]["resource"];
    assert_eq!(binary["resourceType"], "Binary");
    assert_eq!(binary["id"], "s");
    assert_eq!(binary["contentType"], "application/fhir+json; fhirVersion=3.0");
    assert_eq!(binary["securityContext"]["reference"], "Patient/1");
    assert_eq!(STANDARD.decode(binary["data"].as_str().unwrap()).unwrap(), sequence.as_bytes());
    assert_eq!(bundle["entry"][0]["extension"][0]["valueCode"], "Sequence");
    let made_up = bundle["entry"][1]["resource"]["id"].as_str().unwrap();
    assert!(made_up.starts_with("carried-"), "{made_up}");
    assert_eq!(
        converted.carried,
        [
            Carried { resource_type: "Sequence".to_owned(), binary_id: "s".to_owned() },
            Carried { resource_type: "Claim".to_owned(), binary_id: made_up.to_owned() },
        ]
    );
}

#[test]
fn a_carried_resource_shows_the_whole_subject() {
    let number = r#"{"identifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000107"}}"#;
    let direct = r#"{"reference":"Patient/1","display":"A"}"#;
    for (members, shown) in [
        (format!(r#""subject":{number}"#), Some(number)),
        (format!(r#""patient":{direct}"#), Some(direct)),
        (format!(r#""beneficiary":{direct}"#), Some(direct)),
        (format!(r#""for":{direct}"#), Some(direct)),
        (format!(r#""individual":{number}"#), Some(number)),
        // The order of the names decides, not that of the members.
        (format!(r#""patient":{direct},"subject":{number}"#), Some(number)),
        (format!(r#""subject":null,"patient":{direct}"#), Some(direct)),
        (format!(r#""subject":"Patient/9","beneficiary":{number}"#), Some(number)),
        (format!(r#""subject":[{direct}],"individual":{number}"#), Some(number)),
        (r#""subject":[]"#.to_owned(), None),
    ] {
        let converted = converted(&[&format!(r#"{{"resourceType":"Coverage",{members}}}"#)]);
        let bundle: Value = serde_json::from_str(converted.document.text()).unwrap();
        let told = bundle["entry"][0]["resource"].get("securityContext");
        let wanted = shown.map(|text| serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(told, wanted.as_ref(), "{members}");
    }
}

#[test]
fn profiles_and_unknown_things_stay_as_sent() {
    let text = r#"{"resourceType":"Practitioner","meta":{"profile":["https://x/CareConnect-Practitioner-1"]},"odd":{"deep":[1.0,null]},"extension":[{"url":"http://unknown","valueCode":"y"}],"modifierExtension":[{"url":"http://m","valueBoolean":true}]}"#;
    assert!(converted(&[text]).document.text().contains(text));
}

#[test]
fn our_own_marks_cannot_be_forged_by_a_source() {
    let text = r#"{"resourceType":"Bundle","entry":[{"extension":[{"url":"urn:x-tributary:original-type","valueCode":"X"}],
        "resource":{"resourceType":"Patient"}}]}"#;
    assert!(!convert_bundle(&scan(text)).unwrap().document.text().contains("urn:x-tributary"));
}

#[test]
fn a_broad_resource_takes_no_square_time() {
    let broad = |item: &str| vec![item; 30_000].join(",");
    let members: Vec<String> = (0..30_000).map(|n| format!(r#""k{n}":{n}"#)).collect();
    let members = members.join(",");
    let text = format!(
        r#"{{"resourceType":"Observation","related":[{}],"context":{{{members}}},{members}}}"#,
        broad(r#"{"type":"has-member","target":{"reference":"a"}},{"target":{}}"#)
    );
    let converted = converted(&[
        &text,
        &format!(r#"{{"resourceType":"Task","requester":{{"onBehalfOf":1,{members}}}}}"#),
    ]);
    assert_eq!(converted.losses.len(), 30_001);
}
