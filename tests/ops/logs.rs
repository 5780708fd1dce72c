//! The process log: one JSON object a line, closed field names, and the trace of every line that belongs to a request.

use mock_providers::Fault;
use serde_json::Value;
use tributary_telemetry::LOGGED_FIELDS;

use crate::scene::{Scene, text};

const ALWAYS: [&str; 4] = ["time", "level", "target", "message"];
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const REQUEST: &str = "0192f0c1-aaaa-7000-8000-00000000000a";

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_a_request_names_its_trace() {
    let scene = Scene::usual().await;
    // A mix-up makes the rooms within talk.
    scene.federation.provider("acute-a").unwrap().set_fault(Fault::WrongPatient);
    let header = format!("00-{TRACE}-00f067aa0ba902b7-01");
    for _ in 0..3 {
        scene.record(&[("traceparent", &header), ("X-Request-ID", REQUEST)]).await;
    }
    let log = scene.broker.log_text();
    let lines: Vec<Value> = log
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let mut of_request = 0;
    for line in &lines {
        for (key, value) in line.as_object().unwrap() {
            assert!(ALWAYS.contains(&&**key) || LOGGED_FIELDS.contains(&&**key), "{key} in {line}");
            assert!(!value.is_object() && !value.is_array(), "{line}");
        }
        assert!(ALWAYS.iter().all(|key| line.get(key).is_some()), "{line}");
        if line["request.id"] == REQUEST {
            assert_eq!(line["trace.id"], TRACE, "{line}");
            of_request += 1;
        }
    }
    assert!(of_request >= 4, "three answers, and what was said on the way:\n{log}");
    let switched_off =
        lines.iter().find(|line| line["message"] == "source switched off after proven mix-ups");
    assert_eq!(switched_off.map(|line| &line["trace.id"]), Some(&Value::from(TRACE)), "{log}");
}

#[test]
fn every_field_is_described() {
    let page = text("deploy/README.md");
    for field in LOGGED_FIELDS.iter().chain(&ALWAYS) {
        assert!(page.contains(&format!("`{field}`")), "{field} is not in deploy/README.md");
    }
}
