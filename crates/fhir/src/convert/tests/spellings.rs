//! Names that real GP systems spell in several ways, and shapes that the specification does not have.

use super::{check, converted, one};

/// Every base under which Care Connect and GP Connect extensions were seen.
const BASES: &[&str] = &[
    "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-",
    "http://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-",
    "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-",
    "http://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-",
];

#[test]
fn known_extensions_are_known_under_every_base() {
    for base in BASES {
        let (vaccine, _) = one(&format!(
            r#"{{"resourceType":"Immunization","extension":[
            {{"url":"{base}VaccinationProcedure-1","valueCodeableConcept":{{"text":"a"}}}},
            {{"url":"{base}DateRecorded-1","valueDateTime":"2019-01-01"}}]}}"#
        ));
        assert_eq!(vaccine["recorded"], "2019-01-01", "{base}");
        let url = vaccine["extension"][0]["url"].as_str().unwrap();
        assert!(url.ends_with("UKCore-VaccinationProcedure"), "{url}");
        let (list, _) = one(&format!(
            r#"{{"resourceType":"List","extension":[{{"url":"{base}ListWarningCode-1","valueCode":"data-in-transit"}}]}}"#
        ));
        assert_eq!(list["extension"][0]["valueCodeableConcept"]["coding"][0]["code"], "data-in-transit");
        let (request, _) = one(&format!(
            r#"{{"resourceType":"MedicationRequest","extension":[{{"url":"{base}PrescriptionType-1","valueCodeableConcept":{{"text":"acute"}}}}]}}"#
        ));
        assert_eq!(request["courseOfTherapyType"]["text"], "acute", "{base}");
    }
}

#[test]
fn links_of_problems_stay_under_the_address_they_came_with() {
    for base in BASES {
        for (name, value) in [
            ("RelatedClinicalContent-1", r#""valueReference":{"reference":"Observation/1"}"#),
            ("ActualProblem-1", r#""valueReference":{"reference":"Observation/1"}"#),
            ("ProblemSignificance-1", r#""valueCode":"major""#),
            (
                "RelatedProblemHeader-1",
                r#""extension":[{"url":"type","valueCode":"parent"},{"url":"target","valueReference":{"reference":"Condition/2"}}]"#,
            ),
        ] {
            let problem =
                format!(r#"{{"resourceType":"Condition","extension":[{{"url":"{base}{name}",{value}}}]}}"#);
            check(&problem, &problem, &[]);
        }
    }
}

#[test]
fn counts_of_issues_come_as_either_kind_of_number() {
    for issued in ["valuePositiveInt", "valueUnsignedInt"] {
        for allowed in ["valuePositiveInt", "valueUnsignedInt"] {
            let (request, notes) = one(&format!(
                r#"{{"resourceType":"MedicationRequest","extension":[{{"url":"{}MedicationRepeatInformation-1","extension":[
                {{"url":"numberOfRepeatPrescriptionsIssued","{issued}":0}},
                {{"url":"numberOfRepeatPrescriptionsAllowed","{allowed}":6}}]}}]}}"#,
                BASES[0]
            ));
            assert_eq!(request["dispenseRequest"]["numberOfRepeatsAllowed"], 6);
            let count = &request["extension"][0]["extension"][0];
            assert_eq!(count["url"], "numberOfPrescriptionsIssued");
            assert_eq!(count["valueUnsignedInt"], 0, "{issued} {allowed}");
            assert!(notes.is_empty());
        }
    }
}

#[test]
fn description_ids_stay_as_they_were_spelt() {
    for (base, name, id, display) in [
        ("https://fhir.nhs.uk/STU3/StructureDefinition/", "sctdescid", "descriptionId", "descriptionDisplay"),
        ("http://fhir.nhs.uk/STU3/StructureDefinition/", "sctdescid", "DescriptionID", "DescriptionDisplay"),
        (
            "https://fhir.hl7.org.uk/STU3/StructureDefinition/",
            "sctdecsid",
            "descriptionId",
            "descriptionDisplay",
        ),
    ] {
        let problem = format!(
            r#"{{"resourceType":"Condition","code":{{"coding":[{{"system":"http://snomed.info/sct","code":"1","extension":[{{"url":"{base}Extension-coding-{name}","extension":[{{"url":"{id}","valueId":"9"}},{{"url":"{display}","valueString":"words"}}]}}]}}]}}}}"#
        );
        check(&problem, &problem, &[]);
    }
}

