//! Recorded GP Connect replies, served as GP systems: nothing lost, nothing altered, nothing crossed.
//!
//! The recordings are test inputs that are not kept here; `TRIBUTARY_FIXTURES` names their folder.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "a test may stop where it stands"
)]

#[path = "fixtures/over_http.rs"]
mod over_http;
#[path = "fixtures/together.rs"]
mod together;
#[path = "fixtures/trends.rs"]
mod trends;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use mock_providers::{ReplayOptions, ReplayPatient, start_replay};
use serde_json::Value;
use tributary::{Running, Settings};
use tributary_tests::bundle::Merged;
use tributary_tests::{Reply, http, parameters};

/// The folder of the recordings, or word that it was not looked into.
fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("TRIBUTARY_FIXTURES").map(PathBuf::from);
    if folder.is_none() {
        println!("NOT RUN: TRIBUTARY_FIXTURES is not set, no recording was replayed");
    }
    folder
}

struct Replayed {
    running: Running,
    patients: Vec<ReplayPatient>,
    _audit: tempfile::TempDir,
    _provider: mock_providers::ProviderHandle,
}

async fn replay(folder: &Path) -> Replayed {
    let (provider, patients) = start_replay(folder, ReplayOptions::default()).await.unwrap();
    let audit = tempfile::tempdir().unwrap();
    let mut text = String::from(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\nlame_duck_secs = 0\nmax_behind_ms = 1000\n",
    );
    write!(
        text,
        "[audit]\ndir = \"{}\"\n[demo]\ninsecure = true\nas_of = \"2026-03-10T02:10:00Z\"\n[[source]]\nid = \"gp\"\n\
         name = \"Replay\"\nkind = \"gp\"\nprotocol = \"gpconnect-structured\"\nods = \"A99902\"\nasid = \"200000000206\"\n\
         base_url = \"{}\"\ntimeout_ms = 20000\n",
        audit.path().join("log").display(),
        provider.base_url
    )
    .unwrap();
    let settings = Settings::parse(&text).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    let running = Running::start(settings).await.unwrap();
    Replayed { running, patients, _audit: audit, _provider: provider }
}

impl Replayed {
    async fn record(&self, number: &str) -> Reply {
        let path = "/fhir/R4/Patient/$record";
        let headers = [("Tributary-Deadline-Ms", "30000")];
        let body = parameters(number, &[]);
        http::post(self.running.data_addr(), path, "application/fhir+json", &body, &headers).await
    }
}

/// Types whose resources are statements about a patient.
const CLINICAL: &[&str] = &[
    "AllergyIntolerance",
    "Condition",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "Immunization",
    "List",
    "MedicationRequest",
    "MedicationStatement",
    "Observation",
    "ProcedureRequest",
    "QuestionnaireResponse",
    "ReferralRequest",
    "Specimen",
    "Procedure",
    "Flag",
];

/// Whether a resource's subject is the bundle's Patient.
fn is_tied(resource: &Value, patient: &str) -> bool {
    ["subject", "patient"].iter().any(|key| resource[key]["reference"] == patient)
}

/// Number and date literals of a raw JSON text: what must come out as it went in.
fn literals(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("\"value\"") {
        let rest = text[at + 7..].trim_start().trim_start_matches(':').trim_start();
        let number: String =
            rest.chars().take_while(|c| c.is_ascii_digit() || "+-.eE".contains(*c)).collect();
        if number.contains('.') {
            found.insert(number);
        }
    }
    for key in ["effectiveDateTime", "onsetDateTime", "issued", "authoredOn", "start", "end", "recordedDate"]
    {
        let quoted = format!("\"{key}\"");
        for (at, _) in text.match_indices(&quoted) {
            let rest = text[at + quoted.len()..].trim_start().trim_start_matches(':').trim_start();
            if let Some(date) = rest.strip_prefix('"').and_then(|rest| rest.split('"').next()) {
                found.insert(format!("\"{date}\""));
            }
        }
    }
    found
}

fn count(resources: impl IntoIterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for name in resources {
        *counts.entry(name).or_default() += 1;
    }
    counts
}

