//! Every fault can be seen on the wire.

use std::io::{self, Read as _};
use std::time::{Duration, Instant};

use crate::support::*;
use mock_providers::{BadText, ErrorBody, Fault, FaultRule, Federation, ProviderHandle, TELLTALE};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

const P1: &str = "9990000107";
const P2: &str = "9990000204";

fn call() -> Call {
    Call::structured(&parameters(P1, &[allergies(false), area("includeProblems")]))
}

fn gp(federation: &Federation) -> &ProviderHandle {
    federation.provider("gp").unwrap()
}

/// The reply under a fault, and the reply without.
async fn under(fault: Fault) -> (Seen, Seen) {
    let federation = quiet_federation().await;
    let healthy = call().send(gp(&federation)).await;
    gp(&federation).set_fault(fault);
    (call().send(gp(&federation)).await, healthy)
}

/// What arrives within a moment of a reply that never ends.
async fn within_a_moment(fault: Fault) -> (Seen, Seen) {
    let federation = quiet_federation().await;
    let healthy = call().send(gp(&federation)).await;
    gp(&federation).set_fault(fault);
    let mut stream = TcpStream::connect(gp(&federation).address()).await.unwrap();
    stream.write_all(&call().bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let all = async {
        use tokio::io::AsyncReadExt as _;
        while stream.read_buf(&mut bytes).await.unwrap() > 0 {}
    };
    assert!(tokio::time::timeout(Duration::from_millis(80), all).await.is_err(), "the reply ended");
    (seen(&bytes, None), healthy)
}

fn patients(bundle: &Value) -> Vec<&Value> {
    let resources = bundle["entry"].as_array().unwrap().iter().map(|entry| &entry["resource"]);
    resources.filter(|one| one["resourceType"] == "Patient").collect()
}

fn number(patient: &Value) -> &str {
    patient["identifier"][0]["value"].as_str().unwrap()
}

#[tokio::test]
async fn hangs_and_drips_do_not_end() {
    let (seen, _) = within_a_moment(Fault::HangBeforeHead).await;
    assert!(seen.head.is_empty());
    let (seen, healthy) = within_a_moment(Fault::HangMidBody).await;
    assert_eq!(seen.announced(), healthy.body.len());
    assert_eq!(seen.body.len(), healthy.body.len() / 2);
    let (seen, healthy) = within_a_moment(Fault::SlowDrip { bytes_per_second: 1000 }).await;
    assert!(!seen.body.is_empty() && seen.body.len() < healthy.body.len());
}

#[tokio::test]
async fn delays_are_waited_for() {
    let began = Instant::now();
    let (seen, healthy) = under(Fault::Delay { ms: 60 }).await;
    assert!(began.elapsed() >= Duration::from_millis(60));
    assert_eq!(seen.body, healthy.body);
    let federation = quiet_federation().await;
    gp(&federation).set_delay(Duration::from_millis(60));
    let began = Instant::now();
    assert_eq!(call().send(gp(&federation)).await.status, 200);
    assert!(began.elapsed() >= Duration::from_millis(60));
}

#[tokio::test]
async fn bodies_break_off() {
    let (seen, healthy) = under(Fault::Reset).await;
    assert_eq!(seen.broken, Some(io::ErrorKind::ConnectionReset));
    assert!(seen.body.len() < healthy.body.len());
    let (seen, healthy) = under(Fault::ShortBody).await;
    assert_eq!((seen.broken, seen.announced()), (None, healthy.body.len()));
    assert_eq!(seen.body.len(), healthy.body.len() / 2);
    let (seen, healthy) = under(Fault::TruncatedJson).await;
    assert_eq!(seen.announced(), seen.body.len());
    assert!(healthy.body.starts_with(&seen.body) && serde_json::from_slice::<Value>(&seen.body).is_err());
}

#[tokio::test]
async fn a_refusing_provider_can_listen_again() {
    let federation = quiet_federation().await;
    let address = gp(&federation).address();
    gp(&federation).set_fault(Fault::Refuse);
    let refused = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    gp(&federation).clear_fault().unwrap();
    assert_eq!(gp(&federation).address(), address);
    assert_eq!(call().send(gp(&federation)).await.status, 200);
}

#[tokio::test]
async fn statuses_come_with_what_was_asked_for() {
    let (seen, _) = under(Fault::status(503)).await;
    assert_eq!((seen.status, seen.spine_code().as_str()), (503, "INTERNAL_SERVER_ERROR"));
    for (status, body, code) in [
        (403, ErrorBody::Outcome, Some("NO_PATIENT_CONSENT")),
        (429, ErrorBody::Empty, None),
        (502, ErrorBody::Html, None),
    ] {
        let spine_code = code.map(str::to_owned);
        let fault = Fault::Status { status, body, spine_code, retry_after_secs: Some(7) };
        let (seen, _) = under(fault).await;
        assert_eq!((seen.status, seen.header("retry-after")), (status, Some("7")));
        match body {
            ErrorBody::Outcome => assert_eq!(seen.spine_code(), code.unwrap()),
            ErrorBody::Empty => assert!(seen.body.is_empty()),
            ErrorBody::Html => assert_eq!(seen.header("content-type"), Some("text/html")),
        }
    }
    let (seen, _) = under(Fault::OutcomeInOk { spine_code: Some("NO_RECORD_FOUND".to_owned()) }).await;
    assert_eq!((seen.status, seen.spine_code().as_str()), (200, "NO_RECORD_FOUND"));
}

#[tokio::test]
async fn replies_of_another_kind() {
    let (seen, _) = under(Fault::WrongContentType).await;
    assert_eq!((seen.status, seen.header("content-type")), (200, Some("text/html")));
    let (seen, _) = under(Fault::EmptyBody).await;
    assert_eq!((seen.status, seen.body.len()), (204, 0));
    let (seen, _) = under(Fault::Redirect { location: "http://127.0.0.1:9/".to_owned() }).await;
    assert_eq!((seen.status, seen.header("location")), (302, Some("http://127.0.0.1:9/")));
    let (seen, _) = under(Fault::InvalidUtf8).await;
    assert!(std::str::from_utf8(&seen.body).is_err());
    let (seen, _) = under(Fault::Dstu2).await;
    let kinds: Vec<Value> = seen.json()["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["resource"]["resourceType"].clone())
        .collect();
    assert_eq!(kinds, ["Patient", "MedicationOrder"]);
    assert!(seen.json().to_string().contains("http://fhir.nhs.net/Id/nhs-number"));
}

#[tokio::test]
async fn bodies_that_are_too_much() {
    let (seen, healthy) = under(Fault::HugeBody { megabytes: 1 }).await;
    assert!(seen.body.len() > 1024 * 1024);
    assert!(
        seen.json()["entry"].as_array().unwrap().len() > healthy.json()["entry"].as_array().unwrap().len()
    );
    let (seen, _) = under(Fault::DeepNesting { levels: 5000 }).await;
    let text = String::from_utf8(seen.body).unwrap();
    assert_eq!(text.matches("urn:nested").count(), 5000);
    assert_eq!(text.matches(['{', '[']).count(), text.matches(['}', ']']).count());
    let (seen, _) = under(Fault::GzipBomb { megabytes: 4 }).await;
    assert_eq!(seen.header("content-encoding"), Some("gzip"));
    assert!(seen.body.len() < 100_000);
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(seen.body.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert!(unpacked.len() > 4 * 1024 * 1024);
    assert!(serde_json::from_slice::<Value>(&unpacked).is_ok());
}

#[tokio::test]
async fn lengths_are_lies_and_chunks_never_end() {
    let (seen, _) = within_a_moment(Fault::LyingLength { bytes: 10_000_000_000 }).await;
    assert_eq!((seen.announced(), seen.body.len()), (10_000_000_000, 0));
    let federation = quiet_federation().await;
    gp(&federation).set_fault(Fault::EndlessChunks);
    let mut stream = TcpStream::connect(gp(&federation).address()).await.unwrap();
    stream.write_all(&call().bytes()).await.unwrap();
    let mut much = vec![0; 4 << 20];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut much).await.unwrap();
    assert!(String::from_utf8_lossy(&much[..1_000]).contains("Transfer-Encoding: chunked"));
}

#[tokio::test]
async fn heads_say_too_much() {
    let (seen, healthy) = under(Fault::ManyHeaders { count: 200, bytes: 10 }).await;
    assert_eq!(seen.head.matches("X-Stray-").count(), 200);
    assert_eq!(seen.body, healthy.body);
    let (seen, healthy) = under(Fault::StrayHeaders).await;
    assert!(seen.header("set-cookie").unwrap().contains(TELLTALE));
    assert_eq!(seen.body, healthy.body);
    let (seen, _) = under(Fault::Telltale { status: 500 }).await;
    assert_eq!((seen.status, seen.spine_code().as_str()), (500, "INTERNAL_SERVER_ERROR"));
    let diagnostics = seen.json()["issue"][0]["diagnostics"].to_string();
    assert!(diagnostics.contains(TELLTALE) && diagnostics.contains(P1), "{diagnostics}");
    let (seen, healthy) = under(Fault::Informational { count: 3 }).await;
    assert_eq!(seen.status, 103);
    let rest = [seen.head.as_bytes(), &seen.body].concat();
    assert_eq!(String::from_utf8_lossy(&rest).matches("103 Early Hints").count(), 3);
    assert!(rest.ends_with(&healthy.body));
}

#[tokio::test]
async fn bodies_are_not_what_they_are_said_to_be() {
    let (seen, healthy) = under(Fault::PartialContent).await;
    assert_eq!((seen.status, seen.body.len()), (206, healthy.body.len() / 2));
    let (seen, healthy) = under(Fault::WrongCoding { coding: "br, gzip".to_owned() }).await;
    assert_eq!(seen.header("content-encoding"), Some("br, gzip"));
    assert_eq!(seen.body, healthy.body);
    let (seen, healthy) = under(Fault::TrailingDocument).await;
    assert_eq!(seen.body, [healthy.body.as_slice(), &healthy.body].concat());
    let (seen, _) = under(Fault::Xml).await;
    assert!(seen.header("content-type").unwrap().starts_with("application/fhir+xml"));
    assert!(String::from_utf8(seen.body).unwrap().contains("<!ENTITY"));
    for (text, has) in [
        (BadText::ByteOrderMark, &b"\xEF\xBB\xBF{"[..]),
        (BadText::LoneSurrogate, br#"\ud800""#),
        (BadText::Nul, b"\0\""),
    ] {
        let (seen, healthy) = under(Fault::BadText { text }).await;
        assert!(seen.body.windows(has.len()).any(|window| window == has), "{text:?}");
        assert!(!healthy.body.windows(has.len()).any(|window| window == has), "{text:?}");
    }
    let (seen, healthy) = under(Fault::ManyEntries { count: 500 }).await;
    let entries = |seen: &Seen| seen.json()["entry"].as_array().unwrap().len();
    assert_eq!(entries(&seen), entries(&healthy) + 500);
}

#[tokio::test]
async fn answers_are_about_nobody_or_somebody_else() {
    let (seen, healthy) = under(Fault::WithoutPatient).await;
    let (bundle, before) = (seen.json(), healthy.json());
    assert!(patients(&bundle).is_empty());
    assert_eq!(bundle["entry"].as_array().unwrap().len() + 1, before["entry"].as_array().unwrap().len());
    let (seen, _) = under(Fault::BadCheckDigit).await;
    let bundle = seen.json();
    let wrong = number(patients(&bundle)[0]);
    let shared = wrong.bytes().zip(P1.bytes()).take_while(|(ours, theirs)| ours == theirs).count();
    assert_eq!((wrong.len(), shared), (10, 9));
    assert_ne!(wrong, P1);
    let (seen, _) = under(Fault::AnswerOf { nhs_number: P2.to_owned() }).await;
    assert_eq!(number(patients(&seen.json())[0]), P2);
}

#[tokio::test]
async fn what_is_at_once_is_counted_and_who_leaves_is_not() {
    let federation = quiet_federation().await;
    let gp = gp(&federation);
    gp.set_delay(Duration::from_mins(1));
    let mut callers = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(gp.address()).await.unwrap();
        stream.write_all(&call().bytes()).await.unwrap();
        callers.push(stream);
    }
    until(|| gp.open_count() == 3).await;
    callers.truncate(1);
    until(|| gp.open_count() == 1).await;
    assert_eq!(gp.most_open_count(), 3);
    gp.clear_asks();
    assert_eq!(gp.most_open_count(), 1);
}

async fn until(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(10), "it did not come to be");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn keys_are_given_twice() {
    let (seen, healthy) = under(Fault::DuplicateKeys).await;
    let text = String::from_utf8(seen.body).unwrap();
    assert!(text.starts_with(r#"{"type":"history","#) && text.contains(r#""type":"collection""#));
    assert!(text.contains(r#""resource":{"id":"first-of-two-ids","#));
    let undone = text.replace(r#""type":"history","#, "").replace(r#""id":"first-of-two-ids","#, "");
    assert_eq!(undone.as_bytes(), healthy.body);
}

#[tokio::test]
async fn persons_are_mixed_up() {
    let (seen, _) = under(Fault::WrongPatient).await;
    let bundle = seen.json();
    assert_eq!(patients(&bundle).len(), 1);
    assert_ne!(number(patients(&bundle)[0]), P1);
    let (seen, _) = under(Fault::TwoPatients).await;
    let bundle = seen.json();
    assert_eq!(patients(&bundle).len(), 2);
    assert_ne!(number(patients(&bundle)[1]), P1);
    let (seen, healthy) = under(Fault::MixedPatients).await;
    let bundle = seen.json();
    let last = &bundle["entry"].as_array().unwrap().last().unwrap()["resource"];
    assert_eq!(last["patient"]["reference"], "Patient/stranger");
    assert_eq!(
        bundle["entry"].as_array().unwrap().len(),
        healthy.json()["entry"].as_array().unwrap().len() + 2
    );
}

#[tokio::test]
async fn a_patient_is_described_otherwise() {
    let other = json!({"birthDate": "1953-11-02", "gender": null, "deceasedBoolean": true});
    let members = other.as_object().unwrap().clone();
    let (seen, healthy) = under(Fault::OtherDetails { members }).await;
    let (bundle, before) = (seen.json(), healthy.json());
    let patient = patients(&bundle)[0];
    assert_eq!(number(patient), P1);
    assert_eq!(patient["birthDate"], "1953-11-02");
    assert!(patient.get("gender").is_none() && patient["deceasedBoolean"] == true);
    assert_eq!(patient["name"], patients(&before)[0]["name"]);
    assert_eq!(bundle["entry"].as_array().unwrap().len(), before["entry"].as_array().unwrap().len());
}

#[tokio::test]
async fn rules_are_narrowed_to_once_and_to_a_patient() {
    let federation = quiet_federation().await;
    gp(&federation).set_fault(FaultRule::once(Fault::status(503)));
    assert_eq!(call().send(gp(&federation)).await.status, 503);
    assert_eq!(call().send(gp(&federation)).await.status, 200);
    gp(&federation).set_fault(FaultRule::from(Fault::status(500)).for_patient(P2));
    assert_eq!(call().send(gp(&federation)).await.status, 200);
    let other = Call::structured(&parameters(P2, &[allergies(false)]));
    assert_eq!(other.send(gp(&federation)).await.status, 500);
}

#[tokio::test]
async fn stories_bring_their_own_faults_and_delays() {
    let options = mock_providers::FederationOptions::default();
    let federation = mock_providers::start_story_federation(options).await.unwrap();
    let walkin = federation.provider("walkin").unwrap();
    let began = Instant::now();
    for path in ["Patient/_search", "Encounter/_search"] {
        let form = format!("identifier={P1}&patient.identifier={P1}");
        let seen = Call::form(&format!("/fhir/R4/{path}"), &form).send(walkin).await;
        assert_eq!(seen.json()["total"], 1);
    }
    assert!(began.elapsed() >= Duration::from_millis(200));
    let acute = federation.provider("acute-a").unwrap();
    let silent = Call::get("/fhir/R4/Patient?identifier=9990000409").bytes();
    let answer = tokio::time::timeout(Duration::from_millis(60), exchange(acute, &silent)).await;
    assert!(answer.is_err());
}

#[tokio::test]
async fn the_control_port_does_what_the_handle_does() {
    let federation = quiet_federation().await;
    let control = federation.control_address();
    let ask = async |method: &'static str, path: &str, body: &str| {
        let call = Call { method, path: path.to_owned(), headers: Vec::new(), body: body.into() };
        let mut stream = TcpStream::connect(control).await.unwrap();
        stream.write_all(&call.bytes()).await.unwrap();
        let (bytes, broken) = read_to_end(&mut stream).await;
        seen(&bytes, broken)
    };
    let providers = ask("GET", "/providers", "").await.json();
    let ids: Vec<&str> =
        providers.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["gp", "acute-a", "specialist", "walkin", "community"]);
    let rule = json!({"fault": {"kind": "status", "status": 500}, "lifetime": "standing", "nhs_number": P1});
    assert_eq!(ask("PUT", "/providers/gp/fault", &rule.to_string()).await.status, 200);
    assert_eq!(call().send(gp(&federation)).await.status, 500);
    assert_eq!(ask("GET", "/providers/gp/fault", "").await.json()[0]["fault"]["kind"], "status");
    assert_eq!(ask("PUT", "/providers/gp/fault", r#"{"fault":{"kind":"nonsense"}}"#).await.status, 400);
    assert_eq!(ask("DELETE", "/providers/gp/fault", "").await.status, 200);
    assert_eq!(call().send(gp(&federation)).await.status, 200);
    assert_eq!(ask("GET", "/providers/gp/asks", "").await.json().as_array().unwrap().len(), 2);
    assert_eq!(ask("DELETE", "/providers/gp/asks", "").await.status, 200);
    assert_eq!(gp(&federation).ask_count(), 0);
    assert_eq!(ask("GET", "/providers/nobody/asks", "").await.status, 404);
}