#[test]
fn a_reason_for_stopping_that_is_an_element_stays_one() {
    let element = r#""statusReason":{"text":"rash"}"#;
    let extension = format!(
        r#""extension":[{{"url":"{}MedicationStatusReason-1","extension":[{{"url":"statusReason","valueCodeableConcept":{{"text":"other"}}}}]}}]"#,
        BASES[0]
    );
    for request in [
        format!(r#"{{"resourceType":"MedicationRequest","status":"active",{element}}}"#),
        format!(r#"{{"resourceType":"MedicationRequest","status":"active",{element},{extension}}}"#),
    ] {
        check(&request, &request, &[]);
    }
}

#[test]
fn a_medicine_may_be_named_in_place() {
    for kind in ["MedicationRequest", "MedicationStatement"] {
        let named = format!(
            r#"{{"resourceType":"{kind}","status":"active","medicationCodeableConcept":{{"text":"Ramipril"}}}}"#
        );
        check(&named, &named, &[]);
    }
}

#[test]
fn words_in_place_of_an_address_and_lists_without_ids_are_kept() {
    let list = r#"{"resourceType":"List","status":"current","entry":[
        {"item":{"reference":"Referral items are not supported by the provider system"}},
        {"item":{"display":"Test request items are not supported by the provider system"}}]}"#;
    check(list, list, &[]);
    let two = converted(&[list, list]);
    assert_eq!(two.document.text().matches("Referral items").count(), 2);
}

#[test]
fn a_state_that_is_not_known_stays_unknown() {
    for kind in ["Observation", "DiagnosticReport"] {
        let unknown = format!(r#"{{"resourceType":"{kind}","status":"unknown"}}"#);
        check(&unknown, &unknown, &[]);
    }
    let (referral, _) = one(r#"{"resourceType":"ReferralRequest","status":"unknown","intent":"order"}"#);
    assert_eq!(referral["status"], "unknown");
    let (draft, _) = one(r#"{"resourceType":"Encounter","status":"unknown"}"#);
    assert_eq!(draft["status"], "unknown");
}

#[test]
fn the_label_that_keeps_things_from_the_patient_survives() {
    let label = |system: &str| format!(r#"[{{"system":"{system}","code":"NOPAT"}}]"#);
    let (old, new) = ("http://hl7.org/fhir/v3/ActCode", "http://terminology.hl7.org/CodeSystem/v3-ActCode");
    check(
        &format!(r#"{{"resourceType":"Flag","meta":{{"security":{}}}}}"#, label(old)),
        &format!(r#"{{"resourceType":"Flag","meta":{{"security":{}}}}}"#, label(new)),
        &[],
    );
    let document = |system: &str| {
        format!(r#"{{"resourceType":"DocumentReference","securityLabel":[{{"coding":{}}}]}}"#, label(system))
    };
    check(&document(old), &document(new), &[]);
}

#[test]
fn line_breaks_of_a_laboratory_are_kept() {
    let (result, _) = one(r#"{"resourceType":"Observation","comment":"one\r\n  two\n\nthree"}"#);
    assert_eq!(result["note"][0]["text"], "one\r\n  two\n\nthree");
}

#[test]
fn a_filing_comment_without_a_value_keeps_who_and_when() {
    let (filing, _) =
        one(r#"{"resourceType":"Observation","status":"final","code":{"coding":[{"code":"37331000000100"}]},
            "issued":"2019-04-04T12:00:00Z","performer":[{"reference":"Practitioner/1"}],"comment":"Seen"}"#);
    assert_eq!(filing["issued"], "2019-04-04T12:00:00Z");
    assert_eq!(filing["performer"][0]["reference"], "Practitioner/1");
    assert_eq!(filing["note"][0]["text"], "Seen");
}

#[test]
fn whether_a_patient_fasted_is_kept_in_both_shapes() {
    let url = "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-FastingStatus-1";
    for value in [r#""valueString":"fasting""#, r#""valueCodeableConcept":{"text":"fasting"}"#] {
        let specimen = format!(
            r#"{{"resourceType":"Specimen","collection":{{"extension":[{{"url":"{url}",{value}}}]}}}}"#
        );
        check(&specimen, &specimen, &[]);
    }
}
