use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tributary_model::requester::Assurance;
use tributary_model::{DenyReason, FaultClass};

use super::*;
use crate::exchange::Edge;
use crate::tests::bench::{BODY, FakeDesk, Say, edge, outcome, read, request as raw, send, settings};

const PATH: &str = "/A99901/STU3/1/gpconnect/structured/fhir/Patient/$gpc.getstructuredrecord";
const TRACE: &str = "09a01679-2564-0fb4-5129-aecc81ea2706";

fn bearer(edge: &Edge) -> String {
    let now = edge.settings.clock.now().as_second();
    let claims = crate::identity::token::claims_for_tests(now);
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("Bearer {}.{}.", part(r#"{"alg":"none","typ":"JWT"}"#), part(&claims))
}

fn body(patients: &str) -> String {
    format!(
        r#"{{"resourceType":"Parameters","parameter":[{patients}{{"name":"includeAllergies","part":[{{"name":"includeResolvedAllergies","valueBoolean":true}}]}}]}}"#
    )
}

const PATIENT_PART: &str = r#"{"name":"patientNHSNumber","valueIdentifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000107"}},"#;

/// A good request with one header changed, or left out when its new value is empty.
async fn ask(edge: &Arc<Edge>, change: (&str, &str), path: &str, body: &str) -> Reply {
    let token = bearer(edge);
    let good = [
        ("ssp-traceid", TRACE),
        ("ssp-from", "200000000359"),
        ("ssp-to", "200000000205"),
        ("ssp-interactionid", INTERACTION),
        ("authorization", token.as_str()),
        ("content-type", "application/fhir+json;charset=utf-8"),
        ("accept", "application/fhir+json"),
    ];
    let mut headers: Vec<_> = good.into_iter().filter(|(name, _)| *name != change.0).collect();
    if !change.1.is_empty() {
        headers.push(change);
    }
    send(edge, raw("POST", path, &headers, body)).await
}

#[tokio::test]
async fn each_header_is_checked() {
    let desk = FakeDesk::new(Say::Record);
    let edge = edge(&desk, settings());
    let good = body(PATIENT_PART);
    for (header, value, status, element) in [
        ("ssp-traceid", "", 400, "Ssp-TraceID"),
        ("ssp-traceid", "a b", 400, "Ssp-TraceID"),
        ("ssp-from", "", 400, "Ssp-From"),
        ("ssp-to", "20000", 400, "Ssp-To"),
        ("ssp-interactionid", "urn:other", 400, "Ssp-InteractionID"),
        ("authorization", "", 400, "Authorization"),
        ("authorization", "Bearer x.y", 400, "Authorization"),
        ("content-type", "", 415, "Content-Type"),
        ("content-type", "application/fhir+xml", 415, "Content-Type"),
        ("accept", "application/fhir+xml", 415, "Accept"),
    ] {
        let (found, json) = outcome(ask(&edge, (header, value), PATH, &good).await).await;
        assert_eq!(found.as_u16(), status, "{header}: {json}");
        let issue = &json["issue"][0];
        assert_eq!(issue["details"]["coding"][0]["code"], "BAD_REQUEST", "{header}");
        assert!(issue["diagnostics"].as_str().unwrap().starts_with(element), "{json}");
    }
    assert!(desk.relayed.lock().unwrap().is_empty());
}

#[tokio::test]
async fn exactly_one_patient_is_named() {
    let edge = edge(&FakeDesk::new(Say::Record), settings());
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
        let (found, json) = outcome(ask(&edge, ("", ""), PATH, &text).await).await;
        assert_eq!(found.as_u16(), status, "{json}");
        assert_eq!(json["issue"][0]["details"]["coding"][0]["code"], code);
        assert!(json["issue"][0]["diagnostics"].is_string());
    }
}

#[tokio::test]
async fn the_gp_system_answers_for_itself() {
    let desk = FakeDesk::new(Say::Record);
    let edge = edge(&desk, settings());
    let sent = body(PATIENT_PART);
    for path in [PATH, "/STU3/1/gpconnect/structured/Patient/$gpc.getstructuredrecord"] {
        let (status, found) = read(ask(&edge, ("", ""), path, &sent).await).await;
        assert_eq!((status.as_u16(), found.as_str()), (200, BODY));
    }
    let relayed = desk.relayed.lock().unwrap();
    assert_eq!(relayed[0].practice.as_ref().unwrap().as_str(), "A99901");
    assert_eq!(relayed[1].practice, None);
    assert_eq!((relayed[0].trace.as_str(), relayed[0].body.as_ref()), (TRACE, sent.as_bytes()));
    let requester = &relayed[0].requester;
    assert_eq!((requester.user_id.as_str(), requester.family.as_str()), ("u-17", "Okoro"));
    assert_eq!(requester.organisation.as_str(), "RXX01");
    assert_eq!(requester.asid.as_deref(), Some("200000000359"));
    assert_eq!(requester.assurance, Assurance::AssertedUnsigned);
    assert_eq!(desk.delivered.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_path_without_a_real_practice_is_not_found() {
    let edge = edge(&FakeDesk::new(Say::Record), settings());
    let path = PATH.replace("A99901", "a");
    let (status, json) = outcome(ask(&edge, ("", ""), &path, &body(PATIENT_PART)).await).await;
    assert_eq!(status.as_u16(), 404);
    assert_eq!(json["issue"][0]["details"]["coding"][0]["code"], "ORGANISATION_NOT_FOUND");
}

#[test]
fn every_refusal_is_one_that_consumers_know() {
    let fault = |class| Refusal::Source(SourceFault::new(class));
    for (refusal, status, code) in [
        (Refusal::Denied(DenyReason::NoRule), 403, "ACCESS DENIED"),
        (Refusal::AuditUnavailable, 503, "INTERNAL_SERVER_ERROR"),
        (Refusal::Overloaded(Duration::ZERO), 503, "INTERNAL_SERVER_ERROR"),
        (Refusal::Unlocated, 503, "INTERNAL_SERVER_ERROR"),
        (Refusal::NoSuchSource, 404, "ORGANISATION_NOT_FOUND"),
        (fault(FaultClass::NoHead), 504, "INTERNAL_SERVER_ERROR"),
        (fault(FaultClass::Connect), 502, "INTERNAL_SERVER_ERROR"),
        (fault(FaultClass::IdentityMixed), 502, "INTERNAL_SERVER_ERROR"),
        (fault(FaultClass::Guard), 503, "INTERNAL_SERVER_ERROR"),
        (fault(FaultClass::NoRecord), 404, "PATIENT_NOT_FOUND"),
        (fault(FaultClass::Consent), 403, "NO_PATIENT_CONSENT"),
        (Refusal::Internal, 500, "INTERNAL_SERVER_ERROR"),
    ] {
        let problem = from_refusal(refusal);
        let found = problem.spine.map(|Spine(code, _)| code);
        assert_eq!((problem.status.as_u16(), found), (status, Some(code)), "{refusal:?}");
    }
}
