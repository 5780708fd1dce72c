//! Recordings are served byte for byte.

use std::path::PathBuf;

use crate::support::*;
use mock_providers::NumberOrigin::{self, Allotted, Recorded, Replaced};
use mock_providers::{ProviderHandle, ReplayOptions, ReplayPatient, start_replay};
use serde_json::{Value, json};

/// Oddly formatted on purpose: none of it may be touched.
const RECORDING: &str = r#"{ "resourceType":"Bundle" , "id" : "recorded-id",
  "type":"collection","entry":[ {"resource":{"resourceType":"Patient","id":"p","identifier":[
   {"system":"https://fhir.nhs.uk/Id/nhs-number","value":"NUMBER"}]}},
  {"resource":{"resourceType":"Observation","id":"o","valueQuantity":{"value": 1.0500 , "unit":"\u006dmol"}}}]}
"#;

/// A folder that is removed with this value.
struct Folder(PathBuf);

impl Folder {
    fn with(name: &str, files: &[(&str, &str)]) -> Self {
        let folder = std::env::temp_dir().join(format!("mock-providers-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for (file, text) in files {
            std::fs::write(folder.join(file), text).unwrap();
        }
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

async fn ask(provider: &ProviderHandle, nhs_number: &str) -> Seen {
    let mut call = Call::structured(&parameters(nhs_number, &[allergies(true)]));
    call.path = call.path.replace("A99901", "A99902");
    call.set("Ssp-To", "200000000206");
    call.send(provider).await
}

#[tokio::test]
async fn recordings_are_served_untouched_but_for_id_and_bad_numbers() {
    let template = "{{jsonPath request.body '$.parameter[0].valueIdentifier.value'}}";
    let good = RECORDING.replace("NUMBER", "9990000107");
    let templated = RECORDING.replace("NUMBER", template);
    let outcome = json!({"resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "details": {"coding": [{"code": "NO_RELATIONSHIP"}]}}]});
    let files = [
        ("a.json", good.as_str()),
        ("b.json", templated.as_str()),
        ("c.json", good.as_str()),
        ("d.json", r#"{"resourceType":"Bundle","type":"collection"}"#),
        ("e.json", &outcome.to_string()),
        ("f.json", "not json at all"),
        ("notes.txt", "not served"),
    ];
    let folder = Folder::with("replay", &files);
    let (provider, patients) = start_replay(&folder.0, ReplayOptions::default()).await.unwrap();
    assert_eq!(patients.len(), 6);
    let origins: Vec<NumberOrigin> = patients.iter().map(|patient| patient.origin).collect();
    assert_eq!(origins, [Recorded, Replaced, Replaced, Allotted, Allotted, Allotted]);
    for (patient, (_, text)) in patients.iter().zip(files) {
        assert!(tributary_model::NhsNumber::parse(&patient.nhs_number).is_ok());
        let seen = ask(&provider, &patient.nhs_number).await;
        assert_eq!(seen.status, if patient.file == "e.json" { 403 } else { 200 });
        let expected = text
            .replace("recorded-id", TRACE)
            .replace(template, &patient.nhs_number)
            .replace("9990000107", &patient.nhs_number);
        assert_eq!(String::from_utf8(seen.body).unwrap(), expected, "{}", patient.file);
    }
    let (_, again) = start_replay(&folder.0, ReplayOptions::default()).await.unwrap();
    let numbers = |all: &[ReplayPatient]| all.iter().map(|one| one.nhs_number.clone()).collect::<Vec<_>>();
    assert_eq!(numbers(&patients), numbers(&again));
    assert_eq!(ask(&provider, "9990000018").await.spine_code(), "PATIENT_NOT_FOUND");
}

#[tokio::test]
async fn one_file_is_served_too() {
    let folder = Folder::with("single", &[("one.json", &RECORDING.replace("NUMBER", "9990000107"))]);
    let (provider, patients) =
        start_replay(folder.0.join("one.json"), ReplayOptions::default()).await.unwrap();
    assert_eq!(patients.len(), 1);
    assert_eq!(ask(&provider, "9990000107").await.json()["id"], TRACE);
}

#[tokio::test]
async fn fixtures_are_served() {
    let Ok(folder) = std::env::var("TRIBUTARY_FIXTURES") else {
        println!("NOT RUN: the recorded Bundles are found by TRIBUTARY_FIXTURES, which is not set");
        return;
    };
    let (provider, patients) = start_replay(&folder, ReplayOptions::default()).await.unwrap();
    assert!(!patients.is_empty());
    for patient in &patients {
        let recorded = std::fs::read_to_string(PathBuf::from(&folder).join(&patient.file)).unwrap();
        let before: Value = serde_json::from_str(&recorded).unwrap();
        let served = String::from_utf8(ask(&provider, &patient.nhs_number).await.body).unwrap();
        let quoted = |text: &str| format!("\"{text}\"");
        let mut undone = served;
        if let Some(id) = before["id"].as_str() {
            undone = undone.replacen(&quoted(TRACE), &quoted(id), 1);
        }
        if patient.origin == Replaced {
            undone = undone.replace(&quoted(&patient.nhs_number), &quoted(recorded_number(&before)));
        }
        assert!(undone == recorded, "{} was changed", patient.file);
    }
}

fn recorded_number(bundle: &Value) -> &str {
    let entries = bundle["entry"].as_array().unwrap();
    let patient = entries.iter().find(|entry| entry["resource"]["resourceType"] == "Patient").unwrap();
    let identifiers = patient["resource"]["identifier"].as_array().unwrap();
    let official = |one: &&Value| one["system"].as_str().is_some_and(|system| system.ends_with("nhs-number"));
    identifiers.iter().find(official).unwrap()["value"].as_str().unwrap()
}
