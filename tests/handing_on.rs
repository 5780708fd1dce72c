//! The audit log on its way to an audit repository: in order, at least once, and in nobody's way.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tributary_tests::audit::records;
use tributary_tests::process::Process;
use tributary_tests::repository::Repository;
use tributary_tests::{GEORGE, Plan, configuration, federation, http, parameters};

fn with_export(base: &str, address: SocketAddr, state: &Path) -> String {
    let (before, after) = base.split_once("[maps]").unwrap();
    let state = state.display();
    format!(
        "{before}[audit.export]\nurl = \"http://{address}/AuditEvent\"\nstate_dir = \"{state}\"\npause_max_secs = 1\n\
         file = \"{state}/events.ndjson\"\n[maps]{after}"
    )
}

async fn ask(broker: &Process) -> http::Reply {
    let body = parameters(GEORGE, &["flags"]);
    http::post(broker.data, "/fhir/R4/Patient/$record", "application/fhir+json", &body, &[]).await
}

async fn metric(broker: &Process, name: &str) -> f64 {
    let page = http::get(broker.admin, "/metrics").await.body;
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    line.unwrap()
}

async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    while !is_so().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const BACKLOG: &str = "tributary_audit_export_backlog_records{target=\"repository\"}";
const FAILURES: &str = "tributary_audit_export_failures_total{target=\"repository\"}";
const DEAD: &str = "tributary_audit_export_dead_letters_total{target=\"repository\"}";

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_is_away_holds_nobody_up_and_gets_everything_in_order() {
    let plan = Plan { expected: vec!["specialist"], ..Plan::default() };
    let federation = federation(&plan).await;
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("audit");
    let place = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = place.local_addr().unwrap();
    drop(place);
    let base = configuration(federation.source_facts(), &plan, &log);
    let text = with_export(&base, address, &dir.path().join("export"));
    let mut broker = Process::serve(dir.path(), &text);
    for _ in 0..20 {
        assert_eq!(ask(&broker).await.status, 200);
    }
    until(async || metric(&broker, FAILURES).await > 0.0 && metric(&broker, BACKLOG).await > 40.0).await;

    let repository = Arc::new(Repository::default());
    let serving = tokio::spawn(Arc::clone(&repository).serve(TcpListener::bind(address).await.unwrap()));
    until(async || metric(&broker, BACKLOG).await < 1.0).await;
    broker.kill();
    let again = Process::serve(dir.path(), &text);
    for _ in 0..5 {
        assert_eq!(ask(&again).await.status, 200);
    }
    let last = records(&log)
        .iter()
        .filter(|one| one["kind"] == "disclosure")
        .filter_map(|one| one["seq"].as_u64())
        .max();
    until(async || repository.records().last().is_some_and(|seq| Some(*seq) >= last)).await;
    serving.abort();

    let got = repository.records();
    // A restart hands on again what its cursor does not know of, and nothing before that.
    let steps_back: Vec<_> = got.windows(2).filter(|two| two[1] < two[0]).collect();
    assert!(steps_back.len() <= 1 && steps_back.iter().all(|two| two[0] - two[1] <= 64), "{steps_back:?}");
    let told = ["disclosure", "intent", "config"];
    let wanted = records(&log).into_iter().filter(|one| told.contains(&one["kind"].as_str().unwrap()));
    for one in wanted.filter(|one| one["seq"].as_u64() <= last) {
        assert!(
            got.contains(&one["seq"].as_u64().unwrap()),
            "{} {} was not handed on",
            one["kind"],
            one["seq"]
        );
    }
    let lines = std::fs::read_to_string(dir.path().join("export/events.ndjson")).unwrap();
    assert!(lines.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "the file holds events");
    assert!(lines.lines().count() >= got.len() - 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_refused_is_put_aside_and_the_rest_goes_on() {
    let plan = Plan { expected: vec!["specialist"], ..Plan::default() };
    let federation = federation(&plan).await;
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("audit");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let repository = Arc::new(Repository::default());
    // The first disclosure of this log: segment, start, configuration, intent, disclosure.
    *repository.refuses.lock().unwrap() = Some("local-5".to_owned());
    tokio::spawn(Arc::clone(&repository).serve(listener));
    let base = configuration(federation.source_facts(), &plan, &log);
    let text = with_export(&base, address, &dir.path().join("export"));
    let broker = Process::serve(dir.path(), &text);
    for _ in 0..3 {
        assert_eq!(ask(&broker).await.status, 200);
    }
    until(async || metric(&broker, DEAD).await >= 2.0 && metric(&broker, BACKLOG).await < 1.0).await;
    let aside = std::fs::read_to_string(dir.path().join("export/repository.dead-letters.ndjson")).unwrap();
    let aside: Vec<Value> = aside.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // The answer, and the disclosure of its one source.
    assert_eq!(aside.len(), 2);
    for letter in &aside {
        assert_eq!((letter["record"].as_str(), letter["status"].as_u64()), (Some("local-5"), Some(400)));
        assert_eq!(letter["event"]["resourceType"], "AuditEvent");
    }
    let got = repository.records();
    assert!(!got.contains(&5) && got.iter().any(|seq| *seq > 5), "{got:?}");
    assert!(metric(&broker, FAILURES).await >= 8.0, "each was tried five times");
}
