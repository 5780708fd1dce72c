use std::time::Duration;

use tributary_broker::{Delivery, Refusal, Verdict};
use tributary_model::{Freshness, Handling, Priority, Requester, Role};

use super::bench::{
    BODY, FHIR, FakeDesk, RECORD, Say, edge, outcome, parameters, read, record_request, request, send,
    settings,
};
use crate::gpconnect;
use crate::routes;
use crate::settings::{Limits, Settings};
use tributary_fhir::outcome::SPINE_CODES as SPINE;

/// Method, path, headers, body; the status, and a word the outcome must hold.
type Refused<'t> = (&'t str, &'t str, &'t [(&'t str, &'t str)], &'t str, u16, &'t str);

#[track_caller]
fn status_of(number: u16) -> http::StatusCode {
    http::StatusCode::from_u16(number).unwrap()
}

#[tokio::test]
async fn every_refusal_before_the_broker_is_an_outcome() {
    let desk = FakeDesk::new(Say::Record);
    let edge = edge(&desk, settings());
    let good = parameters("");
    let cases: &[Refused<'_>] = &[
        ("GET", "/nowhere", &[], "", 404, "not-found"),
        ("GET", RECORD, &[], "", 405, "not-supported"),
        ("DELETE", "/", &[], "", 405, "not-supported"),
        ("TRACE", "/", &[], "", 405, "not-supported"),
        ("POST", RECORD, &[], &good, 415, "Content-Type"),
        ("POST", RECORD, &[FHIR, ("content-encoding", "gzip")], &good, 415, "Content-Encoding"),
        ("POST", RECORD, &[FHIR, ("accept", "application/fhir+xml")], &good, 406, "XML"),
        ("POST", RECORD, &[FHIR, ("accept", "text/html")], &good, 406, "FHIR 4.0 only"),
        ("POST", RECORD, &[FHIR, ("x-request-id", "7")], &good, 400, "X-Request-ID"),
        ("POST", RECORD, &[FHIR, ("tributary-deadline-ms", "soon")], &good, 400, "Tributary-Deadline-Ms"),
        ("POST", RECORD, &[FHIR, ("tributary-deadline-ms", "-5")], &good, 400, "Tributary-Deadline-Ms"),
        ("POST", RECORD, &[FHIR, ("ssp-from", "1"), ("ssp-from", "2")], &good, 400, "ssp-from"),
        ("POST", RECORD, &[FHIR, ("host", "other.example.test")], &good, 400, "Host"),
        ("POST", RECORD, &[FHIR, ("upgrade", "h2c")], &good, 400, "Upgrade"),
        ("POST", "http://other.example.test/fhir/R4/Patient/$record", &[FHIR], &good, 400, "Host"),
        ("GET", "/_ping", &[("content-length", "3")], "abc", 400, "has no body"),
        ("POST", RECORD, &[FHIR, ("authorization", "Basic eDp5")], &good, 401, "bearer"),
        ("POST", RECORD, &[FHIR, ("authorization", "Bearer e30.e30.c2ln")], &good, 401, "unsigned"),
    ];
    for (method, path, headers, body, status, word) in cases {
        let reply = send(&edge, request(method, path, headers, body)).await;
        assert!(reply.headers().contains_key("x-request-id"));
        let (found, json) = outcome(reply).await;
        assert_eq!(found, status_of(*status), "{method} {path} {headers:?}: {json}");
        assert!(json.to_string().contains(word), "{word}: {json}");
    }
    assert!(desk.asked.lock().unwrap().is_empty(), "nobody was asked");
}

