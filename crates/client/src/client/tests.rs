//! The client against a socket that answers what it is told.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tributary_model::Section;

use super::*;

const HEADERS: &str =
    "Tributary-Completeness: partial; failed=1\r\nTributary-Sources: 3/4\r\nTributary-Audit: local-7\r\n";
const BUNDLE: &str = include_str!("../bundle/sample.json");

fn query() -> Query {
    Query {
        nhs_number: NhsNumber::parse("9990000107").unwrap(),
        sections: SectionSet::EMPTY.with(Section::Plans),
        deadline: Duration::from_secs(1),
    }
}

/// Answers one request with these bytes, and gives the request.
async fn ask(reply: String) -> (Result<RecordAnswer, ClientError>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = String::new();
        while !request.contains("]}") {
            let mut bytes = [0; 4096];
            let count = stream.read(&mut bytes).await.unwrap();
            request.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
        stream.write_all(reply.as_bytes()).await.unwrap();
        request
    });
    let client = Client::new(&format!("http://{address}")).unwrap();
    let answer = client.record(&query()).await;
    (answer, server.await.unwrap())
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
    assert_eq!(ask(huge).await.0.unwrap_err(), ClientError::TooLarge);
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
