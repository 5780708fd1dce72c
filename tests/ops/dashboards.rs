//! The dashboards: of a shape that Grafana reads, described, and over metrics and labels that are there.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::rules;
use crate::scene::text;

pub(crate) const DASHBOARDS: [&str; 4] = ["overview", "source", "audit", "benefits"];
/// Kinds of panels that show something.
const KINDS: [&str; 5] = ["stat", "timeseries", "state-timeline", "bargauge", "table"];
/// Units that Grafana knows and that are used here; `suffix:…` is written behind the number as it stands.
const UNITS: [&str; 13] = [
    "short",
    "none",
    "s",
    "bytes",
    "percentunit",
    "dateTimeAsIso",
    "dateTimeFromNow",
    "suffix:/s",
    "suffix:asks/s",
    "suffix:events/s",
    "suffix:records/s",
    "suffix:a minute",
    "suffix:an hour",
];
const COLUMNS: u64 = 24;

fn dashboard(file: &str) -> Value {
    serde_json::from_str(&text(&format!("deploy/grafana/{file}.json"))).unwrap()
}

fn panels(dashboard: &Value) -> Vec<Value> {
    dashboard["panels"].as_array().unwrap().clone()
}

/// Every expression, with its panel.
pub(crate) fn expressions(file: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for panel in panels(&dashboard(file)) {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let title = format!("{file}: {}", panel["title"].as_str().unwrap());
            all.push((title, target["expr"].as_str().unwrap().to_owned()));
        }
    }
    all
}

#[test]
fn dashboards_have_a_shape_that_grafana_reads() {
    let mut uids = BTreeSet::new();
    for file in DASHBOARDS {
        let dashboard = dashboard(file);
        assert!(uids.insert(dashboard["uid"].as_str().unwrap().to_owned()));
        assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 36);
        for key in ["title", "description", "timezone"] {
            assert!(!dashboard[key].as_str().unwrap().is_empty(), "{file} {key}");
        }
        let variables = dashboard["templating"]["list"].as_array().unwrap();
        assert!(variables.iter().any(|one| one["name"] == "datasource" && one["type"] == "datasource"));
        let mut ids = BTreeSet::new();
        let mut taken: BTreeSet<(u64, u64)> = BTreeSet::new();
        for panel in panels(&dashboard) {
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{file}: an id twice");
            let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            let (x, y, w, h) = (at("x"), at("y"), at("w"), at("h"));
            assert!(x + w <= COLUMNS, "{file}: {panel}");
            for place in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(taken.insert(place), "{file}: panels lie on one another at {place:?}");
            }
        }
    }
}

#[test]
fn every_panel_is_described_and_has_a_unit() {
    for file in DASHBOARDS {
        for panel in panels(&dashboard(file)).iter().filter(|panel| panel["type"] != "row") {
            let title = panel["title"].as_str().unwrap();
            assert!(KINDS.contains(&panel["type"].as_str().unwrap()), "{title}");
            assert!(panel["description"].as_str().is_some_and(|words| words.len() > 4), "{title}");
            let unit = panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap_or_default();
            assert!(UNITS.contains(&unit), "{title}: {unit}");
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
            for target in panel["targets"].as_array().unwrap() {
                assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            }
        }
    }
}

#[test]
fn what_is_not_known_is_told_and_has_no_good_colour() {
    for file in DASHBOARDS {
        for panel in panels(&dashboard(file)).iter().filter(|panel| panel["type"] == "stat") {
            let title = panel["title"].as_str().unwrap();
            let mappings = panel["fieldConfig"]["defaults"]["mappings"].as_array();
            let of_nothing = mappings.into_iter().flatten().find(|one| one["options"]["match"] == "null+nan");
            let of_nothing =
                of_nothing.unwrap_or_else(|| panic!("{file}: {title}: no data looks like the base"));
            assert_ne!(of_nothing["options"]["result"]["color"], "green", "{file}: {title}");
        }
    }
}

#[test]
fn series_have_names_and_tables_are_one_table() {
    for file in DASHBOARDS {
        for panel in panels(&dashboard(file)) {
            let title = panel["title"].as_str().unwrap();
            let is_table = panel["type"] == "table";
            let has_no_names = panel["options"]["textMode"] == "value";
            for target in panel["targets"].as_array().into_iter().flatten() {
                // Without a format each series would be a table of its own, of which one is shown.
                assert_eq!(is_table, target["format"] == "table", "{file}: {title}");
                // Without a legend Grafana writes the expression.
                let is_named = target["legendFormat"] != "" || is_table || has_no_names;
                assert!(is_named, "{file}: {title}: {target}");
            }
        }
    }
}

#[test]
fn links_lead_to_dashboards_that_are_there() {
    let files = DASHBOARDS.map(dashboard);
    let uids: BTreeSet<_> = files.iter().map(|one| one["uid"].as_str().unwrap()).collect();
    let text = DASHBOARDS.map(|file| text(&format!("deploy/grafana/{file}.json"))).concat();
    let links: Vec<_> = text.split("\"/d/").skip(1).map(|rest| rest.split('?').next().unwrap()).collect();
    assert!(links.len() >= 2, "{links:?}");
    for link in links {
        assert!(uids.contains(link), "{link}");
    }
}

#[test]
fn panels_look_at_metrics_and_labels_that_are_there() {
    let recorded = text("deploy/prometheus/recording.yml");
    let mut seen = 0;
    for (_, expression) in DASHBOARDS.iter().flat_map(|file| expressions(file)) {
        for selector in rules::selectors(&expression) {
            let name = selector.split('{').next().unwrap();
            if name.contains(':') {
                assert!(recorded.contains(&format!("- record: {name}\n")), "{name} is not recorded");
            }
            rules::labels_are_there(&selector);
            seen += 1;
        }
    }
    assert!(seen > 60, "{seen}");
}
