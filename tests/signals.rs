//! Somebody who looks at too many patients is told of, and held up by nobody.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::task::JoinSet;
use tributary_model::NhsNumber;
use tributary_tests::audit::records;
use tributary_tests::process::{Process, run};
use tributary_tests::{Plan, bearer_of, configuration, federation, http, parameters};

/// Patients that nobody knows, far from one another.
fn strangers(count: u32) -> Vec<String> {
    let bases = (0..).map(|one: u32| 400_000_000 + one * 977_777 % 500_000_000);
    let valid = bases.filter_map(|base| {
        (0..10).map(|check| format!("{base:09}{check}")).find(|text| NhsNumber::parse(text).is_ok())
    });
    valid.take(count as usize).collect()
}

/// Asks for these records in the name of this user; gives how often each status came.
async fn asks(address: SocketAddr, user: &'static str, patients: Vec<String>) -> BTreeMap<u16, usize> {
    let mut callers = JoinSet::new();
    let share = patients.len().div_ceil(4);
    for part in patients.chunks(share).map(<[String]>::to_vec) {
        callers.spawn(async move {
            let mut statuses = Vec::new();
            for patient in part {
                let (body, token) = (parameters(&patient, &["allergies"]), bearer_of(user));
                let path = "/fhir/R4/Patient/$record";
                let headers = [("Authorization", token.as_str())];
                let reply = http::post(address, path, "application/fhir+json", &body, &headers).await;
                statuses.push(reply.status);
            }
            statuses
        });
    }
    let mut counted = BTreeMap::new();
    for status in callers.join_all().await.into_iter().flatten() {
        *counted.entry(status).or_default() += 1;
    }
    counted
}

async fn alarms(broker: &Process) -> BTreeMap<String, u64> {
    let metrics = http::get(broker.admin, "/metrics").await.body;
    let lines = metrics.lines().filter_map(|line| line.strip_prefix("tributary_anomalies_total{signal=\""));
    let pairs = lines.filter_map(|line| line.split_once("\"} "));
    pairs
        .filter_map(|(signal, count)| Some((signal.to_owned(), count.parse().ok()?)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn anomalies(log: &std::path::Path) -> Vec<Value> {
    records(log).into_iter().filter(|record| record["kind"] == "anomaly").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_patients_of_one_user_raise_the_alarm_and_are_answered() {
    let plan = Plan::default();
    let federation = federation(&plan).await;
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("audit");
    let text = configuration(federation.source_facts(), &plan, &log);
    // Windows are of a clock that runs: all of it happens well within ten minutes.
    let mut broker = Process::serve(dir.path(), &text.replace("level = \"trace\"", "level = \"warn\""));
    let patients = strangers(1000);

    // A colleague with a long day. The role of the demo is urgent: 120 are ordinary.
    let colleague = asks(broker.data, "colleague", patients.iter().take(120).cloned().collect()).await;
    assert_eq!(colleague, BTreeMap::from([(404, 120)]), "nobody knows these patients");
    assert_eq!(alarms(&broker).await, BTreeMap::new());

    let snoop = asks(broker.data, "snoop", patients.clone()).await;
    assert_eq!(snoop, BTreeMap::from([(404, 1000)]), "nobody is held up");
    assert_eq!(alarms(&broker).await, BTreeMap::from([("many-patients".to_owned(), 1)]));
    assert_eq!(broker.terminate(), Some(0));

    let found = anomalies(&log);
    assert_eq!(found.len(), 1, "{found:?}");
    let record = &found[0];
    assert_eq!(record["user"]["id"], "snoop", "{record}");
    assert_eq!(record["anomaly"]["what"], "many-patients");
    assert_eq!((&record["anomaly"]["count"], &record["anomaly"]["limit"]), (&121.into(), &120.into()));
    assert_eq!(record["anomaly"]["window_secs"], 600);
    assert!(record["patient"].is_null(), "it is about no single patient: {record}");
    let said = broker.log_text();
    assert!(said.contains("many-patients") && !said.contains("snoop"), "{said}");
    assert!(patients.iter().all(|patient| !said.contains(patient.as_str())), "{said}");
    let (code, _, error) = run(&["audit", "verify", &log.display().to_string()]);
    assert_eq!((code, error.as_str()), (0, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_of_the_configuration_and_change_with_it() {
    let plan = Plan::default();
    let federation = federation(&plan).await;
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("audit");
    let text = configuration(federation.source_facts(), &plan, &log);
    let mut broker = Process::serve(dir.path(), &format!("{text}[signals]\nenabled = false\n"));
    let numbers = strangers(3);
    asks(broker.data, "snoop", numbers.clone()).await;
    // Not counted before, and counted from now on.
    let next = format!("{text}[signals]\nmany_patients_urgent = 2\nrepeat_views_per_day = 0\n");
    std::fs::write(dir.path().join("tributary.toml"), next).expect("written");
    broker.hang_up();
    while !http::get(broker.admin, "/metrics").await.body.contains("reloads_total{outcome=\"applied\"} 1") {}
    asks(broker.data, "snoop", numbers).await;
    let expected = BTreeMap::from([("many-patients".to_owned(), 1), ("repeat-views".to_owned(), 3)]);
    assert_eq!(alarms(&broker).await, expected);
    assert_eq!(broker.terminate(), Some(0));
    // One patient: told, since somebody has to look into it.
    let about_one = anomalies(&log).iter().filter(|record| !record["patient"].is_null()).count();
    assert_eq!(about_one, 3);
}