#[tokio::test]
async fn a_host_that_is_not_ours_is_refused() {
    let desk = FakeDesk::new(Say::Record);
    let edge = edge(&desk, settings());
    let mut rebound = record_request(&[]);
    rebound.headers_mut().insert("host", http::HeaderValue::from_static("evil.example:8443"));
    let (status, json) = outcome(send(&edge, rebound).await).await;
    assert_eq!(status, 421);
    assert_eq!(json["issue"].as_array().unwrap().len(), 1);
    assert!(json.to_string().contains("Host"), "{json}");
    assert!(desk.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn long_targets_and_large_bodies_are_refused() {
    let desk = FakeDesk::new(Say::Record);
    let edge = edge(&desk, settings());
    let long = format!("/_ping?{}", "x".repeat(2_048));
    assert_eq!(outcome(send(&edge, request("GET", &long, &[], "")).await).await.0, 414);
    let large = " ".repeat((64 << 10) + 1);
    let reply = send(&edge, request("POST", RECORD, &[FHIR], &large)).await;
    assert_eq!(reply.headers()["connection"], "close");
    assert_eq!(outcome(reply).await.0, 413);
    let lying = [FHIR, ("content-length", "99999999")];
    assert_eq!(outcome(send(&edge, request("POST", RECORD, &lying, "{}")).await).await.0, 413);
}

#[tokio::test]
async fn wrong_method_names_the_right_one() {
    let edge = edge(&FakeDesk::new(Say::Record), settings());
    let reply = send(&edge, request("PUT", RECORD, &[], "")).await;
    assert_eq!(reply.headers()["allow"], "POST");
}

#[tokio::test]
async fn errors_have_the_shape_of_their_path() {
    let edge = edge(&FakeDesk::new(Say::Record), settings());
    let path = "/A99901/STU3/1/gpconnect/structured/fhir/Nothing";
    let (_, stu3) = outcome(send(&edge, request("GET", path, &[], "")).await).await;
    assert_eq!(
        stu3["meta"]["profile"][0],
        "https://fhir.nhs.uk/STU3/StructureDefinition/GPConnect-OperationOutcome-1"
    );
    assert_eq!(stu3["issue"][0]["details"]["coding"][0]["system"], SPINE);
    assert_eq!(stu3["issue"][0]["details"]["coding"].as_array().unwrap().len(), 1);
    assert!(stu3["issue"][0]["diagnostics"].is_string());
    let (_, r4) = outcome(send(&edge, request("GET", "/fhir/R4/Nothing", &[], "")).await).await;
    assert!(r4.get("meta").is_none());
}

#[tokio::test]
async fn a_record_comes_with_its_headers_untouched_and_is_noted_as_delivered() {
    let desk = FakeDesk::new(Say::Record);
    let edge = edge(&desk, settings());
    let reply = send(&edge, record_request(&[])).await;
    let headers = reply.headers().clone();
    assert_eq!(read(reply).await, (http::StatusCode::OK, BODY.to_owned()));
    let expected = [
        ("content-type", "application/fhir+json; charset=utf-8"),
        ("tributary-completeness", "partial; failed=1"),
        ("tributary-sources", "1/2"),
        ("tributary-audit", "42"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ];
    for (name, value) in expected {
        assert_eq!(headers[name], value);
    }
    let delivered = desk.delivered.lock().unwrap();
    assert_eq!(*delivered, [("42".to_owned(), BODY.len() as u64, Delivery::Whole)]);
}

#[tokio::test]
async fn a_dropped_body_is_noted_as_aborted() {
    let desk = FakeDesk::new(Say::Record);
    drop(send(&edge(&desk, settings()), record_request(&[])).await);
    assert_eq!(desk.delivered.lock().unwrap()[0].2, Delivery::Aborted);
}

#[tokio::test]
async fn verdicts_and_refusals_have_their_status() {
    let wait = Duration::from_millis(1_500);
    let cases = [
        (Say::Verdict(Verdict::NotFound), 404, None),
        (Say::Verdict(Verdict::TimedOut), 504, None),
        (Say::Verdict(Verdict::Shed(wait)), 503, Some("2")),
        (Say::Verdict(Verdict::Failed), 502, None),
        (Say::Verdict(Verdict::Incomplete), 502, None),
        (Say::Refuse(Refusal::AuditUnavailable), 503, Some("5")),
        (Say::Refuse(Refusal::Overloaded(wait)), 503, Some("2")),
        (Say::Refuse(Refusal::NoSuchSource), 422, None),
        (Say::Refuse(Refusal::Internal), 500, None),
    ];
    for (say, status, retry) in cases {
        let reply = send(&edge(&FakeDesk::new(say), settings()), record_request(&[])).await;
        assert_eq!(reply.status(), status_of(status), "{say:?}");
        let found = reply.headers().get("retry-after").map(|value| value.to_str().unwrap());
        assert_eq!(found, retry, "{say:?}");
    }
}

#[tokio::test]
async fn a_panic_becomes_an_answer_without_its_words() {
    let edge = edge(&FakeDesk::new(Say::Panic), settings());
    let reply = send(&edge, record_request(&[])).await;
    assert!(reply.headers().contains_key("x-request-id"));
    let (status, json) = outcome(reply).await;
    assert_eq!(status, 500);
    assert!(!json.to_string().contains("warfarin"));
    assert!(edge.metrics.render().contains("tributary_panics_total 1"));
}

#[tokio::test]
async fn too_much_at_once_is_shed_and_counted() {
    let limits = Limits { in_flight: 1, ..Limits::default() };
    let settings = Settings { limits, ..settings() };
    let edge = edge(&FakeDesk::new(Say::Record), settings);
    let first = send(&edge, record_request(&[])).await;
    for health in ["/_ping", "/_status"] {
        assert_eq!(send(&edge, request("GET", health, &[], "")).await.status(), 200, "{health}");
    }
    let second = send(&edge, record_request(&[])).await;
    let wait: u64 = second.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=5).contains(&wait), "{wait}");
    assert_eq!(outcome(second).await.0, 503);
    assert!(edge.metrics.render().contains("tributary_shed_total{reason=\"requests\"} 1"));
    drop(first);
    assert_eq!(send(&edge, record_request(&[])).await.status(), 200);
}

#[tokio::test]
async fn a_caller_lowers_its_priority_and_never_raises_it() {
    let desk = FakeDesk::new(Say::Record);
    let nurse = Settings {
        demo_requester: Requester {
            priority: Priority::Interactive,
            role: Role::CommunityNurse,
            ..settings().demo_requester
        },
        ..settings()
    };
    let edge = edge(&desk, nurse);
    for (asked, has) in [
        (None, Priority::Interactive),
        (Some("urgent"), Priority::Interactive),
        (Some("interactive"), Priority::Interactive),
        (Some("background"), Priority::Background),
    ] {
        let headers: Vec<_> = asked.map(|asked| ("tributary-priority", asked)).into_iter().collect();
        let reply = send(&edge, record_request(&headers)).await;
        let counted = format!("tributary_requests_in_flight{{priority=\"{}\"}} 1", has.code());
        assert!(edge.metrics.render().contains(&counted), "{asked:?}");
        drop(reply);
        assert!(!edge.metrics.render().contains(&counted), "{asked:?}");
        assert_eq!(desk.asked.lock().unwrap().pop().unwrap().requester.priority, has, "{asked:?}");
    }
    for bad in [
        &[("tributary-priority", "now")][..],
        &[("tributary-priority", "urgent"), ("tributary-priority", "urgent")],
    ] {
        assert_eq!(outcome(send(&edge, record_request(bad)).await).await.0, 400);
    }
}

#[tokio::test(start_paused = true)]
async fn deadlines_are_brought_inside_their_bounds() {
    let desk = FakeDesk::new(Say::Record);
    let edge = edge(&desk, settings());
    for (asked, budget) in [(None, 8_000), (Some("1"), 300), (Some("1000"), 1_000), (Some("99999"), 30_000)] {
        let headers: Vec<_> = asked.map(|asked| ("tributary-deadline-ms", asked)).into_iter().collect();
        let now = tokio::time::Instant::now();
        drop(send(&edge, record_request(&headers)).await);
        let deadline = desk.asked.lock().unwrap().pop().unwrap().deadline;
        assert_eq!(deadline.instant() - now, Duration::from_millis(budget));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_ends_soon_after_its_deadline() {
    let began = tokio::time::Instant::now();
    let edge = edge(&FakeDesk::new(Say::Never), settings());
    let reply = send(&edge, record_request(&[("tributary-deadline-ms", "1000")])).await;
    assert_eq!(outcome(reply).await.0, 504);
    assert_eq!(began.elapsed(), Duration::from_secs(2));
}

#[tokio::test]
async fn wishes_in_headers_reach_the_broker() {
    let desk = FakeDesk::new(Say::Record);
    let edge = edge(&desk, settings());
    let strict = [("prefer", "respond-async, handling=\"strict\""), ("cache-control", "max-age=0, No-Cache")];
    drop(send(&edge, record_request(&strict)).await);
    drop(send(&edge, record_request(&[("prefer", "handling=lenient")])).await);
    let asked = desk.asked.lock().unwrap();
    assert_eq!((asked[0].handling, asked[0].freshness), (Handling::Strict, Freshness::FetchNow));
    assert_eq!((asked[1].handling, asked[1].freshness), (Handling::Lenient, Freshness::Allowed));
    assert_eq!(asked[0].requester.user_id, "demo-user");
}

#[tokio::test]
async fn an_escaped_dollar_is_a_dollar() {
    let edge = edge(&FakeDesk::new(Say::Record), settings());
    let path = "/fhir/R4/Patient/%24record";
    assert_eq!(send(&edge, request("POST", path, &[FHIR], &parameters(""))).await.status(), 200);
}

#[tokio::test]
async fn small_answers_are_what_they_should_be() {
    let edge = edge(&FakeDesk::new(Say::Record), settings());
    let cases = [
        ("/_ping", r#""status":"pass""#),
        ("/_status", r#""status":"pass""#),
        (
            "/sources",
            r#"{"id":"gp-a99901","name":"Riverside \"Surgery\"","kind":"gp","sections":["allergies"]}"#,
        ),
        ("/fhir/R4/metadata", r#""operation":[{"name":"record""#),
        ("/openapi.yaml", "openapi: 3.0.3"),
    ];
    for (path, word) in cases {
        let (status, body) = read(send(&edge, request("GET", path, &[], "")).await).await;
        assert_eq!(status, 200, "{path}");
        assert!(body.contains(word), "{path}: {body}");
        if body.starts_with('{') {
            serde_json::from_str::<serde_json::Value>(&body).unwrap();
        }
    }
    edge.house.standing.leave();
    let status = send(&edge, request("GET", "/_status", &[], "")).await.status();
    assert_eq!(status, 503, "draining is not ready");
}

#[tokio::test]
async fn requests_are_counted_by_template() {
    let edge = edge(&FakeDesk::new(Say::Record), settings());
    for path in ["/A99901/STU3/1/gpconnect/structured/metadata", "/9990000107"] {
        drop(send(&edge, request("GET", path, &[], "")).await);
    }
    let metrics = edge.metrics.render();
    assert!(metrics.contains("route=\"/{ods}/STU3/1/gpconnect/structured/fhir/metadata\""), "{metrics}");
    assert!(metrics.contains("route=\"unmatched\""));
    assert!(!metrics.contains("9990000107"));
}

#[test]
fn no_two_patterns_clash() {
    for route in routes::TABLE {
        assert_eq!(routes::template(route.pattern), route.pattern);
    }
}

/// Method and path of every operation in the description.
fn described(text: &str) -> Vec<String> {
    let paths = text.split_once("\npaths:\n").unwrap().1.split_once("\ncomponents:").unwrap().0;
    let mut path = "";
    let mut found = Vec::new();
    for line in paths.lines() {
        if let Some(key) = line.strip_prefix("  /") {
            path = key.trim_end_matches(':');
        } else if let Some(member) = line.strip_prefix("    ") {
            for method in ["get", "post"] {
                if member.starts_with(&format!("{method}:")) {
                    found.push(format!("{} /{path}", method.to_uppercase()));
                }
            }
        }
    }
    found
}

#[test]
fn description_and_routes_say_the_same() {
    let mut described = described(crate::handlers::openapi::DESCRIPTION);
    let mut served: Vec<_> =
        routes::TABLE.iter().map(|route| format!("{} {}", route.method, route.pattern)).collect();
    let relayed = gpconnect::TABLE.iter().filter(|row| row.is_offered());
    served.extend(relayed.map(|row| format!("{} {}", row.method, row.pattern)));
    described.sort();
    served.sort();
    assert_eq!(described, served);
}
