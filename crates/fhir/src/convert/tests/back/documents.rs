//! Findings, documents, referrals and vaccines: what has another place in STU3.

use serde_json::json;

use super::{check, comes_back, one, round};

const R4: &str = "http://hl7.org/fhir/4.0/StructureDefinition/extension-";

#[test]
fn a_vaccination_comes_back_with_its_protocol() {
    comes_back(
        r#"{"resourceType":"Immunization","status":"completed","notGiven":false,"primarySource":true,"date":"2012-03",
        "practitioner":[{"role":{"text":"AP"},"actor":{"reference":"Practitioner/1"}}],
        "explanation":{"reason":[{"text":"due"}]},
        "reaction":[{"date":"2012-03-04","reported":true}],
        "vaccinationProtocol":[{"doseSequence":2,"seriesDoses":3,"series":"s","description":"d",
        "targetDisease":[{"text":"measles"}],"doseStatus":{"text":"counts"},"doseStatusReason":{"text":"r"}}],
        "extension":[{"url":"https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-VaccinationProcedure-1","valueCodeableConcept":{"text":"p"}},
        {"url":"https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-DateRecorded-1","valueDateTime":"2013"}]}"#,
    );
}

#[test]
fn a_vaccination_not_given_comes_back_with_all_its_reasons() {
    comes_back(
        r#"{"resourceType":"Immunization","status":"completed","notGiven":true,"primarySource":true,"date":"2012",
        "explanation":{"reasonNotGiven":[{"text":"ill"},{"text":"refused"}]}}"#,
    );
    let (found, _) = one(
        r#"{"resourceType":"Immunization","status":"not-done","statusReason":{"text":"refused"},"primarySource":true}"#,
    );
    assert_eq!(found["explanation"]["reasonNotGiven"][0]["text"], "refused");
    // A reason for another status is no reason why it was not given.
    let (found, notes) = one(
        r#"{"resourceType":"Immunization","status":"completed","statusReason":{"text":"x"},"primarySource":true}"#,
    );
    assert_eq!(found.get("explanation"), None);
    assert_eq!(notes, ["Immunization.statusReason"]);
}

#[test]
fn words_for_a_missing_date_go_again_and_others_stay() {
    let (found, notes) =
        one(r#"{"resourceType":"Immunization","status":"completed","occurrenceString":"unknown"}"#);
    assert_eq!(found.get("occurrenceString"), None);
    assert!(notes.is_empty());
    let (found, notes) =
        one(r#"{"resourceType":"Immunization","status":"completed","occurrenceString":"as a child"}"#);
    assert_eq!(found["extension"][0]["valueString"], "as a child");
    assert_eq!(notes, ["Immunization.occurrenceString"]);
}

#[test]
fn the_words_of_every_note_stand_in_the_comment() {
    check(
        r#"{"resourceType":"Observation","note":[{"text":"one\r\n \u00e9"}]}"#,
        r#"{"resourceType":"Observation","comment":"one\r\n \u00e9"}"#,
        &[],
    );
    let (found, notes) = one(
        r#"{"resourceType":"Observation","note":[{"text":"one"},{"text":"two","time":"2020","authorString":"A"}]}"#,
    );
    assert_eq!(found["comment"], "one\ntwo");
    assert_eq!(found["extension"][1]["valueAnnotation"]["authorString"], "A");
    assert_eq!(notes, ["Observation.note"]);
    comes_back(
        r#"{"resourceType":"Observation","status":"final","comment":"Seen","context":{"reference":"Encounter/1"}}"#,
    );
}

#[test]
fn relations_of_a_finding_come_back() {
    comes_back(
        r#"{"resourceType":"Observation","related":[{"type":"has-member","target":{"reference":"Observation/1"}},
        {"type":"derived-from","target":{"reference":"Observation/2","display":"x"}},
        {"type":"replaces","target":{"reference":"Observation/3"}},{"target":{"reference":"Observation/4"}}]}"#,
    );
}

#[test]
fn an_attachment_as_a_value_comes_back() {
    comes_back(
        r#"{"resourceType":"Observation","valueAttachment":{"contentType":"image/png","data":"AA=="}}"#,
    );
    comes_back(r#"{"resourceType":"Observation","component":[{"valueAttachment":{"url":"http://a"}}]}"#);
}

#[test]
fn values_that_only_r4_has_are_still_values() {
    let (found, _) = one(
        r#"{"resourceType":"Observation","valueInteger":7,"component":[{"valueInteger":8},{"valueBoolean":false}]}"#,
    );
    assert_eq!(found["valueQuantity"], json!({"value": 7}));
    assert_eq!(found["component"][0]["valueQuantity"], json!({"value": 8}));
    assert_eq!(found["component"][1]["valueString"], "false");
    assert_eq!(found["component"][1]["extension"][0]["valueBoolean"], false);
}

#[test]
fn who_performed_a_report_has_the_role_again() {
    comes_back(
        r#"{"resourceType":"DiagnosticReport","category":{"text":"lab"},"context":{"reference":"Encounter/1"},
        "performer":[{"role":{"text":"lead"},"actor":{"reference":"Practitioner/1"}},{"actor":{"display":"Lab"}}],
        "codedDiagnosis":[{"text":"d"}],"image":[{"comment":"c","link":{"reference":"Media/1"}}]}"#,
    );
}

