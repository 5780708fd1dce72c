//! Maintenance that is announced: to readers when the source fails, to operators always.

use mock_providers::Fault;
use serde_json::Value;
use tributary_tests::{Plan, Reply, http};

use crate::scene::{Scene, value};

const FROM: &str = "maintenance = { from = \"2026-03-10T01:00:00Z\", until = ";

/// What is said of the GP in the record's outcome.
fn said(reply: &Reply) -> String {
    let entries = reply.json()["entry"].as_array().cloned().unwrap_or_default();
    let issues = entries.iter().filter_map(|entry| entry["resource"]["issue"].as_array().cloned()).flatten();
    let words: Vec<String> = issues.map(|issue| issue.to_string()).collect();
    words.into_iter().find(|words| words.contains("Riverside")).unwrap_or_default()
}

fn announced(until: &str) -> impl FnOnce(String) -> String + use<> {
    let line = format!("id = \"gp\"\n{FROM}\"{until}\", words = \"New version.\" }}\n");
    move |text| {
        let without: String = text
            .lines()
            .filter(|line| !line.starts_with("maintenance"))
            .fold(String::new(), |all, line| all + line + "\n");
        without.replace("id = \"gp\"\n", &line)
    }
}

async fn of_gp(address: std::net::SocketAddr) -> Value {
    let list = http::get(address, "/sources").await.json();
    list["sources"].as_array().unwrap().iter().find(|one| one["id"] == "gp").unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_and_operators_are_told_of_maintenance_while_it_lasts() {
    let scene =
        Scene::set(Plan { source_keys: "timeout_ms = 500", ..Plan::default() }, |_, usual| usual).await;
    let gp = scene.federation.provider("gp").unwrap();
    gp.set_fault(Fault::status(500));
    let plain = said(&scene.record(&[]).await);
    assert!(!plain.is_empty() && !plain.contains("maintenance"), "{plain}");

    // 06:00 of the same day, as clocks in London show it.
    scene.reload(announced("2026-03-10T06:00:00Z")).await;
    let told = said(&scene.record(&[]).await);
    assert!(told.contains("Planned maintenance until 06:00. New version."), "{told}");
    for address in [scene.broker.data, scene.broker.admin] {
        let entry = of_gp(address).await;
        assert_eq!(entry["maintenance"]["until"], "2026-03-10T06:00:00Z", "{entry}");
        assert_eq!(entry["maintenance"]["words"], "New version.", "{entry}");
    }
    let page = scene.metrics().await;
    let until = "tributary_source_maintenance_until_timestamp_seconds";
    assert_eq!(value(&page, &format!("{until}{{source=\"gp\"}}")), Some(1_773_122_400.0));
    assert_eq!(value(&page, &format!("{until}{{source=\"walkin\"}}")), Some(0.0));

    // What it says is only why it fails: an answer, and somebody else's record, are told as they are.
    gp.clear_fault().unwrap();
    assert!(!said(&scene.record(&[]).await).contains("maintenance"));
    gp.set_fault(Fault::WrongPatient);
    let mixed_up = said(&scene.record(&[]).await);
    assert!(mixed_up.contains("do not match") && !mixed_up.contains("maintenance"), "{mixed_up}");
    gp.set_fault(Fault::status(500));

    scene.reload(announced("2026-03-11T06:00:00Z")).await;
    let told = said(&scene.record(&[]).await);
    assert!(told.contains("Planned maintenance until 06:00 on 11-Mar-2026."), "{told}");

    // Over, by the clock of the story: 02:10.
    scene.reload(announced("2026-03-10T02:10:00Z")).await;
    let over = said(&scene.record(&[]).await);
    assert!(!over.contains("maintenance"), "{over}");
    assert_eq!(of_gp(scene.broker.data).await.get("maintenance"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_ends_before_it_begins_takes_no_effect() {
    let scene = Scene::usual().await;
    scene.reload(announced("2026-03-10T00:30:00Z")).await;
    let page = scene.metrics().await;
    assert_eq!(value(&page, "tributary_config_reloads_total{outcome=\"rejected\"}"), Some(1.0));
    assert!(scene.broker.log_text().contains("source[1].maintenance.until"), "{}", scene.broker.log_text());
}
