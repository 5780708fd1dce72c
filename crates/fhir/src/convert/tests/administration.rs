//! People, places, plans and visits.

use super::{check, one};

const V: &str = "http://hl7.org/fhir/3.0/StructureDefinition/extension-";

#[test]
fn a_visit_without_class_says_that_it_has_none() {
    check(
        r#"{"resourceType":"Encounter","reason":[{"text":"r"}],"incomingReferral":[{"reference":"ReferralRequest/9"}],
            "appointment":{"reference":"Appointment/1"},"diagnosis":[{"role":{"text":"AD"}}]}"#,
        r#"{"resourceType":"Encounter","reasonCode":[{"text":"r"}],"basedOn":[{"reference":"ReferralRequest/9"}],
            "appointment":[{"reference":"Appointment/1"}],"diagnosis":[{"use":{"text":"AD"}}],
            "class":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason",
                "valueCode":"unknown"}]}}"#,
        &[],
    );
    let (found, _) = one(r#"{"resourceType":"Encounter","class":{"code":"AMB"}}"#);
    assert_eq!(found["class"]["code"], "AMB");
}

#[test]
fn a_patient_keeps_how_sure_the_nhs_number_is() {
    check(
        r#"{"resourceType":"Patient","identifier":[{"value":"9690937286","extension":[{
            "url":"https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-NHSNumberVerificationStatus-1",
            "valueCodeableConcept":{"coding":[{
              "system":"https://fhir.nhs.uk/STU3/CodeSystem/CareConnect-NHSNumberVerificationStatus-1","code":"01"}]}}]}],
            "animal":{"species":{"text":"dog"}}}"#,
        &format!(
            r#"{{"resourceType":"Patient","identifier":[{{"value":"9690937286","extension":[{{
            "url":"https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus",
            "valueCodeableConcept":{{"coding":[{{
              "system":"https://fhir.hl7.org.uk/CodeSystem/UKCore-NHSNumberVerificationStatusEngland","code":"01"}}]}}}}]}}],
            "extension":[{{"url":"{V}Patient.animal","extension":[
              {{"url":"species","valueCodeableConcept":{{"text":"dog"}}}}]}}]}}"#
        ),
        &["Patient.animal"],
    );
}

#[test]
fn single_values_that_became_lists_are_wrapped() {
    for (kind, key) in [
        ("Flag", "category"),
        ("Location", "type"),
        ("RelatedPerson", "relationship"),
        ("HealthcareService", "category"),
        ("Appointment", "serviceCategory"),
        ("Slot", "serviceCategory"),
        ("Schedule", "serviceCategory"),
    ] {
        check(
            &format!(r#"{{"resourceType":"{kind}","{key}":{{"text":"x"}}}}"#),
            &format!(r#"{{"resourceType":"{kind}","{key}":[{{"text":"x"}}]}}"#),
            &[],
        );
    }
}

#[test]
fn a_service_says_who_may_use_it() {
    check(
        r#"{"resourceType":"HealthcareService","eligibility":{"text":"e"},"eligibilityNote":"n","programName":["p"]}"#,
        r#"{"resourceType":"HealthcareService","eligibility":[{"code":{"text":"e"},"comment":"n"}],"program":[{"text":"p"}]}"#,
        &[],
    );
}

#[test]
fn a_care_plan_has_one_author_and_contributors() {
    check(
        r#"{"resourceType":"CarePlan","context":{"reference":"Encounter/1"},
            "author":[{"reference":"Practitioner/1"},{"reference":"Practitioner/2"}],
            "activity":[{"detail":{"category":{"text":"diet"},"definition":{"reference":"PlanDefinition/1"},
                "statusReason":"because","prohibited":false}}]}"#,
        &format!(
            r#"{{"resourceType":"CarePlan","encounter":{{"reference":"Encounter/1"}},
            "author":{{"reference":"Practitioner/1"}},"contributor":[{{"reference":"Practitioner/2"}}],
            "activity":[{{"detail":{{"statusReason":{{"text":"because"}},"doNotPerform":false,"extension":[
              {{"url":"{V}CarePlan.activity.detail.category","valueCodeableConcept":{{"text":"diet"}}}},
              {{"url":"{V}CarePlan.activity.detail.definition","valueReference":{{"reference":"PlanDefinition/1"}}}}]}}}}]}}"#
        ),
        &["CarePlan.activity.detail.category", "CarePlan.activity.detail.definition"],
    );
}

#[test]
fn answers_keep_their_question_and_parent() {
    check(
        r#"{"resourceType":"QuestionnaireResponse","parent":[{"reference":"Observation/1"}],
            "questionnaire":{"reference":"https://forms/1"},
            "item":[{"item":[{"subject":{"reference":"Patient/2"}}]}]}"#,
        &format!(
            r#"{{"resourceType":"QuestionnaireResponse","partOf":[{{"reference":"Observation/1"}}],
            "questionnaire":"https://forms/1","item":[{{"item":[{{"extension":[
              {{"url":"{V}QuestionnaireResponse.item.subject","valueReference":{{"reference":"Patient/2"}}}}]}}]}}]}}"#
        ),
        &["QuestionnaireResponse.item.subject"],
    );
}

#[test]
fn appointments_and_tasks() {
    check(
        r#"{"resourceType":"Appointment","reason":[{"text":"r"}],"indication":[{"reference":"Condition/1"}]}"#,
        r#"{"resourceType":"Appointment","reasonCode":[{"text":"r"}],"reasonReference":[{"reference":"Condition/1"}]}"#,
        &[],
    );
    check(
        r#"{"resourceType":"Task","requester":{"agent":{"reference":"Practitioner/1"}},"reason":{"text":"r"},
            "definitionUri":"http://a"}"#,
        r#"{"resourceType":"Task","requester":{"reference":"Practitioner/1"},"reasonCode":{"text":"r"},
            "instantiatesUri":"http://a"}"#,
        &[],
    );
}
