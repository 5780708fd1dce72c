//! `?view=lines`: the record for parts of a screen. It says what the Bundle says.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it stands")]

use std::collections::BTreeSet;

use mock_providers::Fault;
use serde_json::Value;
use tributary_tests::bundle::Merged;
use tributary_tests::{GEORGE, Plan, Reply, Stage, http, parameters};

const HAROLD: &str = "9990000301";

async fn viewed(stage: &Stage, number: &str, query: &str) -> Reply {
    let path = format!("/fhir/R4/Patient/$record?{query}");
    let body = parameters(number, &[]);
    http::post(stage.running.data_addr(), &path, "application/fhir+json", &body, &[]).await
}

fn list(json: &Value) -> &[Value] {
    json.as_array().unwrap()
}

fn text(json: &Value) -> &str {
    json.as_str().unwrap()
}

/// `section | title | key hash | class | members`, as the harness reads the Bundle's Lists.
fn rows(lines: &Value) -> Vec<String> {
    let mut rows = Vec::new();
    for section in list(&lines["sections"]) {
        for line in list(&section["lines"]) {
            let code = text(&section["section"]);
            let members = list(&line["members"]).iter().map(|member| {
                let copy = member.get("copy").map(|copy| format!(" [{}]", text(copy))).unwrap_or_default();
                let position = if code == "medications" { text(&member["facts"][0]) } else { "" };
                let position = if position.is_empty() { String::new() } else { format!(" ({position})") };
                format!("{} {}{copy}{position}", text(&member["source"]), text(&member["origin"]))
            });
            let members = members.collect::<Vec<_>>().join(", ");
            let words = [text(&line["title"]), text(&line["line"]), text(&line["class"])];
            rows.push(format!("{code} | {} | {members}", words.join(" | ")));
        }
    }
    rows
}

/// `rule (severity): members`, sorted, as the harness reads the Bundle's discrepancies.
fn disputes(lines: &Value) -> Vec<String> {
    let name = |url: &Value| {
        let statement = list(&lines["statements"]).iter().find(|one| one["fullUrl"] == *url).unwrap();
        let source = text(&statement["resource"]["meta"]["source"]);
        let (source, origin) = source.strip_prefix("urn:x-tributary:").unwrap().split_once('#').unwrap();
        format!("{origin}@{source}")
    };
    let row = |one: &Value| {
        let mut members: Vec<String> = list(&one["statements"]).iter().map(name).collect();
        members.sort_unstable();
        format!("{} ({}): {}", text(&one["rule"]), text(&one["severity"]), members.join(", "))
    };
    let mut rows: Vec<String> = list(&lines["discrepancies"]).iter().map(row).collect();
    rows.sort_unstable();
    rows
}

async fn says_the_same(stage: &Stage, number: &str) {
    let bundle = stage.record(number, &[]).await;
    let merged = Merged::of(bundle.json());
    let reply = viewed(stage, number, "view=lines").await;
    assert_eq!((reply.status, reply.header("Content-Type")), (200, Some("application/json; charset=utf-8")));
    assert_eq!(reply.header("Tributary-Completeness"), bundle.header("Tributary-Completeness"));
    assert_ne!(reply.header("Tributary-Audit"), bundle.header("Tributary-Audit"), "a disclosure of its own");
    let lines = reply.json();
    assert_eq!(rows(&lines), merged.lines());
    assert!(!merged.lines().is_empty());
    assert_eq!(text(&lines["allergyLabel"]), merged.allergy_label());
    assert_eq!(text(&lines["completeness"]), merged.tag());
    assert_eq!(disputes(&lines), merged.discrepancies());
    for source in list(&lines["sources"]) {
        assert_eq!(merged.statuses()[text(&source["id"])], text(&source["status"]));
    }
    for section in list(&lines["sections"]) {
        let is_silent = list(&section["lines"]).is_empty() && list(&section["notices"]).is_empty();
        assert!(!is_silent, "{} is empty and says nothing", section["section"]);
    }
    // The same statements, byte for byte, and nothing else.
    let of_sources = |entry: &&Value| {
        entry["resource"]["meta"]["source"].as_str().is_some_and(|source| source.contains('#'))
    };
    let entries: BTreeSet<String> =
        list(&merged.bundle["entry"]).iter().filter(of_sources).map(Value::to_string).collect();
    let statements: Vec<String> = list(&lines["statements"]).iter().map(Value::to_string).collect();
    assert_eq!(statements.len(), entries.len());
    assert!(statements.iter().all(|one| entries.contains(one) && bundle.body.len() > one.len()));
    leads_somewhere(&lines);
}

/// Every address of a statement is one of the statements.
fn leads_somewhere(lines: &Value) {
    let urls: BTreeSet<&str> = list(&lines["statements"]).iter().map(|one| text(&one["fullUrl"])).collect();
    let of_lines = list(&lines["sections"]).iter().flat_map(|section| list(&section["lines"]));
    let mut named: Vec<&Value> = Vec::new();
    for line in of_lines {
        named.extend(list(&line["beneath"]));
        named.extend(list(&line["members"]).iter().map(|member| &member["statement"]));
    }
    named.extend(list(&lines["discrepancies"]).iter().flat_map(|one| list(&one["statements"])));
    assert!(named.iter().all(|url| urls.contains(text(url))), "{named:?}");
}

#[tokio::test]
async fn lines_say_what_the_bundle_says() {
    let stage = Stage::set(Plan::default()).await;
    says_the_same(&stage, GEORGE).await;
    let expected = vec!["gp", "acute-a", "community"];
    let stage = Stage::set(Plan { patient: HAROLD, expected, ..Plan::default() }).await;
    says_the_same(&stage, HAROLD).await;
    // A prescription plan hangs beneath its statement.
    let lines = viewed(&stage, HAROLD, "view=lines").await.json();
    let medicines = list(&lines["sections"]).iter().find(|one| one["section"] == "medications").unwrap();
    assert!(list(&medicines["lines"]).iter().any(|line| !list(&line["beneath"]).is_empty()));
}

#[tokio::test]
async fn a_silent_source_is_said_beside_the_lines() {
    let stage = Stage::set(Plan::default()).await;
    stage.federation.provider("gp").unwrap().set_fault(Fault::Refuse);
    says_the_same(&stage, GEORGE).await;
    let lines = viewed(&stage, GEORGE, "view=lines").await.json();
    assert_eq!(lines["completeness"], "partial");
    assert_eq!(lines["sources"][0]["id"], "gp", "worst first");
}

#[tokio::test]
async fn another_view_is_refused_before_anybody_is_asked() {
    let stage = Stage::set(Plan::default()).await;
    for query in ["view=line", "view=", "view=lines&view=lines"] {
        let reply = viewed(&stage, GEORGE, query).await;
        assert_eq!(reply.status, 422, "{query}");
        assert_eq!(reply.json()["resourceType"], "OperationOutcome");
        assert_eq!(reply.header("Tributary-Audit"), None);
    }
}

#[tokio::test]
async fn an_error_is_an_outcome_in_this_view_too() {
    let stage = Stage::set(Plan { expected: vec!["gp"], ..Plan::default() }).await;
    stage.federation.provider("gp").unwrap().set_fault(Fault::Refuse);
    let reply = viewed(&stage, GEORGE, "view=lines").await;
    assert_eq!((reply.status, reply.json()["resourceType"].as_str()), (502, Some("OperationOutcome")));
    assert_eq!(reply.header("Content-Type"), Some("application/fhir+json; charset=utf-8"));
}
