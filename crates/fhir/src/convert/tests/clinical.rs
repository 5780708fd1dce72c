//! Findings, problems, vaccines, requests and documents.

use super::{check, converted, one};

const V: &str = "http://hl7.org/fhir/3.0/StructureDefinition/extension-";
const GPC: &str = "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-";
const UK_CORE: &str = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-";

#[test]
fn an_allergy_of_gp_connect() {
    let meta = r#""meta":{"profile":["https://fhir.nhs.uk/STU3/StructureDefinition/CareConnect-GPC-AllergyIntolerance-1"]}"#;
    check(
        &format!(
            r#"{{"resourceType":"AllergyIntolerance",{meta},"clinicalStatus":"resolved",
            "verificationStatus":"unconfirmed","assertedDate":"2016-11","_assertedDate":{{"id":"x"}},"extension":[
            {{"url":"http://hl7.org/fhir/StructureDefinition/encounter-associatedEncounter",
              "valueReference":{{"reference":"Encounter/1"}}}},
            {{"url":"{GPC}AllergyIntoleranceEnd-1","extension":[
                {{"url":"endDate","valueDateTime":"2016-11-01T00:00:00+00:00"}},
                {{"url":"reasonEnded","valueString":"Desensitised"}}]}}]}}"#
        ),
        &format!(
            r#"{{"resourceType":"AllergyIntolerance",{meta},"clinicalStatus":{{"coding":[
                {{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical","code":"resolved"}}],
                "extension":[{{"url":"{UK_CORE}AllergyIntoleranceEnd","extension":[
                {{"url":"endDate","valueDateTime":"2016-11-01T00:00:00+00:00"}},
                {{"url":"reasonEnded","valueString":"Desensitised"}}]}}]}},
            "recordedDate":"2016-11","_recordedDate":{{"id":"x"}},"encounter":{{"reference":"Encounter/1"}}}}"#
        ),
        &["AllergyIntolerance.verificationStatus says nothing"],
    );
}

#[test]
fn ended_allergies_are_converted_inside_their_list() {
    let converted = converted(&[r##"{"resourceType":"List","id":"l","contained":[
        {"resourceType":"AllergyIntolerance","id":"a","clinicalStatus":"resolved","assertedDate":"2011"},
        {"resourceType":"ReferralRequest","id":"r","status":"cancelled"},
        {"resourceType":"Sequence","id":"s"}],"entry":[{"item":{"reference":"#a"}}]}"##]);
    let text = converted.document.text();
    assert!(text.contains(r#""code":"resolved""#) && text.contains(r#""recordedDate":"2011""#), "{text}");
    assert!(text.contains(r#"{"resourceType":"ServiceRequest","id":"r","status":"revoked""#), "{text}");
    assert!(text.contains(r#"{"resourceType":"Sequence","id":"s"}"#), "{text}");
    assert_eq!(converted.losses.len(), 1);
    assert_eq!(converted.losses[0].statement, "List/l");
    assert_eq!(converted.losses[0].path, "List.contained");
}

#[test]
fn a_code_keeps_its_sibling_inside_the_concept() {
    check(
        r#"{"resourceType":"Condition","clinicalStatus":"active","_clinicalStatus":{"id":"x"}}"#,
        r#"{"resourceType":"Condition","clinicalStatus":{"coding":[
            {"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active","_code":{"id":"x"}}]}}"#,
        &[],
    );
}

#[test]
fn problems_keep_whether_they_ended() {
    check(
        r#"{"resourceType":"Condition","abatementBoolean":true,"stage":{"summary":{"text":"I"}}}"#,
        &format!(
            r#"{{"resourceType":"Condition","stage":[{{"summary":{{"text":"I"}}}}],"extension":[
            {{"url":"{V}Condition.abatementBoolean","valueBoolean":true}}],"abatementString":"yes"}}"#
        ),
        &["Condition.abatementBoolean"],
    );
    check(
        r#"{"resourceType":"Condition","abatementBoolean":false}"#,
        &format!(
            r#"{{"resourceType":"Condition","extension":[
            {{"url":"{V}Condition.abatementBoolean","valueBoolean":false}}]}}"#
        ),
        &["Condition.abatementBoolean"],
    );
}