#[test]
fn when_a_letter_was_written_and_filed_come_back() {
    comes_back(
        r#"{"resourceType":"DocumentReference","status":"current","docStatus":"appended","type":{"text":"letter"},
        "class":{"text":"c"},"created":"2018-01-02","indexed":"2018-02-03T00:00:00Z",
        "content":[{"attachment":{"creation":"2018-01-02","url":"http://a"}}],
        "context":{"encounter":{"reference":"Encounter/1"},"related":[{"ref":{"reference":"X/1"}},
        {"identifier":{"value":"7"}},{"identifier":{"value":"8"},"ref":{"reference":"X/2"}}]}}"#,
    );
    let (found, _) = one(r#"{"resourceType":"DocumentReference"}"#);
    assert!(found["_indexed"]["extension"].is_array() && found["type"]["extension"].is_array());
}

#[test]
fn a_referral_comes_back_with_its_description() {
    comes_back(
        r#"{"resourceType":"ReferralRequest","status":"cancelled","intent":"order","priority":"urgent",
        "type":{"text":"t"},"serviceRequested":[{"text":"a"},{"text":"b"}],"specialty":{"text":"s"},
        "description":"please see","note":[{"text":"own note"}],"recipient":[{"reference":"Organization/1"}],
        "groupIdentifier":{"value":"g"},"context":{"reference":"EpisodeOfCare/1"},
        "requester":{"agent":{"reference":"Practitioner/1"},"onBehalfOf":{"reference":"Organization/2"}}}"#,
    );
}

#[test]
fn a_request_is_a_referral_if_it_says_so() {
    let kind = |members: &str| {
        one(&format!(r#"{{"resourceType":"ServiceRequest",{members}}}"#)).0["resourceType"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let referral = r#""category":[{"coding":[{"system":"http://snomed.info/sct","code":"3457005"}]}]"#;
    assert_eq!(kind(referral), "ReferralRequest");
    assert_eq!(kind(r#""meta":{"source":"urn:x-tributary:gp#ReferralRequest/1"}"#), "ReferralRequest");
    assert_eq!(
        kind(&format!(r#"{referral},"meta":{{"source":"urn:x-tributary:gp#ProcedureRequest/1"}}"#)),
        "ProcedureRequest"
    );
    assert_eq!(kind(r#""category":[{"coding":[{"code":"3457005"}]}]"#), "ProcedureRequest");
    comes_back(
        r#"{"resourceType":"ProcedureRequest","status":"suspended","intent":"plan","doNotPerform":true,"code":{"text":"c"},
        "performer":{"reference":"Organization/1"},"requester":{"onBehalfOf":{"reference":"Organization/2"}}}"#,
    );
}

#[test]
fn problems_come_back() {
    comes_back(
        r#"{"resourceType":"Condition","clinicalStatus":"inactive","verificationStatus":"unknown","assertedDate":"2012",
        "abatementBoolean":true,"stage":{"summary":{"text":"II"}},"context":{"reference":"EpisodeOfCare/1"}}"#,
    );
    comes_back(
        r#"{"resourceType":"Condition","clinicalStatus":"active","verificationStatus":"entered-in-error","abatementBoolean":false}"#,
    );
    // Words that say no more than "yes" and have no flag beside them are somebody's own.
    let (found, _) = one(r#"{"resourceType":"Condition","abatementString":"yes"}"#);
    assert_eq!(found["abatementString"], "yes");
}

#[test]
fn an_ended_allergy_of_a_practice_comes_back() {
    comes_back(
        r#"{"resourceType":"AllergyIntolerance","meta":{"profile":["x/CareConnect-GPC-AllergyIntolerance-1"]},
        "clinicalStatus":"resolved","verificationStatus":"unconfirmed","assertedDate":"2012",
        "extension":[{"url":"https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-AllergyIntoleranceEnd-1",
        "extension":[{"url":"endDate","valueDateTime":"2015"},{"url":"reasonEnded","valueString":"grown out"}]}]}"#,
    );
    let found = round(
        r#"{"resourceType":"AllergyIntolerance","verificationStatus":"confirmed","extension":[
        {"url":"http://hl7.org/fhir/StructureDefinition/encounter-associatedEncounter","valueReference":{"reference":"Encounter/1"}}]}"#,
    );
    assert_eq!(found["extension"][0]["valueReference"]["reference"], "Encounter/1");
    assert_eq!(found.get("encounter"), None);
}

#[test]
fn a_warning_of_a_list_is_where_stu3_readers_look() {
    let url = "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-ListWarningCode-1";
    comes_back(&format!(
        r#"{{"resourceType":"List","extension":[{{"url":"{url}","valueCode":"confidential-items"}}]}}"#
    ));
    let (found, _) = one(
        r#"{"resourceType":"List","extension":[{"url":"https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-ListWarningCode",
        "valueCodeableConcept":{"coding":[{"system":"https://fhir.hl7.org.uk/CodeSystem/UKCore-ListWarningCode","code":"data-in-transit"},
        {"system":"urn:x-tributary:source","code":"gp"}]}}]}"#,
    );
    assert_eq!(found["extension"][1]["url"], url);
    assert_eq!(found["extension"][1]["valueCode"], "data-in-transit");
    assert_eq!(found["extension"][0]["valueCodeableConcept"]["coding"][1]["code"], "gp");
}

#[test]
fn visits_plans_tasks_and_answers_come_back() {
    comes_back(
        r#"{"resourceType":"Encounter","status":"finished","reason":[{"text":"r"}],"incomingReferral":[{"reference":"X/1"}],
        "appointment":{"reference":"Appointment/1"},"diagnosis":[{"condition":{"reference":"Condition/1"},"role":{"text":"x"}}]}"#,
    );
    comes_back(
        r#"{"resourceType":"CarePlan","status":"suspended","intent":"plan","context":{"reference":"Encounter/1"},
        "author":[{"reference":"Practitioner/1"},{"reference":"Practitioner/2"}],"definition":[{"reference":"http://p"}],
        "activity":[{"detail":{"category":{"text":"c"},"definition":{"reference":"http://d"},"status":"cancelled",
        "statusReason":"because","prohibited":true}}]}"#,
    );
    comes_back(
        r#"{"resourceType":"Task","status":"requested","intent":"order","priority":"normal","context":{"reference":"Encounter/1"},
        "requester":{"agent":{"reference":"Practitioner/1"}},"reason":{"text":"r"},"definitionUri":"http://d"}"#,
    );
    comes_back(
        r#"{"resourceType":"QuestionnaireResponse","status":"completed","context":{"reference":"Encounter/1"},
        "parent":[{"reference":"Observation/1"}],"questionnaire":{"reference":"Questionnaire/q"},
        "item":[{"subject":{"reference":"Patient/1"},"item":[{"answer":[{"item":[{"subject":{"reference":"Patient/2"}}]}]}]}]}"#,
    );
    comes_back(
        r#"{"resourceType":"Appointment","status":"booked","serviceCategory":{"text":"c"},"reason":[{"text":"r"}],
        "indication":[{"reference":"Condition/1"}],"incomingReferral":[{"reference":"X/1"}]}"#,
    );
}

