use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tributary_broker::{Refusal, RelayFailure};
use tributary_model::requester::Assurance;
use tributary_model::{DenyReason, FaultClass, NhsNumber, Priority, Role, SourceFault};

use super::*;
use crate::exchange::Edge;
use crate::settings::Settings;
use crate::tests::bench::{BODY, FakeDesk, Say, edge, outcome, read, request as raw, send, settings};

const ROOT: &str = "/A99901/STU3/1/gpconnect";
const OPERATION: &str = "/structured/fhir/Patient/$gpc.getstructuredrecord";
const TRACE: &str = "09a01679-2564-0fb4-5129-aecc81ea2706";
const IDENTIFIER: &str = "identifier=https%3A%2F%2Ffhir.nhs.uk%2FId%2Fnhs-number%7C9990000107";

fn bearer(edge: &Edge, scope: &str) -> String {
    let now = edge.settings.clock.now().as_second();
    let claims = crate::identity::token::claims_for_tests(now).replace("patient/*.read", scope);
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("Bearer {}.{}.", part(r#"{"alg":"none","typ":"JWT"}"#), part(&claims))
}

fn body(patients: &str) -> String {
    format!(
        r#"{{"resourceType":"Parameters","parameter":[{patients}{{"name":"includeAllergies","part":[{{"name":"includeResolvedAllergies","valueBoolean":true}}]}}]}}"#
    )
}

const PATIENT_PART: &str = r#"{"name":"patientNHSNumber","valueIdentifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000107"}},"#;

/// A request that can be changed before it is sent.
struct Call {
    interaction: Interaction,
    method: &'static str,
    path: String,
    change: (&'static str, &'static str),
    body: String,
}

impl Call {
    fn record() -> Self {
        let path = format!("{ROOT}{OPERATION}");
        let interaction = Interaction::GetStructuredRecord;
        Self { interaction, method: "POST", path, change: ("", ""), body: body(PATIENT_PART) }
    }

    fn get(interaction: Interaction, tail: &str) -> Self {
        let root = match interaction.capability() {
            Capability::Structured => "/structured/fhir/",
            Capability::Documents => "/documents/fhir/",
            Capability::Foundations => "/fhir/",
        };
        let path = format!("{ROOT}{root}{tail}");
        Self { interaction, method: "GET", path, change: ("", ""), body: String::new() }
    }

    /// With one header changed, or left out when its new value is empty.
    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.change = (name, value);
        self
    }

    async fn send(&self, edge: &Arc<Edge>) -> Reply {
        let token = bearer(edge, self.interaction.scope().code());
        let good = [
            ("ssp-traceid", TRACE),
            ("ssp-from", "200000000359"),
            ("ssp-to", "200000000205"),
            ("ssp-interactionid", self.interaction.urn()),
            ("authorization", token.as_str()),
            ("content-type", "application/fhir+json;charset=utf-8"),
            ("accept", "application/fhir+json"),
        ];
        let mut headers: Vec<_> = good.into_iter().filter(|(name, _)| *name != self.change.0).collect();
        if !self.change.1.is_empty() {
            headers.push(self.change);
        }
        send(edge, raw(self.method, &self.path, &headers, &self.body)).await
    }
}

fn fresh() -> (Arc<FakeDesk>, Arc<Edge>) {
    let desk = FakeDesk::new(Say::Record);
    let edge = edge(&desk, settings());
    (desk, edge)
}

#[track_caller]
fn spine_code(json: &serde_json::Value) -> &str {
    let codings = json["issue"][0]["details"]["coding"].as_array().unwrap();
    assert_eq!(codings.len(), 1);
    codings[0]["code"].as_str().unwrap()
}

#[tokio::test]
async fn what_is_passed_on_has_the_priority_it_asked_for_and_no_higher() {
    let desk = FakeDesk::new(Say::Record);
    let mut settings = settings();
    settings.demo_requester.role = Role::CommunityNurse;
    let edge = edge(&desk, settings);
    for (asked, has) in
        [("urgent", Priority::Interactive), ("background", Priority::Background), ("", Priority::Interactive)]
    {
        let reply = Call::record().with("tributary-priority", asked).send(&edge).await;
        assert_eq!(reply.status(), 200);
        let counted = format!("tributary_requests_in_flight{{priority=\"{}\"}} 1", has.code());
        assert!(edge.metrics.render().contains(&counted), "{asked}");
        assert_eq!(desk.relayed.lock().unwrap().pop().unwrap().requester.priority, has, "{asked}");
    }
}

#[tokio::test]
async fn each_header_is_checked() {
    let (desk, edge) = fresh();
    for (header, value, status, element) in [
        ("ssp_from", "200000000359", 400, "The name of a header"),
        ("ssp-traceid", "", 400, "Ssp-TraceID"),
        ("ssp-traceid", "a b", 400, "Ssp-TraceID"),
        ("ssp-from", "", 400, "Ssp-From"),
        ("ssp-to", "20000", 400, "Ssp-To"),
        ("ssp-to", "200000000206", 400, "Ssp-To"),
        ("ssp-interactionid", "", 400, "Ssp-InteractionID"),
        ("ssp-interactionid", "urn:other", 400, "Ssp-InteractionID"),
        ("ssp-interactionid", Interaction::ReadPatient.urn(), 400, "Ssp-InteractionID"),
        ("authorization", "", 400, "Authorization"),
        ("authorization", "Bearer x.y", 400, "Authorization"),
        ("content-type", "", 415, "Content-Type"),
        ("content-type", "application/fhir+xml", 415, "Content-Type"),
        ("accept", "application/fhir+xml", 415, "Accept"),
    ] {
        let (found, json) = outcome(Call::record().with(header, value).send(&edge).await).await;
        assert_eq!(found.as_u16(), status, "{header}: {json}");
        assert_eq!(spine_code(&json), "BAD_REQUEST", "{header}");
        assert!(json["issue"][0]["diagnostics"].as_str().unwrap().starts_with(element), "{json}");
    }
    assert!(desk.relayed.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_first_of_several_mistakes_is_told() {
    let (_desk, edge) = fresh();
    let order =
        ["Ssp-TraceID", "Ssp-From", "Ssp-To", "Ssp-InteractionID", "Authorization", "Content-Type", "Accept"];
    let token = bearer(&edge, "organization/*.read");
    let good = [
        ("ssp-traceid", TRACE),
        ("ssp-from", "200000000359"),
        ("ssp-to", "200000000205"),
        ("ssp-interactionid", Interaction::GetStructuredRecord.urn()),
        ("authorization", token.as_str()),
        ("content-type", "application/fhir+json"),
    ];
    for right in 0..=good.len() {
        let mut headers = good[..right].to_vec();
        headers.push(("accept", "text/turtle"));
        let path = format!("{ROOT}{OPERATION}");
        let (_, json) = outcome(send(&edge, raw("POST", &path, &headers, "{")).await).await;
        let words = json["issue"][0]["diagnostics"].as_str().unwrap();
        assert!(words.starts_with(order[right]), "{right}: {words}");
    }
    // Then the token, of which this one has the wrong scope, and the body last.
    let mut headers = good.to_vec();
    headers.push(("accept", "application/fhir+json"));
    let (_, json) =
        outcome(send(&edge, raw("POST", &format!("{ROOT}{OPERATION}"), &headers, "{")).await).await;
    let words = json["issue"][0]["diagnostics"].as_str().unwrap();
    assert!(words.starts_with("Authorization: requested_scope"), "{words}");
}

#[tokio::test]
async fn exactly_one_patient_is_named() {
    let (desk, edge) = fresh();
    let bad_number = PATIENT_PART.replace("0107", "0108");
    let bad_system = PATIENT_PART.replace("fhir.nhs.uk", "example.test");
    let bad_type = r#"{"name":"patientNHSNumber","valueString":"9990000107"},"#;
    for (text, status, code) in [
        (body(""), 422, "INVALID_PARAMETER"),
        (body(&PATIENT_PART.repeat(2)), 400, "BAD_REQUEST"),
        (body(&bad_number), 400, "INVALID_NHS_NUMBER"),
        (body(&bad_system), 400, "INVALID_IDENTIFIER_SYSTEM"),
        (body(bad_type), 422, "INVALID_PARAMETER"),
        ("{".to_owned(), 400, "BAD_REQUEST"),
        (r#"{"resourceType":"Bundle"}"#.to_owned(), 422, "INVALID_RESOURCE"),
    ] {
        let call = Call { body: text, ..Call::record() };
        let (found, json) = outcome(call.send(&edge).await).await;
        assert_eq!((found.as_u16(), spine_code(&json)), (status, code), "{json}");
        assert!(json["issue"][0]["diagnostics"].is_string());
    }
    assert!(desk.relayed.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_gp_system_answers_for_itself() {
    let (desk, edge) = fresh();
    for path in [
        format!("{ROOT}{OPERATION}"),
        "/STU3/1/gpconnect/structured/Patient/$gpc.getstructuredrecord".to_owned(),
    ] {
        let call = Call { path, ..Call::record() };
        let (status, found) = read(call.send(&edge).await).await;
        assert_eq!((status.as_u16(), found.as_str()), (200, BODY));
    }
    let relayed = desk.relayed.lock().unwrap();
    assert_eq!(relayed[0].practice.as_ref().unwrap().as_str(), "A99901");
    assert_eq!(relayed[1].practice, None);
    assert_eq!((relayed[0].trace.as_str(), relayed[0].body.as_ref()), (TRACE, body(PATIENT_PART).as_bytes()));
    assert_eq!(relayed[0].tail.expose(), "Patient/$gpc.getstructuredrecord");
    assert_eq!(relayed[0].subject, Subject::Patient(NhsNumber::parse("9990000107").unwrap()));
    let requester = &relayed[0].requester;
    assert_eq!((requester.user_id.as_str(), requester.family.as_str()), ("u-17", "Okoro"));
    assert_eq!(requester.organisation.as_str(), "RXX01");
    assert_eq!(requester.asid.as_deref(), Some("200000000359"));
    assert_eq!(requester.assurance, Assurance::AssertedUnsigned);
    assert_eq!(desk.delivered.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn reads_and_searches_pass_what_they_were_asked() {
    let includes = "_include=DocumentReference:subject:Patient&_include=DocumentReference:custodian:Organization\
        &_include=DocumentReference:author:Organization&_include=DocumentReference:author:Practitioner\
        &_revinclude:recurse=PractitionerRole:practitioner";
    let documents = format!("Patient/7/DocumentReference?{includes}");
    let find = format!("Patient?{IDENTIFIER}&_format=application%2Ffhir%2Bjson&_count=1");
    let patient = || Subject::Patient(NhsNumber::parse("9990000107").unwrap());
    for (interaction, tail, passed, subject) in [
        (Interaction::FindPatient, find.as_str(), format!("Patient?{IDENTIFIER}&_count=1"), patient()),
        (
            Interaction::DocumentsFindPatient,
            find.as_str(),
            format!("Patient?{IDENTIFIER}&_count=1"),
            patient(),
        ),
        (Interaction::ReadPatient, "Patient/7", "Patient/7".to_owned(), Subject::OwnId),
        (Interaction::SearchDocuments, documents.as_str(), documents.clone(), Subject::OwnId),
        (
            Interaction::ReadBinary,
            "Binary/a_b-c",
            "Binary/a_b-c".to_owned(),
            Subject::Attachment("a_b-c".to_owned()),
        ),
        (Interaction::ReadLocation, "Location/1", "Location/1".to_owned(), Subject::Practice),
        (Interaction::ReadPractitioner, "Practitioner/1", "Practitioner/1".to_owned(), Subject::Practice),
        (Interaction::ReadOrganization, "Organization/1", "Organization/1".to_owned(), Subject::Practice),
    ] {
        let (desk, edge) = fresh();
        let reply = Call::get(interaction, tail).send(&edge).await;
        assert_eq!(reply.status().as_u16(), 200, "{interaction:?}");
        let has_etag = reply.headers().contains_key("etag");
        assert_eq!(has_etag, interaction != Interaction::ReadBinary, "{interaction:?}");
        let relayed = desk.relayed.lock().unwrap();
        assert_eq!((relayed[0].interaction, relayed[0].tail.expose()), (interaction, &passed));
        assert_eq!(relayed[0].subject, subject);
    }
}

#[tokio::test]
async fn wrong_verbs_and_addresses_are_bad_requests() {
    let (desk, edge) = fresh();
    let metadata = Interaction::FoundationsMetadata;
    for (method, tail) in [
        ("GET", "metadatas"),
        ("POST", "metadatas"),
        ("PUT", "metadatas"),
        ("PATCH", "metadata"),
        ("DELETE", "metadata"),
        ("OPTIONS", "metadata"),
        ("GET", "Metadata"),
        ("GET", "Patient/"),
    ] {
        let call = Call { method, ..Call::get(metadata, tail) };
        let (status, json) = outcome(call.send(&edge).await).await;
        assert_eq!((status.as_u16(), spine_code(&json)), (400, "BAD_REQUEST"), "{method} {tail}");
    }
    assert!(desk.relayed.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_not_offered_is_said_to_be_so() {
    let (_desk, edge) = fresh();
    let urn = "urn:nhs:names:services:gpconnect:fhir:operation:gpc.registerpatient-1";
    let path = format!("{ROOT}/fhir/Patient/$gpc.registerpatient");
    let call = Call { path, ..Call::record() }.with("ssp-interactionid", urn);
    let (status, json) = outcome(call.send(&edge).await).await;
    assert_eq!((status.as_u16(), spine_code(&json)), (501, "NOT_IMPLEMENTED"));
}

#[tokio::test]
async fn an_id_that_cannot_be_one_is_not_found_and_not_asked_for() {
    let (desk, edge) = fresh();
    for (interaction, tail, code) in [
        (Interaction::ReadPatient, "Patient/a%2Fb", "PATIENT_NOT_FOUND"),
        (Interaction::ReadOrganization, "Organization/..", "ORGANISATION_NOT_FOUND"),
        (Interaction::ReadPractitioner, "Practitioner/a%20b", "PRACTITIONER_NOT_FOUND"),
        (Interaction::ReadLocation, "Location/;", "NO_RECORD_FOUND"),
    ] {
        let (status, json) = outcome(Call::get(interaction, tail).send(&edge).await).await;
        assert_eq!((status.as_u16(), spine_code(&json)), (404, code));
    }
    assert!(desk.relayed.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_statements_are_ours_in_both_formats() {
    let (desk, edge) = fresh();
    for (interaction, name) in [
        (Interaction::StructuredMetadata, "Access Record Structured"),
        (Interaction::DocumentsMetadata, "Access Document"),
        (Interaction::FoundationsMetadata, "Foundations"),
    ] {
        let (status, text) = read(Call::get(interaction, "metadata").send(&edge).await).await;
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status.as_u16(), json["fhirVersion"].as_str()), (200, Some("3.0.1")));
        assert!(json["name"].as_str().unwrap().ends_with(name));
        let reply =
            Call::get(interaction, "metadata").with("accept", "application/fhir+xml").send(&edge).await;
        assert_eq!(reply.headers()["content-type"], "application/fhir+xml; charset=utf-8");
        let (status, text) = read(reply).await;
        assert_eq!(status.as_u16(), 200);
        assert!(text.contains("<CapabilityStatement xmlns=\"http://hl7.org/fhir\">"), "{text}");
    }
    assert!(desk.relayed.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_statement_marks_what_is_not_offered() {
    let (_desk, edge) = fresh();
    let (_, text) = read(Call::get(Interaction::FoundationsMetadata, "metadata").send(&edge).await).await;
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let operations = json["rest"][0]["operation"].as_array().unwrap();
    for operation in operations {
        let is_offered = operation["name"] == "gpc.getstructuredrecord";
        assert_eq!(operation["extension"][0]["valueCode"] == "SHOULD-NOT", !is_offered, "{operation}");
    }
    assert_eq!(operations.len(), 2);
}

#[tokio::test]
async fn refusals_come_in_the_format_that_was_asked_for() {
    let (_desk, edge) = fresh();
    let call = Call::get(Interaction::FindPatient, "Patient").with("accept", "application/fhir+xml");
    let reply = call.send(&edge).await;
    assert_eq!(reply.headers()["content-type"], "application/fhir+xml; charset=utf-8");
    let (status, text) = read(reply).await;
    assert_eq!(status.as_u16(), 400);
    assert!(text.contains("<code value=\"BAD_REQUEST\"/>"), "{text}");
}

#[tokio::test]
async fn a_path_without_a_real_practice_is_not_found() {
    let (_desk, edge) = fresh();
    for practice in ["a", "A99999"] {
        let path = format!("{ROOT}{OPERATION}").replace("A99901", practice);
        let call = Call { path, ..Call::record() };
        let (status, json) = outcome(call.send(&edge).await).await;
        assert_eq!((status.as_u16(), spine_code(&json)), (404, "ORGANISATION_NOT_FOUND"));
    }
}

#[tokio::test]
async fn in_the_proxy_s_position_an_address_must_be_registered_letter_by_letter() {
    let desk = FakeDesk::new(Say::Record);
    let edge = edge(&desk, Settings { spine_position: true, ..settings() });
    let good = format!("/https://gp.example.test{ROOT}{OPERATION}");
    let (status, _) = read(Call { path: good.clone(), ..Call::record() }.send(&edge).await).await;
    assert_eq!(status.as_u16(), 200);
    let request = desk.relayed.lock().unwrap().pop().unwrap();
    assert_eq!(request.documents_root, DocumentsRoot::Theirs);
    assert_eq!(request.practice.unwrap().as_str(), "A99901");
    for other in [
        good.replace("gp.example.test", "gp.example.test:443"),
        good.replace("gp.example.test", "GP.example.test"),
        good.replace("//", "/"),
        good.replace("https", "http"),
        good.replace("structured/fhir", "documents/fhir"),
    ] {
        let (status, text) = read(Call { path: other.clone(), ..Call::record() }.send(&edge).await).await;
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let expected = if other.starts_with("/http:") || other.starts_with("/https://") { 400 } else { 404 };
        assert_eq!(status.as_u16(), expected, "{other}");
        if expected == 400 {
            assert_eq!(json["issue"][0]["details"]["coding"][0]["code"], "400");
            assert!(json["meta"].is_null() && json["id"].is_string());
        }
    }
    assert!(desk.relayed.lock().unwrap().is_empty());
}

#[tokio::test]
async fn in_the_proxy_s_position_options_are_told() {
    let desk = FakeDesk::new(Say::Record);
    let edge = edge(&desk, Settings { spine_position: true, ..settings() });
    for (tail, methods) in
        [("/structured/fhir/metadata", Some("GET")), (OPERATION, Some("POST")), ("/structured/fhir/x", None)]
    {
        let path = format!("/https://gp.example.test{ROOT}{tail}");
        let reply = send(&edge, raw("OPTIONS", &path, &[], "")).await;
        let told = reply.headers().get("access-control-request-method").map(|value| value.to_str().unwrap());
        assert_eq!((reply.status().is_success(), told), (methods.is_some(), methods), "{tail}");
    }
    assert!(desk.relayed.lock().unwrap().is_empty());
}

#[tokio::test]
async fn in_the_provider_s_position_a_whole_address_is_no_path() {
    let (_desk, edge) = fresh();
    let path = format!("/https://gp.example.test{ROOT}{OPERATION}");
    let (status, _) = outcome(Call { path, ..Call::record() }.send(&edge).await).await;
    assert_eq!(status.as_u16(), 404);
}

#[test]
fn every_refusal_is_one_that_consumers_know() {
    let fault = |class| {
        let fault = SourceFault::new(class);
        Refusal::Source(fault, RelayFailure::of(fault))
    };
    let too_large = Refusal::Source(SourceFault::new(FaultClass::TooLarge), RelayFailure::TooLarge);
    for (refusal, status, code) in [
        (Refusal::Denied(DenyReason::NoRule), 403, "ACCESS DENIED"),
        (Refusal::AuditUnavailable, 503, "INTERNAL_SERVER_ERROR"),
        (Refusal::Overloaded(Duration::ZERO), 503, "INTERNAL_SERVER_ERROR"),
        (Refusal::Unlocated, 503, "INTERNAL_SERVER_ERROR"),
        (Refusal::NoSuchSource, 404, "ORGANISATION_NOT_FOUND"),
        (Refusal::NotTheirPractice, 404, "PATIENT_NOT_FOUND"),
        (Refusal::PracticeNotNamed, 400, "BAD_REQUEST"),
        (Refusal::NoSuchAttachment, 404, "NO_RECORD_FOUND"),
        (Refusal::AttachmentExpired, 404, "NO_RECORD_FOUND"),
        (too_large, 404, "NO_RECORD_FOUND"),
        (fault(FaultClass::NoHead), 504, "INTERNAL_SERVER_ERROR"),
        (fault(FaultClass::Connect), 502, "INTERNAL_SERVER_ERROR"),
        (fault(FaultClass::IdentityMixed), 502, "INTERNAL_SERVER_ERROR"),
        (fault(FaultClass::Guard), 503, "INTERNAL_SERVER_ERROR"),
        (fault(FaultClass::NoRecord), 404, "PATIENT_NOT_FOUND"),
        (fault(FaultClass::Consent), 403, "NO_PATIENT_CONSENT"),
        (fault(FaultClass::NoAsid), 403, "ACCESS DENIED"),
        (fault(FaultClass::NoAgreement), 403, "ACCESS DENIED"),
        (fault(FaultClass::NotOffered), 501, "NOT_IMPLEMENTED"),
        (Refusal::Internal, 500, "INTERNAL_SERVER_ERROR"),
    ] {
        let problem = from_refusal(refusal, Interaction::ReadBinary);
        let found = problem.spine.map(|Spine(code, _)| code);
        assert_eq!((problem.status.as_u16(), found), (status, Some(code)), "{refusal:?}");
    }
}
