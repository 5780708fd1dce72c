//! What replies hold of the memory budget.

use std::sync::Arc;

use tributary_model::{FaultClass, MemoryBudget, Section};
use tributary_sources::{EgressSettings, Protocol, UnobservedSources};

use crate::server::{Server, fhir};
use crate::{NUMBER, ask, built, entry};

fn settings(bytes: u64) -> EgressSettings {
    EgressSettings { memory: MemoryBudget::new(bytes), ..EgressSettings::default() }
}

/// A search's answer with the patient, and as much text.
fn patient(text_bytes: usize) -> String {
    let text = "x".repeat(text_bytes);
    format!(
        r#"{{"resourceType":"Bundle","type":"searchset","total":1,"entry":[{{"search":{{"mode":"match"}},"resource":{{"resourceType":"Patient","id":"p1","identifier":[{{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"{NUMBER}"}}],"name":[{{"text":"{text}"}}]}}}}]}}"#
    )
}

#[tokio::test]
async fn a_reply_holds_what_it_weighs_for_as_long_as_it_lives() {
    for protocol in [Protocol::FhirR4, Protocol::FhirStu3] {
        let server = Server::start(|_, seen| match seen.target.as_str() {
            "/fhir/Patient/_search" => fhir(200, patient(100_000)),
            _ => fhir(200, r#"{"resourceType":"Bundle","type":"searchset","total":0}"#),
        })
        .await;
        let settings = settings(10 << 20);
        let source = built(entry(protocol, &server.base()), Arc::new(UnobservedSources), &settings);
        let reply = ask(&source, &[Section::Allergies]).await.unwrap();
        assert!(reply.weight() > 100_000);
        assert_eq!(reply.held.bytes(), reply.weight() as u64);
        assert_eq!(settings.memory.taken(), reply.held.bytes());
        drop(reply);
        assert_eq!(settings.memory.taken(), 0);
    }
}

#[tokio::test]
async fn a_spent_budget_is_told_and_nothing_stays_taken() {
    let server = Server::start(|_, _| fhir(200, patient(100_000))).await;
    let settings = settings(90_000);
    let source = built(entry(Protocol::FhirR4, &server.base()), Arc::new(UnobservedSources), &settings);
    let fault = ask(&source, &[Section::Allergies]).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Memory);
    assert_eq!(settings.memory.taken(), 0);
}
