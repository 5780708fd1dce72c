//! What is attached to a record: the address a record gives out, and what comes of it.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it stands")]

use mock_providers::{ErrorBody, Fault};
use serde_json::Value;
use tributary_tests::{GEORGE, Plan, Reply, Stage, http};

const FORM: &str = "ReSPECT form for George Ashworth. Not for attempted cardiopulmonary resuscitation.\n";

/// The attachment of George's ReSPECT form, as the record has it.
fn form(bundle: &Value) -> &Value {
    let entries = bundle["entry"].as_array().unwrap();
    let is_form = |one: &&Value| one["resource"]["content"][0]["attachment"]["hash"] == "aGFzaC1SRVM=";
    &entries.iter().find(is_form).unwrap()["resource"]["content"][0]["attachment"]
}

/// The path of the address that the record gives out.
async fn given_out(stage: &Stage) -> String {
    let reply = stage.record(GEORGE, &[]).await;
    let bundle: Value = reply.json();
    let url = form(&bundle)["url"].as_str().unwrap();
    let base = format!("http://{}", stage.running.data_addr());
    url.strip_prefix(&base).unwrap_or_else(|| panic_with(url)).to_owned()
}

#[expect(clippy::panic, reason = "a test may stop where it stands")]
fn panic_with(url: &str) -> ! {
    panic!("{url} does not lead through the broker")
}

async fn get(stage: &Stage, path: &str, headers: &[(&str, &str)]) -> Reply {
    http::send(stage.running.data_addr(), "GET", path, "", headers).await
}

#[tokio::test]
async fn a_form_in_the_record_can_be_opened() {
    let stage = Stage::set(Plan::default()).await;
    let path = given_out(&stage).await;
    assert!(path.starts_with("/fhir/R4/Binary/") && !path.contains(GEORGE), "{path}");
    let reply = get(&stage, &path, &[]).await;
    assert_eq!((reply.status, reply.header("Cache-Control")), (200, Some("no-store")));
    let binary = reply.json();
    assert_eq!((&binary["resourceType"], &binary["contentType"]), (&"Binary".into(), &"text/plain".into()));
    assert!(binary["data"].as_str().unwrap().starts_with("UmVTUEVDVCBmb3Jt"));
    let browser = [("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")];
    let reply = get(&stage, &path, &browser).await;
    assert_eq!((reply.status, reply.body.as_str()), (200, FORM));
    assert_eq!(reply.header("Content-Type"), Some("text/plain; charset=utf-8"));
    assert_eq!(reply.header("X-Content-Type-Options"), Some("nosniff"));
    assert!(reply.header("Content-Security-Policy").unwrap().contains("sandbox"));
}

#[tokio::test]
async fn equal_records_give_out_equal_addresses() {
    let stage = Stage::set(Plan::default()).await;
    assert_eq!(given_out(&stage).await, given_out(&stage).await);
}

#[tokio::test]
async fn what_else_is_said_of_an_attachment_stays_as_it_was_sent() {
    let stage = Stage::set(Plan::default()).await;
    let bundle = stage.record(GEORGE, &[]).await.json();
    let attachment = form(&bundle);
    assert_eq!(attachment["size"], 83);
    assert_eq!(attachment["creation"], "2026-03-02T15:30:00Z");
    assert_eq!(attachment["contentType"], "text/plain");
}

#[tokio::test]
async fn every_fetch_is_on_record_against_its_patient() {
    let stage = Stage::set(Plan::default()).await;
    let path = given_out(&stage).await;
    let reply = get(&stage, &path, &[]).await;
    let audit = reply.header("Tributary-Audit").unwrap().to_owned();
    let folder = stage.audit.path().join("log");
    let mut text = String::new();
    let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    for file in files.filter(|path| path.is_file()) {
        let bytes = std::fs::read(file).unwrap();
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
    assert!(!audit.is_empty());
    for kind in ["intent", "disclosure"] {
        let said = text.split('\n').any(|line| {
            line.contains(&format!("\"{kind}\"")) && line.contains("\"binary\"") && line.contains(GEORGE)
        });
        assert!(said, "no {kind} of the fetch");
    }
    assert!(!text.contains("UmVTUEVDVCBmb3Jt") && !text.contains("ReSPECT form"), "content in the log");
}

#[tokio::test]
async fn an_address_that_was_not_given_out_reaches_nobody() {
    let stage = Stage::set(Plan::default()).await;
    let path = given_out(&stage).await;
    let asked = stage.federation.provider("specialist").unwrap().asks().len();
    let mut changed = path.clone();
    let last = if changed.pop() == Some('A') { 'B' } else { 'A' };
    changed.push(last);
    for path in ["/fhir/R4/Binary/p1-respect", "/fhir/R4/Binary/x", changed.as_str()] {
        let reply = get(&stage, path, &[]).await;
        assert_eq!(reply.status, 404, "{path}");
        assert_eq!(reply.json()["resourceType"], "OperationOutcome");
        assert!(!reply.body.contains("p1-respect"));
    }
    assert_eq!(stage.federation.provider("specialist").unwrap().asks().len(), asked);
}

#[tokio::test]
async fn a_source_that_fails_is_told_from_a_document_that_is_gone() {
    let stage = Stage::set(Plan { source_keys: "timeout_ms = 400", ..Plan::default() }).await;
    let path = given_out(&stage).await;
    let status = |status| Fault::Status {
        status,
        body: ErrorBody::default(),
        spine_code: None,
        retry_after_secs: None,
    };
    for (fault, expected) in
        [(status(404), 404), (status(500), 502), (Fault::Refuse, 502), (Fault::HangBeforeHead, 504)]
    {
        let specialist = stage.federation.provider("specialist").unwrap();
        specialist.set_fault(fault.clone());
        let reply = get(&stage, &path, &[]).await;
        assert_eq!(reply.status, expected, "{fault:?}: {}", reply.body);
        assert_eq!(reply.json()["resourceType"], "OperationOutcome");
        specialist.clear_fault().unwrap();
    }
}
