//! The client against a socket that answers what it is told.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tributary_model::{Completeness, FhirDate, Purpose, Redacted, Section, SectionSet};

use super::*;
use crate::{Certificate, Fault, Retries};

const HEADERS: &str =
    "Tributary-Completeness: partial; failed=1\r\nTributary-Sources: 3/4\r\nTributary-Audit: local-7\r\n";
const BUNDLE: &str = include_str!("../bundle/sample.json");

fn query() -> Query {
    Query {
        sections: SectionSet::EMPTY.with(Section::Plans),
        terms: Terms { deadline: Duration::from_secs(1), ..Terms::default() },
        ..Query::of(number())
    }
}

fn number() -> NhsNumber {
    NhsNumber::parse("9990000107").unwrap()
}

/// A broker that gives these replies, one to each connection, and then no more; it tells what it was asked.
struct Canned {
    address: String,
    requests: tokio::task::JoinHandle<Vec<String>>,
}

impl Canned {
    async fn of(replies: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = tokio::spawn(async move {
            let mut requests = Vec::new();
            for reply in replies {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = String::new();
                while !is_whole(&request) {
                    let mut bytes = [0; 4096];
                    let count = stream.read(&mut bytes).await.unwrap();
                    request.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
                }
                stream.write_all(reply.as_bytes()).await.unwrap();
                requests.push(request);
            }
            requests
        });
        Self { address, requests }
    }

    fn client(&self, options: Options) -> Client {
        Client::with(&self.address, options).unwrap()
    }
}

/// Whether a request has its body, if it has one.
fn is_whole(request: &str) -> bool {
    request.contains(if request.starts_with("GET") { "\r\n\r\n" } else { "]}" })
}

/// Answers one request with these bytes, and gives the request.
async fn ask(reply: String) -> (Result<RecordAnswer, ClientError>, String) {
    let canned = Canned::of(vec![reply]).await;
    let answer = canned.client(Options::default()).record(&query()).await;
    (answer, canned.requests.await.unwrap().remove(0))
}

fn reply(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

#[tokio::test]
async fn one_question_one_record() {
    let (answer, request) = ask(reply("200 OK", HEADERS, BUNDLE)).await;
    let answer = answer.unwrap();
    assert_eq!(answer.completeness, Completeness::Partial);
    assert_eq!((answer.sources, answer.audit.as_str()), ((3, 4), "local-7"));
    assert_eq!(answer.bundle_json, BUNDLE);
    assert!(request.starts_with("POST /fhir/R4/Patient/$record HTTP/1.1\r\n"), "{request}");
    assert!(request.to_lowercase().contains("tributary-deadline-ms: 1000\r\n"));
    assert!(request.ends_with(
        r#"{"resourceType":"Parameters","parameter":[{"name":"patient","valueIdentifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000107"}},{"name":"section","valueCode":"plans"}]}"#
    ));
}

#[tokio::test]
async fn a_record_without_its_completeness_is_not_shown() {
    let (answer, _) = ask(reply("200 OK", "", BUNDLE)).await;
    assert!(matches!(answer, Err(ClientError::Unreadable(_))), "{answer:?}");
}

#[tokio::test]
async fn refusals_carry_the_words_of_the_broker() {
    let outcome = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"transient","details":{"text":"The audit log cannot be written"}}]}"#;
    let (answer, _) = ask(reply("503 Service Unavailable", "", outcome)).await;
    let Err(ClientError::Refused(refusal)) = answer else { panic!("{answer:?}") };
    assert_eq!(refusal.status, 503);
    assert_eq!(refusal.reasons, ["The audit log cannot be written"]);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (answer, _) = ask(reply("302 Found", "Location: http://127.0.0.1:1/\r\n", "")).await;
    let Err(ClientError::Refused(refusal)) = answer else { panic!("{answer:?}") };
    assert_eq!(refusal.status, 302);
}