#[test]
fn the_comment_is_the_first_note() {
    check(
        r#"{"resourceType":"Observation","comment":"Qualifiers first.\n2 \u00b5g","_comment":{"id":"x"},"note":[{"text":"later"}]}"#,
        r#"{"resourceType":"Observation","note":[{"text":"Qualifiers first.\n2 µg","_text":{"id":"x"}},{"text":"later"}]}"#,
        &[],
    );
}

#[test]
fn related_observations_keep_their_kind() {
    check(
        r#"{"resourceType":"Observation","related":[
            {"type":"has-member","target":{"reference":"Observation/1"}},
            {"type":"has-member","target":{"reference":"Observation/2"}},
            {"type":"derived-from","target":{"reference":"Observation/3"}},
            {"type":"replaces","target":{"reference":"Observation/4"}},
            {"target":{"reference":"Observation/5"}},
            {"type":"has-member"}]}"#,
        &format!(
            r#"{{"resourceType":"Observation",
            "hasMember":[{{"reference":"Observation/1"}},{{"reference":"Observation/2"}}],
            "derivedFrom":[{{"reference":"Observation/3"}}],
            "extension":[
            {{"url":"{V}Observation.related","extension":[{{"url":"type","valueString":"replaces"}},
                {{"url":"target","valueReference":{{"reference":"Observation/4"}}}}]}},
            {{"url":"{V}Observation.related","extension":[
                {{"url":"target","valueReference":{{"reference":"Observation/5"}}}}]}},
            {{"url":"{V}Observation.related","extension":[{{"url":"type","valueString":"has-member"}}]}}]}}"#
        ),
        &["Observation.related", "Observation.related", "Observation.related"],
    );
}

#[test]
fn an_observation_keeps_its_attachment_and_its_numbers() {
    check(
        r#"{"resourceType":"Observation","context":{"reference":"Encounter/1"},"interpretation":{"text":"high"},
            "valueAttachment":{"contentType":"image/png"},
            "component":[{"interpretation":{"text":"low"},"valueAttachment":{"url":"http://a"}}]}"#,
        &format!(
            r#"{{"resourceType":"Observation","encounter":{{"reference":"Encounter/1"}},
            "interpretation":[{{"text":"high"}}],"component":[{{"interpretation":[{{"text":"low"}}],"extension":[
             {{"url":"{V}Observation.component.valueAttachment","valueAttachment":{{"url":"http://a"}}}}]}}],
            "extension":[{{"url":"{V}Observation.valueAttachment",
             "valueAttachment":{{"contentType":"image/png"}}}}]}}"#
        ),
        &["Observation.valueAttachment", "Observation.component.valueAttachment"],
    );
    let text = r#"{"resourceType":"Observation","valueQuantity":{"value":7.10,"unit":"mmol/L"},"issued":"2020-01-01T00:00:00.000+01:00"}"#;
    assert!(converted(&[text]).document.text().contains(text));
}

#[test]
fn an_episode_of_care_is_no_encounter() {
    for kind in ["Observation", "Condition", "DiagnosticReport", "Procedure", "MedicationRequest"] {
        check(
            &format!(
                r#"{{"resourceType":"{kind}","status":"active","context":{{"reference":"EpisodeOfCare/1"}}}}"#
            ),
            &format!(
                r#"{{"resourceType":"{kind}","status":"active","extension":[{{"url":"{V}{kind}.context",
                "valueReference":{{"reference":"EpisodeOfCare/1"}}}}]}}"#
            ),
            &[&format!("{kind}.context")],
        );
    }
}

