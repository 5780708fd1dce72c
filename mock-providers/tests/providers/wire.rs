//! How answers of a GP system are packed, and what is remembered of an ask.

use std::io::Read as _;

use crate::support::*;
use mock_providers::Fault;
use tributary_model::{Capability, Interaction};

#[tokio::test]
async fn gzip_is_used_when_asked_for_and_only_on_healthy_answers() {
    let suite = suite().await;
    let plain = Call::suite(&suite, &parameters(number("patient2"), &[area("includeProblems")]));
    let healthy = plain.send(&suite).await;
    assert_eq!(healthy.header("content-encoding"), None);
    let mut asking = plain.clone();
    asking.set("Accept-Encoding", "deflate, gzip;q=0.8");
    let packed = asking.send(&suite).await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(packed.body.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, healthy.body);
    assert!(packed.body.len() < healthy.body.len());
    asking.set("Accept-Encoding", "gzip;q=0");
    assert_eq!(asking.send(&suite).await.header("content-encoding"), None);
    asking.set("Accept-Encoding", "gzip");
    let mut unknown = asking.clone();
    unknown.body = parameters("9999999999", &[]).to_string().into_bytes();
    let refused = unknown.send(&suite).await;
    assert_eq!((refused.status, refused.header("content-encoding")), (404, None));
    suite.set_fault(Fault::status(503));
    assert_eq!(asking.send(&suite).await.header("content-encoding"), None);
}

#[tokio::test]
async fn long_answers_come_in_chunks_and_short_ones_by_length() {
    let suite = suite().await;
    for (name, chunked) in [("patientLarge", true), ("patient1", false)] {
        let all = [area("includeConsultations"), area("includeProblems")];
        let seen = Call::suite(&suite, &parameters(number(name), &all)).send(&suite).await;
        assert_eq!(seen.status, 200);
        assert_eq!(seen.header("transfer-encoding").is_some(), chunked, "{name}");
        assert_ne!(seen.header("content-length").is_some(), chunked, "{name}");
        assert_eq!(seen.json()["resourceType"], "Bundle");
    }
}

#[tokio::test]
async fn metadata_is_that_of_the_capability() {
    let suite = suite().await;
    let rows = [
        (Interaction::StructuredMetadata, "1.6.0", Some("/_history/1.16"), "Patient-1/_history/1.8"),
        (Interaction::DocumentsMetadata, "1.6.0", None, "DocumentReference-1/_history/1.3"),
        (Interaction::FoundationsMetadata, "1.5.0", Some("/_history/1.15"), "Slot-1"),
    ];
    for (interaction, version, operation, profile) in rows {
        let statement = Call::of(&suite, interaction, "/metadata").send(&suite).await.json();
        assert_eq!(statement["resourceType"], "CapabilityStatement");
        assert_eq!(statement["version"], version);
        assert_eq!(statement["fhirVersion"], "3.0.1");
        assert_eq!(statement["format"].as_array().unwrap().len(), 2);
        assert!(statement["software"]["version"].is_string());
        let operations = statement["rest"][0]["operation"].as_array();
        let found = operations
            .into_iter()
            .flatten()
            .find(|one| one["name"] == "gpc.getstructuredrecord")
            .map(|one| one["definition"]["reference"].as_str().unwrap().to_owned());
        assert_eq!(found.is_some(), operation.is_some());
        assert!(found.is_none_or(|url| url.ends_with(operation.unwrap())));
        assert!(references(&statement["profile"]).iter().any(|url| url.ends_with(profile)), "{profile}");
    }
}

#[tokio::test]
async fn an_ask_is_remembered_with_its_interaction_target_and_claims() {
    let suite = suite().await;
    let tail = format!("/Patient?identifier=https://fhir.nhs.uk/Id/nhs-number%7C{}", number("patient3"));
    Call::of(&suite, Interaction::FindPatient, &tail).send(&suite).await;
    Call::of(&suite, Interaction::ReadPatient, "/Patient/s03").send(&suite).await;
    Call::of(&suite, Interaction::ReadPractitioner, "/Practitioner/g1").send(&suite).await;
    let asks = suite.asks();
    assert_eq!(asks[0].interaction, Some(Interaction::FindPatient));
    assert!(asks[0].target.ends_with(&tail));
    assert_eq!(asks[0].claim("requested_scope"), Some("patient/*.read"));
    assert_eq!(asks[0].nhs_number.as_deref(), Some(number("patient3")));
    assert_eq!(asks[1].nhs_number.as_deref(), Some(number("patient3")));
    assert_eq!(
        (asks[2].interaction, asks[2].nhs_number.as_deref()),
        (Some(Interaction::ReadPractitioner), None)
    );
    assert_eq!(suite.base_url, suite.root(Capability::Structured));
}

#[tokio::test]
async fn json_is_the_only_format() {
    let suite = suite().await;
    for interaction in [Interaction::FoundationsMetadata, Interaction::DocumentsMetadata] {
        let mut call = Call::of(&suite, interaction, "/metadata");
        call.set("Accept", "application/fhir+xml");
        assert_eq!(call.send(&suite).await.status, 415);
        let mut call = Call::of(&suite, interaction, "/metadata?_format=application/fhir%2Bxml");
        assert_eq!(call.send(&suite).await.status, 415);
        call.unset("Accept");
        assert_eq!(call.send(&suite).await.status, 415);
    }
}
