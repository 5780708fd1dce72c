//! The five stories over HTTP, row by row, and what must hold of every answer.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it stands")]

use std::collections::BTreeSet;
use std::time::Duration;

use mock_providers::{ErrorBody, Fault, Played};
use tributary_tests::bundle::Merged;
use tributary_tests::{GEORGE, Plan, Stage, parameters, sha256};

/// One scenario file.
struct Scenario(Vec<Vec<&'static str>>);

impl Scenario {
    fn of(text: &'static str) -> Self {
        Self(text.lines().map(|line| line.split('\t').collect()).collect())
    }

    fn rows(&self, kind: &str) -> Vec<&[&'static str]> {
        self.0.iter().filter(|row| row[0] == kind).map(|row| &row[1..]).collect()
    }

    fn one(&self, kind: &str) -> Option<&'static str> {
        self.rows(kind).first().map(|row| row[0])
    }
}

async fn plays(text: &'static str) {
    let scenario = Scenario::of(text);
    let expected: Vec<&str> = scenario.rows("source").iter().map(|row| row[0]).collect();
    let number = scenario.one("patient").unwrap();
    let plan = Plan {
        expected,
        patient: number,
        played: Played::AsWritten,
        source_keys: "timeout_ms = 3500",
        server_keys: "max_behind_ms = 1000",
        without_map: scenario.one("without-map"),
    };
    let stage = Stage::set(plan).await;
    for row in scenario.rows("fault") {
        let fault = match row[1] {
            "silent" => Fault::HangBeforeHead,
            "not-found" => {
                let spine_code = Some("PATIENT_NOT_FOUND".to_owned());
                Fault::Status { status: 404, body: ErrorBody::Outcome, spine_code, retry_after_secs: None }
            }
            status => Fault::status(status.parse().unwrap()),
        };
        stage.federation.provider(row[0]).unwrap().set_fault(fault);
    }
    let sections = scenario.rows("sections")[0];
    let sections = if sections == ["all"] { &[][..] } else { sections };
    let reply = stage.ask(&parameters(number, sections), &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let merged = Merged::of(reply.json());
    let statuses: Vec<(String, String)> = merged.statuses().into_iter().collect();
    let mut sources: Vec<(String, String)> =
        scenario.rows("source").iter().map(|row| (row[0].to_owned(), row[1].to_owned())).collect();
    sources.sort();
    assert_eq!(statuses, sources);
    assert_eq!(reply.header("Tributary-Completeness"), scenario.one("completeness"));
    assert_eq!(scenario.one("completeness").unwrap().split(';').next(), Some(merged.tag()));
    if let Some(label) = scenario.one("label") {
        assert_eq!(merged.allergy_label(), label);
    }
    let lines: Vec<String> = scenario
        .rows("line")
        .iter()
        .map(|row| format!("{} | {} | {} | {} | {}", row[0], row[1], sha256(row[2]), row[3], row[4]))
        .collect();
    assert_eq!(merged.lines(), lines);
    let discrepancies: Vec<&str> = scenario.rows("discrepancy").iter().map(|row| row[0]).collect();
    let mut sorted: Vec<&str> = discrepancies.clone();
    sorted.sort_unstable();
    assert_eq!(merged.discrepancies(), sorted);
    let notices: Vec<&str> = scenario.rows("notice").iter().map(|row| row[0]).collect();
    assert_eq!(merged.notices(), notices);
    is_sound(&merged);
}

/// What holds of every answer, whatever it says.
fn is_sound(merged: &Merged) {
    let origins = merged.origins();
    let unique: BTreeSet<&String> = origins.iter().collect();
    assert_eq!(unique.len(), origins.len(), "a statement twice");
    let first = merged.bundle["entry"][0]["resource"]["resourceType"].as_str();
    assert_eq!(first, Some("OperationOutcome"));
    let text = merged.bundle.to_string();
    for url in text.split("\"reference\":\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        let leads = url.starts_with('#') || url.starts_with("urn:x-tributary:unresolved:") || merged.has(url);
        assert!(leads, "{url} leads nowhere");
    }
}

#[tokio::test]
async fn every_scenario_line_by_line() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|end| end == "tsv")).collect();
    files.sort();
    assert!(files.len() >= STORIES, "{files:?}");
    for file in files {
        eprintln!("{}", file.display());
        // A scenario lives as long as the test, and its plan wants words that do.
        plays(Box::leak(std::fs::read_to_string(file).unwrap().into_boxed_str())).await;
    }
}