#[tokio::test]
async fn broken_and_endless_answers_are_errors() {
    let broken = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{".to_owned();
    assert_eq!(ask(broken).await.0.unwrap_err(), ClientError::BrokenOff);
    let huge = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", " ".repeat((64 << 20) + 1));
    let canned = Canned::of(vec![huge]).await;
    // Time enough to read so much on a machine with other work.
    let terms = Terms { deadline: Duration::from_secs(30), ..Terms::default() };
    let patient = Query { terms, ..query() };
    let error = canned.client(Options::default()).record(&patient).await.unwrap_err();
    assert_eq!(error, ClientError::TooLarge);
}

#[tokio::test]
async fn errors_name_neither_address_nor_patient() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = Client::new(&format!("http://{closed}")).unwrap().record(&query()).await.unwrap_err();
    assert_eq!(error, ClientError::Unreachable);
    assert_eq!(error.to_string(), "the broker cannot be reached");
}

#[test]
fn only_http_addresses_are_addresses() {
    for bad in ["", "record.example", "file:///etc", "ftp://record.example"] {
        assert_eq!(Client::new(bad).unwrap_err(), ClientError::Address, "{bad}");
    }
    assert!(Client::new("https://record.example.test/base/").is_ok());
}

#[test]
fn http_is_for_loopback() {
    for good in ["http://127.0.0.1:8443", "http://[::1]:1", "http://localhost", "https://record.example.test"]
    {
        assert!(Client::new(good).is_ok(), "{good}");
    }
    for bad in
        ["http://record.example.test", "http://127.0.0.1.example", "http://10.0.0.1:8443", "http://[::2]"]
    {
        assert_eq!(Client::new(bad).unwrap_err(), ClientError::Plain, "{bad}");
    }
}

#[tokio::test]
async fn everything_that_can_be_asked_is_asked() {
    let canned = Canned::of(vec![reply("200 OK", HEADERS, BUNDLE)]).await;
    let token = Token::Fixed(Redacted::new("eyJ.e30.\n".to_owned()));
    let query = Query {
        sections: SectionSet::EMPTY.with(Section::Allergies),
        since: FhirDate::parse("2024-03"),
        terms: Terms {
            purpose: Purpose::UrgentCare,
            break_glass: Some(Redacted::new("found \"unconscious\"".to_owned())),
            deadline: Duration::from_millis(2_500),
            handling: Handling::Strict,
            freshness: Freshness::FetchNow,
        },
        ..Query::of(number())
    };
    canned.client(Options { token, ..Options::default() }).record(&query).await.unwrap();
    let request = canned.requests.await.unwrap().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let head = head.to_lowercase();
    for line in ["prefer: handling=strict", "cache-control: no-cache", "authorization: bearer eyj.e30."] {
        assert!(head.lines().any(|found| found == line), "{line}: {head}");
    }
    let sent = r#",{"name":"section","valueCode":"allergies"},{"name":"since","valueDate":"2024-03"},{"name":"purpose","valueCode":"urgentcare"},{"name":"breakGlass","valueString":"found \"unconscious\""}]}"#;
    assert!(body.ends_with(sent), "{body}");
}

