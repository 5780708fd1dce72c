//! GP Connect in the provider's position: what a consumer gets is what the patient's GP system said.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test may stop where it stands")]

use std::path::Path;
use std::time::Duration;

use mock_providers::{AskRecord, ErrorBody, Fault};
use serde_json::{Value, json};
use tributary::{Running, Settings};
use tributary_tests::{GEORGE, Plan, Reply, Stage, bearer, configuration, federation, http};

#[path = "relay/on_record.rs"]
mod on_record;

const ROOT: &str = "/A99901/STU3/1/gpconnect/structured/fhir";
const OPERATION: &str = "/Patient/$gpc.getstructuredrecord";
const INTERACTION: &str = "urn:nhs:names:services:gpconnect:fhir:operation:gpc.getstructuredrecord-1";
const FHIR: &str = "application/fhir+json";
/// The trace id of the consumer.
const TRACE: &str = "09a01679-2564-0fb4-5129-aecc81ea2706";
/// The trace id of a consumer that asks the GP system without us.
const DIRECT: &str = "5129d00d-2564-0fb4-5129-aecc81ea2706";

/// `Parameters` for George, with further parameters.
fn asking(more: &[Value]) -> String {
    let identifier = json!({"system": "https://fhir.nhs.uk/Id/nhs-number", "value": GEORGE});
    let mut list = vec![json!({"name": "patientNHSNumber", "valueIdentifier": identifier})];
    list.extend_from_slice(more);
    json!({"resourceType": "Parameters", "parameter": list}).to_string()
}

fn part(name: &str, inner: &str, value: bool) -> Value {
    json!({"name": name, "part": [{"name": inner, "valueBoolean": value}]})
}

fn everything() -> String {
    asking(&[
        part("includeAllergies", "includeResolvedAllergies", true),
        part("includeMedication", "includePrescriptionIssues", true),
        json!({"name": "includeProblems"}),
        json!({"name": "includeConsultations"}),
        json!({"name": "includeUncategorisedData"}),
    ])
}

/// A good request; `change` gives a header another value, or takes it away with an empty one.
async fn ask(stage: &Stage, path: &str, body: &str, change: (&str, &str)) -> Reply {
    let token = bearer();
    let good = [
        ("Ssp-TraceID", TRACE),
        ("Ssp-From", "200000000359"),
        ("Ssp-To", "200000000205"),
        ("Ssp-InteractionID", INTERACTION),
        ("Authorization", token.as_str()),
        ("Content-Type", FHIR),
        ("Accept", FHIR),
        ("Cookie", "CANARYCOOKIE=1"),
    ];
    let mut headers: Vec<_> = good.into_iter().filter(|(name, _)| *name != change.0).collect();
    if !change.1.is_empty() {
        headers.push(change);
    }
    http::send(stage.running.data_addr(), "POST", path, body, &headers).await
}

async fn relayed(stage: &Stage, body: &str) -> Reply {
    ask(stage, &format!("{ROOT}{OPERATION}"), body, ("", "")).await
}

/// The same request, to the GP system itself.
async fn direct(stage: &Stage, body: &str) -> Reply {
    let facts = stage.federation.source_facts().iter().find(|facts| facts.id == "gp");
    let asid = facts.and_then(|facts| facts.asid).unwrap_or_default();
    let token = bearer();
    let headers = [
        ("Ssp-TraceID", DIRECT),
        ("Ssp-From", "200000000359"),
        ("Ssp-To", asid),
        ("Ssp-InteractionID", INTERACTION),
        ("Authorization", token.as_str()),
        ("Accept", FHIR),
    ];
    let path = format!("{ROOT}{OPERATION}");
    http::post(stage.federation.providers()[0].address(), &path, FHIR, body, &headers).await
}

