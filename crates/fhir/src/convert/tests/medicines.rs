//! Medicines.

use super::{check, one};

const GPC: &str = r#""meta":{"profile":["https://fhir.nhs.uk/STU3/StructureDefinition/CareConnect-GPC-MedicationStatement-1"]}"#;
const GPC_EXTENSION: &str = "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-";
const UK_CORE: &str = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-";

#[test]
fn taken_unknown_leaves_the_status_alone() {
    check(
        &format!(r#"{{"resourceType":"MedicationStatement",{GPC},"status":"active","taken":"unk"}}"#),
        &format!(r#"{{"resourceType":"MedicationStatement",{GPC},"status":"active"}}"#),
        &["MedicationStatement.taken says nothing"],
    );
    for taken in ["unk", "y", "na"] {
        check(
            &format!(r#"{{"resourceType":"MedicationStatement","status":"active","taken":"{taken}"}}"#),
            &format!(
                r#"{{"resourceType":"MedicationStatement","status":"active","extension":[{{
                "url":"http://hl7.org/fhir/3.0/StructureDefinition/extension-MedicationStatement.taken",
                "valueCode":"{taken}"}}]}}"#
            ),
            &["MedicationStatement.taken"],
        );
    }
}

#[test]
fn not_taken_becomes_the_status_and_the_old_status_is_kept() {
    check(
        r#"{"resourceType":"MedicationStatement","status":"active","taken":"n","reasonNotTaken":[{"text":"rash"}]}"#,
        r#"{"resourceType":"MedicationStatement","status":"not-taken","statusReason":[{"text":"rash"}],"extension":[
            {"url":"http://hl7.org/fhir/3.0/StructureDefinition/extension-MedicationStatement.status",
             "valueCode":"active"},
            {"url":"http://hl7.org/fhir/3.0/StructureDefinition/extension-MedicationStatement.taken",
             "valueCode":"n"}]}"#,
        &["MedicationStatement.status", "MedicationStatement.taken"],
    );
}

#[test]
fn an_entry_made_in_error_stays_one_when_not_taken() {
    let (found, _) = one(r#"{"resourceType":"MedicationStatement","status":"entered-in-error","taken":"n"}"#);
    assert_eq!(found["status"], "entered-in-error");
}

#[test]
fn a_reason_against_is_kept_aside_while_taken() {
    let (found, notes) = one(
        r#"{"resourceType":"MedicationStatement","status":"active","taken":"y","reasonNotTaken":[{"text":"a"}]}"#,
    );
    assert!(found.get("statusReason").is_none());
    assert_eq!(found["extension"][1]["valueCodeableConcept"]["text"], "a");
    assert_eq!(notes, ["MedicationStatement.taken", "MedicationStatement.reasonNotTaken"]);
}

#[test]
fn statement_extensions_get_their_new_address() {
    check(
        &format!(
            r#"{{"resourceType":"MedicationStatement","extension":[
            {{"url":"{GPC_EXTENSION}PrescribingAgency-1","valueCodeableConcept":{{"text":"a"}}}},
            {{"url":"{GPC_EXTENSION}MedicationStatementLastIssueDate-1","valueDateTime":"2018-08-17"}},
            {{"url":"{GPC_EXTENSION}MedicationStatementDosageLastChanged-1","valueDateTime":"2018"}}]}}"#
        ),
        &format!(
            r#"{{"resourceType":"MedicationStatement","extension":[
            {{"url":"{UK_CORE}MedicationPrescribingOrganizationType","valueCodeableConcept":{{"text":"a"}}}},
            {{"url":"{UK_CORE}MedicationStatementLastIssueDate","valueDateTime":"2018-08-17"}},
            {{"url":"{GPC_EXTENSION}MedicationStatementDosageLastChanged-1","valueDateTime":"2018"}}]}}"#
        ),
        &[],
    );
}

