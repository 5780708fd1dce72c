//! One source misbehaves: the others' statements arrive, and what happened is said by its one code.

use std::time::Duration;

use mock_providers::{ErrorBody, Fault};
use tributary_tests::bundle::Merged;
use tributary_tests::{GEORGE, Plan, Stage};

/// What a fault of the GP must lead to.
struct Case {
    fault: Fault,
    status: &'static str,
    label: &'static str,
}

fn case(fault: Fault, status: &'static str) -> Case {
    // Without the GP the only negative left speaks of drugs alone, and nobody knows the rest.
    Case { fault, status, label: "Allergy check incomplete" }
}

fn answered(status: u16, spine: &str) -> Fault {
    Fault::Status {
        status,
        body: ErrorBody::Outcome,
        spine_code: Some(spine.to_owned()),
        retry_after_secs: None,
    }
}

fn bare(status: u16, body: ErrorBody, retry_after_secs: Option<u32>) -> Fault {
    Fault::Status { status, body, spine_code: None, retry_after_secs }
}

fn cases() -> Vec<Case> {
    vec![
        case(Fault::HangBeforeHead, "timeout"),
        case(Fault::HangMidBody, "timeout"),
        case(Fault::SlowDrip { bytes_per_second: 100 }, "timeout"),
        case(Fault::Reset, "unavailable"),
        case(Fault::Refuse, "unavailable"),
        case(bare(500, ErrorBody::Html, None), "unavailable"),
        case(answered(500, "INTERNAL_SERVER_ERROR"), "unavailable"),
        case(bare(503, ErrorBody::Empty, None), "unavailable"),
        case(bare(503, ErrorBody::Empty, Some(120)), "shed"),
        case(bare(429, ErrorBody::Outcome, None), "shed"),
        case(answered(404, "PATIENT_NOT_FOUND"), "no-record"),
        case(bare(404, ErrorBody::Empty, None), "unavailable"),
        case(answered(403, "NO_PATIENT_CONSENT"), "withheld-consent"),
        case(answered(403, "ACCESS DENIED"), "denied"),
        case(bare(401, ErrorBody::Outcome, None), "denied"),
        case(answered(422, "INVALID_PARAMETER"), "invalid"),
        case(Fault::OutcomeInOk { spine_code: Some("INTERNAL_SERVER_ERROR".to_owned()) }, "unavailable"),
        case(Fault::EmptyBody, "invalid"),
        case(Fault::TruncatedJson, "invalid"),
        case(Fault::ShortBody, "invalid"),
        case(Fault::WrongContentType, "invalid"),
        case(Fault::HugeBody { megabytes: 20 }, "invalid"),
        case(Fault::GzipBomb { megabytes: 24 }, "invalid"),
        case(Fault::DeepNesting { levels: 10_000 }, "invalid"),
        case(Fault::DuplicateKeys, "invalid"),
        case(Fault::InvalidUtf8, "invalid"),
        case(Fault::Dstu2, "invalid"),
        case(Fault::Redirect { location: "http://127.0.0.1:9/".to_owned() }, "unavailable"),
        case(Fault::WrongPatient, "identity-mismatch"),
        case(Fault::MixedPatients, "identity-mismatch"),
        case(Fault::TwoPatients, "identity-mismatch"),
    ]
}

/// Words that only the GP's answer holds.
const ONLY_GP: &[&str] = &["GP consultation", "Paracetamol", "716186003"];

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_gp_is_named_and_the_others_are_shown() {
    for Case { fault, status, label } in cases() {
        // A stage for each: three mix-ups switch a source off.
        // Twenty megabytes keep a busy machine from the others, who are not what is tried.
        let patient = matches!(fault, Fault::HugeBody { .. });
        let source_keys = if patient { "timeout_ms = 1800" } else { "timeout_ms = 700" };
        let stage = Stage::set(Plan { source_keys, ..Plan::default() }).await;
        let name = format!("{fault:?}");
        stage.federation.provider("gp").unwrap().set_fault(fault);
        let reply = stage.record(GEORGE, &[]).await;
        assert_eq!(reply.status, 200, "{name}: {}", reply.body);
        let merged = Merged::of(reply.json());
        assert_eq!(merged.statuses()["gp"], status, "{name}");
        assert_eq!(merged.statuses().values().filter(|code| *code == "ok").count(), 3, "{name}");
        assert_eq!(merged.allergy_label(), label, "{name}");
        for words in ONLY_GP {
            assert!(!reply.body.contains(words), "{name} let {words} through");
        }
        assert!(merged.discrepancies().is_empty(), "{name}");
        // A busy machine is given a second; the deadline itself is held by paused-clock tests.
        assert!(reply.took < Duration::from_millis(1_900), "{name} took {:?}", reply.took);
    }
}

#[tokio::test]
async fn the_answer_leaves_at_the_deadline() {
    let stage = Stage::set(Plan { source_keys: "timeout_ms = 30000", ..Plan::default() }).await;
    stage.federation.provider("gp").unwrap().set_fault(Fault::HangBeforeHead);
    let reply = stage.record(GEORGE, &[("Tributary-Deadline-Ms", "1000")]).await;
    assert_eq!(reply.status, 200);
    assert_eq!(Merged::of(reply.json()).statuses()["gp"], "timeout");
    assert!(reply.took <= Duration::from_millis(1_050), "{:?}", reply.took);
}

#[tokio::test]
async fn when_nobody_answers_there_is_no_record() {
    let ids = ["gp", "acute-a", "specialist", "walkin"];
    let cases: [(Fault, u16); 4] = [
        (Fault::HangBeforeHead, 504),
        (bare(503, ErrorBody::Empty, Some(9)), 503),
        (answered(404, "PATIENT_NOT_FOUND"), 404),
        (Fault::Refuse, 502),
    ];
    for (fault, status) in cases {
        let stage = Stage::set(Plan { source_keys: "timeout_ms = 400", ..Plan::default() }).await;
        for id in ids {
            stage.federation.provider(id).unwrap().set_fault(fault.clone());
        }
        let reply = stage.record(GEORGE, &[]).await;
        assert_eq!(reply.status, status, "{fault:?}: {}", reply.body);
        assert_eq!(reply.json()["resourceType"], "OperationOutcome");
        assert_eq!(reply.json()["issue"].as_array().unwrap().len(), 4, "{fault:?}");
        assert!(reply.header("Tributary-Audit").is_some());
        assert_eq!(reply.header("Retry-After").is_some(), status == 503);
    }
}

#[tokio::test]
async fn three_mixups_switch_a_source_off() {
    let stage = Stage::set(Plan::default()).await;
    let gp = stage.federation.provider("gp").unwrap();
    gp.set_fault(Fault::WrongPatient);
    for _ in 0..3 {
        let merged = Merged::of(stage.record(GEORGE, &[]).await.json());
        assert_eq!(merged.statuses()["gp"], "identity-mismatch");
    }
    gp.clear_fault().unwrap();
    let asked = gp.ask_count();
    let merged = Merged::of(stage.record(GEORGE, &[]).await.json());
    assert_eq!(merged.statuses()["gp"], "not-queried");
    assert_eq!(gp.ask_count(), asked);
}
