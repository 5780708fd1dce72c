//! What a source can do to us, and what we call it.

use std::io::Write as _;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::AsyncWriteExt as _;
use tributary_model::{FaultClass, Retry, Section, SourceFault};
use tributary_sources::{Protocol, SourceEntry};

use crate::server::{Server, Step, answer, fhir, head};
use crate::{ask, entry, source};

const JSON: &str = "application/fhir+json";
const BUNDLE: &str = r#"{"resourceType":"Bundle","type":"collection"}"#;

/// Asks a source that behaves so, in both kinds of protocol.
async fn fault_of(steps: Vec<Step>, timeout: Duration) -> SourceFault {
    let server = Server::start(move |_, _| steps.clone()).await;
    let mut faults = Vec::new();
    for protocol in [Protocol::GpConnectStructured, Protocol::FhirR4] {
        let source = source(SourceEntry { timeout, ..entry(protocol, &server.base()) });
        faults.push(ask(&source, &[Section::Allergies]).await.unwrap_err());
    }
    assert_eq!(faults[0], faults[1]);
    faults[0]
}

async fn check(name: &str, steps: Vec<Step>, class: FaultClass) {
    let fault = fault_of(steps, Duration::from_secs(3)).await;
    assert_eq!(fault.class, class, "{name}");
}

fn outcome(issue_code: &str, spine: &str) -> String {
    format!(
        r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"error","code":"{issue_code}","details":{{"coding":[{{"code":"{spine}"}}]}}}}]}}"#
    )
}