#[test]
fn a_report_keeps_who_did_what() {
    check(
        r#"{"resourceType":"DiagnosticReport","category":{"coding":[{"system":"http://hl7.org/fhir/v2/0074","code":"PAT"}]},
            "performer":[{"role":{"text":"lab"},"actor":{"reference":"Organization/1","display":"Lab"}},
                         {"actor":{"reference":"Practitioner/1"}}],
            "codedDiagnosis":[{"text":"d"}],"image":[{"comment":"c","link":{"reference":"Media/1"}}]}"#,
        &format!(
            r#"{{"resourceType":"DiagnosticReport",
            "category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v2-0074","code":"PAT"}}]}}],
            "performer":[{{"reference":"Organization/1","display":"Lab","extension":[
              {{"url":"{V}DiagnosticReport.performer.role","valueCodeableConcept":{{"text":"lab"}}}}]}},
              {{"reference":"Practitioner/1"}}],
            "conclusionCode":[{{"text":"d"}}],"media":[{{"comment":"c","link":{{"reference":"Media/1"}}}}]}}"#
        ),
        &["DiagnosticReport.performer.role"],
    );
}

#[test]
fn a_vaccine_not_given_keeps_its_reasons() {
    check(
        r#"{"resourceType":"Immunization","status":"completed","notGiven":true,"date":"2019-06",
            "explanation":{"reasonNotGiven":[{"text":"refused"},{"text":"ill"}],"reason":[{"text":"due"}]}}"#,
        &format!(
            r#"{{"resourceType":"Immunization","status":"not-done","occurrenceDateTime":"2019-06",
            "reasonCode":[{{"text":"due"}}],"statusReason":{{"text":"refused"}},"extension":[
            {{"url":"{V}Immunization.notGiven","valueBoolean":true}},
            {{"url":"{V}Immunization.explanation.reasonNotGiven","valueCodeableConcept":{{"text":"ill"}}}}]}}"#
        ),
        &["Immunization.notGiven", "Immunization.explanation.reasonNotGiven"],
    );
}

#[test]
fn a_vaccine_given_keeps_a_reason_against_aside() {
    check(
        r#"{"resourceType":"Immunization","status":"completed","notGiven":false,
            "explanation":{"reasonNotGiven":[{"text":"refused"}]}}"#,
        &format!(
            r#"{{"resourceType":"Immunization","status":"completed","occurrenceString":"unknown","extension":[
            {{"url":"{V}Immunization.explanation.reasonNotGiven","valueCodeableConcept":{{"text":"refused"}}}}]}}"#
        ),
        &["Immunization.explanation.reasonNotGiven"],
    );
}

#[test]
fn a_vaccine_keeps_its_protocol_and_people() {
    check(
        &format!(
            r#"{{"resourceType":"Immunization","date":"2019",
            "practitioner":[{{"role":{{"text":"AP"}},"actor":{{"reference":"Practitioner/1"}}}}],
            "vaccinationProtocol":[{{"doseSequence":1,"seriesDoses":3,"series":"s","targetDisease":[{{"text":"t"}}],
                "description":"d","doseStatus":{{"text":"count"}}}}],
            "extension":[
            {{"url":"https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-DateRecorded-1","valueDateTime":"2019-06-28"}},
            {{"url":"{GPC}ParentPresent-1","valueBoolean":true}},
            {{"url":"https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-VaccinationProcedure-1","valueCodeableConcept":{{"text":"p"}}}}]}}"#
        ),
        &format!(
            r#"{{"resourceType":"Immunization","occurrenceDateTime":"2019","recorded":"2019-06-28",
            "performer":[{{"function":{{"text":"AP"}},"actor":{{"reference":"Practitioner/1"}}}}],
            "protocolApplied":[{{"doseNumberPositiveInt":1,"seriesDosesPositiveInt":3,"series":"s",
                "targetDisease":[{{"text":"t"}}],"extension":[
                {{"url":"{V}Immunization.vaccinationProtocol.description","valueString":"d"}},
                {{"url":"{V}Immunization.vaccinationProtocol.doseStatus","valueCodeableConcept":{{"text":"count"}}}}]}}],
            "extension":[{{"url":"{UK_CORE}ParentPresent","valueBoolean":true}},
                {{"url":"{UK_CORE}VaccinationProcedure","valueCodeableConcept":{{"text":"p"}}}}]}}"#
        ),
        &["Immunization.vaccinationProtocol.description", "Immunization.vaccinationProtocol.doseStatus"],
    );
}

