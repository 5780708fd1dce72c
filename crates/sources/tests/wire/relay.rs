//! Requests that are passed through.

use std::time::Duration;

use tower::ServiceExt as _;
use tributary_fhir::{Passed, Relayed};
use tributary_model::{Deadline, FaultClass, Interaction, NhsNumber, Redacted, RelayAsk, SourceFault};
use tributary_sources::Protocol;

use crate::server::{Server, Step, answer, fhir};
use crate::{NUMBER, entry, requester, source};

const BUNDLE: &str = r#"{"resourceType":"Bundle","id":"x","entry":[{"resource":{"resourceType":"Observation","valueQuantity":{"value":7.10}}}]}"#;
const OUTCOME: &str = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"not-found","details":{"coding":[{"code":"PATIENT_NOT_FOUND"}]}}]}"#;
const BODY: &str = r#"{"resourceType":"Parameters", "parameter":[{"name":"unknown"}]}"#;

async fn passed(server: &Server) -> Result<Relayed, SourceFault> {
    let source = source(entry(Protocol::GpConnectStructured, &server.base()));
    let question = RelayAsk {
        interaction: Interaction::GetStructuredRecord,
        patient: NhsNumber::parse(NUMBER).ok(),
        tail: Redacted::new("Patient/$gpc.getstructuredrecord".into()),
        body: BODY.into(),
        requester: requester(),
        deadline: Deadline::after(Duration::from_secs(3)),
    };
    source.relay.unwrap().oneshot(question).await
}

#[tokio::test]
async fn both_bodies_pass_byte_for_byte() {
    let server = Server::start(|_, _| fhir(200, BUNDLE)).await;
    let reply = passed(&server).await.unwrap();
    let Passed::Document(document) = reply.said else { panic!("not passed") };
    assert_eq!((reply.status, document.text()), (200, BUNDLE));
    let seen = server.seen();
    assert_eq!(seen[0].body, BODY);
    assert_eq!(seen[0].target, "/fhir/Patient/$gpc.getstructuredrecord");
    assert!(seen[0].header("authorization").starts_with("Bearer "));
}

#[tokio::test]
async fn a_refusal_in_the_source_s_own_words_passes() {
    for (status, class) in [
        (400, FaultClass::OurRequest),
        (403, FaultClass::Denied),
        (404, FaultClass::NoRecord),
        (422, FaultClass::OurRequest),
    ] {
        let server = Server::start(move |_, _| fhir(status, OUTCOME)).await;
        let reply = passed(&server).await.unwrap();
        let Passed::Refusal(body, fault) = reply.said else { panic!("not refused") };
        assert_eq!((reply.status, &body[..]), (status, OUTCOME.as_bytes()));
        assert_eq!((fault.class, fault.http), (class, Some(status)));
    }
}

#[tokio::test]
async fn everything_else_is_a_fault() {
    for (steps, class) in [
        (fhir(500, OUTCOME), FaultClass::ServerError),
        (fhir(429, OUTCOME), FaultClass::Throttled),
        (answer(404, "text/html", "<html/>"), FaultClass::BadEndpoint),
        (answer(200, "text/html", "<html/>"), FaultClass::MediaType),
        (fhir(200, "{"), FaultClass::JsonSyntax),
        (fhir(200, r#"{"resourceType":"Patient"}"#), FaultClass::Shape),
        (vec![Step::Reset], FaultClass::Reset),
    ] {
        let server = Server::start(move |_, _| steps.clone()).await;
        assert_eq!(passed(&server).await.unwrap_err().class, class);
    }
}
