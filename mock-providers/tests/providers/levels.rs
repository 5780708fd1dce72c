//! Older systems and switched-off areas.

use crate::support::*;
use mock_providers::{ProviderHandle, SpecLevel, SuiteOptions, start_suite_practice};
use serde_json::Value;
use tributary_model::Interaction;

async fn at(level: SpecLevel, disabled: &[&str]) -> ProviderHandle {
    let disabled = disabled.iter().map(|name| (*name).to_owned()).collect();
    start_suite_practice(SuiteOptions { level, disabled, ..SuiteOptions::default() }).await.unwrap()
}

fn everything() -> Vec<Value> {
    let names = [
        "includeMedication",
        "includeConsultations",
        "includeProblems",
        "includeImmunisations",
        "includeUncategorisedData",
        "includeInvestigations",
        "includeReferrals",
        "includeDiaryEntries",
    ];
    std::iter::once(allergies(true)).chain(names.map(area)).collect()
}

fn texts(bundle: &Value) -> Vec<&str> {
    of_type(bundle, "OperationOutcome")
        .iter()
        .flat_map(|outcome| outcome["issue"].as_array().unwrap())
        .map(|issue| issue["details"]["text"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_system_of_the_first_release_knows_medication_and_allergies_only() {
    let suite = at(SpecLevel::V1_2, &[]).await;
    let body = parameters(number("patient2"), &everything());
    let bundle = Call::suite(&suite, &body).send(&suite).await.json();
    let unknown = [
        "includeConsultations is an unrecognised parameter",
        "includeProblems is an unrecognised parameter",
        "includeImmunisations is an unrecognised parameter",
        "includeUncategorisedData is an unrecognised parameter",
        "includeInvestigations is an unrecognised parameter",
        "includeReferrals is an unrecognised parameter",
        "includeDiaryEntries is an unrecognised parameter",
    ];
    assert_eq!(texts(&bundle), unknown);
    assert_eq!(of_type(&bundle, "OperationOutcome").len(), 1);
    assert_eq!(of_type(&bundle, "List").len(), 3);
    for absent in ["Condition", "Encounter", "Observation", "Immunization"] {
        assert!(of_type(&bundle, absent).is_empty(), "{absent}");
    }
    let metadata = Call::of(&suite, Interaction::StructuredMetadata, "/metadata").send(&suite).await;
    assert!(metadata.json()["version"].as_str().unwrap().starts_with("1.2"));
    let malformed = parameters(number("patient2"), &[area("includeAllergies")]);
    assert_eq!(Call::suite(&suite, &malformed).send(&suite).await.status, 422);
}

#[tokio::test]
async fn later_systems_know_every_area() {
    for (level, version) in [(SpecLevel::V1_5, "1.5"), (SpecLevel::V1_6, "1.6")] {
        let suite = at(level, &[]).await;
        let body = parameters(number("patient2"), &everything());
        let bundle = Call::suite(&suite, &body).send(&suite).await.json();
        assert!(of_type(&bundle, "OperationOutcome").is_empty());
        let metadata = Call::of(&suite, Interaction::StructuredMetadata, "/metadata").send(&suite).await;
        assert!(metadata.json()["version"].as_str().unwrap().starts_with(version));
    }
}

#[tokio::test]
async fn a_switched_off_area_is_told_of_and_leaks_nowhere() {
    let suite = at(SpecLevel::V1_6, &["includeImmunisations", "includeReferrals"]).await;
    let body = parameters(number("patient2"), &everything());
    let bundle = Call::suite(&suite, &body).send(&suite).await.json();
    assert_eq!(
        texts(&bundle),
        ["includeImmunisations has been disabled", "includeReferrals has been disabled"]
    );
    for absent in ["Immunization", "ReferralRequest"] {
        assert!(of_type(&bundle, absent).is_empty(), "{absent}");
        assert!(!bundle.to_string().contains(&format!("{absent}/")), "{absent}");
    }
    assert!(list(&bundle, "1102181000000102").is_none());
    let words: Vec<&str> = of_type(&bundle, "List")
        .iter()
        .filter_map(|list| list["entry"].as_array())
        .flatten()
        .filter_map(|entry| entry["item"]["display"].as_str())
        .collect();
    assert_eq!(words, ["Referral items have been disabled.", "Immunisation items have been disabled."]);
    let body = parameters(number("patient2"), &[allergies(false)]);
    let bundle = Call::suite(&suite, &body).send(&suite).await.json();
    assert!(of_type(&bundle, "OperationOutcome").is_empty(), "only what is asked for is warned of");
    let suite = at(SpecLevel::V1_6, &["includeProblems"]).await;
    let bundle = Call::suite(&suite, &body).send(&suite).await.json();
    assert_eq!(of_type(&bundle, "List").len(), 1, "no linked problems either");
    assert!(of_type(&bundle, "Condition").is_empty());
}