#[test]
fn a_referral_is_a_service_request_and_keeps_its_words() {
    check(
        r#"{"resourceType":"ReferralRequest","status":"unknown","intent":"order","priority":"asap",
            "requester":{"agent":{"reference":"Practitioner/1"},"onBehalfOf":{"reference":"Organization/1"}},
            "serviceRequested":[{"text":"a"},{"text":"b"}],"specialty":{"text":"s"},
            "recipient":[{"reference":"Organization/2"}],"groupIdentifier":{"value":"g"},
            "description":"please see","note":[{"text":"n"}],"reasonCode":[{"text":"r"}]}"#,
        &format!(
            r#"{{"resourceType":"ServiceRequest","status":"unknown","intent":"order","priority":"asap",
            "requester":{{"reference":"Practitioner/1","extension":[
              {{"url":"{V}ReferralRequest.requester.onBehalfOf","valueReference":{{"reference":"Organization/1"}}}}]}},
            "category":[{{"coding":[{{"system":"http://snomed.info/sct","code":"3457005","display":"Patient referral"}}]}}],
            "code":{{"text":"a"}},"orderDetail":[{{"text":"b"}}],"performerType":{{"text":"s"}},
            "performer":[{{"reference":"Organization/2"}}],"requisition":{{"value":"g"}},
            "note":[{{"text":"please see"}},{{"text":"n"}}],"reasonCode":[{{"text":"r"}}],
            "extension":[{{"url":"{V}ReferralRequest.description","valueString":"please see"}}]}}"#
        ),
        &["ReferralRequest.requester.onBehalfOf", "ReferralRequest.description"],
    );
    let (found, _) =
        one(r#"{"resourceType":"ReferralRequest","type":{"text":"t"},"serviceRequested":[{"text":"a"}]}"#);
    assert_eq!(found["code"]["text"], "t");
    assert_eq!(found["orderDetail"][0]["text"], "a");
}

#[test]
fn a_diary_entry_is_a_service_request() {
    check(
        r#"{"resourceType":"ProcedureRequest","status":"active","intent":"plan","context":{"reference":"Encounter/1"},
            "definition":[{"reference":"https://plans/1"}],"performer":{"reference":"Practitioner/1"}}"#,
        r#"{"resourceType":"ServiceRequest","status":"active","intent":"plan","encounter":{"reference":"Encounter/1"},
            "instantiatesCanonical":["https://plans/1"],"performer":[{"reference":"Practitioner/1"}]}"#,
        &[],
    );
    check(
        r#"{"resourceType":"ProcedureRequest","definition":[{"reference":"PlanDefinition/1"}]}"#,
        &format!(
            r#"{{"resourceType":"ServiceRequest","extension":[{{"url":"{V}ProcedureRequest.definition",
            "valueReference":{{"reference":"PlanDefinition/1"}}}}]}}"#
        ),
        &["ProcedureRequest.definition"],
    );
}

#[test]
fn a_procedure_keeps_its_people_and_reasons() {
    check(
        r#"{"resourceType":"Procedure","status":"suspended","notDone":true,"notDoneReason":{"text":"r"},
            "performer":[{"role":{"text":"surgeon"},"actor":{"reference":"Practitioner/1"},
                          "onBehalfOf":{"reference":"Organization/1"}}]}"#,
        &format!(
            r#"{{"resourceType":"Procedure","status":"not-done","statusReason":{{"text":"r"}},
            "performer":[{{"function":{{"text":"surgeon"}},"actor":{{"reference":"Practitioner/1"}},
                          "onBehalfOf":{{"reference":"Organization/1"}}}}],
            "extension":[{{"url":"{V}Procedure.notDone","valueBoolean":true}},
                         {{"url":"{V}Procedure.status","valueCode":"suspended"}}]}}"#
        ),
        &["Procedure.notDone", "Procedure.status"],
    );
}

