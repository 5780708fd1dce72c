//! The FHIR servers answer searches, pages and reads.

use crate::support::*;
use mock_providers::{FederationOptions, Played, start_story_federation};
use serde_json::Value;

const P1: &str = "9990000107";
const SYSTEM: &str = "https%3A%2F%2Ffhir.nhs.uk%2FId%2Fnhs-number%7C";

fn ids(bundle: &Value) -> Vec<String> {
    let entries = bundle["entry"].as_array().unwrap();
    let id = |entry: &Value| entry["resource"]["id"].as_str().unwrap().to_owned();
    entries.iter().map(id).collect()
}

#[tokio::test]
async fn a_patient_is_found_by_nhs_number() {
    let federation = quiet_federation().await;
    let acute = federation.provider("acute-a").unwrap();
    for call in [
        Call::get(&format!("/fhir/R4/Patient?identifier={SYSTEM}{P1}")),
        Call::get(&format!("/fhir/R4/Patient?identifier=https://fhir.nhs.uk/Id/nhs-number|{P1}")),
        Call::form("/fhir/R4/Patient/_search", &format!("identifier={SYSTEM}{P1}")),
    ] {
        let seen = call.send(acute).await;
        assert_eq!(seen.header("cache-control"), Some("no-store"));
        let bundle = seen.json();
        assert_eq!((&bundle["type"], &bundle["total"]), (&"searchset".into(), &1.into()));
        assert_eq!(bundle["entry"][0]["search"]["mode"], "match");
        assert!(bundle["entry"][0]["fullUrl"].as_str().unwrap().ends_with("/fhir/R4/Patient/p1"));
    }
    let unknown = format!("/fhir/R4/Patient?identifier={SYSTEM}9990000018");
    let bundle = Call::get(&unknown).send(acute).await.json();
    assert_eq!((&bundle["total"], bundle["entry"].as_array().unwrap().len()), (&0.into(), 0));
    assert_eq!(acute.asks()[2].parameter("identifier").unwrap().split('|').nth(1), Some(P1));
    assert_eq!(acute.asks()[2].nhs_number.as_deref(), Some(P1));
}

#[tokio::test]
async fn clinical_types_are_found_by_patient() {
    let federation = quiet_federation().await;
    let acute = federation.provider("acute-a").unwrap();
    for query in [
        "patient=Patient/p3".to_owned(),
        "patient=p3".to_owned(),
        "subject=Patient/p3".to_owned(),
        format!("patient.identifier={SYSTEM}9990000301"),
        format!("subject:Patient.identifier={SYSTEM}9990000301"),
    ] {
        let seen = Call::get(&format!("/fhir/R4/MedicationStatement?{query}")).send(acute).await;
        assert_eq!(ids(&seen.json()), ["d2", "d3", "d4"], "{query}");
    }
    let none = Call::get("/fhir/R4/Immunization?patient=p3").send(acute).await.json();
    assert_eq!(none["total"], 0);
    for (path, status) in [
        ("/fhir/R4/Condition", 400),
        ("/fhir/R4/Nonsense?patient=p3", 404),
        ("/fhir/R4/Condition/none", 404),
        ("/elsewhere", 404),
    ] {
        let seen = Call::get(path).send(acute).await;
        assert_eq!(
            (seen.status, &seen.json()["resourceType"]),
            (status, &"OperationOutcome".into()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn pages_are_followed_without_naming_the_patient() {
    let federation = quiet_federation().await;
    let acute = federation.provider("acute-a").unwrap();
    let form = format!("patient.identifier={SYSTEM}9990000301&_count=1");
    let mut bundle = Call::form("/fhir/R4/MedicationStatement/_search", &form).send(acute).await.json();
    let mut found = ids(&bundle);
    while let Some(next) = bundle["link"].as_array().unwrap().iter().find(|link| link["relation"] == "next") {
        let url = next["url"].as_str().unwrap();
        assert!(url.starts_with("http://localhost/fhir/R4/") && !url.contains("9990000301"), "{url}");
        bundle = Call::get(url.strip_prefix("http://localhost").unwrap()).send(acute).await.json();
        assert_eq!(bundle["total"], 3);
        found.extend(ids(&bundle));
    }
    assert_eq!(found, ["d2", "d3", "d4"]);
    assert!(acute.asks().iter().all(|ask| ask.nhs_number.as_deref() == Some("9990000301")));
}

#[tokio::test]
async fn versions_and_reads_are_served() {
    let federation = quiet_federation().await;
    for (id, root, version) in [("acute-a", "/fhir/R4", "4.0.1"), ("community", "/fhir/STU3", "3.0.1")] {
        let provider = federation.provider(id).unwrap();
        assert!(provider.base_url.ends_with(root));
        let statement = Call::get(&format!("{root}/metadata")).send(provider).await.json();
        assert_eq!(statement["fhirVersion"], version);
    }
    let specialist = federation.provider("specialist").unwrap();
    let form = Call::get("/fhir/R4/Binary/p1-respect").send(specialist).await.json();
    assert_eq!(form["resourceType"], "Binary");
    let community = federation.provider("community").unwrap();
    let bundle = Call::get("/fhir/STU3/AllergyIntolerance?patient=p2").send(community).await.json();
    assert_eq!(bundle["entry"][0]["resource"]["assertedDate"], "2025-01-15");
}

#[tokio::test]
async fn each_patient_is_known_only_where_the_story_says() {
    let federation = quiet_federation().await;
    for story in mock_providers::stories() {
        for facts in federation.source_facts().iter().filter(|facts| facts.protocol != "gpconnect-structured")
        {
            let root = if facts.protocol == "fhir-r4" { "/fhir/R4" } else { "/fhir/STU3" };
            let path = format!("{root}/Patient?identifier={SYSTEM}{}", story.nhs_number);
            let bundle = Call::get(&path).send(federation.provider(facts.id).unwrap()).await.json();
            let known = story.sources.iter().any(|source| source == facts.id);
            assert_eq!(bundle["total"], u32::from(known), "{} at {}", story.id, facts.id);
        }
    }
}

#[tokio::test]
async fn dates_follow_another_day() {
    let options = FederationOptions {
        as_of: Some("2026-03-20".parse().unwrap()),
        delays: Played::Off,
        ..FederationOptions::default()
    };
    let federation = start_story_federation(options).await.unwrap();
    let walkin = federation.provider("walkin").unwrap();
    let bundle = Call::get("/fhir/R4/Encounter?patient=p1").send(walkin).await.json();
    assert_eq!(bundle["entry"][0]["resource"]["period"]["start"], "2026-01-28T16:40:00Z");
    let bundle = Call::get(&format!("/fhir/R4/Patient?identifier={SYSTEM}{P1}")).send(walkin).await.json();
    assert_eq!(bundle["entry"][0]["resource"]["birthDate"], "1953-02-11");
}