#[test]
fn dose_and_rate_are_wrapped_and_the_text_is_not_read() {
    let dosage = r#"{"text":"take 2 (TWO) daily","doseQuantity":{"value":7.10},"rateRatio":{"numerator":{"value":1}}}"#;
    let expected = r#"{"text":"take 2 (TWO) daily","doseAndRate":[{"doseQuantity":{"value":7.10},
        "rateRatio":{"numerator":{"value":1}}}]}"#;
    for (kind, key) in [
        ("MedicationStatement", "dosage"),
        ("MedicationRequest", "dosageInstruction"),
        ("MedicationDispense", "dosageInstruction"),
    ] {
        check(
            &format!(r#"{{"resourceType":"{kind}","status":"active","{key}":[{dosage},{{"text":"b"}}]}}"#),
            &format!(r#"{{"resourceType":"{kind}","status":"active","{key}":[{expected},{{"text":"b"}}]}}"#),
            &[],
        );
    }
    check(
        r#"{"resourceType":"MedicationAdministration","dosage":{"dose":{"value":1},"rateQuantity":{"value":2}}}"#,
        r#"{"resourceType":"MedicationAdministration","dosage":{"dose":{"value":1},"rateQuantity":{"value":2}}}"#,
        &[],
    );
}

#[test]
fn on_whose_behalf_a_request_was_made_is_kept() {
    check(
        r#"{"resourceType":"MedicationRequest","status":"active","intent":"plan",
            "requester":{"agent":{"reference":"Practitioner/1"},"onBehalfOf":{"reference":"Organization/2"}},
            "context":{"reference":"Encounter/3"},"category":{"text":"c"},"substitution":{"allowed":false}}"#,
        r#"{"resourceType":"MedicationRequest","status":"active","intent":"plan",
            "requester":{"reference":"Practitioner/1","extension":[{
                "url":"http://hl7.org/fhir/3.0/StructureDefinition/extension-MedicationRequest.requester.onBehalfOf",
                "valueReference":{"reference":"Organization/2"}}]},
            "encounter":{"reference":"Encounter/3"},"category":[{"text":"c"}],
            "substitution":{"allowedBoolean":false}}"#,
        &["MedicationRequest.requester.onBehalfOf"],
    );
}

#[test]
fn a_requester_without_agent_is_kept_whole() {
    check(
        r#"{"resourceType":"MedicationRequest","status":"active","requester":{"onBehalfOf":{"reference":"Organization/2"}}}"#,
        r#"{"resourceType":"MedicationRequest","status":"active","extension":[{
            "url":"http://hl7.org/fhir/3.0/StructureDefinition/extension-MedicationRequest.requester",
            "extension":[{"url":"onBehalfOf","valueReference":{"reference":"Organization/2"}}]}]}"#,
        &["MedicationRequest.requester"],
    );
}

#[test]
fn prescription_type_and_repeats_find_their_elements() {
    check(
        &format!(
            r#"{{"resourceType":"MedicationRequest","status":"active","extension":[
            {{"url":"{GPC_EXTENSION}PrescriptionType-1","valueCodeableConcept":{{"coding":[{{"code":"repeat"}}]}}}},
            {{"url":"{GPC_EXTENSION}MedicationRepeatInformation-1","extension":[
                {{"url":"numberOfRepeatPrescriptionsAllowed","valuePositiveInt":12}},
                {{"url":"numberOfRepeatPrescriptionsIssued","valuePositiveInt":11}},
                {{"url":"authorisationExpiryDate","valueDateTime":"2020-01"}}]}}]}}"#
        ),
        &format!(
            r#"{{"resourceType":"MedicationRequest","status":"active","courseOfTherapyType":{{"coding":[{{"code":"repeat"}}]}},
            "dispenseRequest":{{"numberOfRepeatsAllowed":12}},"extension":[
            {{"url":"{UK_CORE}MedicationRepeatInformation","extension":[
                {{"url":"numberOfPrescriptionsIssued","valueUnsignedInt":11}},
                {{"url":"authorisationExpiryDate","valueDateTime":"2020-01"}}]}}]}}"#
        ),
        &[],
    );
    check(
        &format!(
            r#"{{"resourceType":"MedicationRequest","status":"active","dispenseRequest":{{"numberOfRepeatsAllowed":3}},"extension":[
            {{"url":"{GPC_EXTENSION}MedicationRepeatInformation-1","extension":[
                {{"url":"numberOfRepeatPrescriptionsAllowed","valuePositiveInt":12}}]}}]}}"#
        ),
        &format!(
            r#"{{"resourceType":"MedicationRequest","status":"active","dispenseRequest":{{"numberOfRepeatsAllowed":3}},"extension":[
            {{"url":"{UK_CORE}MedicationRepeatInformation","extension":[
                {{"url":"numberOfRepeatPrescriptionsAllowed","valuePositiveInt":12}}]}}]}}"#
        ),
        &[],
    );
    check(
        &format!(
            r#"{{"resourceType":"MedicationRequest","status":"active","dispenseRequest":{{"id":"d"}},"extension":[
            {{"url":"{GPC_EXTENSION}MedicationRepeatInformation-1","extension":[
                {{"url":"numberOfRepeatPrescriptionsAllowed","valueUnsignedInt":0}}]}}]}}"#
        ),
        r#"{"resourceType":"MedicationRequest","status":"active","dispenseRequest":{"id":"d","numberOfRepeatsAllowed":0}}"#,
        &[],
    );
}