#[test]
fn a_document_keeps_both_its_dates() {
    check(
        r#"{"resourceType":"DocumentReference","created":"2019-01-02","indexed":"2020-03-04T00:00:00Z","class":{"text":"c"},
            "content":[{"attachment":{"url":"u"}},{"attachment":{"url":"v","creation":"2001"}}],
            "context":{"encounter":{"reference":"Encounter/1"},
              "related":[{"identifier":{"value":"i"},"ref":{"reference":"Patient/1"}},{"identifier":{"value":"j"}}]}}"#,
        &format!(
            r#"{{"resourceType":"DocumentReference","date":"2020-03-04T00:00:00Z","category":[{{"text":"c"}}],
            "content":[{{"attachment":{{"url":"u","creation":"2019-01-02"}}}},
                       {{"attachment":{{"url":"v","creation":"2001"}}}}],
            "context":{{"encounter":[{{"reference":"Encounter/1"}}],
              "related":[{{"reference":"Patient/1","identifier":{{"value":"i"}}}},{{"identifier":{{"value":"j"}}}}]}},
            "extension":[{{"url":"{V}DocumentReference.created","valueDateTime":"2019-01-02"}}]}}"#
        ),
        &["DocumentReference.created"],
    );
}

#[test]
fn a_list_warning_is_told_in_the_new_words() {
    check(
        &format!(
            r#"{{"resourceType":"List","extension":[
            {{"url":"{GPC}ClinicalSetting-1","valueCodeableConcept":{{"text":"gp"}}}},
            {{"url":"{GPC}ListWarningCode-1","valueCode":"confidential-items"}},
            {{"url":"{GPC}ListWarningCode-1","valueCode":"data-in-transit"}}]}}"#
        ),
        &format!(
            r#"{{"resourceType":"List","extension":[
            {{"url":"{UK_CORE}CareSettingType","valueCodeableConcept":{{"text":"gp"}}}},
            {{"url":"{UK_CORE}ListWarningCode","valueCodeableConcept":{{"coding":[
              {{"system":"https://fhir.hl7.org.uk/CodeSystem/UKCore-ListWarningCode","code":"confidential-items"}}]}}}},
            {{"url":"{UK_CORE}ListWarningCode","valueCodeableConcept":{{"coding":[
              {{"system":"https://fhir.hl7.org.uk/CodeSystem/UKCore-ListWarningCode","code":"data-in-transit"}}]}}}}]}}"#
        ),
        &[],
    );
}

#[test]
fn a_manifest_of_images_is_no_study_of_them() {
    check(
        r#"{"resourceType":"DiagnosticReport","imagingStudy":[{"reference":"ImagingManifest/m"},
            {"reference":"ImagingStudy/s"},{"display":"d"}]}"#,
        r#"{"resourceType":"DiagnosticReport","imagingStudy":[{"reference":"ImagingStudy/s"},{"display":"d"}],
            "extension":[{"url":"http://hl7.org/fhir/3.0/StructureDefinition/extension-DiagnosticReport.imagingStudy",
            "valueReference":{"reference":"ImagingManifest/m"}}]}"#,
        &["DiagnosticReport.imagingStudy"],
    );
    let (found, _) = one(
        r#"{"resourceType":"DiagnosticReport","imagingStudy":[{"reference":"https://a/ImagingManifest/m"}]}"#,
    );
    assert!(found.get("imagingStudy").is_none());
    for untouched in ["[]", r#"{"reference":"ImagingManifest/m"}"#] {
        let report = format!(r#"{{"resourceType":"DiagnosticReport","imagingStudy":{untouched}}}"#);
        check(&report, &report, &[]);
    }
}