#[tokio::test]
async fn a_summary_a_document_and_the_sources() {
    let document = r#"{"resourceType":"Bundle","type":"document"}"#;
    let pdf = "Content-Type: application/pdf\r\nTributary-Audit: local-9\r\n";
    let listed = r#"{"sources":[{"id":"gp","name":"Riverside Surgery","kind":"gp","sections":["allergies"],"new":1}]}"#;
    let replies = vec![
        reply("200 OK", HEADERS, document),
        reply("200 OK", HEADERS, BUNDLE),
        reply("200 OK", pdf, "%PDF"),
        reply("200 OK", "", listed),
    ];
    let canned = Canned::of(replies).await;
    let client = canned.client(Options::default());
    let summary = client.summary(&number(), &Terms::default()).await.unwrap();
    assert_eq!((summary.bundle_json.as_str(), summary.head.audit.as_str()), (document, "local-7"));
    let other = client.summary(&number(), &Terms::default()).await.unwrap_err();
    assert_eq!(other, ClientError::Unreadable(FaultClass::Shape), "a record is no summary");
    let attachment = client.attachment("https://elsewhere.example/fhir/R4/Binary/a-B_9").await.unwrap();
    assert_eq!(
        (attachment.bytes.as_slice(), attachment.content_type.as_str()),
        (&b"%PDF"[..], "application/pdf")
    );
    let sources = client.sources().await.unwrap();
    assert_eq!((sources.len(), sources[0].sections.as_slice()), (1, &["allergies".to_owned()][..]));
    let requests = canned.requests.await.unwrap();
    assert!(requests[0].starts_with("POST /fhir/R4/Patient/$summary HTTP/1.1\r\n"));
    assert!(requests[2].starts_with("GET /fhir/R4/Binary/a-B_9 HTTP/1.1\r\n"));
    assert!(!requests[2].contains("elsewhere"), "{}", requests[2]);
}

#[tokio::test]
async fn what_is_no_link_of_a_broker_is_not_followed() {
    let client = Client::new("http://127.0.0.1:1").unwrap();
    for bad in ["", "https://x.example/", "/fhir/R4/Binary/", "/fhir/R4/Binary/../x", "/fhir/R4/Binary/a?b"] {
        assert_eq!(client.attachment(bad).await.unwrap_err(), ClientError::Link, "{bad}");
    }
}

#[tokio::test]
async fn who_is_told_to_come_back_comes_back_once_with_a_new_token() {
    let busy = || reply("503 Service Unavailable", "Retry-After: 0\r\n", "");
    let canned = Canned::of(vec![busy(), reply("200 OK", HEADERS, BUNDLE)]).await;
    let count = Arc::new(AtomicUsize::new(0));
    let drawn = Arc::clone(&count);
    let token =
        Token::Each(Arc::new(move || Redacted::new(format!("t{}", drawn.fetch_add(1, Ordering::SeqCst)))));
    canned.client(Options { token, ..Options::default() }).record(&query()).await.unwrap();
    let requests = canned.requests.await.unwrap();
    // The first was drawn to see whether it can be sent.
    assert!(requests[0].contains("Bearer t1\r\n") && requests[1].contains("Bearer t2\r\n"), "{requests:?}");
}

#[tokio::test]
async fn what_is_not_safe_to_repeat_is_asked_once() {
    async fn check(status: &str, headers: &str, options: Options, query: Query) {
        let canned = Canned::of(vec![reply(status, headers, ""), reply("200 OK", HEADERS, BUNDLE)]).await;
        let error = canned.client(options).record(&query).await.unwrap_err();
        assert!(matches!(error, ClientError::Refused(_)), "{status}: {error:?}");
        assert!(!canned.requests.is_finished(), "{status} was repeated");
        canned.requests.abort();
    }
    let (now, none) = ("Retry-After: 0\r\n", Options::default);
    for status in ["500 Internal Server Error", "502 Bad Gateway", "504 Gateway Timeout", "403 Forbidden"] {
        check(status, now, none(), query()).await;
    }
    check("503 Service Unavailable", "", none(), query()).await;
    // Longer than there is time.
    check("503 Service Unavailable", "Retry-After: 1\r\n", none(), query()).await;
    let spent = Options { token: Token::Fixed(Redacted::new("t".to_owned())), ..none() };
    check("503 Service Unavailable", now, spent, query()).await;
    let counted = Terms { break_glass: Some(Redacted::new("reason".to_owned())), ..query().terms };
    check("503 Service Unavailable", now, none(), Query { terms: counted, ..query() }).await;
    let never = Options { retries: Retries { most: 0, per: 100 }, ..none() };
    check("503 Service Unavailable", now, never, query()).await;
}