#[test]
fn people_places_and_services_come_back() {
    comes_back(
        r#"{"resourceType":"Patient","animal":{"species":{"text":"cat"}},"identifier":[{"extension":[
        {"url":"https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-NHSNumberVerificationStatus-1",
        "valueCodeableConcept":{"coding":[{"system":"https://fhir.nhs.uk/STU3/CodeSystem/CareConnect-NHSNumberVerificationStatus-1","code":"01"}]}}]}]}"#,
    );
    comes_back(r#"{"resourceType":"Location","type":{"text":"t"}}"#);
    comes_back(r#"{"resourceType":"RelatedPerson","relationship":{"text":"t"}}"#);
    comes_back(
        r#"{"resourceType":"HealthcareService","category":{"text":"t"},"eligibility":{"text":"e"},"eligibilityNote":"n","programName":["a","b"]}"#,
    );
    comes_back(r#"{"resourceType":"Flag","status":"active","category":{"text":"t"}}"#);
}

#[test]
fn what_only_r4_has_is_kept_and_noted() {
    check(
        r#"{"resourceType":"Encounter","class":{"code":"AMB"},"serviceType":{"text":"s"},"reasonReference":[{"reference":"Condition/1"}]}"#,
        &format!(
            r#"{{"resourceType":"Encounter","class":{{"code":"AMB"}},"extension":[
            {{"url":"{R4}Encounter.serviceType","valueCodeableConcept":{{"text":"s"}}}},
            {{"url":"{R4}Encounter.reasonReference","valueReference":{{"reference":"Condition/1"}}}}]}}"#
        ),
        &["Encounter.serviceType", "Encounter.reasonReference"],
    );
    check(
        r#"{"resourceType":"Flag","category":[{"text":"a"},{"text":"b"}]}"#,
        &format!(
            r#"{{"resourceType":"Flag","category":{{"text":"a"}},"extension":[
            {{"url":"{R4}Flag.category","valueCodeableConcept":{{"text":"b"}}}}]}}"#
        ),
        &["Flag.category"],
    );
}