/// `Type/id` of every distinct clinical resource with an id, split into tied and loose ones.
fn expected(bundle: &Value) -> (BTreeMap<String, usize>, usize) {
    let resources: Vec<&Value> = bundle["entry"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|entry| &entry["resource"])
        .filter(|one| one.is_object())
        .collect();
    let patient = resources.iter().find(|one| one["resourceType"] == "Patient");
    let patient = format!("Patient/{}", patient.and_then(|one| one["id"].as_str()).unwrap_or("?"));
    let mut distinct = BTreeSet::new();
    let mut tied = Vec::new();
    let mut loose = 0;
    for resource in
        resources.into_iter().filter(|one| CLINICAL.contains(&one["resourceType"].as_str().unwrap_or("")))
    {
        if !distinct.insert(resource.to_string()) {
            continue;
        }
        if !is_tied(resource, &patient) {
            loose += 1;
        } else if let Some(id) = resource["id"].as_str() {
            tied.push(format!("{}/{id}", resource["resourceType"].as_str().unwrap()));
        }
    }
    (count(tied), loose)
}

/// Looks for everything that a source served in a record.
fn check_whole((source, file): (&str, &str), served: &str, body: &str, merged: &Merged) {
    let bundle: Value = serde_json::from_str(served).unwrap();
    let (tied, loose) = expected(&bundle);
    let own = format!("{source} ");
    let origins =
        merged.origins().into_iter().filter_map(|origin| origin.strip_prefix(&own).map(str::to_owned));
    // A second resource under the same id carries a mark of its content behind it.
    let held = count(origins.map(|origin| origin.split('~').next().unwrap_or_default().to_owned()));
    for (name, times) in &tied {
        assert_eq!(held.get(name), Some(times), "{file}: {name}");
    }
    let told = format!("not-tied-to-patient {source} ");
    let withheld: usize = merged.notices().iter().filter(|notice| notice.starts_with(&told)).count();
    assert_eq!(withheld > 0, loose > 0, "{file}: {loose} loose statements, notices {:?}", merged.notices());
    if loose == 0 {
        for literal in literals(served) {
            assert!(body.contains(&literal), "{file}: {literal} is not in the record");
        }
    }
    let text = merged.bundle.to_string();
    for url in text.split("\"reference\":\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        let is_relative =
            url.split_once('/').is_some_and(|(kind, _)| kind.chars().all(|c| c.is_ascii_alphabetic()));
        assert!(!is_relative || url.contains(char::is_whitespace), "{file}: bare reference {url}");
        assert!(!url.starts_with("urn:uuid:") || merged.has(url), "{file}: {url} leads nowhere");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recording_is_whole_or_refused_with_a_reason() {
    let Some(folder) = folder() else { return };
    let replayed = replay(&folder).await;
    let mut whole = 0;
    for patient in &replayed.patients {
        let served = std::fs::read_to_string(folder.join(&patient.file)).unwrap();
        let reply = replayed.record(&patient.nhs_number).await;
        println!(
            "{:60} {} {}",
            patient.file,
            reply.status,
            reply.header("Tributary-Completeness").unwrap_or("-")
        );
        if reply.status == 200 {
            whole += 1;
            check_whole(("gp", &patient.file), &served, &reply.body, &Merged::of(reply.json()));
        } else {
            let outcome = reply.json();
            assert_eq!(outcome["resourceType"], "OperationOutcome", "{}", patient.file);
            println!("{:60} {}", "", outcome["issue"][0]["details"]);
            let code = outcome["issue"][0]["details"]["coding"][0]["code"].as_str().unwrap_or_default();
            assert!(
                matches!(code, "invalid" | "denied" | "identity-mismatch" | "withheld-consent"),
                "{}: {code}",
                patient.file
            );
        }
    }
    assert!(whole >= 15, "only {whole} recordings gave a record");
    // The broker lives on.
    let ping = http::get(replayed.running.data_addr(), "/_ping").await;
    assert_eq!(ping.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_gives_the_same_bytes_twice() {
    let Some(folder) = folder() else { return };
    let replayed = replay(&folder).await;
    for patient in replayed.patients.iter().take(4) {
        let (first, second) =
            (replayed.record(&patient.nhs_number).await, replayed.record(&patient.nhs_number).await);
        assert_eq!(first.body, second.body, "{}", patient.file);
    }
}