/// The stories themselves; their variants are more.
const STORIES: usize = 5;

/// The 32 entries of George's story, as its sources name them. GP Lists have no id on the wire.
const ENTRIES: &[&str] = &[
    "gp Patient/p1",
    "gp AllergyIntolerance/a1",
    "gp Condition/c1",
    "gp Condition/c2",
    "gp Medication/m1",
    "gp MedicationRequest/pl1",
    "gp MedicationStatement/ms1",
    "gp Medication/m2",
    "gp MedicationRequest/pl2",
    "gp MedicationStatement/ms2",
    "gp Observation/o1",
    "gp Encounter/e1",
    "acute-a Patient/p1",
    "acute-a AllergyIntolerance/n1",
    "acute-a Condition/c1",
    "acute-a Encounter/e1",
    "acute-a DocumentReference/d1",
    "acute-a CarePlan/cp1",
    "specialist Patient/p1",
    "specialist Condition/c1",
    "specialist Flag/f1",
    "specialist DocumentReference/d1",
    "specialist DocumentReference/d2",
    "specialist QuestionnaireResponse/q1",
    "specialist MedicationRequest/mr1",
    "specialist MedicationRequest/mr2",
    "specialist Flag/f2",
    "walkin Patient/p1",
    "walkin Encounter/e1",
];

#[tokio::test]
async fn every_entry_of_the_story_is_there_once() {
    let stage = Stage::set(Plan::default()).await;
    let merged = Merged::of(stage.record(GEORGE, &[]).await.json());
    let origins = merged.origins();
    for entry in ENTRIES {
        assert_eq!(origins.iter().filter(|origin| origin == entry).count(), 1, "{entry}");
    }
    // The three Lists of the story, among those the practice sends for the other areas.
    assert!(origins.iter().filter(|origin| origin.starts_with("gp List/")).count() >= 3);
}

#[tokio::test]
async fn answers_in_another_order_give_the_same_bytes() {
    let stage = Stage::set(Plan::default()).await;
    let mut bodies = Vec::new();
    for order in [[0, 120, 240, 360], [360, 240, 120, 0], [240, 0, 360, 120]] {
        for (id, wait) in ["gp", "acute-a", "specialist", "walkin"].iter().zip(order) {
            stage.federation.provider(id).unwrap().set_delay(Duration::from_millis(wait));
        }
        let reply = stage.record(GEORGE, &[]).await;
        assert_eq!(reply.header("Tributary-Completeness"), Some("complete"));
        bodies.push(reply.body);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test]
async fn the_nurse_sees_the_same_record_on_the_page() {
    let stage = Stage::set(Plan::default()).await;
    stage.federation.provider("walkin").unwrap().set_fault(Fault::status(503));
    let form = format!("nhs={GEORGE}");
    let address = stage.running.data_addr();
    let page =
        tributary_tests::http::post(address, "/record", "application/x-www-form-urlencoded", &form, &[])
            .await;
    assert_eq!(page.status, 200, "{}", page.head);
    for words in [
        "ASHWORTH, George",
        "11-Feb-1953 (73y)",
        "999 000 0107",
        "Not for attempted cardiopulmonary resuscitation",
        "Records disagree about CPR",
        "No known allergies",
        "Wirral Walk-in Centre could not be reached",
    ] {
        assert!(page.body.contains(words), "{words}\n{}", page.body);
    }
}

#[tokio::test]
async fn strict_callers_get_all_or_nothing() {
    let stage = Stage::set(Plan::default()).await;
    stage.federation.provider("gp").unwrap().set_fault(Fault::status(500));
    let reply = stage.record(GEORGE, &[("Prefer", "handling=strict")]).await;
    assert_eq!(reply.status, 502);
    assert_eq!(reply.json()["resourceType"], "OperationOutcome");
    assert!(!reply.body.contains("lung cancer"));
}
