//! Traces that are exported: to a receiver over HTTP, from the real binary, about requests that go well and ill.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use mock_providers::Fault;
use tributary_telemetry::ATTRIBUTES;
use tributary_tests::collector::{Collector, Manner, Span};
use tributary_tests::{GEORGE, Plan, http, parameters, tells};

use crate::scene::{PATIENCE, Scene, text, value};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

async fn scene(collector: &Collector, keys: &str) -> Scene {
    let plan = Plan { source_keys: "timeout_ms = 500", ..Plan::default() };
    let section = collector.section(keys);
    Scene::set(plan, |_, usual| usual.replace("[maps]", &format!("{section}[maps]"))).await
}

fn named<'s>(spans: &'s [Span], name: &str) -> Vec<&'s Span> {
    spans.iter().filter(|span| span.text("name").starts_with(name)).collect()
}

/// The one span of this name.
fn one<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    match named(spans, name).as_slice() {
        [span] => span,
        found => panic!("{} spans of {name}: {spans:#?}", found.len()),
    }
}

fn has_request(spans: &[Span]) -> bool {
    !named(spans, "POST ").is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_told_as_part_of_its_callers_trace() {
    let collector = Collector::start(Manner::Takes).await;
    let scene = scene(&collector, "").await;
    scene.federation.provider("walkin").unwrap().set_fault(Fault::status(500));
    let header = format!("00-{TRACE}-{CALLER}-01");
    assert_eq!(scene.record(&[("traceparent", &header)]).await.status, 200);
    let spans = collector.until(has_request).await;
    assert!(spans.iter().all(|span| span.text("traceId") == TRACE), "{spans:#?}");
    let request = one(&spans, "POST ");
    assert_eq!((request.text("parentSpanId"), &request.0["kind"]), (CALLER, &2.into()));
    assert_eq!(request.attribute("http.route").as_deref(), Some("/fhir/R4/Patient/$record"));
    assert_eq!(request.attribute("http.response.status_code").as_deref(), Some("200"));
    for name in ["ask ", "merge", "audit intent", "audit disclosure"] {
        for span in named(&spans, name) {
            assert_eq!(span.text("parentSpanId"), request.text("spanId"), "{span:#?}");
            assert!(span.nanos() >= 0 && span.nanos() <= request.nanos() + 1_000_000_000, "{span:#?}");
        }
    }
    assert_eq!(named(&spans, "ask ").len(), 4, "{spans:#?}");
    one(&spans, "merge");
    assert_eq!(one(&spans, "audit intent").attribute("tributary.audit.kind").as_deref(), Some("intent"));
    one(&spans, "audit disclosure");
    let gp = one(&spans, "ask gp");
    assert_eq!(gp.0["kind"], 3);
    let requests = scene.federation.provider("gp").unwrap().asks().len().to_string();
    for (name, expected) in [
        ("tributary.source.id", "gp"),
        ("tributary.source.status", "ok"),
        ("tributary.source.breaker", "passing"),
        ("tributary.source.requests", requests.as_str()),
        ("http.response.status_code", "200"),
    ] {
        assert_eq!(gp.attribute(name).as_deref(), Some(expected), "{name} of {gp:#?}");
    }
    assert!(gp.attribute("http.response.body.size").unwrap().parse::<u64>().unwrap() > 100);
    let walkin = one(&spans, "ask walkin");
    assert_eq!(walkin.attribute("http.response.status_code").as_deref(), Some("500"));
    assert_eq!(walkin.attribute("tributary.source.status").as_deref(), Some("unavailable"));
    assert!(walkin.attribute("error.type").is_some() && walkin.0["status"]["code"] == 2, "{walkin:#?}");
    // What a source does with the request is part of our ask of it.
    for provider in scene.federation.providers() {
        for ask in provider.asks() {
            let parent = ask.header("traceparent").unwrap();
            let span = parent.split('-').nth(2).unwrap();
            assert!(named(&spans, "ask ").iter().any(|one| one.text("spanId") == span), "{parent}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_did_not_answer_in_time_is_told_and_how_often_it_was_tried() {
    let collector = Collector::start(Manner::Takes).await;
    let scene = scene(&collector, "").await;
    scene.federation.provider("gp").unwrap().set_fault(Fault::HangBeforeHead);
    let soon = [("Tributary-Deadline-Ms", "8000")];
    assert_eq!(scene.record(&soon).await.status, 200);
    let spans = collector.until(has_request).await;
    let gp = one(&spans, "ask gp");
    assert_eq!(gp.attribute("tributary.source.status").as_deref(), Some("timeout"), "{gp:#?}");
    assert!(gp.nanos() >= 450_000_000, "{gp:#?}");
    let early = [("Tributary-Deadline-Ms", "400")];
    scene.record(&early).await;
    let spans = collector.until(|spans| named(spans, "POST ").len() == 2).await;
    let second = named(&spans, "ask gp")[1];
    assert_eq!(second.attribute("tributary.source.status").as_deref(), Some("nobody-waited"), "{second:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_does_not_keep_is_not_told_and_of_the_rest_a_share() {
    let collector = Collector::start(Manner::Takes).await;
    let scene = scene(&collector, "sample_percent = 0").await;
    let other = "5cf92f3577b34da6a3ce929d0e0e4736";
    scene.record(&[("traceparent", &format!("00-{other}-{CALLER}-00"))]).await;
    scene.record(&[]).await;
    for provider in scene.federation.providers() {
        for ask in provider.asks() {
            assert!(ask.header("traceparent").unwrap().ends_with("-00"), "nobody keeps it");
        }
    }
    scene.record(&[("traceparent", &format!("00-{TRACE}-{CALLER}-01"))]).await;
    let spans = collector.until(has_request).await;
    assert!(spans.iter().all(|span| span.text("traceId") == TRACE), "{spans:#?}");
}

/// Good requests and bad ones, of sources that are well and ill, with numbers wherever a caller can put one.
async fn ask_in_every_way(scene: &Scene) {
    let number = "00-00000000000000000000009990000107-0000009990000107-01";
    let parent = format!("00-{TRACE}-0000009990000107-01");
    for fault in [None, Some(Fault::WrongPatient), Some(Fault::TruncatedJson), Some(Fault::status(500))] {
        for provider in scene.federation.providers() {
            provider.clear_fault().unwrap();
            fault.clone().into_iter().for_each(|fault| provider.set_fault(fault));
        }
        for header in [number, &parent] {
            let said =
                [("traceparent", header), ("tracestate", "v=9990000107"), ("X-Correlation-ID", "CANARY")];
            scene.record(&said).await;
            scene
                .post("/A99901/STU3/1/gpconnect/structured/fhir/Patient/$gpc.getstructuredrecord", &said)
                .await;
            http::send(
                scene.broker.data,
                "GET",
                &format!("/fhir/R4/Patient/{GEORGE}/$summary?x=CANARY"),
                "",
                &said,
            )
            .await;
            http::send(scene.broker.data, "BREW", &format!("/{GEORGE}/CANARY"), "", &said).await;
            let wrong = parameters("9990000019", &["CANARY"]);
            http::post(scene.broker.data, "/fhir/R4/Patient/$record", "application/fhir+json", &wrong, &said)
                .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_patient_is_in_what_is_exported() {
    let collector = Collector::start(Manner::Takes).await;
    let scene = scene(&collector, "").await;
    ask_in_every_way(&scene).await;
    let spans =
        collector.until(|spans| named(spans, "ask ").len() >= 32 && named(spans, "GET ").len() >= 8).await;
    let (mut keys, mut names) = (BTreeSet::new(), BTreeSet::new());
    for span in &spans {
        names.insert(span.text("name").to_owned());
        for attribute in span.0["attributes"].as_array().unwrap() {
            keys.insert(attribute["key"].as_str().unwrap().to_owned());
        }
        let members: BTreeSet<_> = span.0.as_object().unwrap().keys().map(String::as_str).collect();
        let known = [
            "attributes",
            "endTimeUnixNano",
            "kind",
            "name",
            "parentSpanId",
            "spanId",
            "startTimeUnixNano",
            "status",
            "traceId",
        ];
        assert!(members.iter().all(|member| known.contains(member)), "{span:#?}");
    }
    assert!(keys.iter().all(|key| ATTRIBUTES.contains(&key.as_str())), "{keys:?}");
    assert!(names.len() < 30, "names are of a closed set: {names:?}");
    let canaries = [
        "9990000107",
        "999 000 0107",
        "9990000019",
        "shworth",
        "SHWORTH",
        "1953",
        "19530211",
        "Morphine",
        "CANARY",
        "gpc.getstructuredrecord?",
        "?x=",
    ];
    for batch in collector.batches() {
        for canary in canaries {
            assert!(!tells(&batch.body, canary) && !tells(&batch.head, canary), "{canary} in {}", batch.body);
        }
        assert!(!batch.head.to_lowercase().contains("traceparent"), "sending spans makes no spans");
    }
}

/// How long ten records take.
async fn ten(scene: &Scene) -> Duration {
    let began = Instant::now();
    for _ in 0..10 {
        assert_eq!(scene.record(&[]).await.status, 200);
    }
    began.elapsed()
}

fn count(page: &str, outcome: &str) -> f64 {
    value(page, &format!("tributary_trace_spans_total{{outcome=\"{outcome}\"}}")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_ill_costs_nobody_an_answer_and_what_is_lost_is_counted() {
    for manner in [Manner::Hangs, Manner::Says(503), Manner::Says(400)] {
        let collector = Collector::start(manner).await;
        let keys = "queue_spans = 64\nbatch_spans = 64\ntimeout_ms = 60000\nflush_ms = 100";
        let mut scene = scene(&collector, keys).await;
        let took = ten(&scene).await + ten(&scene).await;
        // Each would wait a minute if it waited at all.
        assert!(took < Duration::from_secs(30), "{manner:?}: {took:?}");
        let began = Instant::now();
        loop {
            let page = scene.metrics().await;
            assert_eq!(count(&page, "exported"), 0.0);
            let lost = if manner == Manner::Says(400) { "refused" } else { "dropped" };
            if count(&page, lost) >= 30.0 {
                break;
            }
            assert!(began.elapsed() < PATIENCE, "{manner:?}: nothing {lost}:\n{page}");
            ten(&scene).await;
        }
        assert_eq!(scene.broker.terminate(), Some(0), "the end does not wait for it");
        assert!(began.elapsed() < PATIENCE);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_away_is_told_when_it_is_back_and_the_end_sends_the_rest() {
    let collector = Collector::start(Manner::Says(503)).await;
    let mut scene = scene(&collector, "").await;
    scene.record(&[]).await;
    collector.until(|spans| !spans.is_empty()).await;
    collector.behave(Manner::Takes);
    let began = Instant::now();
    while count(&scene.metrics().await, "exported") == 0.0 {
        assert!(began.elapsed() < PATIENCE, "it was not tried again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    scene.record(&[]).await;
    assert_eq!(scene.broker.terminate(), Some(0));
    // What was refused at first came again.
    let spans = collector.spans();
    let told: BTreeSet<_> = named(&spans, "POST ").into_iter().map(|span| span.text("spanId")).collect();
    assert_eq!(told.len(), 2, "both requests are told, the last of them at the end");
    let log = scene.broker.log_text();
    assert!(log.contains("does not take them") && log.contains("spans are taken again"), "{log}");
}

#[test]
fn every_attribute_is_described() {
    let page = text("deploy/README.md");
    for attribute in ATTRIBUTES {
        assert!(page.contains(&format!("`{attribute}`")), "{attribute} is not in deploy/README.md");
    }
}