#[test]
fn the_reason_for_stopping_is_an_element_and_its_date_stays() {
    check(
        &format!(
            r#"{{"resourceType":"MedicationRequest","status":"active","extension":[
            {{"url":"{GPC_EXTENSION}MedicationStatusReason-1","extension":[
                {{"url":"statusReason","valueCodeableConcept":{{"text":"just need to end it"}}}},
                {{"url":"statusChangeDate","valueDateTime":"2020-11-25"}}]}}]}}"#
        ),
        &format!(
            r#"{{"resourceType":"MedicationRequest","status":"active","statusReason":{{"text":"just need to end it"}},"extension":[
            {{"url":"{GPC_EXTENSION}MedicationStatusReason-1","extension":[
                {{"url":"statusChangeDate","valueDateTime":"2020-11-25"}}]}}]}}"#
        ),
        &[],
    );
}

#[test]
fn a_quantity_in_words_lends_its_unit_only_to_a_bare_number() {
    let quantity = |value: &str, text: &str, unit: &str| {
        format!(
            r#"{{"resourceType":"MedicationRequest","status":"active","dispenseRequest":{{"quantity":{{{value}"extension":[
            {{"url":"{GPC_EXTENSION}MedicationQuantityText-1","valueString":"{text}"}}]{unit}}}}}}}"#
        )
    };
    let check = |value: &str, text: &str, unit: &str| {
        check(&quantity(value, text, ""), &quantity(value, text, unit), &[]);
    };
    check(r#""value":28,"#, "capsule(s)", r#","unit":"capsule(s)""#);
    check(r#""value":28,"#, "28 tablets", "");
    check("", "5 pens", "");
    check(r#""value":28,"unit":"g","#, "gram", "");
}

#[test]
fn a_package_leaves_its_first_batch_and_the_rest_is_kept() {
    check(
        r#"{"resourceType":"Medication","isBrand":true,"ingredient":[{"amount":{"numerator":{"value":1}}}],
            "package":{"container":{"text":"box"},"batch":[{"lotNumber":"1"},{"lotNumber":"2"}]}}"#,
        r#"{"resourceType":"Medication","ingredient":[{"strength":{"numerator":{"value":1}}}],
            "batch":{"lotNumber":"1"},"extension":[
            {"url":"http://hl7.org/fhir/3.0/StructureDefinition/extension-Medication.isBrand","valueBoolean":true},
            {"url":"http://hl7.org/fhir/3.0/StructureDefinition/extension-Medication.package.container",
             "valueCodeableConcept":{"text":"box"}},
            {"url":"http://hl7.org/fhir/3.0/StructureDefinition/extension-Medication.package.batch",
             "extension":[{"url":"lotNumber","valueString":"2"}]}]}"#,
        &["Medication.isBrand", "Medication.package.container", "Medication.package.batch"],
    );
}

#[test]
fn administration_and_dispense_keep_what_was_prescribed() {
    check(
        r#"{"resourceType":"MedicationAdministration","status":"completed","notGiven":false,
            "prescription":{"reference":"MedicationRequest/1"},"context":{"reference":"EpisodeOfCare/1"},
            "performer":[{"actor":{"reference":"Practitioner/1"},"onBehalfOf":{"reference":"Organization/1"}}]}"#,
        r#"{"resourceType":"MedicationAdministration","status":"completed",
            "request":{"reference":"MedicationRequest/1"},"context":{"reference":"EpisodeOfCare/1"},
            "performer":[{"actor":{"reference":"Practitioner/1"},"extension":[{
             "url":"http://hl7.org/fhir/3.0/StructureDefinition/extension-MedicationAdministration.performer.onBehalfOf",
             "valueReference":{"reference":"Organization/1"}}]}]}"#,
        &["MedicationAdministration.performer.onBehalfOf"],
    );
}

#[test]
fn an_extension_stays_where_its_element_is_taken() {
    let text = format!(
        r#"{{"resourceType":"MedicationRequest","status":"active","courseOfTherapyType":{{"text":"a"}},"statusReason":{{"text":"b"}},
        "extension":[
        {{"url":"{GPC_EXTENSION}PrescriptionType-1","valueCodeableConcept":{{"text":"c"}}}},
        {{"url":"{GPC_EXTENSION}MedicationStatusReason-1","extension":[
            {{"url":"statusReason","valueCodeableConcept":{{"text":"d"}}}}]}}]}}"#
    );
    check(&text, &text, &[]);
}

#[test]
fn a_status_that_r4_demands_is_said_to_be_absent_and_none_is_made_up() {
    const UNKNOWN: &str = r#""_status":{"extension":[{
        "url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]}"#;
    for kind in ["MedicationRequest", "MedicationDispense"] {
        let bare = format!(r#"{{"resourceType":"{kind}"}}"#);
        check(&bare, &format!(r#"{{"resourceType":"{kind}",{UNKNOWN}}}"#), &[]);
        for status in [r#""status":"stopped""#, r#""_status":{"id":"a"}"#] {
            let stated = format!(r#"{{"resourceType":"{kind}",{status}}}"#);
            check(&stated, &stated, &[]);
        }
    }
}