/// Every record in the log, read by hand.
fn records(stage: &Stage) -> Vec<Value> {
    let segment = |path: &Path| path.extension().is_some_and(|ext| ext == "log");
    let dir = std::fs::read_dir(stage.audit.path().join("log"));
    let mut files: Vec<_> = dir.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut found = Vec::new();
    for file in files.iter().filter(|path| segment(path)) {
        let bytes = std::fs::read(file).unwrap_or_default();
        let mut rest = bytes.as_slice();
        while let Some(([a, b, c, d, _, _, _, _], after)) = rest.split_first_chunk() {
            let length = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
            let Some((payload, after)) = after.split_at_checked(length) else { break };
            found.extend(serde_json::from_slice::<Value>(payload));
            rest = after;
        }
    }
    found
}

fn of_kind(stage: &Stage, kind: &str) -> Vec<Value> {
    records(stage).into_iter().filter(|record| record["kind"] == kind).collect()
}

fn asked(stage: &Stage, id: &str) -> u64 {
    stage.federation.provider(id).map_or(0, mock_providers::ProviderHandle::ask_count)
}

/// Status, and the one Spine code of an outcome in the shape that GP Connect consumers know.
#[track_caller]
fn spine(reply: &Reply) -> (u16, String) {
    let outcome = reply.json();
    assert_eq!(outcome["resourceType"], "OperationOutcome", "{}", reply.body);
    let profile = "https://fhir.nhs.uk/STU3/StructureDefinition/GPConnect-OperationOutcome-1";
    assert_eq!(outcome["meta"]["profile"][0], profile);
    let codings = outcome["issue"][0]["details"]["coding"].as_array().cloned().unwrap_or_default();
    let system = "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1";
    assert_eq!(codings.len(), 1);
    assert_eq!(codings[0]["system"], system);
    assert!(reply.header("Content-Type").is_some_and(|media| media.starts_with(FHIR)));
    (reply.status, codings[0]["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn the_bundle_is_the_gp_systems_own_but_for_its_id() {
    let stage = Stage::set(Plan::default()).await;
    let bodies = [
        everything(),
        asking(&[part("includeAllergies", "includeResolvedAllergies", false)]),
        asking(&[part("includeMedication", "includePrescriptionIssues", false)]),
        asking(&[json!({"name": "includeProblems"})]),
        asking(&[]),
    ];
    for body in bodies {
        let (ours, theirs) = (relayed(&stage, &body).await, direct(&stage, &body).await);
        assert_eq!((ours.status, theirs.status), (200, 200), "{}", ours.body);
        assert_eq!(ours.json()["id"], TRACE);
        assert_eq!(theirs.json()["id"], DIRECT);
        assert_eq!(theirs.body.matches(DIRECT).count(), 1);
        // Byte for byte: the one id is all that may differ.
        assert_eq!(ours.body, theirs.body.replace(DIRECT, TRACE));
        assert!(ours.header("Tributary-Audit").is_some());
        assert_eq!(ours.header("Cache-Control"), Some("no-store"));
    }
}

#[tokio::test]
async fn every_form_of_the_path_leads_to_the_gp_system() {
    let stage = Stage::set(Plan::default()).await;
    for root in [
        "/A99901/STU3/1/gpconnect/structured/fhir",
        "/A99901/STU3/1/gpconnect/structured",
        "/STU3/1/gpconnect/structured/fhir",
        "/STU3/1/gpconnect/structured",
    ] {
        for operation in [OPERATION, "/Patient/%24gpc.getstructuredrecord"] {
            let reply = ask(&stage, &format!("{root}{operation}"), &everything(), ("", "")).await;
            assert_eq!(reply.status, 200, "{root}{operation}: {}", reply.body);
            assert_eq!(reply.json()["id"], TRACE);
        }
    }
    assert_eq!(asked(&stage, "gp"), 8);
}

fn southbound(stage: &Stage) -> AskRecord {
    stage.federation.providers()[0].asks().pop().expect("an ask")
}

#[tokio::test]
async fn the_gp_system_is_asked_under_a_fresh_name_for_the_same_person() {
    let stage = Stage::set(Plan::default()).await;
    let body = everything();
    let mut traces = vec![TRACE.to_owned()];
    for _ in 0..2 {
        relayed(&stage, &body).await;
        let ask = southbound(&stage);
        traces.push(ask.header("Ssp-TraceID").unwrap().to_owned());
        assert_eq!(ask.path, format!("{ROOT}{OPERATION}"));
        assert_eq!(ask.body, body, "the Parameters are the caller's own");
        assert_eq!(ask.header("Ssp-InteractionID"), Some(INTERACTION));
        assert_eq!(ask.header("Ssp-To"), stage.federation.source_facts()[0].asid);
        let claims = ask.claims.clone().unwrap();
        assert_eq!(claims["sub"], "u-4711");
        let organisation = &claims["requesting_organization"];
        assert_eq!(organisation["identifier"][0]["value"], "RXY99");
        assert_eq!(organisation["name"], "Mersey Community Trust");
        let practitioner = &claims["requesting_practitioner"];
        assert_eq!(practitioner["id"], "u-4711");
        assert_eq!(practitioner["name"][0], json!({"family": "Nwosu", "given": ["Chidi"]}));
        assert_eq!(claims["reason_for_request"], "directcare");
        assert_eq!(claims["requested_scope"], "patient/*.read");
        let lives = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert_eq!(lives, 300);
        // The caller's own token, device and cookies stay here.
        assert_ne!(claims["iss"], "https://epr.example.test/");
        let sent = format!("{:?}", ask.headers);
        for own in ["CANARYCOOKIE", TRACE, "epr.example.test"] {
            assert!(!sent.contains(own) && !claims.to_string().contains(own), "{own}");
        }
    }
    traces.sort();
    traces.dedup();
    assert_eq!(traces.len(), 3, "a trace id was used twice: {traces:?}");
    assert!(traces.iter().all(|trace| trace.len() == 36));
}

fn answered(status: u16, code: &str) -> Fault {
    let (body, spine_code) = (ErrorBody::Outcome, Some(code.to_owned()));
    Fault::Status { status, body, spine_code, retry_after_secs: None }
}

#[tokio::test]
async fn what_the_gp_system_refuses_is_refused_in_its_words() {
    let stage = Stage::set(Plan::default()).await;
    let gp = stage.federation.provider("gp").unwrap();
    for (status, code) in [
        (400, "INVALID_NHS_NUMBER"),
        (403, "NO_PATIENT_CONSENT"),
        (404, "NO_RECORD_FOUND"),
        (422, "INVALID_PARAMETER"),
        (422, "INVALID_RESOURCE"),
    ] {
        gp.set_fault(answered(status, code));
        let (ours, theirs) = (relayed(&stage, &everything()).await, direct(&stage, &everything()).await);
        assert_eq!(spine(&ours), (status, code.to_owned()));
        assert_eq!(ours.body, theirs.body);
    }
    gp.clear_fault().unwrap();
}

#[tokio::test]
async fn whoever_cannot_be_found_cannot_be_found_for_one_reason() {
    let stage = Stage::set(Plan::default()).await;
    let gp = stage.federation.provider("gp").unwrap();
    let unknown = relayed(&stage, &everything().replace(GEORGE, "9990001049")).await;
    gp.set_fault(answered(404, "PATIENT_NOT_FOUND"));
    let restricted = relayed(&stage, &everything()).await;
    assert_eq!(spine(&unknown), (404, "PATIENT_NOT_FOUND".to_owned()));
    assert_eq!(unknown.body, restricted.body);
    assert!(!restricted.body.contains("made to fail"));
    assert_eq!((unknown.header("Tributary-Audit"), restricted.header("Tributary-Audit")), (None, None));
}

#[tokio::test]
async fn what_nobody_knows_is_the_gp_system_s_to_judge() {
    let stage = Stage::set(Plan::default()).await;
    let unknown = asking(&[json!({"name": "includeMoonPhases"}), json!({"name": "includeProblems"})]);
    let (ours, theirs) = (relayed(&stage, &unknown).await, direct(&stage, &unknown).await);
    assert_eq!((ours.status, theirs.status), (200, 200));
    assert!(theirs.body.contains("includeMoonPhases"), "the warning names it");
    assert_eq!(ours.body.replace(TRACE, DIRECT), theirs.body);
}

#[tokio::test]
async fn a_failing_gp_system_is_told_apart_without_its_words() {
    let stage = Stage::set(Plan { source_keys: "timeout_ms = 500", ..Plan::default() }).await;
    let gp = stage.federation.provider("gp").unwrap();
    let shed =
        Fault::Status { status: 503, body: ErrorBody::Empty, spine_code: None, retry_after_secs: Some(9) };
    for (fault, status) in [
        (Fault::status(500), 502),
        (Fault::Refuse, 502),
        (Fault::TruncatedJson, 502),
        (Fault::Dstu2, 502),
        (Fault::EmptyBody, 502),
        (Fault::Redirect { location: "http://127.0.0.1:9/CANARY".to_owned() }, 502),
        (Fault::HangBeforeHead, 504),
        (Fault::HangMidBody, 504),
        (shed, 503),
    ] {
        let name = format!("{fault:?}");
        gp.set_fault(fault);
        let reply = relayed(&stage, &everything()).await;
        assert_eq!(reply.status, status, "{name}: {}", reply.body);
        assert_eq!(spine(&reply).1, "INTERNAL_SERVER_ERROR", "{name}");
        assert_eq!(reply.header("Retry-After").is_some(), status == 503, "{name}");
        for words in ["made to fail", "CANARY", "Ashworth", GEORGE, "127.0.0.1"] {
            assert!(!reply.body.contains(words), "{name}: {words}");
        }
        gp.clear_fault().unwrap();
    }
}

#[track_caller]
fn kept_back(name: &str, reply: &Reply) {
    assert_eq!(spine(reply), (502, "INTERNAL_SERVER_ERROR".to_owned()), "{name}");
    for words in ["Ashworth", "Paracetamol", "716186003", "Bundle"] {
        assert!(!reply.body.contains(words), "{name} let {words} through");
    }
}

#[tokio::test]
async fn another_patients_bundle_is_never_passed_on() {
    for fault in [Fault::WrongPatient, Fault::TwoPatients] {
        let stage = Stage::set(Plan::default()).await;
        let name = format!("{fault:?}");
        stage.federation.provider("gp").unwrap().set_fault(fault);
        kept_back(&name, &relayed(&stage, &everything()).await);
        let disclosures = of_kind(&stage, "disclosure");
        assert_eq!(disclosures[0]["sources"][0]["status"], "identity-mismatch", "{name}");
        assert_eq!(disclosures[0]["outcome"]["bytes"], 0, "{name}");
    }
}

#[tokio::test]
async fn a_bundle_with_a_statement_about_somebody_else_is_never_passed_on() {
    let stage = Stage::set(Plan::default()).await;
    stage.federation.provider("gp").unwrap().set_fault(Fault::MixedPatients);
    kept_back("MixedPatients", &relayed(&stage, &everything()).await);
}

#[tokio::test]
async fn three_mixups_end_the_relay_too() {
    let stage = Stage::set(Plan::default()).await;
    let gp = stage.federation.provider("gp").unwrap();
    gp.set_fault(Fault::WrongPatient);
    for _ in 0..3 {
        kept_back("WrongPatient", &relayed(&stage, &everything()).await);
    }
    gp.clear_fault().unwrap();
    let before = asked(&stage, "gp");
    kept_back("switched off", &relayed(&stage, &everything()).await);
    assert_eq!(asked(&stage, "gp"), before);
}

#[tokio::test]
async fn a_bad_head_is_refused_before_anybody_is_asked() {
    let stage = Stage::set(Plan::default()).await;
    let signed = bearer().replace("..", ".") + "c2ln";
    for (header, value, status, code) in [
        ("Ssp-TraceID", "", 400, "BAD_REQUEST"),
        ("Ssp-TraceID", "not an id", 400, "BAD_REQUEST"),
        ("Ssp-From", "", 400, "BAD_REQUEST"),
        ("Ssp-From", "2000", 400, "BAD_REQUEST"),
        ("Ssp-To", "", 400, "BAD_REQUEST"),
        ("Ssp-InteractionID", "", 400, "BAD_REQUEST"),
        ("Ssp-InteractionID", "urn:other", 400, "BAD_REQUEST"),
        ("Authorization", "", 400, "BAD_REQUEST"),
        ("Authorization", "Bearer x", 400, "BAD_REQUEST"),
        ("Authorization", "Basic dTpw", 400, "BAD_REQUEST"),
        ("Authorization", signed.as_str(), 400, "BAD_REQUEST"),
        ("Content-Type", "", 415, "BAD_REQUEST"),
        ("Content-Type", "application/fhir+xml", 415, "BAD_REQUEST"),
        ("Accept", "application/fhir+xml", 415, "BAD_REQUEST"),
    ] {
        let reply = ask(&stage, &format!("{ROOT}{OPERATION}"), &everything(), (header, value)).await;
        assert_eq!(spine(&reply), (status, code.to_owned()), "{header}: {value}");
        assert!(reply.header("Tributary-Audit").is_none(), "{header}: {value}");
    }
    let no_json = format!("{ROOT}{OPERATION}");
    for (body, status, code) in [
        (String::new(), 400, "BAD_REQUEST"),
        ("{".to_owned(), 400, "BAD_REQUEST"),
        (everything().replace(GEORGE, "9990000108"), 400, "INVALID_NHS_NUMBER"),
        (everything().replace("patientNHSNumber", "patient"), 422, "INVALID_PARAMETER"),
        (everything().replace("Parameters", "Bundle"), 422, "INVALID_RESOURCE"),
    ] {
        let reply = ask(&stage, &no_json, &body, ("", "")).await;
        assert_eq!(spine(&reply), (status, code.to_owned()), "{body}");
        assert!(!reply.body.contains("999000"), "{body}");
    }
    assert_eq!(asked(&stage, "gp"), 0);
    assert!(of_kind(&stage, "intent").is_empty());
}

#[tokio::test]
async fn an_unknown_practice_is_not_guessed_at() {
    let stage = Stage::set(Plan::default()).await;
    // A practice nobody registered, a hospital, and no practice at all.
    for code in ["Z99999", "RBL", "a"] {
        let path = format!("/{code}/STU3/1/gpconnect/structured/fhir{OPERATION}");
        let reply = ask(&stage, &path, &everything(), ("", "")).await;
        assert_eq!(spine(&reply), (404, "ORGANISATION_NOT_FOUND".to_owned()), "{code}");
    }
    for facts in stage.federation.source_facts() {
        assert_eq!(asked(&stage, facts.id), 0, "{}", facts.id);
        if facts.kind != "gp" {
            let path = format!("/{}/STU3/1/gpconnect/structured/fhir{OPERATION}", facts.ods);
            assert_eq!(ask(&stage, &path, &everything(), ("", "")).await.status, 404, "{}", facts.ods);
        }
    }
}

#[tokio::test]
async fn a_community_system_that_speaks_gp_connect_is_no_practice() {
    let plan = Plan::default();
    let federation = federation(&plan).await;
    let audit = tempfile::tempdir().unwrap();
    let text = configuration(federation.source_facts(), &plan, &audit.path().join("log"));
    let text = text.replacen("kind = \"gp\"", "kind = \"community\"", 1);
    let running = Running::start(Settings::parse(&text).unwrap()).await.unwrap();
    let stage = Stage { federation, running, audit };
    assert_eq!(spine(&relayed(&stage, &everything()).await), (404, "ORGANISATION_NOT_FOUND".to_owned()));
    assert_eq!(asked(&stage, "gp"), 0);
}

#[tokio::test]
async fn nothing_of_a_hospital_is_in_a_relay() {
    let stage = Stage::set(Plan::default()).await;
    let reply = relayed(&stage, &everything()).await;
    for other in ["acute-a", "specialist", "walkin", "community"] {
        assert_eq!(asked(&stage, other), 0, "{other}");
    }
    assert_eq!(asked(&stage, "gp"), 1);
    for words in ["Midazolam", "Not for attempted", "ReSPECT", "Specialist", "Walk-in", "urn:x-tributary"] {
        assert!(!reply.body.contains(words), "{words}");
    }
    assert!(reply.header("Tributary-Completeness").is_none());
}
