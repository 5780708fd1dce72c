//! No NHS number, name or clinical text in metrics, logs at trace level, or error bodies, over every route.

use mock_providers::Fault;
use tributary_tests::process::Process;
use tributary_tests::{GEORGE, Plan, configuration, federation, http, parameters};

/// What must be nowhere but in the record itself.
const CANARIES: &[&str] = &[
    "9990000107",
    "999 000 0107",
    "9990000019",
    "Ashworth",
    "ASHWORTH",
    "George",
    "1953-02-11",
    "lung cancer",
    "254637007",
    "Morphine",
    "Midazolam",
    "resuscitation",
    "450476008",
    "Cough",
    "CANARYTOKEN",
    "eyJhbGciOiJub25lI",
];

#[track_caller]
fn clean(place: &str, text: &str) {
    for canary in CANARIES {
        assert!(!text.contains(canary), "{place} holds {canary}");
    }
}

/// Requests of every kind, as method, path, body.
fn requests() -> Vec<(&'static str, String, String)> {
    let record = "/fhir/R4/Patient/$record".to_owned();
    let wrong_digit = parameters("9990000019", &[]);
    let unknown_section = parameters(GEORGE, &["CANARYTOKEN"]);
    let relay = "/A99901/STU3/1/gpconnect/structured/fhir/Patient/$gpc.getstructuredrecord".to_owned();
    let mut all = vec![
        ("POST", record.clone(), wrong_digit),
        ("POST", record.clone(), unknown_section),
        ("POST", record.clone(), format!("{{\"resourceType\":\"Parameters\",\"x\":\"{GEORGE} CANARYTOKEN")),
        (
            "POST",
            record.clone(),
            "{\"resourceType\":\"Parameters\",\"parameter\":[{\"name\":\"CANARYTOKEN\"}]}".to_owned(),
        ),
        ("GET", record.clone(), String::new()),
        ("POST", "/fhir/STU3/Patient/$record".to_owned(), parameters("9990000019", &["CANARYTOKEN"])),
        ("DELETE", record, parameters(GEORGE, &[])),
        ("POST", relay, parameters(GEORGE, &[])),
        ("POST", "/record".to_owned(), format!("nhs={GEORGE}x&CANARYTOKEN")),
        ("GET", format!("/fhir/R4/Patient/{GEORGE}?name=CANARYTOKEN"), String::new()),
        ("GET", format!("/{GEORGE}/CANARYTOKEN"), String::new()),
        ("POST", format!("/fhir/R4/Patient/{GEORGE}/$summary"), GEORGE.to_owned()),
        ("GET", format!("/fhir/R4/Patient/{GEORGE}/$summary?identifier={GEORGE}"), String::new()),
        ("GET", "/fhir/R4/Patient/9990000019/$summary?CANARYTOKEN".to_owned(), String::new()),
        ("POST", "/fhir/R4/Patient/$summary".to_owned(), parameters("9990000019", &[])),
    ];
    let fhir = ["/fhir/R4/metadata", "/fhir/STU3/metadata"];
    for path in ["/", "/sources", "/_ping", "/_status", "/openapi.yaml", "/viewer/x.css"].iter().chain(&fhir)
    {
        all.push(("GET", (*path).to_owned(), String::new()));
        all.push(("PUT", format!("{path}?CANARYTOKEN={GEORGE}"), GEORGE.to_owned()));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_patient_leaves_by_a_side_door() {
    // The page offers the invented patients of the configuration; George is not among them here.
    let plan = Plan { patient: "9990000204", source_keys: "timeout_ms = 500", ..Plan::default() };
    let federation = federation(&plan).await;
    let dir = tempfile::tempdir().unwrap();
    let text = configuration(federation.source_facts(), &plan, &dir.path().join("audit"));
    let mut broker = Process::serve(dir.path(), &text);
    let token = format!("Bearer eyJhbGciOiJub25lIn0.{}.", "CANARYTOKEN");
    for (method, path, body) in requests() {
        for headers in [vec![], vec![("Authorization", token.as_str()), ("X-Correlation-ID", "c-1")]] {
            let media =
                if path == "/record" { "application/x-www-form-urlencoded" } else { "application/fhir+json" };
            let mut headers = headers;
            headers.push(("Content-Type", media));
            let reply = http::send(broker.data, method, &path, &body, &headers).await;
            clean(&format!("{method} {path} -> {} head", reply.status), &reply.head);
            clean(&format!("{method} {path} -> {}", reply.status), &reply.body);
        }
    }
    // Real records, whole and broken, with every source failing in another way.
    let faults = [
        None,
        Some(Fault::WrongPatient),
        Some(Fault::TruncatedJson),
        Some(Fault::HangMidBody),
        Some(Fault::status(500)),
        Some(Fault::DuplicateKeys),
    ];
    for fault in faults {
        for provider in federation.providers() {
            provider.clear_fault().unwrap();
            if let Some(fault) = &fault {
                provider.set_fault(fault.clone());
            }
        }
        let path = "/fhir/R4/Patient/$record";
        let reply =
            http::post(broker.data, path, "application/fhir+json", &parameters(GEORGE, &[]), &[]).await;
        clean(&format!("head of {fault:?}"), &reply.head);
        if reply.status != 200 {
            clean(&format!("refusal after {fault:?}"), &reply.body);
        }
        let reply = http::get(broker.data, &format!("/fhir/R4/Patient/{GEORGE}/$summary")).await;
        clean(&format!("head of a summary, {fault:?}"), &reply.head);
        if reply.status != 200 {
            clean(&format!("refusal of a summary after {fault:?}"), &reply.body);
        }
        clean("metrics", &http::get(broker.admin, "/metrics").await.body);
        clean("operator's sources", &http::get(broker.admin, "/sources").await.body);
    }
    assert_eq!(broker.terminate(), Some(0));
    let log = broker.log_text();
    assert!(log.lines().count() > 50, "a trace log should be long:\n{log}");
    clean("log", &log);
}

#[tokio::test]
async fn metrics_pass_the_linter() {
    let stage = tributary_tests::Stage::set(Plan::default()).await;
    stage.record(GEORGE, &[]).await;
    let metrics = http::get(stage.running.admin_addr(), "/metrics").await;
    assert_eq!(metrics.status, 200);
    for wanted in [
        "tributary_source_asks_total{kind=\"gp\",source=\"gp\",status=\"ok\"} 1",
        "tributary_record_completeness_total{completeness=\"complete\"} 1",
        "tributary_merge_discrepancies_total{rule=\"cpr-recommendation\"} 1",
        "tributary_audit_records_total{kind=\"disclosure\"} 1",
    ] {
        assert!(metrics.body.contains(wanted), "{wanted}\n{}", metrics.body);
    }
    let promtool = std::env::var("PROMTOOL").unwrap_or_else(|_| "promtool".to_owned());
    let child = std::process::Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        println!("NOT RUN: promtool is not installed");
        return;
    };
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), metrics.body.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
