//! The rules: what promtool says of them, that each alert was seen to fire and not to fire, and that each has its place
//! in the runbook.

use std::process::Command;

use serde_json::Value;
use tributary_telemetry::catalogue;

use crate::prometheus::tool;
use crate::scene::text;

/// A rule as Prometheus has read it.
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) query: String,
    pub(crate) is_alert: bool,
}

/// The rules in an answer of `/api/v1/rules`.
pub(crate) fn read(answer: &Value) -> Vec<Rule> {
    let groups = answer["data"]["groups"].as_array().unwrap();
    let all = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
    let text = |rule: &Value, key: &str| rule[key].as_str().unwrap().to_owned();
    all.map(|rule| Rule {
        name: text(rule, "name"),
        query: text(rule, "query"),
        is_alert: rule["type"] == "alerting",
    })
    .collect()
}

/// The series that an expression selects, without ranges and offsets.
pub(crate) fn selectors(expression: &str) -> Vec<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(at) = rest.find(is_name) {
        let (_, from) = rest.split_at(at);
        let end = from.find(|c| !is_name(c)).unwrap_or(from.len());
        let (name, behind) = from.split_at(end);
        let is_series = name.starts_with("tributary_") || name.contains(':') || name == "up";
        rest = behind;
        if is_series {
            let labels = behind.strip_prefix('{').and_then(|inner| inner.split_once('}'));
            found.push(labels.map_or_else(|| name.to_owned(), |(labels, _)| format!("{name}{{{labels}}}")));
        }
        // Label lists and texts may look like names.
        if let Some((_, behind)) = rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            rest = behind;
        }
    }
    found
}

/// Alerts of the file, each with its lines.
fn alerts() -> Vec<(String, String)> {
    let file = text("deploy/prometheus/alerts.yml");
    let parts = file.split("- alert: ").skip(1);
    parts.map(|part| (part.lines().next().unwrap().trim().to_owned(), part.to_owned())).collect()
}

fn promtool(arguments: &[&str]) {
    let Some(program) = tool("promtool") else {
        println!("NOT RUN: promtool is not installed");
        return;
    };
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/prometheus");
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    let words = [output.stdout, output.stderr].map(|words| String::from_utf8_lossy(&words).into_owned());
    assert!(output.status.success(), "{}", words.concat());
}

#[test]
fn promtool_finds_the_rules_sound() {
    promtool(&["check", "rules", "recording.yml", "alerts.yml"]);
}

#[test]
fn every_alert_fires_when_it_should_and_only_then() {
    promtool(&["test", "rules", "tests.yml", "tests-days.yml", "tests-weeks.yml"]);
}

#[test]
fn every_alert_has_a_test_of_each_kind() {
    let tests = ["tests.yml", "tests-days.yml", "tests-weeks.yml"]
        .map(|file| text(&format!("deploy/prometheus/{file}")));
    let tests = tests.concat();
    let alerts = alerts();
    assert!(alerts.len() >= 30, "{}", alerts.len());
    for (name, _) in alerts {
        for kind in [format!("{name} fires\""), format!("{name} does not fire: ")] {
            assert!(tests.contains(&kind), "there is no test that {kind}");
        }
    }
}

/// The anchor of a heading as forges make it.
fn anchor(heading: &str) -> String {
    heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-")
}

#[test]
fn every_alert_has_its_place_in_the_runbook() {
    for (name, lines) in alerts() {
        for key in ["severity: ", "summary: ", "description: "] {
            assert!(lines.contains(key), "{name} has no {key}");
        }
        let address = lines.lines().find_map(|line| line.trim().strip_prefix("runbook_url: "));
        let address = address.unwrap_or_else(|| panic!("{name} has no runbook_url"));
        let (page, wanted) = address.rsplit_once('/').unwrap().1.split_once('#').unwrap();
        let page_text = text(&format!("deploy/runbook/{page}"));
        let part = page_text.split("\n## ").find(|part| anchor(part.lines().next().unwrap()) == wanted);
        let part = part.unwrap_or_else(|| panic!("{name}: {page} has no #{wanted}"));
        assert!(part.contains(&format!("`{name}`")), "{name} is not named at {page}#{wanted}");
        for word in [
            "**For patients.**",
            "**First three things.**",
            "1. ",
            "2. ",
            "3. ",
            "**Silence.**",
            "**Owner.**",
        ] {
            assert!(part.contains(word), "{page}#{wanted} lacks {word}");
        }
    }
}

#[test]
fn rules_and_alerts_use_labels_that_are_there() {
    let files = ["recording.yml", "alerts.yml"].map(|file| text(&format!("deploy/prometheus/{file}")));
    let recorded = files[0].matches("- record: ").count();
    assert!(recorded >= 20, "{recorded}");
    for selector in files.iter().flat_map(|file| selectors(file)) {
        labels_are_there(&selector);
    }
}

/// A selector names a metric that is made, and labels that it has.
#[track_caller]
pub(crate) fn labels_are_there(selector: &str) {
    let (name, labels) = selector.split_once('{').unwrap_or((selector, ""));
    if !name.starts_with("tributary_") {
        return;
    }
    let series = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
    let fact = catalogue().iter().find(|fact| fact.name == name || Some(fact.name) == series);
    // The names of groups begin like metrics, with hyphens, and are no selectors.
    let fact = fact.unwrap_or_else(|| panic!("{selector} is no metric"));
    for label in labels.trim_end_matches('}').split("\",").filter(|label| !label.is_empty()) {
        let key = label.split(['=', '!', '~']).next().unwrap().trim();
        let is_there = fact.labels.contains(&key) || ["le", "job", "instance"].contains(&key);
        assert!(is_there, "{selector} has no label {key}");
    }
}

#[test]
fn selectors_are_found() {
    let found = selectors(
        "sum by (le) (rate(tributary_x_bucket{route=~\".*[$]record\",le=\"5\"}[5m])) > a:b:c and up == 0",
    );
    assert_eq!(found, ["tributary_x_bucket{route=~\".*[$]record\",le=\"5\"}", "a:b:c", "up"]);
}