fn coded(coding: &str, body: &[u8]) -> Vec<Step> {
    let line = format!("Content-Encoding: {coding}\r\n");
    let mut bytes = head(200, JSON, body.len() as u64, &line);
    bytes.extend_from_slice(body);
    vec![Step::Send(bytes)]
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn sent(bytes: Vec<u8>) -> Step {
    Step::Send(bytes)
}

#[tokio::test]
async fn silence_ends_at_the_source_s_own_timeout() {
    let begun = Instant::now();
    let fault = fault_of(vec![Step::Hang], Duration::from_millis(150)).await;
    assert_eq!(fault, SourceFault::new(FaultClass::NoHead));
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_stalled_body_ends_at_the_timeout_and_is_not_used() {
    let steps = vec![sent(head(200, JSON, 500, "")), sent(b"{".to_vec()), Step::Hang];
    let fault = fault_of(steps, Duration::from_millis(150)).await;
    assert_eq!(fault, SourceFault::new(FaultClass::SlowBody).with_http(200));
}

#[tokio::test]
async fn a_body_below_the_least_rate_ends_before_the_timeout() {
    let steps = vec![sent(head(200, JSON, 500, "")), sent(b"{".to_vec()), Step::Hang];
    let begun = Instant::now();
    let fault = fault_of(steps, Duration::from_secs(8)).await;
    assert_eq!(fault.class, FaultClass::SlowBody);
    // Two protocols, a second each.
    assert!(begun.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn broken_connections() {
    check("reset before the head", vec![Step::Reset], FaultClass::Reset).await;
    check("closed before the head", vec![], FaultClass::Reset).await;
    check("no http", vec![sent(b"hello\r\n\r\n".to_vec())], FaultClass::Shape).await;
    let short = vec![sent(head(200, JSON, 500, "")), sent(b"{\"a\"".to_vec())];
    check("closed inside the body", short.clone(), FaultClass::Truncated).await;
    let reset = [short, vec![Step::Reset]].concat();
    check("reset inside the body", reset, FaultClass::Reset).await;
    let headers = ["X: y\r\n"; 200].concat();
    check("too many headers", vec![sent(head(200, JSON, 0, &headers))], FaultClass::TooLarge).await;
}

#[tokio::test]
async fn sizes_and_codings() {
    let lie = vec![sent(head(200, JSON, 10_000_000_000, "")), Step::Hang];
    let begun = Instant::now();
    check("huge declared length", lie, FaultClass::TooLarge).await;
    assert!(begun.elapsed() < Duration::from_secs(2));

    let big = vec![b' '; 2 << 20];
    check("body above the cap", fhir(200, &big), FaultClass::TooLarge).await;
    check("bomb", coded("gzip", &gzip(&big)), FaultClass::TooLarge).await;
    check("unknown coding", coded("br", b"x"), FaultClass::Encoding).await;
    check("two codings", coded("gzip, gzip", b"x"), FaultClass::Encoding).await;
    check("not gzip", coded("gzip", b"{}"), FaultClass::Encoding).await;

    let chunks = "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut endless = vec![sent(chunks.as_bytes().to_vec())];
    let chunk = [b"10000\r\n".as_slice(), &vec![b' '; 0x10000], b"\r\n"].concat();
    endless.extend(std::iter::repeat_n(sent(chunk), 64));
    check("endless chunks", endless, FaultClass::TooLarge).await;
}

#[tokio::test]
async fn contents() {
    for (name, content_type, body, class) in [
        ("html", "text/html", "<html/>", FaultClass::MediaType),
        ("xml", "application/fhir+xml", "<Bundle/>", FaultClass::MediaType),
        ("empty", JSON, "", FaultClass::EmptyBody),
        ("cut json", JSON, "{\"resourceType\":", FaultClass::JsonSyntax),
        ("two documents", JSON, "{}{}", FaultClass::JsonSyntax),
        ("twice a key", JSON, r#"{"a":1,"a":1}"#, FaultClass::JsonDuplicate),
        ("no bundle", JSON, r#"{"resourceType":"Patient"}"#, FaultClass::Shape),
        (
            "DSTU2",
            JSON,
            r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","careProvider":[]}}]}"#,
            FaultClass::Version,
        ),
    ] {
        check(name, answer(200, content_type, body), class).await;
    }
    check("not UTF-8", fhir(200, b"{\"a\":\"\xff\"}"), FaultClass::Utf8).await;
    let deep = "[".repeat(10_000);
    check("deep", fhir(200, deep), FaultClass::JsonDepth).await;
}

#[tokio::test]
async fn statuses_and_outcomes() {
    for (status, body, class) in [
        (204, String::new(), FaultClass::EmptyBody),
        (206, BUNDLE.to_owned(), FaultClass::UnexpectedStatus),
        (307, String::new(), FaultClass::Redirect),
        (401, String::new(), FaultClass::Denied),
        (403, outcome("forbidden", "ACCESS DENIED"), FaultClass::Denied),
        (403, outcome("forbidden", "NO_PATIENT_CONSENT"), FaultClass::Consent),
        (404, "<html/>".to_owned(), FaultClass::BadEndpoint),
        (404, outcome("not-found", "PATIENT_NOT_FOUND"), FaultClass::NoRecord),
        (422, outcome("invalid", "INVALID_PARAMETER"), FaultClass::OurRequest),
        (429, String::new(), FaultClass::Throttled),
        (500, "<html>trace</html>".to_owned(), FaultClass::ServerError),
        (503, String::new(), FaultClass::ServerError),
        (200, outcome("exception", ""), FaultClass::OutcomeError),
        (200, outcome("not-found", "PATIENT_NOT_FOUND"), FaultClass::NoRecord),
    ] {
        let name = format!("{status} {body}");
        check(&name, fhir(status, body), class).await;
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Server::start(|_, _| fhir(200, BUNDLE)).await;
    let line = format!("Location: {}\r\n", target.base());
    check("redirect", vec![sent(head(301, "text/html", 0, &line))], FaultClass::Redirect).await;
    assert!(target.seen().is_empty());
}

#[tokio::test]
async fn a_wish_to_wait_is_kept() {
    let steps = vec![sent(head(503, "text/html", 0, "Retry-After: 120\r\n"))];
    let fault = fault_of(steps, Duration::from_secs(3)).await;
    assert_eq!(fault.class, FaultClass::Throttled);
    assert_eq!(fault.retry, Retry::Later(Duration::from_mins(2)));
}

#[tokio::test]
async fn nobody_listens() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let source = source(entry(Protocol::FhirR4, &format!("http://{address}/fhir")));
    let fault = ask(&source, &[Section::Allergies]).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Connect);
}

#[tokio::test]
async fn a_server_without_tls_behind_https_is_a_tls_fault() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}/fhir", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            kept.push(stream);
        }
    });
    let source = source(entry(Protocol::FhirR4, &base));
    let fault = ask(&source, &[Section::Allergies]).await.unwrap_err();
    assert_eq!(fault, SourceFault::new(FaultClass::Tls));
}

#[tokio::test]
async fn a_second_attempt_has_its_own_trace_and_is_the_last() {
    let server = Server::start(|_, _| vec![Step::Reset]).await;
    let source = source(entry(Protocol::GpConnectStructured, &server.base()));
    let fault = ask(&source, &[Section::Allergies]).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Reset);
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert_ne!(seen[0].header("ssp-traceid"), seen[1].header("ssp-traceid"));
}

#[tokio::test]
async fn an_answer_however_bad_is_never_asked_for_again() {
    let server = Server::start(|_, _| fhir(500, "")).await;
    let source = source(entry(Protocol::GpConnectStructured, &server.base()));
    let fault = ask(&source, &[Section::Allergies]).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::ServerError);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn nothing_asked_is_nothing_sent() {
    let server = Server::start(|_, _| fhir(500, "")).await;
    for protocol in [Protocol::GpConnectStructured, Protocol::FhirR4] {
        let source = source(entry(protocol, &server.base()));
        let fault = ask(&source, &[]).await.unwrap_err();
        assert_eq!(fault.class, FaultClass::NothingAsked);
    }
    assert!(server.seen().is_empty());
}
