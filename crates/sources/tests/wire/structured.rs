//! GP Connect: what is sent, and what is made of the answer.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use tributary_fhir::{Bundle, Document, Limits, Notice};
use tributary_model::{FaultClass, NoticeKind, Section, SectionState};
use tributary_sources::Protocol;

use crate::server::{Server, Step, fhir};
use crate::{NUMBER, ask, entry, source};

#[tokio::test]
async fn a_request_has_the_headers_the_spine_wants() {
    let server = Server::start(|_, _| fhir(500, "")).await;
    let source = source(entry(Protocol::GpConnectStructured, &server.base()));
    let _fault = ask(&source, &[Section::Allergies]).await.unwrap_err();
    let seen = &server.seen()[0];
    assert_eq!(seen.method, "POST");
    assert_eq!(seen.target, "/fhir/Patient/$gpc.getstructuredrecord");
    for (name, value) in [
        ("ssp-from", "200000000001"),
        ("ssp-to", "200000000205"),
        ("ssp-interactionid", "urn:nhs:names:services:gpconnect:fhir:operation:gpc.getstructuredrecord-1"),
        ("content-type", "application/fhir+json;charset=utf-8"),
        ("accept", "application/fhir+json;charset=utf-8"),
        ("accept-encoding", "gzip"),
    ] {
        assert_eq!(seen.header(name), value, "{name}");
    }
    assert_eq!(seen.header("ssp-traceid").len(), 36);
    assert!(seen.body.contains(NUMBER));
    assert!(seen.body.contains(r#""name":"includeAllergies""#));

    let token = seen.header("authorization").strip_prefix("Bearer ").unwrap();
    let parts: Vec<_> = token.split('.').collect();
    let payload = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
    let claims = Document::scan(payload, &Limits::default()).unwrap();
    assert!(claims.root().says("aud", &server.base()));
    let issued: u64 = claims.root().get("iat").unwrap().raw().parse().unwrap();
    assert!(unix_now().abs_diff(issued) < 60, "dated by the system's clock");
    assert!(!claims.text().contains(NUMBER));
}

#[expect(clippy::disallowed_methods, reason = "compares a token with the real time")]
fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A record with one allergy, and problems of which some are confidential.
const RECORD: &str = r#"{"resourceType":"Bundle","type":"collection","entry":[
{"resource":{"resourceType":"Patient","id":"p1","identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000107"}]}},
{"resource":{"resourceType":"AllergyIntolerance","id":"a1","clinicalStatus":"active","verificationStatus":"unconfirmed","patient":{"reference":"Patient/p1"},"code":{"text":"Penicillin"},"assertedDate":"2012"}},
{"resource":{"resourceType":"List","status":"current","mode":"snapshot","title":"Allergies and adverse reactions","code":{"coding":[{"system":"http://snomed.info/sct","code":"886921000000105"}]},"subject":{"reference":"Patient/p1"},"entry":[{"item":{"reference":"AllergyIntolerance/a1"}}]}},
{"resource":{"resourceType":"List","extension":[{"url":"https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-ListWarningCode-1","valueCode":"confidential-items"}],"status":"current","mode":"snapshot","title":"Problems","code":{"coding":[{"system":"http://snomed.info/sct","code":"717711000000103"}]},"subject":{"reference":"Patient/p1"}}}
]}"#;

#[tokio::test]
async fn a_record_is_read_converted_and_accounted_for() {
    let server = Server::start(|number, _| match number {
        0 => vec![Step::Reset],
        _ => fhir(200, RECORD),
    })
    .await;
    let source = source(entry(Protocol::GpConnectStructured, &server.base()));
    let reply = ask(&source, &[Section::Allergies, Section::Problems]).await.unwrap();
    assert!(reply.converted && !reply.truncated);
    assert_eq!(reply.attempts, 2);
    assert_eq!(reply.bytes, RECORD.len() as u64);
    let mut digest = String::new();
    for byte in Sha256::digest(RECORD) {
        write!(digest, "{byte:02x}").unwrap();
    }
    assert_eq!(reply.digest, digest);
    assert_eq!(reply.documents.len(), 1);
    let bundle = Bundle::of(&reply.documents[0]).unwrap();
    assert_eq!(bundle.resources().count(), 4);
    assert_eq!(reply.states[&Section::Allergies], SectionState::Content);
    assert_eq!(reply.states[&Section::Problems], SectionState::Withheld);
    assert_eq!(reply.notices, [Notice::about(NoticeKind::ConfidentialItems, Section::Problems)]);
}

#[tokio::test]
async fn an_r4_answer_is_not_taken_for_stu3() {
    let newer = r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Condition","clinicalStatus":{"coding":[]}}}]}"#;
    let server = Server::start(move |_, _| fhir(200, newer)).await;
    let source = source(entry(Protocol::GpConnectStructured, &server.base()));
    let fault = ask(&source, &[Section::Problems]).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Version);
}