#[tokio::test]
async fn clones_share_how_often_they_may_ask_again() {
    let busy = || reply("429 Too Many Requests", "Retry-After: 0\r\n", "");
    let canned = Canned::of(vec![busy(), busy(), busy()]).await;
    let client = canned.client(Options { retries: Retries { most: 1, per: 100 }, ..Options::default() });
    // Two requests, three questions: the second has nothing left to repeat with.
    client.clone().record(&query()).await.unwrap_err();
    let error = client.bearing(Token::None).record(&query()).await.unwrap_err();
    assert_eq!(error.fault(), Fault::Load);
    assert_eq!(canned.requests.await.unwrap().len(), 3);
}

#[tokio::test]
async fn refusals_say_whose_fault_they_are() {
    let asked = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"timeout","details":{"coding":[{"system":"urn:x-tributary:source-status","code":"timeout"}]},"extension":[{"url":"urn:x-tributary:source","valueString":"gp"}]}]}"#;
    for (status, body, fault) in [
        ("401 Unauthorized", "", Fault::Caller),
        ("404 Not Found", "", Fault::Caller),
        ("404 Not Found", asked, Fault::Sources),
        ("429 Too Many Requests", "", Fault::Load),
        ("500 Internal Server Error", "", Fault::Broker),
        ("503 Service Unavailable", "", Fault::Load),
        ("503 Service Unavailable", asked, Fault::Sources),
        ("504 Gateway Timeout", asked, Fault::Sources),
        ("504 Gateway Timeout", "", Fault::Broker),
    ] {
        let error = ask(reply(status, "X-Request-ID: 0192\r\n", body)).await.0.unwrap_err();
        assert_eq!(error.fault(), fault, "{status}");
        let ClientError::Refused(refusal) = error else { panic!("{status}") };
        assert_eq!(refusal.request_id.as_deref(), Some("0192"));
    }
}

#[tokio::test]
async fn nothing_of_a_patient_is_printed() {
    let answer = ask(reply("200 OK", HEADERS, BUNDLE)).await.0.unwrap();
    let printed = format!("{answer:?} {:?} {:#?} {:?}", answer.table, answer.table, query());
    for word in ["ASHWORTH", "George", "1953", "999", "Warfarin", "resuscitation", "Flag/f1"] {
        assert!(answer.bundle_json.to_uppercase().contains(&word.to_uppercase()), "{word} is in the record");
        assert!(!printed.contains(word), "{word}: {printed}");
    }
    assert!(printed.contains("timeout") && printed.contains("local-7"), "{printed}");
    let outcome = r#"{"resourceType":"OperationOutcome","issue":[{"details":{"text":"ASHWORTH"}}]}"#;
    let refusal = ask(reply("500 Internal Server Error", "", outcome)).await.0.unwrap_err();
    assert!(!format!("{refusal:?} {refusal}").contains("ASHWORTH"));
    let token = Options { token: Token::Fixed(Redacted::new("secret".to_owned())), ..Options::default() };
    assert!(!format!("{token:?} {:?}", Client::with("http://[::1]", token.clone())).contains("secret"));
}

#[test]
fn what_cannot_be_used_is_told_before_anybody_waits() {
    let certificate = Certificate { chain_pem: b"x".to_vec(), key_pem: Redacted::new(b"y".to_vec()) };
    let with = |options| Client::with("https://record.example.test", options).unwrap_err();
    assert_eq!(
        with(Options { certificate: Some(certificate), ..Options::default() }),
        ClientError::Certificate
    );
    assert_eq!(
        with(Options { authorities_pem: Some(Vec::new()), ..Options::default() }),
        ClientError::Authorities
    );
    let token = Token::Fixed(Redacted::new("a\nb".to_owned()));
    assert_eq!(with(Options { token, ..Options::default() }), ClientError::Token);
}
